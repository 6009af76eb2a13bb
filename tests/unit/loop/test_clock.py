"""The clock follows the calendar and never turns back."""

from __future__ import annotations

import datetime as dt
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flywheel.errors import DataError
from flywheel.loop import clock
from flywheel.loop.settings import AllParams
from tests.planted import SOURCES, PlantedSource, prediction, settings


def day(n: int) -> dt.date:
    return dt.date(2030, 1, 1) + dt.timedelta(days=n)


def test_replay_takes_a_day_of_data_a_calendar_day() -> None:
    """Set to day 10 on day 100, it is on day 13 three days later."""
    assert day(13) == clock.follow("replay", [(day(10), day(100))], day(10), day(103))


def test_a_retrain_that_is_merged_late_does_not_turn_the_clock_back() -> None:
    """Day 17 was committed on day 110, by which time the first commit had led to day 20."""
    past = [(day(10), day(100)), (day(17), day(110))]
    assert day(20) == clock.follow("replay", past, day(17), day(110))


def test_a_machine_whose_clock_is_behind_moves_nothing() -> None:
    """Today before the commit is no reason to go back."""
    assert day(10) == clock.follow("replay", [(day(10), day(100))], day(10), day(50))
    assert day(10) == clock.follow("today", [], day(10), day(5))


def test_today_is_the_calendar() -> None:
    """Whatever the history says."""
    assert day(30) == clock.follow("today", [(day(90), day(0))], day(10), day(30))


def params(follow: str) -> AllParams:
    """A planted project whose clock stands on 2030-01-03, and whose source ends on the 4th."""
    SOURCES["planted"] = PlantedSource({n: [prediction(f"p{n}", f"0{n}T10")] for n in (1, 2, 3, 4)}, {})
    return settings(AllParams, clock={"follow": follow, "as_of": "2030-01-03"})


def test_the_calendar_goes_on_where_the_source_has_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    """A source that ended 114 days ago is seen to be silent only by a clock that moves on; a replay ends with its data."""
    today = dt.date(2030, 1, 4) + dt.timedelta(days=114)
    monkeypatch.setattr(clock, "history", lambda: [(dt.date(2030, 1, 3), dt.date(2030, 1, 3))])
    assert today == clock.target(params("today"), today)
    assert dt.date(2030, 1, 5) == clock.target(params("replay"), today)


@pytest.mark.parametrize(("follow", "today", "expected"), [("today", 8, 5), ("today", 2, 0), ("replay", 8, 2)])
def test_days_waiting_are_those_of_the_calendar_or_of_the_replay(follow: str, today: int, expected: int) -> None:
    """With the clock on the 3rd and data up to the 4th."""
    assert expected == clock.waiting(params(follow), dt.date(2030, 1, 4), dt.date(2030, 1, today))


@given(
    st.lists(st.tuples(st.integers(0, 300), st.integers(0, 300)), max_size=5), st.integers(0, 300), st.integers(0, 300)
)
def test_a_later_day_is_never_an_earlier_clock(past: list[tuple[int, int]], now: int, today: int) -> None:
    """Monotonic in the calendar, and never before the clock of the tree."""
    history = [(day(a), day(b)) for a, b in past]
    first, second = (clock.follow("replay", history, day(now), day(today + n)) for n in (0, 1))
    assert day(now) <= first <= second


def test_the_history_is_that_of_git(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each commit that set the clock, by the day it was written on in UTC; a commit that broke the file set none."""
    monkeypatch.chdir(tmp_path)
    for name in ("GIT_AUTHOR", "GIT_COMMITTER"):
        monkeypatch.setenv(f"{name}_NAME", "test")
        monkeypatch.setenv(f"{name}_EMAIL", "test@example.com")

    def git(*arguments: str) -> None:
        subprocess.run(["git", *arguments], check=True, capture_output=True)

    git("init", "-q")
    with pytest.raises(DataError):
        clock.history()
    state = tmp_path / "conf/state.yaml"
    state.parent.mkdir()
    commits = [
        ("clock:\n  as_of: 2030-01-05\n", "2031-02-01T23:30:00-05:00"),
        ("clock: [\n", "2031-02-02T00:00:00Z"),
        ("clock:\n  as_of: 2030-01-09\n", "2031-02-03T00:00:00Z"),
    ]
    for text, at in commits:
        state.write_text(text)
        monkeypatch.setenv("GIT_AUTHOR_DATE", at)
        git("add", "-A")
        git("commit", "-qm", "x")
    written = [(dt.date(2030, 1, 9), dt.date(2031, 2, 3)), (dt.date(2030, 1, 5), dt.date(2031, 2, 2))]
    assert written == clock.history()
