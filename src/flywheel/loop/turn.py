"""One turn of the loop: take over the champion that serves, move the clock, run the pipeline, decide.

Nothing here prints: what a person who waits should read goes to `say`, a sentence at a time.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from flywheel import files
from flywheel.errors import ConfigError
from flywheel.loop import clock, pipeline
from flywheel.loop.claims import started
from flywheel.loop.compose import write_params
from flywheel.loop.settings import AllParams
from flywheel.monitoring import trigger
from flywheel.monitoring.settings import TriggerParams
from flywheel.params import load
from flywheel.release.champion import follow_production, take_over_champion

Say = Callable[[str], object]


@dataclass(frozen=True)
class Outcome:
    """What a run did: whether any stage ran, and the seconds that it took."""

    ran: bool
    seconds: float


def run(overrides: Sequence[str] = (), force: bool = False, verify: bool = False, say: Say = print) -> Outcome:
    """Compose, and bring the pipeline up to date. With `verify`, the candidate is made again and compared with what serves."""
    write_params(overrides)
    ran, seconds = pipeline.run(force, verify)
    if verify:
        taken = follow_production(load(AllParams).project.name)
        if taken is not None:
            say(f"champion  {taken}, from its tag: the candidate has to beat what serves")
            seconds += pipeline.run()[1]
    return Outcome(ran, seconds)


def tick(days: int, say: Say = print) -> Outcome | None:
    """Move the clock by some days, at most to the end of the data, and run; None where there was nothing to do.

    A turn that did not end is ended first, so that no verdict is skipped.
    """
    from flywheel.data.sources import open_source

    write_params()
    params = load(AllParams)
    last = open_source(params.source).last_day + dt.timedelta(days=1)
    now = params.clock.as_of
    decided = files.read_json(files.DECISION)["as_of"] if files.DECISION.exists() else None
    if decided != now.isoformat() and decided is not None:
        say(f"clock     {now}: its run did not end, so it is ended before the clock moves")
        return run(say=say)
    if now >= last:
        say(f"The clock is at {now}, the end of the data. Nothing to do until more days arrive.")
        return None
    target = min(now + dt.timedelta(days=days), last)
    advance(params, target, say)
    if target < now + dt.timedelta(days=days):
        say(f"          {(target - now).days} days on: the data ends there")
    return run(say=say)


def advance(params: AllParams, to: dt.date, say: Say = print) -> None:
    """Take over the model that serves as champion, move the clock, and compose."""
    version = take_over_champion(params.project.name)
    say(f"champion  {version}, from its tag" if version else "champion  the one in the tree: there is no prod tag")
    clock.move_clock(to)
    say(f"clock     {params.clock.as_of} -> {to}")
    write_params()


def monitor(today: str | None = None, say: Say = print) -> tuple[dict[str, Any], pipeline.StageFailed | None]:
    """Move the clock as clock.follow says, run up to monitoring, and decide on the trigger.

    A broken contract stops the run: that is for the trigger to say, so the error comes back beside the decision. Any other
    failure is raised.
    """
    try:
        day = dt.date.fromisoformat(today) if today else None
    except ValueError:
        raise ConfigError(f"--today: found {today!r}; allowed is a date such as 2026-11-24.") from None
    write_params()
    params = load(AllParams)
    advance(params, clock.target(params, day), say)
    try:
        pipeline.run_until("monitor")
    except pipeline.StageFailed as error:
        decided = decide_trigger()
        if not any(alert["alert"] == "contract" for alert in decided["alerts"]):
            raise
        return decided, error
    return decide_trigger(), None


def decide_trigger() -> dict[str, Any]:
    """Decide from reports/ whether a retrain is called for, and write reports/trigger.json."""
    params = load(TriggerParams)
    quality = files.read_json(files.QUALITY)
    is_broken = quality["recent"]["rejected_share"] > params.validate_.max_rejected_share
    found = None if is_broken else files.read_json(files.MONITOR)  # the run stops before it would be made
    card = files.CHAMPION / "card.json"
    champion = files.read_json(card) if card.exists() else None
    decided = trigger.decide(found, quality, champion, params, started())
    files.write_json(files.TRIGGER, decided)
    return decided
