"""What the report says of annotators, in the cases that a whole report does not have."""

from __future__ import annotations

from typing import Any

import pytest

from flywheel.report.annotators import annotators


def estimate(value: float, low: float, high: float) -> dict[str, float]:
    return {"value": value, "low": low, "high": high}


def annotator(name: str = "ann", **changes: Any) -> Any:
    return {
        "source": name,
        "annotations": 70,
        "known": 60,
        "with_outcome": 50,
        "sensitivity": estimate(0.9, 0.8, 0.95),
        "specificity": None,
        "recent_known": 25,
        "change": estimate(-0.01, -0.1, 0.1),
        "trend": "not shown",
        "median_days": 2.0,
        "p90_days": None,
    } | changes


def found(*busiest: Any, **changes: Any) -> Any:
    return {
        "annotators": len(busiest),
        "annotations": 70,
        "unnamed": 0,
        "others": 0,
        "others_annotations": 0,
        "confidence": 0.95,
        "least": 20,
        "recent_days": 28,
        "agreement": {"predictions": 0, "alpha": None},
        "hotspots": {"compared": 0, "shown": 0, "worst": []},
        "busiest": list(busiest),
    } | changes


def test_without_annotators_there_is_no_section() -> None:
    assert "" == annotators(found(annotations=0), "late")


def test_what_there_is_too_little_for_is_said_in_words() -> None:
    """A share, a percentile, a change and an agreement."""
    text = annotators(found(annotator(change=None, trend="too few")), "late")
    assert "| ann | 70 | 60 (50) | 90.0% [80.0%, 95.0%] | too few to say | 2.0 / – |\n" in text
    assert "Whether anybody changed in the last 28 days: too few to say." in text
    assert "No two annotators looked at the same prediction" in text
    assert "cohort" not in text


def test_a_change_is_told_with_its_direction_and_how_large_it_is() -> None:
    """Whose change is chance is not named."""
    text = annotators(
        found(
            annotator("ann", change=estimate(-0.12, -0.2, -0.05), trend="worse"),
            annotator("bob", change=estimate(0.08, 0.01, 0.15), trend="better"),
            annotator("cid"),
        ),
        "late",
    )
    assert (
        "ann was right less often in the last 28 days than before, by 12.0 [5.0, 20.0] percentage points (25 annotations to"
        in text
    )
    assert "bob was right more often in the last 28 days than before, by 8.0 [1.0, 15.0] percentage points" in text
    assert "cid was" not in text


def test_no_change_and_no_hotspot_are_said_as_not_shown() -> None:
    """Not as not there."""
    text = annotators(found(annotator(), hotspots={"compared": 1, "shown": 0, "worst": []}), "late")
    assert "Nobody was shown to be right more or less often in the last 28 days than before." in text
    assert "(1 pair of annotator and cohort compared)" in text


def test_hotspots_are_in_a_table_and_the_rest_is_counted() -> None:
    hotspot = {
        "source": "ann",
        "column": "place",
        "value": "south",
        "known": 60,
        "right": 0.65,
        "right_elsewhere": 0.95,
        "difference": estimate(-0.3, -0.45, -0.1),
    }
    text = annotators(found(annotator(), hotspots={"compared": 30, "shown": 2, "worst": [hotspot]}), "late")
    assert "(2 of 30 pairs compared, the worst are listed)" in text
    assert "| ann | place south | 60 | 65.0% | 95.0% | -30.0 [-45.0, -10.0] |\n" in text


@pytest.mark.parametrize(
    ("low", "said"),
    [(0.81, "That is reliable."), (0.7, "tentative conclusions."), (0.5, "less than what is asked for even")],
)
def test_alpha_is_read_by_the_lower_end_of_its_interval(low: float, said: str) -> None:
    """It is as good as what is certain of it."""
    text = annotators(found(annotator(), agreement={"predictions": 90, "alpha": estimate(0.9, low, 0.95)}), "late")
    assert f"Krippendorff's alpha is 0.90 [{low:.2f}, 0.95]" in text
    assert said in text


def test_annotations_without_a_name_have_no_table() -> None:
    """There is nobody to tell apart."""
    text = annotators(found(unnamed=70), "late")
    assert "70 annotations come from 0 annotators. Nobody is named for 70 of them." in text
    assert "|" not in text
