"""The decision curve against the utility, and decisions that change, by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from flywheel.evaluation.compare import compare
from flywheel.evaluation.decisions import THRESHOLDS, decision_curve, flips
from flywheel.stages.evaluate import EvaluateParams
from tests.planted import settings

EVALUATE = settings(EvaluateParams, evaluate={"bootstrap": {"samples": 100}}).evaluate
OWN = EVALUATE.costs.threshold


def world(n: int = 3000) -> tuple[pd.DataFrame, dict[str, np.ndarray]]:
    rng = np.random.default_rng(1)
    rate = rng.beta(1.2, 2.8, n)
    served_at = pd.Timestamp("2030-01-01", tz="UTC") + pd.to_timedelta(rng.integers(0, 28, n), unit="D")
    table = pd.DataFrame({"served_at": served_at, "label": (rng.random(n) < rate).astype("int64")})
    noisy = np.clip(rate + rng.normal(0, 0.2, n), 0, 1)
    return table, {"candidate": rate, "champion": noisy, "base_rate": np.full(n, 0.3)}


def at(points: list[dict[str, float | None]], threshold: float) -> dict[str, float | None]:
    return next(one for one in points if one["threshold"] == threshold)


@pytest.mark.parametrize("model", ["candidate", "champion"])
def test_at_the_threshold_of_the_costs_it_is_the_utility_over_alerting_nobody(model: str) -> None:
    """Value and interval: the utility of the metrics, less that of never alerting."""
    table, scores = world()
    found = at(decision_curve(table, scores, EVALUATE)[model], OWN)
    nobody = {"candidate": np.zeros(len(table)), "champion": scores[model]}
    lost = compare(table, nobody, EVALUATE)["difference"]["champion"]["utility"]
    expected = {"gained": -lost["value"], "low": -lost["high"], "high": -lost["low"]}
    assert pytest.approx(expected) == {name: found[name] for name in expected}


def test_alerting_everybody_by_hand() -> None:
    """Positives count in full, negatives with the odds of the threshold; a right alert is worth 1.4 points."""
    table, scores = world()
    found = at(decision_curve(table, scores, EVALUATE)["alert_all"], 0.2)
    rate = table["label"].mean()
    assert pytest.approx(1.4 * 1000 * (rate - (1 - rate) * 0.2 / 0.8)) == found["gained"]


def test_a_right_score_gains_at_every_threshold_and_more_than_alerting_everybody() -> None:
    """As every calibrated score does, but for chance; and each point lies in its interval."""
    table, scores = world()
    found = decision_curve(table, scores, EVALUATE)
    assert {"candidate", "champion", "alert_all"} == set(found)
    assert sorted({*THRESHOLDS, OWN}) == [one["threshold"] for one in found["candidate"]]
    for mine, everybody in zip(found["candidate"], found["alert_all"], strict=True):
        assert mine["gained"] > max(everybody["gained"], 0) - 5
        assert mine["low"] <= mine["gained"] <= mine["high"]


def test_the_base_rate_makes_no_decisions() -> None:
    """Where nothing else is there, only the candidate and alerting everybody are drawn."""
    table, scores = world()
    del scores["champion"]
    assert ["candidate", "alert_all"] == list(decision_curve(table, scores, EVALUATE))


def test_decisions_that_change_are_counted_in_both_directions() -> None:
    """Five rows: one stays an alert, one stays none, two become alerts (one rightly), one becomes none (rightly)."""
    candidate, champion = np.array([0.9, 0.1, 0.5, 0.5, 0.4]), np.array([0.8, 0.2, 0.4, 0.0, 0.5])
    expected = {"to_alert": 2, "to_alert_right": 1, "to_quiet": 1, "to_quiet_right": 1}
    assert expected == flips(candidate, champion, np.array([1, 1, 1, 0, 0]), 0.5)
