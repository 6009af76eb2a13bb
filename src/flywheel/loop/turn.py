"""One turn of the loop: take over the champion that serves, move the clock, run the pipeline, decide.

Nothing here prints: what a person who waits should read goes to `say`, a sentence at a time. What can be refused is refused
before anything moves.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from flywheel import files, git, shapes
from flywheel.data.evidence import read_quality
from flywheel.data.identity import world_differs
from flywheel.errors import ConfigError, DataError
from flywheel.evaluation.evidence import Decision
from flywheel.loop import clock, pipeline
from flywheel.loop.claims import started
from flywheel.loop.compose import Composition, composed, write
from flywheel.model.card import read_champion
from flywheel.monitoring import trigger
from flywheel.monitoring.evidence import Triggered, read_health
from flywheel.monitoring.settings import TriggerParams
from flywheel.params import clock_place, load, remembered
from flywheel.release.champion import follow_production, read_serving

Say = Callable[[str], object]
MONITORED = files.LOCAL / "monitored"  # the clock of the last `flywheel monitor` that came to its end
HOLDS_CLOCK = re.compile(r"[+~]*clock(\.|=|$)")  # an override that does


@dataclass(frozen=True)
class Outcome:
    """What a run did: whether any stage ran, and the seconds that it took."""

    ran: bool
    seconds: float


def run(
    overrides: Sequence[str] = (),
    force: bool = False,
    verify: bool = False,
    say: Say = print,
    today: dt.date | None = None,
) -> Outcome:
    """Compose, and bring the pipeline up to date. With `verify`, the candidate is made again and compared with what serves."""
    git.run("rev-parse", "--git-dir")  # refuses a folder without Git, which DVC and the tags need
    now = composed(overrides)
    check_world(now)
    check_over(now, today)
    before = remembered()
    if before and not overrides:
        say(f"conf      as it is; {' '.join(before)} of the last run is no longer used")
    write(now)
    return _go(now, force, verify, say)


def _go(now: Composition, force: bool, verify: bool, say: Say) -> Outcome:
    ran, seconds = pipeline.run(force, verify, say)
    if verify:
        taken = follow_production(now.params.project.name)
        if taken is not None:
            say(f"champion  {taken}, from its tag: the candidate has to beat what serves")
            seconds += pipeline.run()[1]
    return Outcome(ran, seconds)


def tick(days: int, say: Say = print, today: dt.date | None = None) -> Outcome | None:
    """Move the clock by some days, at most to the end of the data, and run; None where there was nothing to do.

    A clock that follows the calendar does not pass today, whatever the source has of it: an open day is never collected half.
    A turn that did not finish is finished first, so that no verdict is skipped. `flywheel monitor` gives none, so skips none.
    """
    from flywheel.data.sources import open_source

    now = as_before(say)
    as_of = now.params.clock.as_of
    last = open_source(now.params.source).last_day + dt.timedelta(days=1)
    open_day = clock.open_day(now.params.clock, today)
    end = min(open_day or last, last)
    is_open_day = end < last
    decision = shapes.read_if_there(files.DECISION, Decision)
    decided = decision["as_of"] if decision else None
    is_open = decided is not None and decided != as_of.isoformat()
    if is_open and not _was_monitored(as_of):
        check_over(now, today)
        say(f"clock     {as_of}: its run did not finish, so it is finished before the clock moves")
        write(now)
        return _go(now, False, False, say)
    if as_of >= end:
        why = f"; today, {end}, is not over" if is_open_day else ", the end of the data"
        say(f"The clock is at {as_of}{why}. Nothing to do until {'it is' if is_open_day else 'more days arrive'}.")
        if is_open:
            say(f"The last verdict is as of {decided}. For one as of {as_of}: flywheel run")
        return None
    target = min(as_of + dt.timedelta(days=days), end)
    moved = advance(now, target, say)
    if target < as_of + dt.timedelta(days=days):
        say(
            f"          {(target - as_of).days} days on: {'today is not over' if is_open_day else 'the data ends there'}"
        )
    return _go(moved, False, False, say)


def as_before(say: Say, may_override: bool = True) -> Composition:
    """`conf/` composed with the overrides that this tree was composed with, to move the clock of.

    ConfigError when an override holds the clock, or where there may be none because the result is to be reviewed; DataError
    when the data here is of another world. Nothing is written.
    """
    overrides = remembered()
    if overrides and not may_override:
        raise ConfigError(
            f"params.yaml was composed with {' '.join(overrides)}, which conf/ does not say, so nobody could review it. "
            "Put the choice into conf/, then: flywheel run, and commit."
        )
    held = [one for one in overrides if HOLDS_CLOCK.match(one)]
    if held:
        raise ConfigError(
            f"the clock cannot move: this tree was last composed with {' '.join(held)}, which holds it. "
            f"Set clock.as_of in {clock.STATE} instead, then: flywheel run"
        )
    now = composed(overrides)
    check_world(now)
    if overrides:
        say(f"conf      with {' '.join(overrides)}, as in the last run here; without: flywheel run")
    return now


def check_world(now: Composition) -> None:
    """ConfigError when the project's code is not there; DataError when `data/events/` was collected from another source."""
    code = now.params.project.code
    if not Path(code).is_dir():
        raise ConfigError(f"project.code: found {code!r}; allowed is a folder with the project's own code. Correct it.")
    differs = world_differs(now.params.source)
    if not differs:
        return
    last = [*remembered()]
    again = f"Run it as the last time: flywheel run {' '.join(last)}. " if last and last != [*now.overrides] else ""
    raise DataError(
        f"data/events was collected with other settings ({differs}). Two worlds do not mix, so nothing was changed. {again}"
        "Set the settings back, or start over with `make clean` if the source can be read again."
    )


def check_over(now: Composition, today: dt.date | None = None) -> None:
    """ConfigError when a clock that follows the calendar is past today: a day that is not over would be collected half."""
    as_of, last = now.params.clock.as_of, clock.open_day(now.params.clock, today)
    if last is not None and as_of > last:
        raise ConfigError(
            f"clock.as_of: found {as_of}, but today is {last} (UTC), and the clock follows the calendar; allowed is a day up "
            f"to today, because an open day would be collected half. {clock_place(now.overrides)}"
        )


def advance(now: Composition, to: dt.date, say: Say = print) -> Composition:
    """Take over the model that serves as champion, move the clock, and write the composition of that day."""
    ahead = composed([*now.overrides, f"clock.as_of={to}"])
    moved = replace(ahead, overrides=now.overrides)
    serving = read_serving(now.params.project.name)  # all that can be refused is refused before anything is written
    write(moved)  # first, so that a disk that takes nothing stops the turn; the next command composes anyway
    if serving is not None:
        files.write_folder(files.CHAMPION, serving.texts)
    said = f"{serving.version}, from its tag" if serving else "the one in the tree: there is no prod tag"
    say(f"champion  {said}")
    clock.move_clock(to)
    say(f"clock     {now.params.clock.as_of} -> {to}")
    return moved


def monitor(today: str | None = None, say: Say = print) -> tuple[Triggered, pipeline.StageFailed | None]:
    """Move the clock as clock.follow says, run up to monitoring, and decide on the trigger.

    A broken contract stops the run: that is for the trigger to say, so the error comes back beside the decision. Any other
    failure is raised.
    """
    try:
        day = dt.date.fromisoformat(today) if today else None
    except ValueError:
        raise ConfigError(f"--today: found {today!r}; allowed is a date such as 2026-11-24.") from None
    now = as_before(say)
    check_over(now, day)
    moved = advance(now, clock.target(now.params, day), say)
    try:
        pipeline.run_until("monitor")
    except pipeline.StageFailed as error:
        decided = decide_trigger()
        if not any(alert["alert"] == "contract" for alert in decided["alerts"]):
            raise
        return decided, error
    decided = decide_trigger()
    files.write_text(MONITORED, moved.params.clock.as_of.isoformat())
    return decided, None


def _was_monitored(as_of: dt.date) -> bool:
    return MONITORED.is_file() and MONITORED.read_text(encoding="utf-8") == as_of.isoformat()


def decide_trigger() -> Triggered:
    """Decide from reports/ whether a retrain is called for, and write reports/trigger.json."""
    params = load(TriggerParams)
    quality = read_quality()
    is_broken = quality["recent"]["rejected_share"] > params.validate_.max_rejected_share
    found = None if is_broken else read_health()  # the run stops before it would be made
    decided = trigger.decide(found, quality, read_champion(), params, started())
    files.write_json(files.TRIGGER, decided)
    return decided
