"""Accepting what is inconclusive: for one decision alone, with a reason, and never a fail."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from flywheel.errors import ConfigError, DataError, GateFailed
from flywheel.release.acceptance import accept, accepted, evidence, let_through, path_of


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def decision(**changes: Any) -> dict[str, Any]:
    found = {
        "verdict": "inconclusive",
        "as_of": "2030-01-02",
        "candidate": "abc",
        "champion": "v0.1.0",
        "rules": [{"rule": "AUC", "verdict": "inconclusive", "value": 0.1}],
    }
    return found | changes


@pytest.mark.parametrize("why", ["cheaper", "größer: 'x' # \"y\"", "two\nlines", "- a list?", "{}", "null"])
def test_an_inconclusive_decision_can_be_accepted_with_any_reason(why: str) -> None:
    """What is written is what is read, on one line."""
    assert not let_through(decision())
    assert accept(decision(), f" {why} ") == path_of(decision())
    assert accepted(decision()) == " ".join(why.split())
    assert let_through(decision())


@pytest.mark.parametrize(
    "change",
    [
        {"candidate": "abd"},
        {"champion": "v0.2.0"},
        {"as_of": "2030-01-03"},
        {"rules": [{"rule": "AUC", "verdict": "inconclusive", "value": 0.2}]},
        {"verdict": "fail"},
    ],
)
def test_it_holds_for_that_decision_alone(change: dict[str, Any]) -> None:
    """Other numbers, another candidate, champion, day or verdict are not accepted by it."""
    accept(decision(), "cheaper")
    other = decision(**change)
    if path_of(other) != path_of(decision()):  # also where somebody renames the file
        path_of(other).write_bytes(path_of(decision()).read_bytes())
    assert accepted(other) is None
    assert not let_through(other)


@pytest.mark.parametrize(
    ("verdict", "why", "error"),
    [("fail", "please", GateFailed), ("pass", "please", DataError), ("inconclusive", "  ", ConfigError)],
)
def test_a_fail_a_pass_or_no_reason_is_refused(verdict: str, why: str, error: type[Exception]) -> None:
    """And nothing is written."""
    with pytest.raises(error):
        accept(decision(verdict=verdict), why)
    assert not path_of(decision()).exists()


@pytest.mark.parametrize(
    "text", ["", "- a", "why: [", "why: x", "\x00", "verdict: inconclusive\nas_of: 1\nwhy: ''\n", "a: &a [*a, *a]"]
)
def test_a_damaged_acceptance_is_an_error_and_opens_nothing(text: str) -> None:
    """It says which file, and how to write it again."""
    path = path_of(decision())
    path.parent.mkdir()
    path.write_text(text)
    with pytest.raises(ConfigError, match=r"2030-01-02-abc\.yaml.*flywheel accept"):
        accepted(decision())


def test_a_pass_needs_no_acceptance() -> None:
    """And takes none: a file that is left over is of no importance."""
    accept(decision(), "cheaper")
    assert accepted(decision(verdict="pass")) is None
    assert let_through(decision(verdict="pass"))


@pytest.mark.parametrize("verdict", ["fail", "pass"])
def test_a_file_for_another_verdict_accepts_nothing(verdict: str) -> None:
    """Also one that somebody wrote by hand, with the digest of just this decision."""
    made = decision(verdict=verdict)
    accept(decision(), "please")
    text = path_of(made).read_text().replace(evidence(decision()), evidence(made)).replace("inconclusive", verdict)
    path_of(made).write_text(text)
    assert accepted(made) is None
    assert let_through(made) is (verdict == "pass")


@pytest.mark.parametrize("why", ["", "   ", None])
def test_an_acceptance_without_its_reason_is_damaged(why: str | None) -> None:
    """All its keys are there, and it is about this decision; but nobody says why."""
    accept(decision(), "cheaper")
    path = path_of(decision())
    path.write_text(yaml.safe_dump(yaml.safe_load(path.read_text()) | {"why": why}))
    with pytest.raises(ConfigError, match="flywheel accept"):
        accepted(decision())
