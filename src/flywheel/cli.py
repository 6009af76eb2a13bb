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

from flywheel import cli_github
from flywheel.acceptance import accepted
from flywheel.cli_github import refuse_if_halted
from flywheel.compose import write_params
from flywheel.errors import ConfigError, DataError, FlywheelError, GateFailed
from flywheel.markdown import escape
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
        from flywheel import github

        print(f"flywheel: {error}", file=sys.stderr)
        github.summary(f"**flywheel:** {escape(str(error))}")
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
    verify: Annotated[
        bool,
        typer.Option(
            "--verify", help="Train again in any case, and compare with what serves: what is committed is not believed."
        ),
    ] = False,
) -> None:
    """Compose, run what is stale (everything on a fresh clone), and say what came out."""
    from flywheel import pipeline

    with pipeline.alone():
        _run(overrides or [], force, verify)


@app.command()
def tick(days: Annotated[int, typer.Option(min=1, help="How many days the clock moves.")] = 7) -> None:
    """One turn of the loop: take over the released champion, move the clock, run, and print the verdict."""
    from flywheel import pipeline

    with pipeline.alone():
        _tick(days)


def _tick(days: int) -> None:
    from flywheel import files
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
    advance(params, target)
    if target < now + dt.timedelta(days=days):
        print(f"          {(target - now).days} days on: the data ends there", flush=True)
    _run([], force=False)


def advance(params: AllParams, to: dt.date) -> None:
    """Take over the model that serves as champion, move the clock, and compose."""
    from flywheel import releases

    version = releases.take_over_champion(params.project.name)
    taken = f"{version}, from its tag" if version else "the one in the tree: there is no prod tag"
    print(f"champion  {taken}", flush=True)
    move_clock(to)
    print(f"clock     {params.clock.as_of} -> {to}", flush=True)
    write_params()


@app.command()
def monitor(
    today: Annotated[
        str | None, typer.Option(help="The calendar day to follow, such as 2026-11-24; by default it is today.")
    ] = None,
) -> None:
    """Move the clock as clock.follow says, see how champion and world are doing, and decide on the trigger."""
    from flywheel import clock, pipeline

    try:
        day = dt.date.fromisoformat(today) if today else None
    except ValueError:
        raise ConfigError(f"--today: found {today!r}; allowed is a date such as 2026-11-24.") from None
    with pipeline.alone():
        write_params()
        params = load(AllParams)
        advance(params, clock.target(params, day))
        try:
            pipeline.run_until("monitor")
        except pipeline.StageFailed as error:
            # A broken contract stops the run. That is for the trigger to say; any other failure is not.
            decided = _trigger()
            if not any(alert["alert"] == "contract" for alert in decided["alerts"]):
                raise
            print(f"flywheel: {error}", file=sys.stderr)
        else:
            _trigger()


@app.command()
def trigger() -> None:
    """Decide from reports/ whether a retrain is called for, and write reports/trigger.json."""
    _trigger()


def _trigger() -> dict[str, Any]:
    from flywheel import files, retrain, trigger
    from flywheel.params import TriggerParams

    params = load(TriggerParams)
    quality = files.read_json(files.QUALITY)
    is_broken = quality["recent"]["rejected_share"] > params.validate_.max_rejected_share
    found = None if is_broken else files.read_json(files.MONITOR)  # the run stops before it would be made
    card = files.CHAMPION / "card.json"
    champion = files.read_json(card) if card.exists() else None
    decided = trigger.decide(found, quality, champion, params, retrain.started())
    files.write_json(files.TRIGGER, decided)
    _print_table(
        ["rule", "tier", "calls", "reason"],
        [[r["rule"], r["tier"], str(r["calls"]), r["reason"]] for r in decided["rules"]],
    )
    print(f"trigger   {decided['tier']}; {decided['reason']}")
    return decided


@app.command()
def gate(
    enforce: Annotated[bool, typer.Option("--enforce", help="Exit with 4 on anything but a pass.")] = False,
) -> None:
    """Decide again from the evidence in reports/, and print every rule with its reason."""
    from flywheel import releases
    from flywheel.params import GateParams

    decision = releases.decide_again(load(GateParams).gate)
    agreed = accepted(decision)
    rows = [(rule["rule"], rule["verdict"], rule["reason"]) for rule in decision["rules"]]
    _print_table(["rule", "verdict", "reason"], rows)
    print(f"verdict: {decision['verdict']}{f', accepted: {agreed}' if agreed else ''}")
    if enforce and decision["verdict"] != "pass" and agreed is None:
        raise GateFailed(
            f"the verdict is {decision['verdict']}, and only a pass, or what was accepted, is let through."
        )


@app.command()
def accept(why: Annotated[str, typer.Option(help="The reason; an owner approves it with the pull request.")]) -> None:
    """Accept an inconclusive candidate: writes a file in decisions/, to be committed with the pull request."""
    from flywheel import acceptance, files

    path = acceptance.accept(files.read_json(files.DECISION), why)
    print(f"{path} is written. It opens the gate for this candidate alone, once it is committed and approved.")


@app.command()
def audit(
    version: Annotated[str | None, typer.Argument(help="Such as v0.2.0; by default the one that serves.")] = None,
) -> None:
    """The chain behind a release: decision, model, pull request, commit, data, feedback. Exits 3 when a link is missing."""
    from flywheel import audit

    links = audit.audit(load(AllParams).project.name, version)
    _print_table(["", "link", "found"], [["ok" if link.holds else "BROKEN", link.name, link.found] for link in links])
    broken = [link.name for link in links if not link.holds]
    if broken:
        raise DataError(f"the chain is broken at: {', '.join(broken)}.")


@app.command()
def restore() -> None:
    """Bring the data of dvc.lock here: from the cache and the DVC remote. What is nowhere is made again by a run."""
    from flywheel import pipeline

    with pipeline.alone():
        print(pipeline.restore())


@app.command()
def site() -> None:
    """Build site/: the report as a page, and Evidently's own page beside it."""
    from flywheel import site

    print(f"{site.build(Path('site'))} is built.")


@app.command()
def release(
    force: Annotated[
        str | None, typer.Option(help="Release without a passing gate; the reason goes into the tag.")
    ] = None,
    publish: Annotated[bool, typer.Option("--publish", help="Push the tags, and make the GitHub release.")] = False,
) -> None:
    """Tag the committed candidate as the next version, and assign it to prod."""
    from flywheel import github, publishing, releases, remote

    if force is not None and not force.strip():
        raise ConfigError(
            '--force: a release without a passing gate needs its reason, as in --force "the feed was down".'
        )
    params = load(AllParams)
    name = params.project.name
    refuse_if_halted("release")
    if publish:
        remote.fetch_tags()
    serving = releases.production(name)
    if publish and serving and serving.commit == releases.git("rev-parse", "HEAD").strip():
        version = serving.version  # an interrupted release is finished
    elif publish and (known := releases.released_as(name)):  # also one that was rolled back stays where it is
        github.say(f"Nothing to release: the candidate does what {known} does.")
        return
    else:
        version = releases.release(name, params.gate, force)
        serving = releases.production(name)
    print(f"{name}@{version} is released and serves as {name}#prod#{serving.number if serving else '?'}.")
    if not publish:
        print("Share it with: git push --tags")
        return
    print(f"pushed    {', '.join(releases.publish_tags(name))}", flush=True)
    github.say(f"{name}@{version} serves. {publishing.release(github.connect(), name, version)}")


@app.command()
def rollback(
    why: Annotated[str, typer.Option(help="The reason; it goes into the tag.")],
    to: Annotated[str | None, typer.Option(help="The version that shall serve; by default the previous one.")] = None,
    publish: Annotated[bool, typer.Option("--publish", help="Push the tag, and open an issue that says why.")] = False,
) -> None:
    """Assign prod to an older version."""
    from flywheel import github, publishing, releases, remote

    name = load(AllParams).project.name
    if publish:
        remote.fetch_tags()
    before, now = releases.rollback(name, to or None, why)
    if not publish:
        print(f"prod was {before}, is {now}. Share it with: git push --tags")
        return
    print(f"pushed    {', '.join(releases.publish_tags(name))}", flush=True)  # first: the issue may wait, prod may not
    github.say(f"prod was {before}, is {now}. {publishing.rollback(github.connect(), name, before, now, why)}")


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


def _run(overrides: list[str], force: bool, verify: bool = False) -> None:
    from flywheel import pipeline

    write_params(overrides)
    ran, seconds = pipeline.run(force, verify)
    if verify:
        seconds += _follow_production()
    _say_what_came_out(ran, seconds)


def _follow_production() -> float:
    """Compare with the model that serves, where the tree compares with another one; the seconds that it took."""
    from flywheel import pipeline, releases

    taken = releases.follow_production(load(AllParams).project.name)
    if taken is None:
        return 0.0
    print(f"champion  {taken}, from its tag: the candidate has to beat what serves", flush=True)
    return pipeline.run()[1]


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


cli_github.register(app)


if __name__ == "__main__":
    main()
