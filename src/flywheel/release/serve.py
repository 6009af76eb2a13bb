"""Releasing and rolling back: what is checked before a tag is made."""

from __future__ import annotations

from flywheel import files, git
from flywheel.errors import ConfigError, DataError, GateFailed
from flywheel.evaluation.evidence import Decision, read_decision, read_evidence
from flywheel.evaluation.gate import decide
from flywheel.evaluation.settings import Gate
from flywheel.model.card import identity
from flywheel.release.acceptance import accepted
from flywheel.release.tags import Production, _gto, next_version, previous, production, versions


def decide_again(params: Gate) -> Decision:
    """What the gate says now about the evidence in `reports/`."""
    return decide(*read_evidence(), params)


def release(name: str, params: Gate, why: str | None = None) -> str:
    """Tag the committed candidate as the next version and assign it to `prod`; returns the version.

    `why` releases without a passing gate. The tags record it, or the reason of an acceptance. GateFailed or DataError
    when something is in the way.
    """
    dirty = git.run("status", "--porcelain")
    if dirty:
        raise DataError(f"the tree has uncommitted changes:\n{dirty.rstrip()}\nCommit them first.")
    decision = read_decision()
    if decision != decide_again(params):
        raise DataError(f"{files.DECISION} is not what the evidence in reports/ says. Run `flywheel run` and commit.")
    serving = production(name)
    head = git.run("rev-parse", "HEAD").strip()
    here = [version for version, commit in versions(name).items() if commit == head]
    if here and serving and serving.commit == head:
        raise DataError(f"this commit is already released, as {here[-1]}.")
    check_evidence(decision, serving)
    if read_evidence()[0]["about"]["champion"]["identity"] != identity(files.CHAMPION):
        raise DataError(
            "reports/metrics.json is not about the champion in models/champion/. Run `flywheel run` and commit."
        )
    agreed = accepted(decision)
    if decision["verdict"] != "pass" and agreed is None and why is None:
        open_rules = [f"{r['rule']}: {r['reason']}" for r in decision["rules"] if r["verdict"] != "pass"]
        raise GateFailed(
            f"the gate says {decision['verdict']}, so nothing is released.\n" + "\n".join(open_rules) + "\n"
            "An inconclusive candidate can be accepted in its pull request: flywheel accept --why. "
            'To release anyway, with the reason in the tag: flywheel release --force "why"'
        )
    said = f"gate: {decision['verdict']}, as of {decision['as_of']}"
    said += f"; forced: {why}" if why else f"; accepted: {agreed}" if agreed else ""
    version = here[-1] if here else next_version(name, decision["champion"])
    if not here:  # a release that was interrupted after its first tag continues with the second
        _gto("register", name=name, ref="HEAD", version=version, message=f"{version}: {said}")
    _gto("assign", name=name, version=version, stage="prod", message=f"{version} to prod: {said}", force=True)
    return version


def check_evidence(decision: Decision, serving: Production | None) -> None:
    """DataError when the decision is not about the candidate in the tree, or not about the champion that serves."""
    if decision["candidate"] != identity(files.CANDIDATE):
        raise DataError(
            "reports/decision.json is not about the model in models/candidate/. Run `flywheel run` and commit."
        )
    if serving and decision["champion"] != serving.version:
        raise DataError(
            f"the candidate was compared with {decision['champion']}, but prod is {serving.version}. "
            "Run `flywheel tick`, which takes over the champion, and commit."
        )


def rollback(name: str, to: str | None, why: str) -> tuple[str, str]:
    """Assign `prod` to an older version, with the reason in the tag; returns the version that served and the one that does now.

    Without `to`, it is the version before the one that serves. ConfigError when there is no such version.
    """
    known = versions(name)
    to = to or previous(name)
    if to is None:
        raise ConfigError("there is no version before the one that serves. Name one with --to.")
    if to not in known:
        raise ConfigError(f"--to: found {to!r}; released versions: {', '.join(known) or 'none'}.")
    if not why.strip():
        raise ConfigError("--why: a rollback needs a reason, in a few words.")
    serving = production(name)
    if serving and serving.version == to:
        raise ConfigError(f"--to: {to} already serves.")
    _gto("assign", name=name, version=to, stage="prod", message=f"rollback to {to}: {why}", force=True)
    return (serving.version if serving else "nothing"), to
