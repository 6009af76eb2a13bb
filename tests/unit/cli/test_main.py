"""Whatever the command, a problem that a person can mend is one message and an exit code."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from flywheel import cli


def run(*arguments: str) -> int:
    """The exit code of a command that is run in this process."""
    sys.argv = ["flywheel", *arguments]
    with pytest.raises(SystemExit) as ended:
        cli.main()
    return int(ended.value.code or 0)


@pytest.fixture(autouse=True)
def in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither the folder nor what the commands leave in the process stays."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", list(sys.argv))
    monkeypatch.delenv("GITHUB_STEP_SUMMARY", raising=False)


@pytest.mark.parametrize("command", ["run", "tick", "monitor", "status", "compose", "restore", "trigger", "site"])
def test_outside_of_the_root_nothing_is_made(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Each command says where to go, and leaves no folder behind."""
    Path("dvc.yaml").write_text("stages: {}\n")
    below = Path("reports")
    below.mkdir()
    os.chdir(below)
    assert run(command) == 2
    assert "Run flywheel in the root of the repository: cd " in capsys.readouterr().err
    assert [] == list(Path().iterdir())


def test_help_is_given_anywhere(capsys: pytest.CaptureFixture[str]) -> None:
    """It needs no repository."""
    assert run("--help") == 0
    assert run("tick", "--help") == 0
    assert "flywheel run" in capsys.readouterr().out


def test_what_the_disk_refuses_is_no_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    """A file stands where the folder of this tool should be."""
    Path("dvc.yaml").write_text("stages: {}\n")
    Path(".flywheel").write_text("in the way")
    assert run("compose") == 3
    assert capsys.readouterr().err.startswith("flywheel: .flywheel: File exists. ")
