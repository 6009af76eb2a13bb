"""The report as Markdown, made from the JSON files alone, so it cannot disagree with them."""

from __future__ import annotations

from typing import TypedDict

from flywheel.data.evidence import Quality
from flywheel.evaluation.evidence import (
    REFERENCE_IN_WORDS,
    Cohorts,
    Cost,
    Decision,
    Measured,
    Probed,
    Robust,
    Selected,
    Slices,
)
from flywheel.labels.evidence import FeedbackSaid, LabelsMade
from flywheel.labels.voices_evidence import VoicesHeard
from flywheel.monitoring.evidence import Drift, Health
from flywheel.params import Project
from flywheel.report.candidate import (
    calibration,
    cohorts,
    comparison,
    cost,
    decisions,
    gaps,
    leaks,
    robustness,
    slices,
    windows,
)
from flywheel.report.data import corrections, data_quality, drift, labels, service
from flywheel.report.forgotten import forgotten
from flywheel.report.markdown import MARKS, escape
from flywheel.report.selection import who_has_a_label
from flywheel.report.settings import Report
from flywheel.report.voices import what_users_say


class Evidence(TypedDict):
    """What the report is made from: each JSON file in its shape."""

    quality: Quality
    labels: LabelsMade
    feedback: FeedbackSaid
    voices: VoicesHeard
    metrics: Measured
    cohorts: Cohorts
    leaks: Probed
    robustness: Robust
    cost: Cost
    slices: Slices
    selection: Selected
    decision: Decision
    monitor: Health
    drift: Drift


def render(evidence: Evidence, project: Project, params: Report) -> str:
    """The report as Markdown: the verdict first, then what it is based on."""
    parts = [
        verdict(evidence["decision"], evidence["metrics"], project.name, project.note),
        comparison(evidence["metrics"], evidence["decision"]["reference"]),
        windows(evidence["metrics"], evidence["decision"]["reference"]),
        cohorts(
            evidence["cohorts"],
            evidence["decision"]["reference"],
            evidence["metrics"]["about"]["confidence"],
            evidence["decision"].get("too_small", []),
        ),
        calibration(evidence["metrics"], evidence["cohorts"], evidence["decision"].get("too_small", [])),
        decisions(evidence["metrics"], evidence["cohorts"], evidence["decision"]["reference"]),
        gaps(evidence["metrics"], evidence["decision"]["reference"]),
        slices(evidence["slices"], evidence["decision"]["reference"]),
        robustness(evidence["robustness"]),
        leaks(evidence["leaks"]),
        cost(evidence["cost"]),
        drift(evidence["drift"], params.drift_rows),
        labels(evidence["labels"], evidence["feedback"], project.event),
        who_has_a_label(evidence["selection"]),
        what_users_say(evidence["voices"], evidence["monitor"], params.weeks),
        service(evidence["monitor"], params.weeks),
        data_quality(evidence["quality"]),
        *([corrections(evidence["quality"])] if evidence["quality"].get("corrections") else []),
        *_forgotten(evidence),
    ]
    return "\n".join(parts)


def _forgotten(evidence: Evidence) -> list[str]:
    found = evidence["quality"].get("forgotten")
    return [forgotten(found, evidence["decision"]["champion"])] if found else []


def verdict(decision: Decision, measured: Measured, name: str, note: str | None = None) -> str:
    """The title, the verdict and every rule of the gate."""
    window = measured["about"]["window"]
    version = escape(decision["champion"] or "without a version")
    reference = decision["reference"]
    champion = f"champion {version}" if reference == "champion" else REFERENCE_IN_WORDS[reference]
    n_windows = len(measured["windows"])
    lines = [
        f"# {name}: {decision['verdict']} {MARKS[decision['verdict']]}",
        "",
        f"A {decision['kind']}: the candidate of {decision['as_of']} against {champion}, by vintages that stand in for them on "
        f"{'one window' if n_windows == 1 else f'{n_windows} windows'} that they have not seen: {window['rows']:,} labelled "
        f"predictions ({window['rows'] / max(window['predictions'], 1):.0%} of {window['predictions']:,}) served from "
        f"{window['start']} to {window['end']}, of which {window['positives'] / max(window['rows'], 1):.1%} are positive.",
        "",
        *([escape(note), ""] if note else []),
        "| rule | | reason |",
        "| --- | --- | --- |",
    ]
    rules = [
        f"| {escape(r['rule'])} | {MARKS[r['verdict']]} {r['verdict']}{' (only warns)' if r['severity'] == 'warn' else ''} "
        f"| {escape(r['reason'])} |"
        for r in decision["rules"]
    ]
    return "\n".join([*lines, *rules, ""])
