"""Git's answers: text, yes or no, and one sentence where there is no repository or no Git."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from flywheel import git
from flywheel.errors import ConfigError, DataError


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    return tmp_path


def test_without_a_repository_the_way_out_is_named() -> None:
    """What is asked first does not matter."""
    for ask in (lambda: git.run("status"), lambda: git.succeeds("diff", "--quiet", "HEAD")):
        with pytest.raises(ConfigError, match=r"not in a Git repository.*git init"):
            ask()


def test_without_git_the_way_out_is_named(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No traceback of a file that was not found."""
    monkeypatch.setenv("PATH", str(folder))
    with pytest.raises(ConfigError, match="Install Git"):
        git.run("status")


def test_an_error_is_neither_yes_nor_no() -> None:
    """A commit that is unknown has no answer."""
    subprocess.run(["git", "init", "-q"], check=True)
    with pytest.raises(DataError, match="git merge-base failed"):
        git.succeeds("merge-base", "--is-ancestor", "4" * 40, "5" * 40)
    assert git.succeeds("check-ref-format", "refs/heads/main") is True
    assert git.succeeds("check-ref-format", "refs/heads/..") is False


def test_an_old_message_that_is_not_utf8_is_readable() -> None:
    """What cannot be read shows as a question mark; line ends stay as they are."""
    subprocess.run(["git", "init", "-q"], check=True)
    made = subprocess.run(
        ["git", "hash-object", "-w", "--stdin"], input=b"caf\xe9\r\n", capture_output=True, check=True
    )
    assert git.run("cat-file", "blob", made.stdout.decode().strip()) == "caf�\r\n"


def test_the_branch_that_is_released_from_is_the_default_one_of_origin(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever it is called; without an origin it is main, and without a main there is none."""
    for name, value in git.BOT.items():
        monkeypatch.setenv(name, value)
    subprocess.run(["git", "init", "-q", "-b", "trunk", "theirs"], check=True)
    monkeypatch.chdir(folder / "theirs")
    subprocess.run(["git", "commit", "-q", "--allow-empty", "-m", "one"], check=True)
    assert git.main_branch() is None
    subprocess.run(["git", "clone", "-q", ".", str(folder / "ours")], check=True)
    subprocess.run(["git", "branch", "main"], check=True)
    assert git.main_branch() == "refs/heads/main"
    monkeypatch.chdir(folder / "ours")
    assert git.main_branch() == "refs/remotes/origin/trunk"
