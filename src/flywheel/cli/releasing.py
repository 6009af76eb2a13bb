"""Commands that decide what reaches production: gate, accept, release, rollback, audit, explain, thanks."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from flywheel.cli import show
from flywheel.errors import ConfigError, DataError, GateFailed

if TYPE_CHECKING:  # an import that only one of the commands needs
    from flywheel.release.links import Link


def gate(
    enforce: Annotated[bool, typer.Option("--enforce", help="Exit with 4 on anything but a pass.")] = False,
) -> None:
    """Decide again from the evidence in reports/ and print every rule with its reason."""
    from flywheel.params import load
    from flywheel.release import serve
    from flywheel.release.acceptance import standing
    from flywheel.release.settings import DecisionParams

    decision = serve.decide_again(load(DecisionParams).gate)
    stands = standing(decision, dt.datetime.now(dt.UTC).date())
    rows = [(rule["rule"], rule["verdict"], rule["reason"]) for rule in decision["rules"]]
    show.table(["rule", "verdict", "reason"], rows)
    agreed = stands.acceptance
    until = f", accepted by {agreed.name} until {agreed.expires}: {agreed.why}" if agreed else ""
    print(f"verdict: {decision['verdict']}{until}{f', not accepted: {stands.problem}' if stands.problem else ''}")
    if enforce and decision["verdict"] != "pass" and agreed is None:
        told = f" {stands.problem}" if stands.problem else ""
        raise GateFailed(
            f"the verdict is {decision['verdict']}; only a pass or an accepted candidate is let through.{told}"
        )


def accept(
    why: Annotated[str, typer.Option(help="The reason; an owner approves it with the pull request.")],
    name: Annotated[str | None, typer.Option(help="Who accepts; by default the user.name of Git.")] = None,
    expires: Annotated[
        str | None, typer.Option(help="The last day on which it holds, such as 2030-01-31; by default in 30 days.")
    ] = None,
) -> None:
    """Accept an inconclusive candidate: writes a file in decisions/ to commit with the pull request."""
    from flywheel import git
    from flywheel.evaluation.evidence import read_decision
    from flywheel.release import acceptance

    try:
        last = dt.date.fromisoformat(expires) if expires is not None else None
    except ValueError:
        raise ConfigError(f"--expires: found {expires!r}; allowed is a date such as 2030-01-31.") from None
    today = dt.datetime.now(dt.UTC).date()
    path = acceptance.accept(read_decision(), why, git.author() if name is None else name, today, last)
    print(
        f"{path} is written. Once committed and approved, it opens the gate for this candidate only, up to its last day."
    )


def release(
    force: Annotated[
        str | None, typer.Option(help="Release without a passing gate; the reason goes into the tag.")
    ] = None,
    publish: Annotated[bool, typer.Option("--publish", help="Push the tags and make the GitHub release.")] = False,
) -> None:
    """Tag the committed candidate as the next version and assign it to prod."""
    from flywheel import git, origin
    from flywheel.github import releases
    from flywheel.github.actions import say
    from flywheel.github.client import connect
    from flywheel.github.switches import refuse_if_halted
    from flywheel.params import load
    from flywheel.release import serve
    from flywheel.release.audit import audit as links_of
    from flywheel.release.champion import released_as
    from flywheel.release.settings import ReleaseParams
    from flywheel.release.tags import production, publish_tags

    name = load(ReleaseParams).project.name
    refuse_if_halted("release")
    if publish:
        origin.fetch_tags()
    serving = production(name)
    if publish and serving and serving.commit == git.run("rev-parse", "HEAD").strip():
        version = serving.version  # an interrupted release is finished
        _refuse_if_broken(links_of(name, version, _composed))
    elif publish and (known := released_as(name)):  # a model that was rolled back does not come back by itself
        say(f"Nothing to release: the candidate is the same model as {known}.")
        return
    else:
        version = serve.release(name, _composed, force, show.say)
        serving = production(name)
    print(f"{name}@{version} is released and serves as {name}#prod#{serving.number if serving else '?'}.")
    if not publish:
        print("Share it with: git push --tags")
        return
    show.say(f"pushed    {', '.join(publish_tags(name))}")
    say(f"{name}@{version} serves. {releases.release(connect(), name, version)}")


def rollback(
    why: Annotated[str, typer.Option(help="The reason; it goes into the tag.")],
    to: Annotated[str | None, typer.Option(help="The version to go back to; by default the previous one.")] = None,
    publish: Annotated[bool, typer.Option("--publish", help="Push the tag and open an issue that says why.")] = False,
) -> None:
    """Assign prod to an older version."""
    from flywheel import origin
    from flywheel.github import releases
    from flywheel.github.actions import say
    from flywheel.github.client import connect
    from flywheel.params import load
    from flywheel.release import serve
    from flywheel.release.settings import ReleaseParams
    from flywheel.release.tags import publish_tags

    name = load(ReleaseParams).project.name
    if publish:
        origin.fetch_tags()
    before, now = serve.rollback(name, to or None, why)
    if not publish:
        print(f"prod was {before} and is now {now}. Share it with: git push --tags")
        return
    show.say(f"pushed    {', '.join(publish_tags(name))}")  # first, because the issue can wait and prod cannot
    say(f"prod was {before} and is now {now}. {releases.rollback(connect(), name, before, now, why)}")


def audit(
    version: Annotated[str | None, typer.Argument(help="Such as v0.2.0; by default the one that serves.")] = None,
) -> None:
    """The chain behind a release, from its tags down to the days of feedback. Exits 3 when a link does not hold."""
    from flywheel.params import load
    from flywheel.release.audit import audit as links_of
    from flywheel.release.settings import ReleaseParams

    links = links_of(load(ReleaseParams).project.name, version, _composed)
    show.table(["", "link", "found"], [["ok" if link.holds else "BROKEN", link.name, link.found] for link in links])
    _refuse_if_broken(links)


def explain(
    version: Annotated[str | None, typer.Argument(help="Such as v0.2.0; by default the one that serves.")] = None,
) -> None:
    """Where a released model comes from: recipe, days, data, code, decision, and the commands that make it again."""
    from flywheel.params import load
    from flywheel.release.provenance import explain as provenance
    from flywheel.release.settings import ReleaseParams

    found = provenance(load(ReleaseParams).project.name, version)
    show.table(["", ""], found.rows)
    print("\nTo make it again, bit for bit; the last command fails if a byte is different:\n")
    for command in found.commands:
        print(command)


def thanks(
    version: Annotated[str, typer.Option(help="The released version, such as v0.2.0.")],
) -> None:
    """Prints a message, as a line of JSON, for each user whose claim a release learned from and who was right."""
    import json

    from flywheel import files
    from flywheel.data import tables
    from flywheel.labels.texts.said import with_texts
    from flywheel.loop.thanks import release_of
    from flywheel.loop.thanks import thanks as messages
    from flywheel.params import load
    from flywheel.release.settings import ThanksParams

    params = load(ThanksParams)
    as_of = params.clock.as_of
    made = release_of(params.project.name, version)
    if made["known_before"] > as_of:
        raise ConfigError(
            f"{version} knew labels up to {made['known_before']}, and the clock of this tree stands at {as_of}. Check out a "
            "later commit, or move the clock with: flywheel tick"
        )
    days = [day for day in tables.stored_days(files.VALID, "predictions") if day < as_of]
    columns = ["feedback_id", "prediction_id", "received_at", "channel", "source_id", "value", "text"]
    known = [day for day in tables.stored_days(files.VALID, "feedback") if day < made["known_before"]]
    found = messages(
        with_texts(tables.read_days(files.VALID, "feedback", known, columns), params.label.texts),
        tables.read_days(files.VALID, "predictions", days, ["prediction_id", "served_at"]),
        files.read_parquet(files.LABELS),
        files.read_parquet(files.QUARANTINE),
        made,
        as_of,
    )
    for one in found:
        print(json.dumps(one, ensure_ascii=False))


def _refuse_if_broken(links: list[Link]) -> None:
    broken = [f"{link.name} ({link.found})" for link in links if not link.holds]
    if broken:
        raise DataError(f"the chain is broken at: {'; '.join(broken)}.")


def _composed(params: str, conf: Path) -> dict[str, Any]:
    """The composition of a folder, as the text of a `params.yaml` says that it was composed."""
    from flywheel.loop.compose import compose
    from flywheel.params import noted

    return compose(noted(params), conf)


COMMANDS = (gate, accept, release, rollback, audit, explain, thanks)
