"""Releases are Git tags, made with GTO: `NAME@v0.2.0` names a version, `NAME#prod#2` says which version serves.

Nothing here commits. The newest `prod` tag is the truth about production.
"""

from __future__ import annotations

import os
import re
import subprocess
from dataclasses import dataclass
from typing import Any

from flywheel import files, model, remote
from flywheel.acceptance import accepted
from flywheel.errors import ConfigError, DataError, GateFailed
from flywheel.gate import decide
from flywheel.params import Gate

VERSION = re.compile(r"v(\d+)\.(\d+)\.(\d+)")


@dataclass(frozen=True)
class Production:
    """What the newest `prod` tag says: its number, the version that serves, and the commit that trained it."""

    number: int
    version: str
    commit: str


def git(*arguments: str) -> str:
    """What a Git command prints. DataError with Git's own words when it fails."""
    done = subprocess.run(["git", *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        raise DataError(f"git {arguments[0]} failed: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout


def tags(name: str) -> dict[str, str]:
    """All tags of a model with the commit that each points to."""
    listed = git("for-each-ref", "refs/tags", "--format=%(refname:strip=2) %(*objectname) %(objectname)")
    found = {}
    for line in listed.splitlines():
        tag, *objects = line.split()
        if tag.startswith((f"{name}@", f"{name}#")):
            found[tag] = objects[0]  # of an annotated tag the commit comes first
    return found


def versions(name: str) -> dict[str, str]:
    """Released versions, oldest number first, with their commits."""
    found = {tag.removeprefix(f"{name}@"): commit for tag, commit in tags(name).items() if tag.startswith(f"{name}@")}
    return dict(sorted((item for item in found.items() if VERSION.fullmatch(item[0])), key=lambda item: _key(item[0])))


def production(name: str) -> Production | None:
    """What serves now; None where nothing was ever assigned to `prod`."""
    pattern = re.compile(re.escape(name) + r"#prod#(\d+)")
    numbered = {
        int(match[1]): commit for tag, commit in tags(name).items() if (match := pattern.fullmatch(tag)) is not None
    }
    if not numbered:
        return None
    number = max(numbered)
    at_commit = [version for version, commit in versions(name).items() if commit == numbered[number]]
    if not at_commit:
        raise DataError(
            f"the tag {name}#prod#{number} is on {numbered[number][:10]}, which has no version. Fetch all tags."
        )
    return Production(number, at_commit[-1], numbered[number])


def next_version(name: str, champion_version: str | None) -> str:
    """The next minor version after all released ones and the champion in the tree; v0.1.0 where there is none."""
    known = [*versions(name), *([champion_version] if champion_version else [])]
    if not known:
        return "v0.1.0"
    major, minor, _ = max(_key(version) for version in known)
    return f"v{major}.{minor + 1}.0"


def decide_again(params: Gate) -> dict[str, Any]:
    """What the gate says of the evidence in `reports/` now."""
    evidence = [files.read_json(path) for path in (files.METRICS, files.COHORTS, files.BEHAVIOUR)]
    return decide(evidence[0], evidence[1], evidence[2], params)


def release(name: str, params: Gate, why: str | None = None) -> str:
    """Tag the committed candidate as the next version and assign it to `prod`; returns the version.

    `why` releases without a passing gate, and is recorded in the tags, as is the reason of an acceptance. GateFailed or
    DataError when something is not as it must be.
    """
    dirty = git("status", "--porcelain")
    if dirty:
        raise DataError(f"the tree has changes that are not committed:\n{dirty.rstrip()}\nCommit them first.")
    decision = files.read_json(files.DECISION)
    if decision != decide_again(params):
        raise DataError(f"{files.DECISION} is not what the evidence in reports/ says. Run `flywheel run` and commit.")
    serving = production(name)
    head = git("rev-parse", "HEAD").strip()
    here = [version for version, commit in versions(name).items() if commit == head]
    if here and serving and serving.commit == head:
        raise DataError(f"this commit is released already, as {here[-1]}.")
    check_evidence(decision, serving)
    if files.read_json(files.METRICS)["about"]["champion"]["identity"] != model.identity(files.CHAMPION):
        raise DataError(
            "reports/metrics.json is about another champion than models/champion/. Run `flywheel run` and commit."
        )
    agreed = accepted(decision)
    if decision["verdict"] != "pass" and agreed is None and why is None:
        open_rules = [f"{r['rule']}: {r['reason']}" for r in decision["rules"] if r["verdict"] != "pass"]
        raise GateFailed(
            f"the gate says {decision['verdict']}, so nothing is released.\n" + "\n".join(open_rules) + "\n"
            "An inconclusive candidate can be accepted in its pull request: flywheel accept --why. "
            'To release in spite of the gate, with the reason in the tag: flywheel release --force "why"'
        )
    said = f"gate: {decision['verdict']}, as of {decision['as_of']}"
    said += f"; forced: {why}" if why else f"; accepted: {agreed}" if agreed else ""
    version = here[-1] if here else next_version(name, decision["champion"])
    if not here:  # a release that was interrupted after its first tag goes on with the second
        _gto("register", name=name, ref="HEAD", version=version, message=f"{version}: {said}")
    _gto("assign", name=name, version=version, stage="prod", message=f"{version} to prod: {said}", force=True)
    return version


def check_evidence(decision: dict[str, Any], serving: Production | None) -> None:
    """DataError when the decision is about another candidate than the tree's, or about another champion than serves."""
    if decision["candidate"] != model.identity(files.CANDIDATE):
        raise DataError(
            "reports/decision.json is about another model than models/candidate/. Run `flywheel run` and commit."
        )
    if serving and decision["champion"] != serving.version:
        raise DataError(
            f"the candidate was compared with {decision['champion']}, but prod is {serving.version}. "
            "Run `flywheel tick`, which takes over the champion, and commit."
        )


def previous(name: str) -> str | None:
    """The version before the one that serves; None where there is none."""
    serving = production(name)
    older = [version for version in versions(name) if serving and _key(version) < _key(serving.version)]
    return older[-1] if older else None


def rollback(name: str, to: str | None, why: str) -> tuple[str, str]:
    """Assign `prod` to an older version, with the reason in the tag; returns the version that served, and the one that does.

    Without `to` it is the version before the one that serves. ConfigError when there is no such version.
    """
    known = versions(name)
    to = to or previous(name)
    if to is None:
        raise ConfigError("there is no version before the one that serves. Name one with --to.")
    if to not in known:
        raise ConfigError(f"--to: found {to!r}; released versions: {', '.join(known) or 'none'}.")
    if not why.strip():
        raise ConfigError("--why: a rollback needs its reason, in a few words.")
    serving = production(name)
    if serving and serving.version == to:
        raise ConfigError(f"--to: {to} serves already.")
    _gto("assign", name=name, version=to, stage="prod", message=f"rollback to {to}: {why}", force=True)
    return (serving.version if serving else "nothing"), to


def publish_tags(name: str) -> list[str]:
    """Push the newest version and `prod` tags to `origin`, both or none; returns them.

    When `origin` has other tags of these names, ours are deleted, so that the command can be given again.
    """
    serving = production(name)
    if serving is None:
        raise DataError("there is no prod tag to push. Make one with: flywheel release")
    mine = [f"{name}@{serving.version}", f"{name}#prod#{serving.number}"]
    before = remote.refs(f"refs/tags/{name}*")
    try:
        remote.push(*(f"refs/tags/{tag}" for tag in mine))
    except remote.Rejected as error:
        for tag in mine:
            if (
                f"refs/tags/{tag}" not in before
                or before[f"refs/tags/{tag}"] != git("rev-parse", f"refs/tags/{tag}").strip()
            ):
                git("tag", "--delete", tag)
        raise DataError(
            f"origin has another {' or '.join(mine)}: somebody released meanwhile. "
            "Ours are deleted; fetch the tags and run again."
        ) from error
    return mine


def take_over_champion(name: str) -> str | None:
    """Copy the model that serves into `models/champion/`, with its version on its card; None where nothing serves."""
    serving = production(name)
    if serving is None:
        return None
    texts = {file: git("show", f"{serving.commit}:{files.CANDIDATE.as_posix()}/{file}") for file in model.FILES}
    texts["card.json"] = model.card_with_version(texts["card.json"], serving.version)
    files.write_folder(files.CHAMPION, texts)
    return serving.version


def follow_production(name: str) -> str | None:
    """Take over the model that serves, where the tree's candidate was compared with another one; returns its version.

    A tree whose candidate is the one that serves keeps the champion which that beat: there is nothing to compare.
    """
    serving = production(name)
    card = files.CHAMPION / "card.json"
    if serving is None or (card.exists() and files.read_json(card).get("version") == serving.version):
        return None
    return None if _does_the_same(serving.commit) else take_over_champion(name)


def released_as(name: str) -> str | None:
    """The newest version of another commit that does what the tree's candidate does; None where it is new."""
    head = git("rev-parse", "HEAD").strip()
    known = reversed(versions(name).items())
    return next((version for version, at in known if at != head and _does_the_same(at)), None)


def _does_the_same(commit: str) -> bool:
    """Whether the candidate of a commit has the trees and the calibration of the tree's."""
    does = [str(files.CANDIDATE / file) for file in model.FILES if file != "card.json"]
    return subprocess.run(["git", "diff", "--quiet", commit, "--", *does], check=False).returncode == 0


def may_fall_back(name: str) -> bool:
    """Whether a rollback without a person makes sense: the newest version serves, and there is one before it.

    After a rollback another version serves, so that an alert that goes on does not move `prod` back day by day.
    """
    serving = production(name)
    return serving is not None and serving.version == list(versions(name))[-1] and previous(name) is not None


def _key(version: str) -> tuple[int, int, int]:
    match = VERSION.fullmatch(version)
    if match is None:
        raise DataError(f"the version {version!r} is not of the form v1.2.3.")
    return int(match[1]), int(match[2]), int(match[3])


def _gto(action: str, **arguments: Any) -> None:
    import gto.api
    from gto.exceptions import GTOException
    from scmrepo.exceptions import SCMError

    # On a machine where Git knows nobody, as in a workflow, the loop itself signs the tag.
    known = os.environ.get("GIT_COMMITTER_EMAIL") or git("config", "--default", "", "user.email").strip()
    if not known:
        arguments |= {"author": remote.BOT["GIT_COMMITTER_NAME"], "author_email": remote.BOT["GIT_COMMITTER_EMAIL"]}
    try:
        getattr(gto.api, action)(".", **arguments)
    except (GTOException, SCMError) as error:
        raise DataError(f"GTO could not {action} {arguments['version']}: {error}") from None
