"""The model card of the champion, `models/champion/card.md`: its purpose, what it learned from, how good it is, its limits.

It is made when the champion is taken over, from the files of its commit and the message of its tag alone. So the same tag gives
the same card, nothing in it is written by hand, and what was not measured is not there.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, TypeVar

from flywheel import files, shapes
from flywheel.errors import FlywheelError
from flywheel.evaluation.evidence import (
    HIGHER_IS_BETTER,
    IN_WORDS,
    REFERENCE_IN_WORDS,
    Cohorts,
    Decision,
    Interval,
    Measured,
    by_model,
    open_rules,
    reference_of,
    shown,
    values_by_model,
)
from flywheel.model.card import CONTRACT, DOES, Card, Weights, identity_of
from flywheel.model.contract import Contract
from flywheel.release.acceptance import Acceptance, path_of, read_acceptance
from flywheel.release.commits import Commit
from flywheel.release.derivation import PARAMS
from flywheel.release.messages import Said, parse
from flywheel.release.tags import read_tags
from flywheel.report.candidate import DIGITS
from flywheel.report.markdown import escape, number, percent, table, with_interval

NAME = "card.md"
CANDIDATE = files.CANDIDATE.as_posix()
UNKNOWN: Interval = {"value": None, "low": None, "high": None}
T = TypeVar("T")


@dataclass
class Told:
    """What a commit and its tag say of a model; None is what they do not say, and `unread` has why, file by file."""

    name: str
    version: str
    commit: str
    card: Card
    size: int
    event: str | None = None
    note: str | None = None
    contract: Contract | None = None
    measured: Measured | None = None
    cohorts: Cohorts | None = None
    decision: Decision | None = None
    acceptance: Acceptance | None = None
    said: Said | None = None
    unread: list[str] = field(default_factory=list)


def model_card(commit: Commit, name: str, version: str) -> str:
    """The model card of a version, as Markdown. DataError when its commit has no readable `card.json`."""
    return render(told_by(commit, name, version))


def told_by(commit: Commit, name: str, version: str) -> Told:
    """What a commit and the tag of a version say of its model.

    Evidence that is not there, that has the shape of another version of flywheel, or that is about another model is left out,
    and said. DataError when there is no readable `card.json`.
    """
    evidence = (files.METRICS, files.COHORTS, files.DECISION)
    commit.fetch([CANDIDATE, PARAMS, *(path.as_posix() for path in evidence)])
    card = shapes.check(commit.json(f"{CANDIDATE}/card.json"), Card, f"{CANDIDATE}/card.json of {commit.sha[:10]}")
    does = {file: commit.content(f"{CANDIDATE}/{file}") for file in DOES}
    told = Told(name, version, commit.sha, card, sum(map(len, does.values())))
    project = _project(commit)
    told.event, told.note = project.get("event"), project.get("note")
    tag = read_tags(name).get(f"{name}@{version}")
    told.said = parse(tag.message) if tag else None

    def read(path: str, shape: type[T]) -> T | None:
        if not commit.has(path):
            told.unread.append(f"{path} is not there")
            return None
        try:
            return shapes.check(commit.json(path), shape, path)
        except FlywheelError:
            told.unread.append(f"{path} is of an older shape, or a newer one, than this version of flywheel reads")
            return None

    told.contract = read(f"{CANDIDATE}/{CONTRACT}", Contract)
    decision = read(files.DECISION.as_posix(), Decision)
    measured, cohorts = read(files.METRICS.as_posix(), Measured), read(files.COHORTS.as_posix(), Cohorts)
    this = identity_of(does)
    if measured and measured["about"]["candidate"]["identity"] == this:
        told.measured, told.cohorts = measured, cohorts
    elif measured:
        told.unread.append(f"{files.METRICS} is about another model")
    if decision and decision["candidate"] == this:
        told.decision, told.acceptance = decision, _acceptance(commit, decision, told.unread)
    elif decision:
        told.unread.append(f"{files.DECISION} is about another model")
    return told


def _project(commit: Commit) -> dict[str, str]:
    """What the parameters of the commit say of the project, as far as they are texts."""
    try:
        found: Any = commit.yaml(PARAMS)["project"].items()
    except (FlywheelError, KeyError, TypeError, AttributeError):
        return {}
    return {key: value for key, value in found if isinstance(value, str)}


def _acceptance(commit: Commit, decision: Decision, unread: list[str]) -> Acceptance | None:
    path = path_of(decision)
    if decision["verdict"] != "inconclusive" or not commit.has(path.as_posix()):
        return None
    try:
        return read_acceptance(commit.content(path.as_posix()), path)[0]
    except FlywheelError:
        unread.append(f"{path} is damaged")
        return None


def render(told: Told) -> str:
    """The card as Markdown."""
    parts = [
        f"# {told.name} {told.version}\n\nThe card of this model. It was made from the files of commit {told.commit[:10]} and "
        "the message of its tag: what was not measured there is not here.\n",
        purpose(told),
        training(told.card, told.size),
        quality(told.measured) if told.measured else "",
        cohorts(told.cohorts, told.measured) if told.measured and told.cohorts else "",
        limits(told),
        decided(told),
        _unread(told.unread),
    ]
    return "\n".join(part for part in parts if part)


def purpose(told: Told) -> str:
    """What it scores, in the words of the project's parameters."""
    event = f"It gives the probability that a prediction is *{escape(told.event)}*." if told.event else ""
    said = [*filter(None, [event, escape(told.note or "")])] or [f"The {PARAMS} of its commit does not say it."]
    return "\n\n".join(["## Purpose", *said]) + "\n"


def training(card: Card, size: int) -> str:
    """The days, rows and libraries that it was made with, and its size in bytes."""
    features = card["features"]
    counts = f"{_count(len(features['numeric']), 'number', 'numbers')}, {_categories(len(features['categorical']))}"
    strongest = [f"{name} {percent(share, 1)}" for name, share in list(card["importance"].items())[:5]]
    rows = [
        ["as of", card["as_of"]],
        ["first day learned from, and the day after the last", " and ".join(card["training_window"])],
        ["labels known before", card["labels_known_before"]],
        ["labelled rows", ", ".join(f"{name} {n:,}" for name, n in card.get("rows", {}).items())],
        ["labels by source", ", ".join(f"{name} {n:,}" for name, n in card.get("label_source", {}).items())],
        ["weights of rows", _weights(card["weights"]) if "weights" in card else ""],
        ["share of positives", percent(card["positive_share"], 2)],
        ["inputs", counts],
        ["strongest inputs, share of gain", ", ".join(strongest)],
        ["trees", f"{card['trees']:,}" if "trees" in card else ""],
        ["bytes", f"{size:,}"],
        ["libraries", ", ".join(f"{name} {version}" for name, version in card.get("libraries", {}).items())],
    ]
    return "## Training\n\n" + table(["what", "value"], [row for row in rows if row[1]], words=2)


def quality(measured: Measured) -> str:
    """The metrics with intervals, beside what it had to beat."""
    about, reference = measured["about"], reference_of(measured)
    window = about["window"]
    compared = by_model(measured)
    rows = []
    for metric, words in IN_WORDS.items():
        digits = DIGITS.get(metric, 4)
        named = words if HIGHER_IS_BETTER.get(metric, True) else f"{words} (lower is better)"
        values = [
            with_interval(compared[one][metric], digits) if one in compared else "–" for one in ("candidate", reference)
        ]
        rows.append([named, *values, with_interval(measured["difference"][reference][metric], digits, sign=True)])
    version = about["champion"]["version"]
    against = f"the champion {version}" if reference == "champion" and version else REFERENCE_IN_WORDS[reference]
    return (
        "## Quality\n\n"
        f"Measured as of {about['candidate']['as_of']} on {window['rows']:,} labelled predictions "
        f"({window['rows'] / window['predictions']:.0%} of {window['predictions']:,}) of {window['days']} days, served from "
        f"{window['start']} up to {window['end']}, of which {window['positives'] / max(window['rows'], 1):.1%} are positive; "
        f"against {escape(against)}. In brackets: {about['confidence']:.0%} intervals.\n\n"
        + table(["metric", "this model", shown(reference), "difference"], rows)
    )


def cohorts(found: Cohorts, measured: Measured) -> str:
    """Each cohort that was measured, with its difference from what the model had to beat."""
    reference, rows = reference_of(measured), []
    for group, members in found.items():
        for value, one in members.items():
            mine = values_by_model(one)["candidate"]
            gap = one["difference"].get(reference, {}).get("log_loss", UNKNOWN)
            values = [number(mine[metric], 4) for metric in ("auc", "log_loss", "ece")]
            counts = [f"{one['rows']:,}", f"{one['positives']:,}"]
            rows.append([f"{group} = {value}", *counts, *values, with_interval(gap, 4, sign=True)])
    if not rows:
        return "## Cohorts\n\nNone was declared, so none was measured.\n"
    header = ["cohort", "rows", "positives", "AUC", "log loss", "calibration error", f"log loss − {shown(reference)}"]
    return "## Cohorts\n\n" + table(header, rows)


def limits(told: Told) -> str:
    """What was not shown of it, and outside of which inputs it has seen nothing."""
    said = []
    if told.measured:
        window = told.measured["about"]["window"]
        rest = 1 - window["rows"] / window["predictions"]
        why = "they have no sure label, or no score"
        said.append(f"- {rest:.0%} of the predictions in the window above were not measured: {why}.")
    if told.decision:
        missed = [f"{rule['rule']} ({rule['reason']})" for rule in told.decision["rules"] if rule["verdict"] != "pass"]
        said += [f"- The gate did not pass it for {escape(one)}" for one in missed]
    rows = []
    for name, one in (told.contract["inputs"] if told.contract else {}).items():
        if one["type"] == "number":
            seen = "nothing" if one["min"] is None or one["max"] is None else f"{one['min']:g} to {one['max']:g}"
        else:
            seen = _categories(len(one["categories"]))
        rows.append([name, one["type"], seen, "no" if one["required"] else "yes"])
    inputs = (
        f"\nIn training it has seen these inputs (contract {told.contract['version']}); about others it knows nothing, and a "
        "category that it has not seen is read as missing.\n\n"
        + table(["input", "type", "seen", "missing"], rows, words=3)
        if told.contract
        else ""
    )
    return "\n".join(["## Limits\n", *said]) + "\n" + inputs


def decided(told: Told) -> str:
    """The verdict, each rule, and who let it through where the gate did not."""
    lines = ["## Decision\n"]
    decision, said, agreed = told.decision, told.said, told.acceptance
    if decision:
        closed = open_rules(decision)
        lines.append(
            f"The gate said **{decision['verdict']}** as of {decision['as_of']}"
            + (f"; {len(closed)} of {len(decision['rules'])} rules did not pass" if closed else "")
            + ".\n"
        )
    if said is None:
        lines.append("Its tag has no message of a release.\n")
    elif said.how == "forced":
        lines.append(f"It was released by force: {escape(said.why or '')}\n")
    elif said.how == "accepted":
        who = f" by {escape(agreed.name)}, up to {agreed.expires}" if agreed and agreed.name else ""
        lines.append(f"It was accepted{who}: {escape(said.why or '')}\n")
    else:
        lines.append("It needed no acceptance.\n")
    if decision:
        rules = [[rule["rule"], rule["verdict"], rule["reason"]] for rule in decision["rules"]]
        lines.append(table(["rule", "verdict", "reason"], rules, words=3))
    return "\n".join(lines)


def _count(n: int, one: str, more: str) -> str:
    return f"{n:,} {one if n == 1 else more}"


def _categories(n: int) -> str:
    return _count(n, "category", "categories")


def _weights(found: Weights) -> str:
    if found["why_alike"]:
        return f"all count alike: {found['why_alike']}"
    return (
        f"by how likely such rows have a label; they tell as much as {found['effective']:,.0f} that count alike, "
        f"and the largest is {found['largest']:.2f}"
    )


def _unread(unread: list[str]) -> str:
    if not unread:
        return ""
    return "## Not in this card\n\n" + "\n".join(f"- {escape(one)}." for one in unread) + "\n"
