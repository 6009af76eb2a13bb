"""The commands of `flywheel` that reach beyond the tree: to `origin` and to GitHub. Workflows call them; so can people."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from flywheel.errors import ConfigError, DataError, GateFailed

HALT = "FLYWHEEL_HALT"
CHECKS = "flywheel/checks"


def halted() -> str | None:
    """Why the loop is halted, as the variable FLYWHEEL_HALT of the repository says; None while it is not."""
    return " ".join(os.environ.get(HALT, "").split()) or None


def refuse_if_halted(what: str) -> None:
    """GateFailed while the loop is halted."""
    why = halted()
    if why:
        raise GateFailed(f"no {what}: the loop is halted ({why}). When the cause is mended: flywheel resume")


def register(app: typer.Typer) -> None:
    """Add the commands of this module to the command `flywheel`."""
    for command in (review, relay, checked, respond, retrain, protect, halt, resume, pages):
        app.command()(command)


def review() -> None:
    """Show what this commit's run gives: push a stale lock, job summary, commit status, one comment. Exits 4 if refused."""
    from flywheel import github, review

    run = github.this_run()
    hub = None if run.is_fork else github.connect()
    if not review.publish(run, hub, halted()) and not run.is_fork:
        raise GateFailed("the gate is closed for this commit. The summary of the job and the comment say why.")


def relay(report: Annotated[Path, typer.Argument(help="What the run of a fork left.")]) -> None:
    """Post what the run of a fork left as plain text in its pull request, and execute nothing of it."""
    from flywheel import github, review

    if report.is_symlink() or not report.is_file():
        raise DataError(f"{report} is not a file: the run of the fork left no report, so nothing is posted.")
    with report.open("rb") as file:
        text = file.read(review.LONGEST).decode("utf-8", "replace")
    review.relay(github.this_run(), github.connect(), text)


def checked(
    outcome: Annotated[str, typer.Argument(help="success, failure or cancelled, as GitHub Actions says it.")],
) -> None:
    """Set the commit status flywheel/checks, also on commits that a workflow pushed. Exits 4 on anything but success."""
    from flywheel import github, releases

    run = github.this_run()
    if run.is_fork:
        github.say("This is the run of a fork, whose token sets no status: a maintainer pushes the commit to `try/…`.")
    else:
        state = "success" if outcome == "success" else "failure"
        head = releases.git("rev-parse", "HEAD").strip()
        github.set_status(github.connect(), head, CHECKS, state, f"make check and make test: {outcome}", run.address)
    if outcome != "success":
        raise GateFailed(f"the checks ended with {outcome}.")


def respond() -> None:
    """Act on reports/trigger.json: one issue per alert, opened, updated or closed; start what the tier calls for."""
    from flywheel import files, github, respond
    from flywheel.params import AllParams, load

    params = load(AllParams)
    decided = files.read_json(files.TRIGGER)
    done = respond.respond(
        github.connect(), github.this_run(), decided, params.project.name, params.automation, halted()
    )
    github.say("\n".join(f"- {line}" for line in done or ["no alert, and nothing to start"]))


def retrain(
    tier: Annotated[str, typer.Option(help="Why: routine, drift or urgent.")] = "routine",
    again: Annotated[
        bool, typer.Option("--again", help="Also where a retrain of this day was started before.")
    ] = False,
    why: Annotated[str, typer.Option(help="The reason, where reports/trigger.json has none.")] = "",
) -> None:
    """Retrain as of today's clock, and propose the result as a pull request. Never two of the same day."""
    from flywheel import clock, files, github, pipeline, releases, retrain, review, trigger
    from flywheel.cli import advance
    from flywheel.compose import write_params
    from flywheel.params import AllParams, load

    if tier not in ("routine", "drift", "urgent"):
        raise ConfigError(f"--tier: found {tier!r}; allowed are routine, drift and urgent.")
    refuse_if_halted("retrain")
    run, hub = github.this_run(), github.connect()
    with pipeline.alone():
        if releases.git("status", "--porcelain"):
            raise DataError(
                "the tree has changes that are not committed, which a retrain would propose. Commit them first."
            )
        write_params()
        params = load(AllParams)
        day = clock.target(params)
        held = None if again else trigger.held_back(tier, retrain.started(), params.trigger, day)
        if held:
            github.say(f"No {tier} retrain as of {day}: {held}")
            return
        try:
            with retrain.claim(day, again) as is_ours:
                if not is_ours:
                    github.say(f"A retrain as of {day} was started before: nothing to do. To do it once more: --again")
                    return
                advance(params, day)
                pipeline.run(verify=True)
                if not review.stale():
                    raise retrain.NothingNew
                address = retrain.propose(hub, run, tier, why or f"{tier} retrain as of {day}", params.automation)
        except retrain.NothingNew:
            github.say(f"No new data and no change since the last run, as of {day}: there is nothing to propose.")
            return
    decision = files.read_json(files.DECISION)
    github.say(f"Retrain ({tier}) as of {day}: {decision['verdict']}. {address}")


def protect(
    apply: Annotated[
        bool, typer.Option("--apply/--dry-run", help="Change GitHub's rules, or only say what differs.")
    ] = False,
) -> None:
    """Bring GitHub's rulesets to what .github/rulesets/ says; by default only say what would change."""
    from flywheel import github, protect

    hub = github.connect()
    steps = protect.plan(hub, protect.wanted())
    for step in steps:
        print(f"{step.action:<7}{step.name}")
        for line in step.differences:
            print(f"       {line}")
    owners = Path(".github/CODEOWNERS")
    for pattern in protect.unowned(owners.read_text(encoding="utf-8")) if owners.exists() else []:
        print(f"{'nobody':<7}owns {pattern}: put @NAME or @ORG/TEAM behind it in {owners}")
    if apply:
        protect.apply(hub, steps)
        print("done")
    elif any(step.action != "keep" for step in steps):
        print("nothing was changed; do it with: flywheel protect --apply")


def halt(why: Annotated[str, typer.Option(help="The reason; everyone sees it.")]) -> None:
    """Stop retrains and releases at once: sets the repository's variable FLYWHEEL_HALT. Monitoring goes on."""
    from flywheel import github

    if not why.strip():
        raise ConfigError("--why: a halt needs its reason, in a few words.")
    hub = github.connect()
    value = {"name": HALT, "value": " ".join(why.split())}
    try:
        hub.patch(f"/actions/variables/{HALT}", value)
    except github.Refused as error:
        if error.status != 404:
            raise
        hub.post("/actions/variables", value)
    print(f"{hub.repository} is halted: no retrain and no release, and the gate is closed. Go on with: flywheel resume")


def resume() -> None:
    """End a halt."""
    from flywheel import github

    hub = github.connect()
    try:
        hub.delete(f"/actions/variables/{HALT}")
    except github.Refused as error:
        if error.status != 404:
            raise
        print(f"{hub.repository} was not halted.")
        return
    print(f"{hub.repository} goes on.")


def pages() -> None:
    """Say whether GitHub Pages is turned on, as the output `pages` of the step: on or off."""
    from flywheel import github

    try:
        github.connect().get("/pages")
    except github.Refused as error:
        if error.status != 404:
            raise
        github.set_output("pages", "off")
        github.say("The site is built, not published: turn it on at Settings > Pages > Source: GitHub Actions.")
        return
    github.set_output("pages", "on")
    print("Pages is on.")
