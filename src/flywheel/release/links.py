"""The links that tie a release to what it was made of. `flywheel release` checks them on the commit before it tags it,
`flywheel audit` on the commit that was tagged: it is one function, so that what the first lets through holds for the second.

It reads Git alone: the files of the commit, never those of the working tree.
"""

from __future__ import annotations

import datetime as dt
import re
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import flywheel
from flywheel import files, git, shapes
from flywheel.data.evidence import Quality
from flywheel.errors import ConfigError, DataError, FlywheelError
from flywheel.evaluation.evidence import Behaviours, Cohorts, Cost, Decision, Measured, Probed, Robust
from flywheel.evaluation.gate import decide
from flywheel.evaluation.settings import Gate
from flywheel.model.card import CONTRACT, DOES, FILES, Card, file_digests, identity_of
from flywheel.model.contract import Contract, Contracts, of_card
from flywheel.params import parse
from flywheel.release import derivation
from flywheel.release.acceptance import Standing, path_of, standing_of
from flywheel.release.commits import Commit
from flywheel.release.messages import Said
from flywheel.release.tags import Production, versions

Compose = Callable[[str, Path], dict[str, Any]]
"""Composes a folder `conf/` as the text of a `params.yaml` notes that it was composed; returns the values."""

T = TypeVar("T")
CANDIDATE, CHAMPION = files.CANDIDATE.as_posix(), files.CHAMPION.as_posix()
HERE = Path(flywheel.__file__).parent  # the flywheel that runs
EXAMPLES = 3  # a link names at most this many of its problems


@dataclass(frozen=True)
class Link:
    """One link of the chain: what was found, and whether it holds."""

    name: str
    found: str
    holds: bool


@dataclass(frozen=True)
class Evidence:
    """What a commit says of its candidate."""

    decision: Decision
    metrics: Measured
    cohorts: Cohorts
    behaviour: Behaviours
    probed: Probed
    robust: Robust
    cost: Cost
    quality: Quality
    card: Card
    params: dict[str, Any]


def links(
    commit: Commit, name: str, said: Said, before: Production | None, compose: Compose, on: dt.date
) -> list[Link]:
    """Every link of a commit, in order: what its tag says or will say is `said`, and `before` served before it.

    `on` is the day of the release: an acceptance must have held then.
    """
    found = [_on_main(commit)]
    try:
        evidence = evidence_of(commit)
    except FlywheelError as error:
        return [*found, no_evidence(commit, error)]
    checks: list[tuple[str, Callable[[], list[Link]]]] = [
        ("decision", lambda: [_decision(commit, evidence)]),
        ("gate", lambda: [_gate(commit, evidence, said, on)]),
        ("model", lambda: [_model(commit, evidence)]),
        ("champion", lambda: [_champion(commit, name, evidence, before)]),
        ("pull request", lambda: [_pull_request(commit)]),
        ("commit", lambda: _derivation(commit)),
        ("params", lambda: [_params(commit, evidence, compose)]),
        ("feedback", lambda: [_feedback(evidence)]),
    ]
    for link, check in checks:
        try:
            found += check()
        except FlywheelError as error:
            found.append(Link(link, str(error), False))
    return found


def evidence_of(commit: Commit) -> Evidence:
    """What a commit says of its candidate. DataError when a file is missing, broken or has another shape."""
    names = (
        files.DECISION,
        files.METRICS,
        files.COHORTS,
        files.BEHAVIOUR,
        files.LEAKS,
        files.ROBUSTNESS,
        files.COST,
        files.QUALITY,
    )
    commit.fetch([*(path.as_posix() for path in names), CANDIDATE, CHAMPION, derivation.PARAMS, derivation.LOCK])

    def read(path: str, shape: type[T]) -> T:
        return shapes.check(commit.json(path), shape, f"{path} of {commit.sha[:10]}")

    params = commit.yaml(derivation.PARAMS)
    if not isinstance(params, dict):
        raise DataError(f"{derivation.PARAMS} of {commit.sha[:10]} holds no sections.")
    return Evidence(
        decision=read(files.DECISION.as_posix(), Decision),
        metrics=read(files.METRICS.as_posix(), Measured),
        cohorts=read(files.COHORTS.as_posix(), Cohorts),
        behaviour=read(files.BEHAVIOUR.as_posix(), Behaviours),
        probed=read(files.LEAKS.as_posix(), Probed),
        robust=read(files.ROBUSTNESS.as_posix(), Robust),
        cost=read(files.COST.as_posix(), Cost),
        quality=read(files.QUALITY.as_posix(), Quality),
        card=read(f"{CANDIDATE}/card.json", Card),
        params=params,
    )


def no_evidence(commit: Commit, error: FlywheelError) -> Link:
    """What is wrong with the evidence; of another version of flywheel, how that can be read."""
    hint = "" if is_ours(commit) else " (by another version of flywheel: check out the tag, and audit it there)"
    return Link("evidence", f"{error}{hint}", False)


def decides_like(commit: Commit) -> bool:
    """Whether the gate of this flywheel is the one of the commit, so that deciding again must give the same."""
    stages = derivation.stages_at(commit)
    if "gate" not in stages:
        raise DataError(f"{derivation.PIPELINE} has no stage gate.")
    code = [dep for dep in stages["gate"].deps if dep.startswith("src/flywheel/")]
    commit.fetch(code)
    here = {dep: HERE / dep.removeprefix("src/flywheel/") for dep in code}
    return bool(code) and all(
        commit.has(dep) and path.is_file() and path.read_bytes() == commit.content(dep) for dep, path in here.items()
    )


def _on_main(commit: Commit) -> Link:
    main = git.main_branch()
    if main is None:
        return Link("main", "there is no branch main here. Name it so: git branch -m main", False)
    shown = main.removeprefix("refs/heads/").removeprefix("refs/remotes/")
    if git.succeeds("merge-base", "--is-ancestor", commit.sha, main):
        return Link("main", f"{commit.sha[:10]} is on {shown}", True)
    if git.run("rev-parse", "--is-shallow-repository").strip() == "true":
        return Link("main", "this clone is shallow, so it does not know. Run: git fetch --unshallow --tags", False)
    is_remote = main.startswith("refs/remotes/")
    todo = (
        "Merge it and push (git push) first; a merge elsewhere comes with: git fetch" if is_remote else "Merge it first"
    )
    return Link("main", f"{commit.sha[:10]} is not on {shown}. {todo}", False)


def _decision(commit: Commit, evidence: Evidence) -> Link:
    """The decision is what the gate makes of the evidence, with the parameters of the commit."""
    decision = evidence.decision
    other = decision["champion"] or "the served score"
    found = f"{decision['verdict']} as of {decision['as_of']}, {len(decision['rules'])} rules, against {other}"
    if not decides_like(commit):
        return Link("decision", f"{found} (by another version of the gate, so it is not decided again)", True)
    gate = parse(Gate, _section(evidence, "gate"))
    measured = (evidence.metrics, evidence.cohorts, evidence.behaviour, evidence.probed, evidence.robust, evidence.cost)
    again = decide(*measured, _contracts(commit), gate)
    if again != decision:
        return Link(
            "decision", f"{files.DECISION} says {decision['verdict']}, the evidence beside it {again['verdict']}", False
        )
    return Link("decision", found, True)


def _contracts(commit: Commit) -> Contracts:
    """What `read_contracts` reads from the tree, as the commit has it."""

    def read(folder: str) -> Contract:
        path = f"{folder}/{CONTRACT}"
        return shapes.check(commit.json(path), Contract, f"{path} of {commit.sha[:10]}")

    if not commit.has(f"{CHAMPION}/card.json"):
        return Contracts(read(CANDIDATE), None)
    if commit.has(f"{CHAMPION}/{CONTRACT}"):
        return Contracts(read(CANDIDATE), read(CHAMPION))
    return Contracts(read(CANDIDATE), of_card(_champion_card(commit), f"{CHAMPION} of {commit.sha[:10]}"))


def _champion_card(commit: Commit) -> Card:
    return shapes.check(commit.json(f"{CHAMPION}/card.json"), Card, f"{CHAMPION}/card.json of {commit.sha[:10]}")


def _gate(commit: Commit, evidence: Evidence, said: Said, on: dt.date) -> Link:
    """The gate was open: a pass, an inconclusive that was accepted, or a reason to release in spite of it."""
    decision = evidence.decision
    if (said.verdict, said.as_of) != (decision["verdict"], decision["as_of"]):
        told = f"the tag says {said.verdict} as of {said.as_of}"
        return Link("gate", f"{told}, the decision {decision['verdict']} as of {decision['as_of']}", False)
    stands = standing_at(commit, decision, on)
    if decision["verdict"] == "pass":
        return Link("gate", "open: the verdict is pass", said.how is None)
    if said.how == "forced":
        return Link("gate", f"{decision['verdict']}; forced: {said.why}", stands.why is None)
    problem = f". {stands.problem}" if stands.problem else ""
    if said.how == "accepted":
        return Link("gate", f"{decision['verdict']}; accepted: {said.why}{problem}", stands.why == said.why)
    return Link("gate", f"{decision['verdict']}, neither accepted nor forced{problem}", False)


def standing_at(commit: Commit, decision: Decision, on: dt.date) -> Standing:
    """Whether a commit accepts its inconclusive decision, on a day."""
    path = path_of(decision).as_posix()
    content = commit.content(path) if path in commit.objects else None
    return standing_of(content, decision, on, may_be_older=content is not None and not is_ours(commit))


def _model(commit: Commit, evidence: Evidence) -> Link:
    """The candidate is the one that was decided on, and its card describes it."""
    decided, card = evidence.decision["candidate"], evidence.card
    contents = contents_of(commit, CANDIDATE)
    window = " to ".join(card["training_window"])
    if identity_of(contents) != decided:
        return Link("model", f"{CANDIDATE} is {identity_of(contents)}, the decision is about {decided}", False)
    if evidence.metrics["about"]["candidate"]["identity"] != decided:
        return Link("model", f"{files.METRICS} is about another candidate than the decision", False)
    if card["sha256"] != file_digests(contents):
        return Link("model", f"{CANDIDATE}/card.json describes another model", False)
    return Link("model", f"candidate {decided}, trained on {window}", True)


def _champion(commit: Commit, name: str, evidence: Evidence, before: Production | None) -> Link:
    """The candidate was compared with the model that served, and that is the one in the tree."""
    decided, compared = evidence.decision, evidence.metrics["about"]["champion"]
    if before is not None and decided["champion"] != before.version:
        told = f"the candidate was compared with {decided['champion']}, but {before.version} served"
        return Link("champion", f"{told}. Run `flywheel tick`, which takes over the champion, and commit", False)
    if not any(commit.has(f"{CHAMPION}/{file}") for file in FILES):
        return Link("champion", "there was none yet", compared["identity"] is None and decided["champion"] is None)
    contents = contents_of(commit, CHAMPION)
    card = _champion_card(commit)
    version, problem = card["version"], None
    released = versions(name).get(version or "")
    was = contents_of(Commit(released), CANDIDATE) if released else {}
    if identity_of(contents) != compared["identity"]:
        problem = f"{files.METRICS} is about another champion than {CHAMPION}"
    elif not version == compared["version"] == decided["champion"]:
        told = f"{CHAMPION} is {version}, {files.METRICS} is about {compared['version']}"
        problem = f"{told}, the decision about {decided['champion']}"
    elif card["sha256"] != file_digests(contents):
        problem = f"{CHAMPION}/card.json describes another model"
    elif was and identity_of(was) != compared["identity"]:
        problem = f"{CHAMPION} is not the model that was released as {version}"
    elif was and was.get(CONTRACT) != contents.get(CONTRACT):
        problem = f"{CHAMPION}/{CONTRACT} is not the contract that was released with {version}"
    found = (
        f"{version}, as it was released"
        if released
        else f"{version or 'one without a version'}, which no tag here names"
    )
    return Link("champion", problem or found, problem is None)


def contents_of(commit: Commit, folder: str) -> dict[str, bytes]:
    """The files of a model in a commit that say what it does, and its contract, if it has one."""
    commit.fetch([folder])
    there = [*DOES, *([CONTRACT] if commit.has(f"{folder}/{CONTRACT}") else [])]
    return {file: commit.content(f"{folder}/{file}") for file in there}


def _pull_request(commit: Commit) -> Link:
    subject, parents = git.run("show", "--no-patch", "--format=%s%x00%P", commit.sha).strip().split("\0")
    number = re.search(r"#(\d+)", subject)
    merged = parents.split()[1:]
    said = f"#{number[1]}, " if number else ""
    came = f"merged from {merged[0][:10]}" if merged else "one commit, without a merge"
    return Link("pull request", f"{said}{came}: {subject}", True)


def _derivation(commit: Commit) -> list[Link]:
    """Code, models and reports are those of the run, and each stage read what an earlier one made."""
    stages = derivation.stages_at(commit)
    locked = derivation.locked_stages(commit.yaml(derivation.LOCK))
    problems = derivation.mismatches(commit, stages, locked)
    found = f"{len(stages)} stages of {derivation.LOCK}, with the code, models and reports of {commit.sha[:10]}"
    data = derivation.data_digests(stages, locked)
    told = ", ".join(f"{path} {md5.removesuffix('.dir')[:10]}" for path, md5 in data.items())
    return [
        Link("commit", _few(problems) or found, not problems),
        Link("data", told or f"{derivation.LOCK} names no data", "data/events" in data),
    ]


def _params(commit: Commit, evidence: Evidence, compose: Compose) -> Link:
    """The stages ran with the parameters of the commit, and those are what its conf/ says."""
    stages = derivation.stages_at(commit)
    problems = derivation.other_params(commit, stages, derivation.locked_stages(commit.yaml(derivation.LOCK)))
    text = git.text(commit.content(derivation.PARAMS))
    try:
        with tempfile.TemporaryDirectory() as folder:
            commit.write("conf", Path(folder) / "conf")
            composed = compose(text, Path(folder) / "conf")
    except ConfigError:
        if not problems and not is_ours(commit):
            return Link(
                "params", "as the run used them (conf/ is for another version of flywheel: not composed again)", True
            )
        raise
    other = [
        key
        for key in {**composed, **evidence.params}
        if not derivation.is_same(composed.get(key), evidence.params.get(key))
    ]
    if other:
        problems.append(f"conf/ says another {', '.join(other)} than {derivation.PARAMS}")
    return Link(
        "params",
        _few(problems) or f"{len(evidence.params)} sections, as conf/ has them and as the run used them",
        not problems,
    )


def _feedback(evidence: Evidence) -> Link:
    """The days that the evidence is about ended before the clock."""
    days, as_of = evidence.quality["total"]["days"], evidence.decision["as_of"]
    clock = _section(evidence, "clock").get("as_of")
    if not days["n"] or days["last"] is None:
        return Link("feedback", f"{files.QUALITY} does not say which days it is about", False)
    found = f"{days['n']} days, {days['first']} to {days['last']}, known before {as_of}"
    if not days["last"] < as_of == str(clock):
        return Link("feedback", f"{found}, the clock at {clock}", False)
    return Link("feedback", found, True)


def _section(evidence: Evidence, name: str) -> dict[str, Any]:
    """A section of the commit's parameters. DataError when there is none."""
    found = evidence.params.get(name)
    if not isinstance(found, dict):
        raise DataError(f"{derivation.PARAMS} has no section {name}.")
    return found


def _few(problems: list[str]) -> str:
    more = len(problems) - EXAMPLES
    return "; ".join(problems[:EXAMPLES]) + (f"; and {more} more" if more > 0 else "")


def is_ours(commit: Commit) -> bool:
    """Whether the commit has the code of this flywheel, file by file."""
    here = {f"src/flywheel/{path.relative_to(HERE).as_posix()}": path for path in HERE.rglob("*.py")}
    there = [path for path in commit.within("src/flywheel") if path.endswith(".py")]
    commit.fetch(there)
    return sorted(here) == there and all(path.read_bytes() == commit.content(name) for name, path in here.items())
