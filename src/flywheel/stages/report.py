"""Stage `report`: what a reviewer reads in the pull request, made from the JSON files alone, so it cannot disagree with them.

Run it with `python -m flywheel.stages.report`.
"""

from __future__ import annotations

from flywheel import files
from flywheel.data.evidence import read_quality
from flywheel.evaluation.evidence import (
    by_model,
    read_curves,
    read_decision,
    read_evidence,
    read_gains,
    read_reliable_cohorts,
    read_selection,
    read_slices,
)
from flywheel.labels.evidence import read_feedback_said, read_labels_made
from flywheel.labels.voices_evidence import read_voices
from flywheel.monitoring.evidence import read_drift, read_health
from flywheel.params import Params, Project
from flywheel.report import plots, you_said
from flywheel.report.answers import read_answers
from flywheel.report.page import Evidence, render
from flywheel.report.settings import Report
from flywheel.stages import run_stage


class ReportParams(Params):
    """`params.yaml` as the stage `report` sees it."""

    project: Project
    report: Report


def main(params: ReportParams) -> str:
    """Write `reports/report.md`, `reports/you_said.md` and the pictures in `reports/plots/`."""
    metrics, cohorts, _, leaks, robust, cost = read_evidence()
    evidence: Evidence = {
        "quality": read_quality(),
        "labels": read_labels_made(),
        "feedback": read_feedback_said(),
        "voices": read_voices(),
        "metrics": metrics,
        "cohorts": cohorts,
        "leaks": leaks,
        "robustness": robust,
        "cost": cost,
        "slices": read_slices(),
        "selection": read_selection(),
        "decision": read_decision(),
        "monitor": read_health(),
        "drift": read_drift(),
    }
    voices, project = evidence["voices"], params.project
    answers = read_answers(project.name, [one["topic"] for one in voices["topics"]])
    curves = {name: read_curves(name) for name in by_model(metrics) if name != "base_rate"}
    figures = {
        "models": plots.roc_and_reliability(curves),
        **({"cohorts": plots.cohorts(read_reliable_cohorts())} if cohorts else {}),
        "decision": plots.decision(read_gains()),
        "weekly": plots.weekly(evidence["monitor"]),
        "drift": plots.drift(evidence["drift"]),
        **({"voices": plots.voices(evidence["voices"])} if evidence["voices"]["texts"] else {}),
    }
    pictures = {f"{name}.png": plots.png(figure) for name, figure in figures.items()}
    text = render(evidence, params.project, params.report)
    files.write_folder(files.PLOTS, pictures)
    files.write_text(files.REPORT, text)
    files.write_text(files.YOU_SAID, you_said.render(voices, evidence["monitor"], answers, project))
    return f"{files.REPORT}, {len(text.splitlines())} lines, {len(pictures)} pictures"


if __name__ == "__main__":
    run_stage(main, ReportParams)
