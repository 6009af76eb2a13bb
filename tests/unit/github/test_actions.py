"""What GitHub Actions and a command tell each other, also where the files for it are not there."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from flywheel.errors import DataError
from flywheel.git import BOT
from flywheel.github.actions import say, set_output, this_run
from flywheel.github.pulls import _fork_of


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '"x"', "\xff"])
def test_an_event_that_is_none_is_named(text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """DataError, for a list as for a text that is not JSON."""
    (tmp_path / "event.json").write_text(text, encoding="latin-1")
    monkeypatch.setenv("GITHUB_EVENT_PATH", str(tmp_path / "event.json"))
    with pytest.raises(DataError, match=r"GITHUB_EVENT_PATH: .*event\.json"):
        this_run()


def test_a_summary_that_cannot_be_written_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The log has the text."""
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "nowhere/summary.md"))
    say("it serves")
    assert capsys.readouterr().out == "it serves\n"


def test_an_output_that_cannot_be_written_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A later step would act on nothing."""
    monkeypatch.setenv("GITHUB_OUTPUT", str(tmp_path / "nowhere/output"))
    with pytest.raises(DataError, match=r"GITHUB_OUTPUT: .*nowhere/output cannot be written"):
        set_output("pages", "on")
    monkeypatch.setenv("GITHUB_OUTPUT", str(tmp_path / "output"))
    set_output("pages", "on")
    assert (tmp_path / "output").read_text() == "pages=on\n"


def test_a_history_that_is_too_short_says_what_to_fetch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a shallow clone, where Git itself says nothing at all."""
    for name, value in BOT.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    subprocess.run(["git", "init", "-q", "-b", "main"], check=True)
    shas = []
    for branch in ("main", "other"):
        subprocess.run(["git", "checkout", "-q", "--orphan", branch], check=True)
        subprocess.run(["git", "commit", "-q", "--allow-empty", "-m", branch], check=True)
        shas.append(
            subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=True).stdout.strip()
        )
    for base in (shas[0], "4" * 40):
        with pytest.raises(DataError, match=r"git fetch --unshallow"):
            _fork_of(base)
    assert _fork_of(shas[1]) == shas[1]
