"""Commands that reach GitHub. Workflows call them; so can people."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from flywheel.errors import ConfigError, DataError, GateFailed


def review() -> None:
    """Show this commit's run: push results, job summary, commit status, one comment. Exits with 4 if the gate is closed."""
    from flywheel.github.actions import this_run
    from flywheel.github.client import connect
    from flywheel.github.pulls import publish
    from flywheel.github.switches import halted

    run = this_run()
    hub = None if run.is_fork else connect()
    if not publish(run, hub, halted()) and not run.is_fork:
        raise GateFailed("the gate is closed for this commit. The job's summary and the comment say why.")


def relay(report: Annotated[Path, typer.Argument(help="What the run of a fork left.")]) -> None:
    """Post what the run of a fork left, as plain text in its pull request. Nothing of it is executed."""
    from flywheel.github import pulls
    from flywheel.github.actions import this_run
    from flywheel.github.client import connect
    from flywheel.report.comment import LONGEST

    if report.is_symlink() or not report.is_file():
        raise DataError(f"{report} is not a file: the run of the fork left no report. Nothing is posted.")
    with report.open("rb") as file:
        text = file.read(LONGEST).decode("utf-8", "replace")
    pulls.relay(this_run(), connect(), text)


def checked(
    outcome: Annotated[str, typer.Argument(help="success, failure or cancelled, in the words of GitHub Actions.")],
) -> None:
    """Set the commit status flywheel/checks, even on commits that a workflow pushed. Exits with 4 on anything but success."""
    from flywheel import git
    from flywheel.github.actions import say, this_run
    from flywheel.github.client import connect, set_status
    from flywheel.github.pulls import CHECKS

    run = this_run()
    if run.is_fork:
        say("This is the run of a fork, whose token cannot set a status. A maintainer can push the commit to `try/…`.")
    else:
        state = "success" if outcome == "success" else "failure"
        head = git.run("rev-parse", "HEAD").strip()
        set_status(connect(), head, CHECKS, state, f"make check and make test: {outcome}", run.address)
    if outcome != "success":
        raise GateFailed(f"the checks ended with {outcome}.")


def respond(
    failed: Annotated[
        bool, typer.Option("--failed", help="Monitoring itself failed: only open or update the issue that says so.")
    ] = False,
) -> None:
    """Act on reports/trigger.json: open, update or close one issue per alert, and start what the tier calls for."""
    from flywheel.github import alerts
    from flywheel.github.actions import say, this_run
    from flywheel.github.client import connect

    if failed:  # before anything is read: what failed may be just that
        say(f"- {alerts.say_that_monitoring_failed(connect(), this_run().address)}")
        return
    from flywheel.github.switches import halted
    from flywheel.loop.settings import AllParams
    from flywheel.monitoring.evidence import read_triggered
    from flywheel.params import load

    params = load(AllParams)
    decided = read_triggered()
    done = alerts.respond(connect(), this_run(), decided, params.project.name, params.automation, halted())
    say("\n".join(f"- {line}" for line in done or ["no alert, nothing to start"]))


def retrain(
    tier: Annotated[str, typer.Option(help="Why: routine, drift or urgent.")] = "routine",
    again: Annotated[bool, typer.Option("--again", help="Even if a retrain of this day was already started.")] = False,
    why: Annotated[str, typer.Option(help="The reason, if reports/trigger.json has none.")] = "",
) -> None:
    """Retrain as of today's clock and propose the result as a pull request. Never twice for the same day."""
    from flywheel.cli import show
    from flywheel.github.actions import say, this_run
    from flywheel.github.client import connect
    from flywheel.github.retrain import retrain as retrain_now
    from flywheel.github.switches import refuse_if_halted
    from flywheel.loop import pipeline

    if tier not in ("routine", "drift", "urgent"):
        raise ConfigError(f"--tier: found {tier!r}; allowed are routine, drift and urgent.")
    refuse_if_halted("retrain")
    with pipeline.alone():
        say(retrain_now(connect(), this_run(), tier, again, why, show.say))


def protect(
    apply: Annotated[
        bool, typer.Option("--apply/--dry-run", help="Change GitHub's rules, or only say what differs.")
    ] = False,
) -> None:
    """Make GitHub's rulesets match .github/rulesets/; by default, only say what would change."""
    from flywheel.github import rulesets
    from flywheel.github.client import connect

    hub = connect()
    steps = rulesets.plan(hub, rulesets.wanted())
    for step in steps:
        print(f"{step.action:<7}{step.name}")
        for line in step.differences:
            print(f"       {line}")
    owners = Path(".github/CODEOWNERS")
    for pattern in rulesets.unowned(owners.read_text(encoding="utf-8")) if owners.exists() else []:
        print(f"{'nobody':<7}owns {pattern}: put @NAME or @ORG/TEAM behind it in {owners}")
    if apply:
        rulesets.apply(hub, steps)
        print("done")
    elif any(step.action != "keep" for step in steps):
        print("nothing was changed; to change it: flywheel protect --apply")


def halt(why: Annotated[str, typer.Option(help="The reason; everyone sees it.")]) -> None:
    """Stop retrains and releases at once, by setting the repository's variable FLYWHEEL_HALT. Monitoring goes on."""
    from flywheel.github import switches
    from flywheel.github.client import connect

    hub = connect()
    switches.halt(hub, why)
    print(
        f"{hub.repository} is halted: no retrain, no release, and the gate is closed. To end the halt: flywheel resume"
    )


def resume() -> None:
    """End a halt."""
    from flywheel.github import switches
    from flywheel.github.client import connect

    hub = connect()
    print(f"{hub.repository} is no longer halted." if switches.resume(hub) else f"{hub.repository} was not halted.")


def pages() -> None:
    """Say whether GitHub Pages is turned on, as the step's output `pages`: on or off."""
    from flywheel.github.actions import say, set_output
    from flywheel.github.client import connect
    from flywheel.github.switches import pages_are_on

    if pages_are_on(connect()):
        set_output("pages", "on")
        print("Pages is on.")
    else:
        set_output("pages", "off")
        say("The site is built but not published. To publish it: Settings > Pages > Source: GitHub Actions.")


COMMANDS = (review, relay, checked, respond, retrain, protect, halt, resume, pages)
