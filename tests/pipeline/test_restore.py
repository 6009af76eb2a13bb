"""Restoring data: from a DVC remote if there is one; a run makes the rest again."""

from __future__ import annotations

import shutil

import pytest

from tests.conftest import Clone

pytestmark = pytest.mark.slow


def lose(clone: Clone) -> None:
    """What a fresh machine does not have."""
    shutil.rmtree(clone.path / "data")
    shutil.rmtree(clone.path / ".dvc/cache")


def test_data_comes_from_the_remote_and_nothing_is_left_to_run(tiny_copy: Clone) -> None:
    """The hashes are those of dvc.lock, so that the run has nothing to do."""
    tiny_copy.run("dvc", "remote", "add", "-q", "-d", "store", str(tiny_copy.home / "store"))
    tiny_copy.run("dvc", "push", "-q")
    lose(tiny_copy)
    assert "11 of 11 data folders are here, from the remote 'store'" in tiny_copy.flywheel("restore").stdout
    assert "everything was up to date" in tiny_copy.flywheel("run").stdout


@pytest.mark.parametrize("where", ["/nowhere/filled", "http://127.0.0.1:9/store"])
def test_what_does_not_come_is_said_and_is_no_error(tiny_copy: Clone, where: str) -> None:
    """A remote that was never filled, or is not there: a run makes the data again."""
    tiny_copy.run("dvc", "remote", "add", "-q", "-d", "store", where)
    lose(tiny_copy)
    said = tiny_copy.flywheel("restore").stdout
    assert said.startswith("0 of 11 data folders are here")
    assert "a run makes the rest again" in said


def test_a_remote_that_needs_a_library_says_which(tiny_copy: Clone) -> None:
    """One sentence with what to install, and exit code 2."""
    tiny_copy.run("dvc", "remote", "add", "-q", "-d", "store", "ssh://127.0.0.1/store")
    refused = tiny_copy.flywheel("restore", check=False)
    assert refused.returncode == 2
    assert "dvc-ssh" in refused.stderr
    assert "Traceback" not in refused.stderr
