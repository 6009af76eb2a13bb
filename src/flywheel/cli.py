"""The command `flywheel`: what people and workflows do with the loop. `flywheel --help` lists it."""

from __future__ import annotations

import datetime as dt
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from flywheel.compose import write_params
from flywheel.errors import ConfigError, FlywheelError, GateFailed
from flywheel.params import AllParams, load

STATE_FILE = Path("conf/state.yaml")
AS_OF = re.compile(r"(?m)^(\s+as_of:\s*)(\S+)")
COLOURS = {"pass": "green", "fail": "red", "inconclusive": "yellow"}

app = typer.Typer(
    help="Closes the loop between users and a model. Start with: flywheel run",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
Overrides = Annotated[
    list[str] | None, typer.Argument(help="Hydra overrides such as size=tiny or clock.as_of=2013-06-01.")
]


def main() -> None:
    """Run the command; a problem that a person can mend is one message and an exit code, never a traceback."""
    try:
        app()
    except FlywheelError as error:
        print(f"flywheel: {error}", file=sys.stderr)
        sys.exit(error.exit_code)


@app.command()
def compose(overrides: Overrides = None) -> None:
    """Compose conf/ into params.yaml, and check it."""
    from flywheel import pipeline

    with pipeline.alone():
        changed = write_params(overrides or [])
    print("params.yaml is new." if changed else "params.yaml is as it was.")


@app.command()
def run(
    overrides: Overrides = None,
    force: Annotated[bool, typer.Option("--force", help="Run every stage, also those that are up to date.")] = False,
) -> None:
    """Compose, run what is stale (everything on a fresh clone), and say what came out."""
    from flywheel import pipeline

    with pipeline.alone():
        _run(overrides or [], force)


@app.command()
def tick(days: Annotated[int, typer.Option(min=1, help="How many days the clock moves.")] = 7) -> None:
    """One turn of the loop: take over the released champion, move the clock, run, and print the verdict."""
    from flywheel import pipeline

    with pipeline.alone():
        _tick(days)


def _tick(days: int) -> None:
    from flywheel import files, releases
    from flywheel.sources import open_source

    write_params()
    params = load(AllParams)
    last = open_source(params.source).last_day + dt.timedelta(days=1)
    now = params.clock.as_of
    decided = files.read_json(files.DECISION)["as_of"] if files.DECISION.exists() else None
    if decided != now.isoformat() and decided is not None:
        print(f"clock     {now}: its run did not end, so it is ended before the clock moves", flush=True)
        _run([], force=False)
        return
    if now >= last:
        print(f"The clock is at {now}, the end of the data. Nothing to do until more days arrive.")
        return
    target = min(now + dt.timedelta(days=days), last)
    version = releases.take_over_champion(params.project.name)
    taken = f"{version}, from its tag" if version else "the one in the tree: there is no prod tag"
    print(f"champion  {taken}", flush=True)
    move_clock(target)
    short = f", {(target - now).days} days on: the data ends there" if target < now + dt.timedelta(days=days) else ""
    print(f"clock     {now} -> {target}{short}", flush=True)
    _run([], force=False)


@app.command()
def gate(
    enforce: Annotated[bool, typer.Option("--enforce", help="Exit with 4 on anything but a pass.")] = False,
) -> None:
    """Decide again from the evidence in reports/, and print every rule with its reason."""
    from flywheel import releases
    from flywheel.params import GateParams

    decision = releases.decide_again(load(GateParams).gate)
    rows = [(rule["rule"], rule["verdict"], rule["reason"]) for rule in decision["rules"]]
    _print_table(["rule", "verdict", "reason"], rows)
    print(f"verdict: {decision['verdict']}")
    if enforce and decision["verdict"] != "pass":
        raise GateFailed(f"the verdict is {decision['verdict']}, and only a pass is let through.")


@app.command()
def release(
    force: Annotated[
        str | None, typer.Option(help="Release without a passing gate; the reason goes into the tag.")
    ] = None,
) -> None:
    """Tag the committed candidate as the next version, and assign it to prod."""
    from flywheel import releases

    if force is not None and not force.strip():
        raise ConfigError(
            '--force: a release without a passing gate needs its reason, as in --force "the feed was down".'
        )
    params = load(AllParams)
    name = params.project.name
    version = releases.release(name, params.gate, force)
    serving = releases.production(name)
    print(f"{name}@{version} is released and serves as {name}#prod#{serving.number if serving else '?'}.")
    print("Share it with: git push --tags")


@app.command()
def rollback(
    to: Annotated[str, typer.Option(help="The version that shall serve, such as v0.1.0.")],
    why: Annotated[str, typer.Option(help="The reason; it goes into the tag.")],
) -> None:
    """Assign prod to an older version."""
    from flywheel import releases

    name = load(AllParams).project.name
    before = releases.rollback(name, to, why)
    print(f"prod was {before}, is {to}. Share it with: git push --tags")


@app.command()
def status() -> None:
    """Where the loop stands: clock, champion, what prod names, last verdict, days waiting."""
    from flywheel import files, releases
    from flywheel.sources import open_source

    params = load(AllParams)
    source = open_source(params.source)
    serving = releases.production(params.project.name)
    card = files.read_json(files.CHAMPION / "card.json") if (files.CHAMPION / "card.json").exists() else None
    decision = files.read_json(files.DECISION) if files.DECISION.exists() else None
    waiting = max((source.last_day + dt.timedelta(days=1) - params.clock.as_of).days, 0)
    rows = [
        ("clock", str(params.clock.as_of)),
        ("champion in the tree", f"{card['version']}, made as of {card['as_of']}" if card else "none yet"),
        ("prod", f"{serving.version} (#{serving.number}, {serving.commit[:10]})" if serving else "no tag yet"),
        ("last verdict", f"{decision['verdict']}, as of {decision['as_of']}" if decision else "none yet"),
        ("days waiting", str(waiting)),
    ]
    _print_table(["", ""], rows)


def move_clock(to: dt.date) -> None:
    """Write the clock into conf/state.yaml; everything else in the file stays. ConfigError when it has no clock."""
    from flywheel import files

    text = STATE_FILE.read_text(encoding="utf-8")
    moved, n = AS_OF.subn(lambda match: f"{match[1]}{to.isoformat()}", text)
    if n != 1:
        raise ConfigError(f"{STATE_FILE}: found {n} lines with as_of; allowed is one, below clock. Fix {STATE_FILE}.")
    files.write_text(STATE_FILE, moved)


def _run(overrides: list[str], force: bool) -> None:
    from flywheel import pipeline

    write_params(overrides)
    ran, seconds = pipeline.run(force)
    _say_what_came_out(ran, seconds)


def _say_what_came_out(ran: bool, seconds: float) -> None:
    from flywheel import files

    decision, measured = files.read_json(files.DECISION), files.read_json(files.METRICS)
    made, drifted = files.read_json(files.LABEL_REPORT), files.read_json(files.DRIFT)
    reference = decision["reference"]
    verdict = decision["verdict"]
    console = Console(highlight=False, soft_wrap=True)
    console.print()
    console.print(f"verdict   [bold {COLOURS[verdict]}]{verdict}[/] as of {decision['as_of']}{_because(decision)}")
    for metric in ("auc", "log_loss"):
        mine, other = measured["candidate"][metric]["value"], measured[reference][metric]["value"]
        gap = measured["difference"][reference][metric]
        between = (
            f"{gap['value']:+.4f}, {measured['about']['confidence']:.0%} interval {gap['low']:+.4f} to {gap['high']:+.4f}"
            if gap["low"] is not None
            else ""
        )
        console.print(f"{metric:<10}{mine:.4f} candidate, {other:.4f} {reference} ({between})", markup=False)
    sources = ", ".join(f"{one['share']:.0%} {name}" for name, one in made["by_source"].items())
    console.print(f"labels    {made['labels']:,} of {made['predictions']:,} predictions: {sources}")
    console.print(f"drift     {drifted['drifted']} of {drifted['columns']} columns beyond {drifted['threshold']:g}")
    console.print(f"took      {seconds:.1f} s{'' if ran else ': everything was up to date'}")
    console.print(f"read      {files.REPORT}")


def _because(decision: dict[str, Any]) -> str:
    open_rules = [rule["rule"] for rule in decision["rules"] if rule["verdict"] == decision["verdict"] != "pass"]
    return f": {', '.join(open_rules)}" if open_rules else ""


def _print_table(header: list[str], rows: Sequence[Sequence[str]]) -> None:
    """A table in a terminal; in a pipe one line a row, with tabs."""
    console = Console(highlight=False)
    if not console.is_terminal:
        for row in rows:
            print("\t".join(row))
        return
    table = Table(*header, show_header=any(header), box=None, pad_edge=False)
    for row in rows:
        table.add_row(*(f"[{COLOURS[cell]}]{cell}[/]" if cell in COLOURS else cell for cell in row))
    console.print(table)


if __name__ == "__main__":
    main()
