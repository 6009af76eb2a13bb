"""The commands release, rollback and audit, in this process: what they print, and with which exit code they refuse."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from flywheel import cli, origin
from flywheel.cli import releasing
from tests.unit.release.conftest import LOSS, NAME, UNCLEAR, commit, compose, git, retrain, write

pytestmark = pytest.mark.usefixtures("repository")


@pytest.fixture(autouse=True)
def composed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The small conf/ of the tests is composed as they do it; nothing is halted, and no summary is written."""
    monkeypatch.setattr(releasing, "_composed", compose)
    monkeypatch.setattr(origin, "PAUSE_S", 0.001)
    for name in ("FLYWHEEL_HALT", "GITHUB_STEP_SUMMARY", "GITHUB_REPOSITORY"):
        monkeypatch.delenv(name, raising=False)


def flywheel(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    """The exit code of a command, given as on a command line."""
    monkeypatch.setattr("sys.argv", ["flywheel", *arguments])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    return int(ended.value.code or 0)


def test_a_release_is_said_and_its_audit_is_whole(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 0 for both, and a line a link."""
    assert flywheel(monkeypatch, "release") == 0
    assert f"{NAME}@v0.2.0 is released and serves as {NAME}#prod#1" in capsys.readouterr().out
    assert flywheel(monkeypatch, "audit") == 0
    shown = capsys.readouterr().out.splitlines()
    assert len(shown) == 11
    assert all(line.startswith("ok\t") for line in shown)


def test_refusals_have_the_exit_code_of_their_family(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """2 for what was asked wrongly, 3 for a torn link, 4 for a closed gate; each as one message."""
    assert flywheel(monkeypatch, "release", "--force", " ") == 2
    assert flywheel(monkeypatch, "rollback", "--to", "v0.1.0", "--why", "x") == 2
    assert flywheel(monkeypatch, "audit", "v0.1.0") == 2
    retrain(LOSS)
    commit()
    assert flywheel(monkeypatch, "release") == 4
    write("src/train.py", "edited\n")
    commit()
    assert flywheel(monkeypatch, "release") == 3
    said = capsys.readouterr().err
    assert said.count("flywheel: ") == 5
    assert "Traceback" not in said
    assert git("tag") == ""


def test_the_gate_enforces_when_asked(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 0 for any verdict; with --enforce 4 for all but a pass and what was accepted."""
    assert flywheel(monkeypatch, "gate", "--enforce") == 0
    assert "verdict: pass" in capsys.readouterr().out
    retrain(UNCLEAR)
    assert flywheel(monkeypatch, "gate") == 0
    assert flywheel(monkeypatch, "gate", "--enforce") == 4
    assert flywheel(monkeypatch, "accept", "--why", "cheaper") == 0
    assert flywheel(monkeypatch, "gate", "--enforce") == 0
    said = capsys.readouterr().out
    assert re.search(r"verdict: inconclusive, accepted by flywheel until \d{4}-\d\d-\d\d: cheaper\n$", said)


def test_an_acceptance_of_another_decision_is_told_where_it_is_asked_for(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Superseded: the gate stays closed and says so, on both channels. A day that is none is refused."""
    retrain(UNCLEAR)
    assert flywheel(monkeypatch, "accept", "--why", "cheaper", "--expires", "tomorrow") == 2
    assert "--expires: found 'tomorrow'; allowed is a date" in capsys.readouterr().err
    assert flywheel(monkeypatch, "accept", "--why", "cheaper", "--name", "Ada") == 0
    retrain((-9.0, 9.0))
    assert flywheel(monkeypatch, "gate", "--enforce") == 4
    said = capsys.readouterr()
    assert "inconclusive, not accepted: decisions/" in said.out
    assert "is superseded: it accepts another decision" in said.err


def test_a_release_is_explained_with_the_commands_that_make_it_again(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A line for each thing that is known, then the commands as they stand; without a release, exit code 2."""
    assert flywheel(monkeypatch, "explain") == 2
    assert flywheel(monkeypatch, "release") == 0
    capsys.readouterr()
    assert flywheel(monkeypatch, "explain", "v0.2.0") == 0
    rows, intro, commands = capsys.readouterr().out.split("\n\n")
    assert "training window\t2029-01-01 to 2030-01-01" in rows.splitlines()
    assert intro.startswith("To make it again")
    assert commands.splitlines()[0] == f"git worktree add --detach ../{NAME}-v0.2.0 {git('rev-parse', 'HEAD')}"


def test_a_torn_chain_is_shown_whole_and_exits_with_3(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The table has every link, the message those that do not hold."""
    git("tag", f"{NAME}@v0.2.0")
    git("tag", "-a", "-m", "x", f"{NAME}@v0.3.0", git("commit-tree", "HEAD^{tree}", "-m", "elsewhere"))
    assert flywheel(monkeypatch, "audit", "v0.2.0") == 3
    said = capsys.readouterr()
    assert said.out.startswith("BROKEN\trelease\t")
    assert "the chain is broken at: release (" in said.err


def test_without_a_repository_every_command_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 2: the folder is the wrong one."""
    (tmp_path / "bare").mkdir()
    write(str(tmp_path / "bare/params.yaml"), Path("params.yaml").read_text())
    write(str(tmp_path / "bare/dvc.yaml"), Path("dvc.yaml").read_text())
    monkeypatch.chdir(tmp_path / "bare")
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))
    for command in (["release"], ["rollback", "--why", "x"], ["audit"]):
        assert flywheel(monkeypatch, *command) == 2
        assert "not in a Git repository" in capsys.readouterr().err


def test_publishing_pushes_both_tags_and_checks_them_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """An interrupted release is finished only when its chain is whole; an origin that is gone exits with 5."""
    bare = tmp_path / "origin.git"
    git("init", "--quiet", "--bare", "--initial-branch", "main", str(bare))
    git("remote", "add", "origin", str(bare))
    git("push", "--quiet", "origin", "main")
    monkeypatch.setattr("flywheel.github.client.connect", lambda: None)
    monkeypatch.setattr("flywheel.github.releases.release", lambda _, name, version: f"https://{name}/{version}")
    assert flywheel(monkeypatch, "release", "--publish") == 0
    assert f"https://{NAME}/v0.2.0" in capsys.readouterr().out
    assert {line.split("/")[-1] for line in git("ls-remote", "--tags", "origin").split("\n") if "^{}" not in line} == {
        f"{NAME}@v0.2.0",
        f"{NAME}#prod#1",
    }
    git("tag", "--force", f"{NAME}@v0.2.0")  # now a lightweight one
    git("push", "--quiet", "--force", "origin", f"{NAME}@v0.2.0")
    assert flywheel(monkeypatch, "release", "--publish") == 3
    assert "is no annotated tag" in capsys.readouterr().err
    bare.rename(tmp_path / "moved.git")
    assert flywheel(monkeypatch, "release", "--publish") == 5


def test_an_audit_takes_a_few_calls_of_git(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many files there are: it stays about a second."""
    assert flywheel(monkeypatch, "release") == 0
    commands: list[str] = []
    run = subprocess.run
    monkeypatch.setattr(
        subprocess, "run", lambda command, **more: (commands.append(command[1]), run(command, **more))[1]
    )
    assert flywheel(monkeypatch, "audit") == 0
    assert len(commands) < 30, commands
