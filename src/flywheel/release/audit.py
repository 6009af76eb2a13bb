"""The chain behind a release, link by link: release, decision, pull request, commit, data hashes, feedback days.

It reads Git only: the tags, and the files of the commit they name. `dvc.lock` ties these together: the decision was made from
the evidence, the evidence from the model and the features, and those from the events.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import yaml

from flywheel import files, git, shapes
from flywheel.data.evidence import Quality
from flywheel.errors import ConfigError, DataError
from flywheel.evaluation.evidence import Decision
from flywheel.model.card import Card
from flywheel.release.acceptance import evidence, path_of
from flywheel.release.tags import production, tags, versions


@dataclass(frozen=True)
class Link:
    """One link of the chain: what was found, and whether it holds."""

    name: str
    found: str
    holds: bool


def audit(name: str, version: str | None) -> list[Link]:
    """The chain of a version (the one that serves, by default), link by link. ConfigError when there is no such version."""
    known = versions(name)
    serving = production(name)
    version = version or (serving.version if serving else None)
    if version not in known:
        said = f"found {version!r}; " if version else ""
        raise ConfigError(f"{said}released versions: {', '.join(known) or 'none'}.")
    commit = known[version]
    links = [_release(name, version, commit)]
    try:
        decision = shapes.check(json.loads(_file(commit, files.DECISION.as_posix())), Decision, "reports/decision.json")
        lock = yaml.safe_load(_file(commit, "dvc.lock"))["stages"]
        quality = shapes.check(json.loads(_file(commit, files.QUALITY.as_posix())), Quality, "reports/quality.json")
        card = shapes.check(json.loads(_file(commit, f"{files.CANDIDATE.as_posix()}/card.json")), Card, "card.json")
    except (DataError, ValueError, KeyError, TypeError, yaml.YAMLError) as error:
        return [*links, Link("evidence", f"a file of {commit[:10]} is missing or damaged: {error}", False)]
    checks: list[tuple[str, Callable[[], list[Link]]]] = [
        ("decision", lambda: [_decision(commit, name, version, decision)]),
        ("model", lambda: [_model(commit, decision, card)]),
        ("pull request", lambda: [_pull_request(commit)]),
        ("commit", lambda: _lock(commit, lock)),
        ("feedback", lambda: [_feedback(quality, decision, lock)]),
    ]
    for link, check in checks:
        try:
            links += check()
        except (DataError, ValueError, KeyError, TypeError, AttributeError) as error:
            links.append(Link(link, f"what {commit[:10]} says is missing or damaged: {error!r}", False))
    return links


def _release(name: str, version: str, commit: str) -> Link:
    said = git.run("tag", "--list", "--format=%(contents:subject)", f"{name}@{version}").strip()
    numbers = [
        tag.rsplit("#", 1)[1] for tag, at in tags(name).items() if tag.startswith(f"{name}#prod#") and at == commit
    ]
    served = f"served as prod #{', #'.join(numbers)}" if numbers else "never served"
    return Link("release", f"{name}@{version} on {commit[:10]}, {served} ({said})", bool(said))


def _decision(commit: str, name: str, version: str, decision: Decision) -> Link:
    said = git.run("tag", "--list", "--format=%(contents)", f"{name}@{version}")
    verdict = decision["verdict"]
    other = decision["champion"] or "the served score"
    found = f"{verdict} as of {decision['as_of']}, {len(decision['rules'])} rules, against {other}"
    if verdict == "pass":
        return Link("decision", found, all(rule["verdict"] == "pass" for rule in decision["rules"]))
    forced = re.search(r"forced: (.+)", said)
    if forced:
        return Link("decision", f"{found}; forced: {forced[1].strip()}", True)
    try:
        acceptance = yaml.safe_load(_file(commit, path_of(decision).as_posix()))
        holds = verdict == "inconclusive" and acceptance["evidence"] == evidence(decision)
        return Link("decision", f"{found}; accepted: {acceptance['why']}", holds)
    except (DataError, KeyError, TypeError, yaml.YAMLError):
        return Link("decision", f"{found}; neither accepted nor forced", False)


def _model(commit: str, decision: Decision, card: Card) -> Link:
    contents = {
        name: _bytes(commit, f"{files.CANDIDATE.as_posix()}/{name}") for name in ("model.txt", "calibration.json")
    }
    total = hashlib.sha256()
    for name in sorted(contents):
        total.update(name.encode() + b"\0" + contents[name] + b"\0")
    is_decided = total.hexdigest()[:16] == decision["candidate"]
    is_carded = all(hashlib.sha256(contents[name]).hexdigest() == card["sha256"].get(name) for name in contents)
    window = " to ".join(card["training_window"])
    return Link("model", f"candidate {decision['candidate']}, trained on {window}", is_decided and is_carded)


def _pull_request(commit: str) -> Link:
    subject, parents = git.run("show", "--no-patch", "--format=%s%x00%P", commit).strip().split("\0")
    number = re.search(r"#(\d+)", subject)
    merged = parents.split()[1:]
    said = f"#{number[1]}, " if number else ""
    came = f"merged from {merged[0][:10]}" if merged else "one commit, without a merge"
    return Link("pull request", f"{said}{came}: {subject}", True)


def _lock(commit: str, lock: dict[str, Any]) -> list[Link]:
    """Each stage's inputs are the outputs of an earlier one, and the files in Git are the ones that the lock names."""
    made = {out["path"]: out["md5"] for stage in lock.values() for out in stage.get("outs", [])}
    torn = [
        f"{name} read another {dep['path']} than was made"
        for name, stage in lock.items()
        for dep in stage.get("deps", [])
        if dep["path"] in made and made[dep["path"]] != dep["md5"]
    ]
    in_git = [path for path in made if path.startswith("reports/") and path.endswith((".json", ".md"))]
    other = [
        f"{path} is not the one of dvc.lock"
        for path in in_git
        if hashlib.md5(_bytes(commit, path), usedforsecurity=False).hexdigest() != made[path]
    ]
    data = {path: md5 for path, md5 in made.items() if path.startswith("data/")}
    told = ", ".join(f"{path} {md5.removesuffix('.dir')[:10]}" for path, md5 in data.items())
    problems = "; ".join(torn + other)
    return [
        Link(
            "commit", problems or f"{commit[:10]}: {len(lock)} stages, each read what an earlier one made", not problems
        ),
        Link("data", told or "dvc.lock names no data", "data/events" in data),
    ]


def _feedback(quality: Quality, decision: Decision, lock: dict[str, Any]) -> Link:
    days = quality["total"]["days"]
    if not days["n"] or days["last"] is None:
        return Link("feedback", "reports/quality.json does not say which days it is about", False)
    clock = str(lock["collect"]["params"]["params.yaml"]["clock"]["as_of"])
    found = f"{days['n']} days, {days['first']} to {days['last']}, known before {decision['as_of']}"
    return Link("feedback", found, days["last"] < decision["as_of"] == clock)


def _file(commit: str, path: str) -> str:
    return git.run("show", f"{commit}:{path}")


def _bytes(commit: str, path: str) -> bytes:
    return _file(commit, path).encode()
