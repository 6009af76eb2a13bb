"""How the clock follows the calendar. Nothing is stored for it but Git's history of `conf/state.yaml`.

With `replay`, each calendar day since the clock was committed is a day of data, as for the example's past year. The
furthest of all commits counts, so a pull request that is merged late does not turn the clock back.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Sequence
from pathlib import Path

import yaml

from flywheel import git
from flywheel.errors import ConfigError, DataError
from flywheel.loop.settings import AllParams
from flywheel.params import Clock, from_yaml

STATE = "conf/state.yaml"
LOOK_BACK = 200


def follow(how: str, history: Sequence[tuple[dt.date, dt.date]], now: dt.date, today: dt.date) -> dt.date:
    """The day to which the clock moves: never back, even if this machine's own clock is wrong.

    `history` holds, for each commit that set the clock, the day it was set to and the day on which that was done; `now` is
    the clock of the tree.
    """
    if how == "today":
        return max(today, now)
    moved = [as_of + dt.timedelta(days=max((today - done).days, 0)) for as_of, done in history]
    return max([*moved, now])


def history() -> list[tuple[dt.date, dt.date]]:
    """The days to which commits set the clock, with the UTC days of these commits. DataError if there are none."""
    listed = git.run("log", f"--max-count={LOOK_BACK}", "--format=%H %at", "--", STATE).split("\n")
    found = []
    for line in filter(None, listed):
        commit, at = line.split()
        try:
            as_of = from_yaml(git.run("show", f"{commit}:{STATE}"))["clock"]["as_of"]
        except (DataError, yaml.YAMLError, KeyError, TypeError):
            continue  # a commit that broke or deleted the file did not set the clock
        if isinstance(as_of, dt.date):
            found.append((as_of, dt.datetime.fromtimestamp(int(at), dt.UTC).date()))
    if not found:
        raise DataError(f"no commit sets the clock in {STATE}. Commit it first.")
    return found


def target(params: AllParams, today: dt.date | None = None) -> dt.date:
    """The day to which the clock of this tree moves now.

    A replay moves to the day after the last day of the source at most. A clock that follows the calendar goes on where the
    source has ended: else nobody would see that it fell silent.
    """
    from flywheel.data.sources import open_source

    now = params.clock.as_of
    calendar = today or dt.datetime.now(dt.UTC).date()
    if params.clock.follow == "today":
        return follow("today", [], now, calendar)
    last = open_source(params.source).last_day + dt.timedelta(days=1)
    return max(min(follow("replay", history(), now, calendar), last), now)


def open_day(params: Clock, today: dt.date | None = None) -> dt.date | None:
    """The UTC day that is not over, which a clock that follows the calendar does not pass; None for one that replays."""
    return (today or dt.datetime.now(dt.UTC).date()) if params.follow == "today" else None


def waiting(params: AllParams, last_day: dt.date, today: dt.date) -> int:
    """How many days the clock is behind: behind the calendar where it follows it, else behind the end of the source."""
    end = today if params.clock.follow == "today" else last_day + dt.timedelta(days=1)
    return max((end - params.clock.as_of).days, 0)


STATE_FILE = Path("conf/state.yaml")
AS_OF = re.compile(r"(?m)^(\s+as_of:\s*)(\S+)")


def move_clock(to: dt.date) -> None:
    """Write the clock into conf/state.yaml; everything else in the file stays. ConfigError when it has no clock."""
    from flywheel import files

    text = STATE_FILE.read_text(encoding="utf-8")
    moved, n = AS_OF.subn(lambda match: f"{match[1]}{to.isoformat()}", text)
    if n != 1:
        raise ConfigError(f"{STATE_FILE}: found {n} lines with as_of; allowed is one, below clock. Fix {STATE_FILE}.")
    files.write_text(STATE_FILE, moved)
