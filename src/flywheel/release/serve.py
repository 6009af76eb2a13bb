"""Releasing and rolling back: what is checked before a tag is made."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

from flywheel import files, git
from flywheel.errors import ConfigError, DataError, FlywheelError, GateFailed
from flywheel.evaluation.evidence import Decision, open_rules, read_evidence
from flywheel.evaluation.gate import decide
from flywheel.evaluation.settings import Gate
from flywheel.model.card import identity
from flywheel.model.contract import read_contracts
from flywheel.release.audit import release_link
from flywheel.release.commits import Commit, head
from flywheel.release.links import Compose, Link, evidence_of, is_ours, links, no_evidence, standing_at
from flywheel.release.messages import Said, reason, rollback_text
from flywheel.release.tags import is_annotated, make_tag, next_version, previous, production, versions


def decide_again(params: Gate) -> Decision:
    """What the gate says now about the evidence in `reports/` and the contracts in `models/`.

    DataError when the evidence is about another candidate than the one that is there.
    """
    evidence = read_evidence()
    measured, there = evidence[0]["about"]["candidate"]["identity"], identity(files.CANDIDATE)
    if measured != there:
        raise DataError(
            f"{files.METRICS} is about the model {measured}, and the one in {files.CANDIDATE} is {there}. Restore both from "
            "Git, or make them with: flywheel run"
        )
    return decide(*evidence, read_contracts(), params)


def release(
    name: str,
    compose: Compose,
    why: str | None = None,
    note: Callable[[str], object] = print,
    today: dt.date | None = None,
) -> str:
    """Tag the commit that is checked out as the next version and assign it to `prod`; returns the version.

    Every link is checked first, as `flywheel audit` checks them. `why` releases without a passing gate. The tags
    record it, or the reason of an acceptance that holds on the day; one that was not needed is told to `note`. GateFailed
    or DataError when something is in the way.
    """
    on = today or dt.datetime.now(dt.UTC).date()
    forced = reason("--force", why) if why is not None else None
    commit, serving = head(), production(name)
    dirty = git.run("status", "--porcelain")
    if dirty:
        raise DataError(f"the tree has uncommitted changes:\n{dirty.rstrip()}\nCommit them first.")
    here = [version for version, sha in versions(name).items() if sha == commit.sha]
    if serving and serving.commit == commit.sha:
        raise DataError(f"this commit is already released, as {serving.version}.")
    try:
        decision = evidence_of(commit).decision
    except FlywheelError as error:
        raise DataError(_refusal([no_evidence(commit, error)])) from None
    version = here[-1] if here else next_version(name, decision["champion"])
    found, said = [], say(version, commit, decision, forced, on)
    if here:  # a release that was interrupted after its first tag continues with the second
        link, there, _ = release_link(name, version)
        found, said = [link], there or said
    found += links(commit, name, said, serving, compose, on)
    is_open = said.verdict == "pass" or said.how is not None
    broken = [link for link in found if not link.holds and (is_open or link.name != "gate")]
    if broken:
        raise DataError(_refusal(broken))
    if not is_ours(commit):
        raise DataError("the flywheel that runs is not the one of this commit. Run the one of this folder: make setup")
    if not is_open:
        is_in_the_way = open_rules(decision)
        reasons = [f"{r['rule']}: {r['reason']}" for r in decision["rules"] if r["rule"] in is_in_the_way]
        reasons += filter(None, [standing_at(commit, decision, on).problem])
        raise GateFailed(
            f"the gate says {decision['verdict']}, so nothing is released.\n" + "\n".join(reasons) + "\n"
            "An inconclusive candidate can be accepted in its pull request: flywheel accept --why. "
            'To release anyway, with the reason in the tag: flywheel release --force "why"'
        )
    if not here:
        make_tag("register", name=name, ref="HEAD", version=version, message=said.text())
    make_tag("assign", name=name, version=version, stage="prod", message=said.prod_text(), force=True)
    if forced is not None and said.how != "forced":
        note(f"forced    it was not needed: the gate was open, so the reason is not in the tag ({forced})")
    return version


def say(version: str, commit: Commit, decision: Decision, forced: str | None, on: dt.date) -> Said:
    """What the tag of a release will say. A reason to force is noted where the gate is not open without it."""
    accepted = standing_at(commit, decision, on).why
    if decision["verdict"] == "pass":
        return Said(version, decision["verdict"], decision["as_of"])
    if accepted is not None:
        return Said(version, decision["verdict"], decision["as_of"], "accepted", accepted)
    if forced is not None:
        return Said(version, decision["verdict"], decision["as_of"], "forced", forced)
    return Said(version, decision["verdict"], decision["as_of"])


def _refusal(broken: list[Link]) -> str:
    found = "\n".join(f"{link.name}: {link.found}." for link in broken)
    advice = "Fix what is named; what a run makes is made again with `flywheel run`."
    return f"this commit does not hold what a release needs:\n{found}\n{advice}"


def rollback(name: str, to: str | None, why: str) -> tuple[str, str]:
    """Assign `prod` to an older version, with the reason in the tag; returns the version that served and the one that does now.

    Without `to`, it is the version before the one that serves. ConfigError when there is no such version.
    """
    why = reason("--why", why)
    known = versions(name)
    if not known:
        raise ConfigError(
            "there is no version to go back to: nothing was released yet, or its tags are not here. "
            "Fetch them with: git fetch --tags. A first version is made with: flywheel release"
        )
    to = to or previous(name)
    if to is None:
        raise ConfigError("there is no version before the one that serves. Name one with --to.")
    if to not in known:
        raise ConfigError(f"--to: found {to!r}; released versions: {', '.join(known)}.")
    if not is_annotated(name, to):
        raise ConfigError(f"--to: the tag of {to} is not annotated, so no release made it. Choose another version.")
    serving = production(name)
    if serving and serving.version == to:
        raise ConfigError(f"--to: {to} already serves.")
    make_tag("assign", name=name, version=to, stage="prod", message=rollback_text(to, why), force=True)
    return (serving.version if serving else "nothing"), to
