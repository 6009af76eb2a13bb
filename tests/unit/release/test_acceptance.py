"""Accepting what is inconclusive: for one decision alone, with name, reason and a last day, and never a fail."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import pytest
import yaml

from flywheel.errors import ConfigError, DataError, GateFailed
from flywheel.release.acceptance import OLDER, Standing, evidence, path_of, standing, standing_of
from flywheel.release.acceptance import accept as accept_on
from flywheel.release.acceptance import let_through as let_through_on

TODAY = dt.date(2031, 5, 6)


def accept(found: Any, why: str, name: str = "Ada", expires: dt.date | None = None) -> Path:
    return accept_on(found, why, name, TODAY, expires)


def accepted(found: Any, today: dt.date = TODAY) -> str | None:
    return standing(found, today).why


def let_through(found: Any) -> bool:
    return let_through_on(found, TODAY)


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
    said = standing(other, TODAY).problem or ""
    assert f"{path_of(other)} is superseded: it accepts another decision" in said
    assert ("A fail cannot be accepted" in said) == (other["verdict"] == "fail")


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
    assert standing(decision(verdict="pass"), TODAY) == Standing()
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


@pytest.mark.parametrize(("days", "holds"), [(-60, True), (0, True), (30, True), (31, False), (4000, False)])
def test_it_holds_up_to_its_last_day(days: int, holds: bool) -> None:
    """Without another day, for thirty; afterwards it is said by whom it was, and when it expired."""
    accept(decision(), "cheaper")
    today = TODAY + dt.timedelta(days=days)
    found = standing(decision(), today)
    assert holds == (found.why == "cheaper") == (found.problem is None) == let_through_on(decision(), today)
    if not holds:
        said = f"2030-01-02-abc.yaml, by Ada, expired on 2031-06-05, before {today}. Look at the decision"
        assert said in (found.problem or "")


@pytest.mark.parametrize(("days", "is_fine"), [(-1, False), (0, True), (90, True), (91, False)])
def test_a_last_day_is_today_or_soon(days: int, is_fine: bool) -> None:
    """A slip of the pen does not accept for a century, and nothing is written."""
    last = TODAY + dt.timedelta(days=days)
    if is_fine:
        accept(decision(), "cheaper", expires=last)
        assert standing(decision(), last).why == "cheaper"
    else:
        with pytest.raises(ConfigError, match=rf"--expires: found {last}; allowed is a day from today, 2031-05-06, to"):
            accept(decision(), "cheaper", expires=last)
        assert not path_of(decision()).exists()


@pytest.mark.parametrize(("days", "holds"), [(90, True), (91, False), (400_000, False)])
def test_a_last_day_that_was_edited_is_soon_too(days: int, holds: bool) -> None:
    """By hand, behind the back of `flywheel accept`."""
    accept(decision(), "cheaper")
    path, last = path_of(decision()), TODAY + dt.timedelta(days=days)
    path.write_text(yaml.safe_dump(yaml.safe_load(path.read_text()) | {"expires": last}))
    found = standing(decision(), TODAY)
    assert holds == (found.acceptance is not None)
    assert holds or f"holds up to {last}; at most 90 days are allowed" in (found.problem or "")


def test_who_accepted_is_in_the_file() -> None:
    """As it was given, on one line; nobody is not enough."""
    accept(decision(), "cheaper", name=" Ada \n Größer ")
    found = standing(decision(), TODAY).acceptance
    assert found is not None
    assert ("Ada Größer", dt.date(2031, 6, 5)) == (found.name, found.expires)
    with pytest.raises(ConfigError, match="--name"):
        accept(decision(), "cheaper", name=" ")


@pytest.mark.parametrize(
    ("key", "value"),
    [("name", " "), ("name", None), ("expires", "2031-06-05"), ("expires", None), ("expires", dt.datetime(2031, 6, 5))],
)
def test_an_acceptance_without_its_name_or_day_is_damaged(key: str, value: Any) -> None:
    """The message names the key, what was found, and how to write it."""
    accept(decision(), "cheaper")
    path = path_of(decision())
    path.write_text(yaml.safe_dump(yaml.safe_load(path.read_text()) | {key: value}))
    with pytest.raises(ConfigError, match=rf"2030-01-02-abc\.yaml: {key}: found .*flywheel accept"):
        accepted(decision())


def test_an_acceptance_of_an_earlier_version_counts_for_its_own_releases_alone() -> None:
    """It had no name and no day: an audit of such a release finds its reason, and nothing new is let through by it."""
    accept(decision(), "cheaper")
    path = path_of(decision())
    found = yaml.safe_load(path.read_text())
    content = yaml.safe_dump({key: found[key] for key in OLDER}).encode()
    assert "has no name and no expiry date" in (standing_of(content, decision(), TODAY).problem or "")
    assert "cheaper" == standing_of(content, decision(), TODAY, may_be_older=True).why
