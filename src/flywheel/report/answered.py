"""What the report says of answers that people handed in: how many the loop had asked for, and what the audit finds."""

from __future__ import annotations

from flywheel.labels.evidence import Answered, Audited
from flywheel.report.markdown import percent


def answered(found: Answered | None) -> str:
    """A paragraph or two; empty where nobody handed in anything."""
    if found is None:
        return ""
    n, asked = found["annotations"], found["from_queue"]
    reasons = ", ".join(f"{name} {count:,}" for name, count in found["by_reason"].items())
    rubrics = ", ".join(f"{version} ({count:,})" for version, count in found["by_rubric"].items())
    said = f"{n:,} {'annotation' if n == 1 else 'annotations'} under a rubric"
    answers = f"{asked:,} {'answers' if asked == 1 else 'answer'} the queue{f': {reasons}' if reasons else ''}"
    return f"\nOf {said}, {answers}. By version of the rubric: {rubrics}.\n" + _audit(found["audit"])


def _audit(found: Audited) -> str:
    """How many of the labels drawn at random are right; empty without any."""
    right = found["right"]
    if not found["predictions"]:
        return ""
    if right is None:
        looked = "1 prediction" if found["predictions"] == 1 else f"{found['predictions']:,} predictions"
        return (
            f"\nThe random audit looked at {looked} without a label when the answers came, so how many labels are right is not "
            "known.\n"
        )
    of = "a label" if found["labels"] == 1 else f"{found['labels']:,} labels"
    interval = f"[{percent(right['low'], 1)}, {percent(right['high'], 1)}] ({found['confidence']:.0%} interval)"
    return (
        f"\nA random audit of {of} finds {percent(right['value'], 1)} of them right {interval}. They were drawn from all "
        "labels of their time, so this stands for those; where an annotator errs, the label gets the blame.\n"
    )
