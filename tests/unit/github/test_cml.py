"""CML is used where it is installed, and never needed."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from flywheel.github import cml


def install(folder: Path, script: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A command `cml` that does what a shell script says."""
    path = folder / "cml"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")


def test_it_gets_the_token_and_the_arguments(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The token is in the environment, where no list of processes shows it; CML's telemetry is off."""
    install(tmp_path, f'echo "$REPO_TOKEN $ITERATIVE_DO_NOT_TRACK $@" > {tmp_path}/said', monkeypatch)
    assert cml.run("s3cret", "comment", "update", "a b.md") is True
    assert (tmp_path / "said").read_text() == "s3cret 1 comment update a b.md\n"


def test_where_it_is_not_installed_nothing_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The caller does it by itself."""
    monkeypatch.setenv("PATH", str(tmp_path))
    assert cml.run("s3cret", "comment", "update") is False
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("script", "told"),
    [
        ("echo 'no such pull' >&2; exit 1", "no such pull"),
        ("exit 7", "it gave no reason"),
        ("printf 'caf\\351' >&2; exit 1", "caf"),
        ("exec sleep 9", "timed out"),
    ],
)
def test_its_failure_is_told_and_not_raised(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], script: str, told: str
) -> None:
    """The caller does it by itself, and the log says why."""
    install(tmp_path, script, monkeypatch)
    assert cml.run("s3cret", "pr", "create", "--title", "x", timeout_s=0.3) is False
    said = capsys.readouterr().out
    assert said.startswith("`cml pr create` failed (")
    assert told in said
    assert "s3cret" not in said
