"""Answers that people handed in: counted by reason and rubric; the audit compares with the label before its answers."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

from flywheel.labels.audit import describe_answers
from flywheel.labels.evidence import Answered
from flywheel.labels.shares import wilson
from flywheel.report.answered import answered
from tests.planted import at, revision, revisions

END = "T23:59:59.999999"


def answers(rows: list[tuple[str, str, float, str | None, str | None]]) -> pd.DataFrame:
    """Annotations as feedback: prediction, day of January, value, why it was asked, rubric."""
    frame = pd.DataFrame(rows, columns=["prediction_id", "day", "value", "asked", "rubric"])
    moments = pd.Series([at(f"{day}{END}") for day in frame["day"]], dtype="datetime64[us, UTC]")
    texts = {name: pd.Series(list(frame[name]), dtype="str") for name in ("prediction_id", "asked", "rubric")}
    return frame.assign(received_at=moments, channel="annotation", **texts)


def described(rows: list[Any], *labels: dict[str, Any]) -> Answered:
    """What is found; there is something."""
    found = describe_answers(answers(rows), revisions(labels))
    assert found is not None
    return found


def test_a_table_without_a_rubric_says_nothing() -> None:
    """So the report of a project without annotators' files has no new sentence."""
    assert describe_answers(answers([("p", "05", 1, None, None)]), revisions([])) is None
    assert "" == answered(None)


def test_answers_are_counted_by_reason_and_rubric() -> None:
    """Those that nobody asked for as well."""
    rows = [("p", "05", 1, "uncertainty", "10"), ("q", "05", 1, "audit", "2"), ("r", "05", 0, None, "2")]
    found = described(rows)
    assert (3, 2, {"uncertainty": 1, "audit": 1}) == (found["annotations"], found["from_queue"], found["by_reason"])
    assert [("2", 2), ("10", 1)] == list(found["by_rubric"].items())
    text = answered(found)
    assert (
        "Of 3 annotations under a rubric, 2 answer the queue: uncertainty 1, audit 1. By version of the rubric: 2 (2), 10 (1)"
        in text
    )
    assert "looked at 1 prediction without a label when the answers came" in text


def test_an_audit_is_compared_with_the_label_before_it() -> None:
    """Not with the one that it has made, and not with an earlier one."""
    labels = [
        revision("right", 1, "02"),
        revision("wrong", 1, "02", superseded_at=at(f"05{END}")),
        revision("wrong", 0, f"05{END}"),
        revision("old", 0, "02", superseded_at=at("04")),
        revision("old", 1, "04"),
        revision("late", 1, "05T12"),
    ]
    rows = [(name, "05", 1, "audit", "1") for name in ("right", "old", "late")] + [("wrong", "05", 0, "audit", "1")]
    found = described([*rows, ("right", "05", 0, "uncertainty", "1")], *labels)["audit"]
    assert (4, 3, wilson(2, 3, 0.95)) == (found["predictions"], found["labels"], found["right"])


def test_only_the_first_day_of_answers_counts_and_two_annotators_share_a_prediction() -> None:
    """A later one is compared with a label in which the first has a say."""
    rows = [("p", "05", 1, "audit", "1"), ("p", "05", 0, "audit", "1"), ("p", "06", 1, "audit", "1")]
    found = described(rows, revision("p", 1, "02"))["audit"]
    assert (1, 1, wilson(0.5, 1, 0.95)) == (found["predictions"], found["labels"], found["right"])


def test_the_report_tells_the_share_with_its_interval() -> None:
    """18 of 20 right: 90 %, from 70 to 97 %."""
    rows = [(f"p{k}", "05", float(k >= 2), "audit", "1") for k in range(20)]
    text = answered(described(rows, *(revision(f"p{k}", 1, "02") for k in range(20))))
    assert "A random audit of 20 labels finds 90.0% of them right [69.9%, 97.2%] (95% interval)." in text


@pytest.mark.parametrize("quality", [0.6, 0.95])
def test_the_interval_holds_the_planted_quality(quality: float) -> None:
    """Of 1,000 labels so many are right; an audit of 200 of them, drawn by chance, finds it within its interval."""
    labels = [revision(f"p{k:04}", 1, "02") for k in range(1000)]
    drawn = pd.Series(range(1000)).sample(200, random_state=4)
    rows = [(f"p{k:04}", "05", float(k < quality * 1000), "audit", "1") for k in drawn]
    right = described(rows, *labels)["audit"]["right"]
    assert right is not None
    assert (right["low"] or 1) < quality < (right["high"] or 0)
