"""Commands that turn the loop in this folder: compose, run, tick, monitor, trigger, restore, status, site."""

from __future__ import annotations

import datetime as dt
import sys
from pathlib import Path
from typing import Annotated

import typer

from flywheel.cli import show
from flywheel.monitoring.evidence import Triggered

Overrides = Annotated[
    list[str] | None, typer.Argument(help="Hydra overrides such as size=tiny or clock.as_of=2013-06-01.")
]


def compose(overrides: Overrides = None) -> None:
    """Compose conf/ into params.yaml and check it."""
    from flywheel.loop import pipeline
    from flywheel.loop.compose import composed, write

    with pipeline.alone():
        changed = write(composed(overrides or []))
    print("params.yaml was updated." if changed else "params.yaml is up to date.")


def run(
    overrides: Overrides = None,
    force: Annotated[bool, typer.Option("--force", help="Run every stage, even those that are up to date.")] = False,
    verify: Annotated[
        bool,
        typer.Option(
            "--verify", help="Train again and compare with what serves, instead of believing what is committed."
        ),
    ] = False,
) -> None:
    """Compose, run what is stale (everything on a fresh clone), and say what came out."""
    from flywheel.loop import pipeline, turn

    with pipeline.alone():
        show.outcome(turn.run(overrides or [], force, verify, show.say))


def tick(days: Annotated[int, typer.Option(min=1, help="How many days to move the clock.")] = 7) -> None:
    """One turn of the loop: take over the released champion, move the clock, run, print the verdict."""
    from flywheel.loop import pipeline, turn

    with pipeline.alone():
        done = turn.tick(days, show.say)
        if done is not None:
            show.outcome(done)


def monitor(
    today: Annotated[
        str | None, typer.Option(help="The calendar day to follow, such as 2026-11-24; by default today.")
    ] = None,
) -> None:
    """Move the clock as clock.follow says, check on the champion and the data, and decide on the trigger."""
    from flywheel.loop import pipeline, turn

    with pipeline.alone():
        decided, stopped = turn.monitor(today, show.say)
        _show_trigger(decided)
        if stopped is not None:
            print(f"flywheel: {stopped}", file=sys.stderr)


def trigger() -> None:
    """Decide from reports/ whether a retrain is called for, and write reports/trigger.json."""
    from flywheel.loop import turn

    _show_trigger(turn.decide_trigger())


def _show_trigger(decided: Triggered) -> None:
    show.table(
        ["rule", "tier", "calls", "reason"],
        [[r["rule"], r["tier"], str(r["calls"]), r["reason"]] for r in decided["rules"]],
    )
    print(f"trigger   {decided['tier']}; {decided['reason']}")


def restore() -> None:
    """Restore the data of dvc.lock from the cache and the DVC remote. A run makes again what neither has."""
    from flywheel.loop import pipeline

    with pipeline.alone():
        print(pipeline.restore())


def site() -> None:
    """Build site/: the report as a page, and Evidently's own page next to it."""
    from flywheel.report.site import build

    print(f"{build(Path('site'))} is built.")


def status() -> None:
    """Where the loop stands: clock, champion, prod, last verdict, days waiting."""
    from flywheel import files, shapes
    from flywheel.data.sources import open_source
    from flywheel.evaluation.evidence import Decision
    from flywheel.loop.clock import waiting
    from flywheel.loop.settings import AllParams
    from flywheel.model.card import read_champion
    from flywheel.params import load
    from flywheel.release.tags import production

    params = load(AllParams)
    source = open_source(params.source)
    serving = production(params.project.name)
    card = read_champion()
    decision = shapes.read_if_there(files.DECISION, Decision)
    today = dt.datetime.now(dt.UTC).date()
    behind = (today - source.last_day).days - 1 if params.clock.follow == "today" else 0
    rows = [
        ("clock", str(params.clock.as_of)),
        ("champion in the tree", f"{card['version']}, made as of {card['as_of']}" if card else "none yet"),
        ("prod", f"{serving.version} (#{serving.number}, {serving.commit[:10]})" if serving else "no tag yet"),
        ("last verdict", f"{decision['verdict']}, as of {decision['as_of']}" if decision else "none yet"),
        ("days waiting", str(waiting(params, source.last_day, today))),
        ("source", f"ends on {source.last_day}" + (f", {behind} days before today" if behind > 0 else "")),
    ]
    show.table(["", ""], rows)


COMMANDS = (compose, run, tick, monitor, trigger, restore, site, status)
