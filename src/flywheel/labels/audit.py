"""What annotators answered of what the loop asked, and how good labels are by those that were drawn at random."""

from __future__ import annotations

import pandas as pd

from flywheel.data.annotations.form import AUDIT, REASONS
from flywheel.labels.evidence import Answered, Audited
from flywheel.labels.shares import wilson

CONFIDENCE = 0.95


def describe_answers(feedback: pd.DataFrame, revisions: pd.DataFrame) -> Answered | None:
    """`answers` of `reports/labels.json`; None where no annotation has a rubric.

    `feedback` has prediction_id, received_at, channel, rubric and asked; `revisions` are those of `data/labels.parquet`.
    """
    mine = feedback[(feedback["channel"] == "annotation") & feedback["rubric"].notna()]
    if mine.empty:
        return None
    by_reason = mine["asked"].value_counts()
    by_rubric = mine["rubric"].value_counts()
    return {
        "annotations": len(mine),
        "from_queue": int(mine["asked"].notna().sum()),
        "by_reason": {str(name): int(by_reason[name]) for name in REASONS if name in by_reason},
        "by_rubric": {str(name): int(by_rubric[name]) for name in sorted(by_rubric.index, key=int_or_text)},
        "audit": audited(mine[mine["asked"] == AUDIT], revisions),
    }


def int_or_text(version: str) -> tuple[int, str]:
    """Versions in their order: 2 before 10."""
    return (int(version), "") if version.isdecimal() else (0, version)


def audited(answers: pd.DataFrame, revisions: pd.DataFrame) -> Audited:
    """How many labels an audit looked at, and the share that it finds right, with Wilson's interval (1927).

    A label is the one that held when the first day of answers about its prediction began: so none of them has a say in it,
    and only answers of that day count. Where several annotators looked, the prediction counts with the share of them that
    agree. Predictions are taken as independent, as they were drawn. The share stands for the labels that they were drawn from,
    as far as who answers does not choose by what is asked; an annotator's own errors count as those of the label.
    """
    day = answers["received_at"].dt.floor("D")
    first = day.groupby(answers["prediction_id"]).transform("min")
    mine = answers.assign(day=day)[day == first]
    held = mine[["prediction_id", "day", "value"]].merge(revisions, on="prediction_id")
    held = held[(held["revised_at"] < held["day"]) & ~(held["superseded_at"] < held["day"])]
    right = (held["value"] == held["label"]).groupby(held["prediction_id"]).mean()
    n = len(right)
    return {
        "predictions": int(mine["prediction_id"].nunique()),
        "labels": n,
        "right": wilson(float(right.sum()), n, CONFIDENCE) if n else None,
        "confidence": CONFIDENCE,
    }
