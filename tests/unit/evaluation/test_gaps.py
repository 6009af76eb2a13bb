"""Gaps between cohorts: against fairlearn, small cohorts left out, and a planted gap that grows."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from flywheel.evaluation import intervals
from flywheel.evaluation.gaps import gaps, judged
from flywheel.evaluation.gate import gaps_not_wider
from flywheel.evaluation.harm import p_above
from flywheel.evaluation.settings import Cohort
from flywheel.stages.evaluate import EvaluateParams
from flywheel.stages.gate import GateParams
from tests.planted import settings

EVALUATE = settings(EvaluateParams, evaluate={"bootstrap": {"samples": 200}}).evaluate.model_copy(
    update={"cohorts": {"origin": Cohort(column="origin")}}
)
GATE = settings(GateParams).gate
THRESHOLD = EVALUATE.costs.threshold


def world(seed: int = 1, n: int = 6000) -> tuple[pd.DataFrame, dict[str, np.ndarray]]:
    """Four weeks of rows in three cohorts of unlike rates, and a few in a fourth; two models with unlike noise."""
    rng = np.random.default_rng(seed)
    origin = rng.choice(["EWR", "JFK", "LGA", "tiny"], n, p=[0.4, 0.3, 0.29, 0.01])
    rate = np.clip(rng.beta(1.5, 3, n) + np.where(origin == "EWR", 0.15, 0), 0, 1)
    table = pd.DataFrame(
        {
            "served_at": pd.Timestamp("2030-01-01", tz="UTC") + pd.to_timedelta(rng.integers(0, 28, n), unit="D"),
            "origin": pd.Series(origin, dtype="str"),
            "label": (rng.random(n) < rate).astype("int64"),
        }
    )
    noisy = {
        name: np.clip(rate + rng.normal(0, spread, n), 0, 1) for name, spread in (("candidate", 0.1), ("champion", 0.2))
    }
    return table, noisy


def test_rates_and_gaps_are_those_of_fairlearn() -> None:
    """Its MetricFrame on the same rows: the difference between groups of each rate, for both models."""
    fairlearn = pytest.importorskip("fairlearn.metrics")
    table, scores = world()
    of_group = gaps(table, scores, EVALUATE)["origin"]
    large = (table["origin"] != "tiny").to_numpy()
    label, origin = table["label"][large], table["origin"][large]
    for model, key in (("candidate", "candidate"), ("champion", "reference")):
        score = scores[model][large]

        def calibration(truth: Any, said: Any, score: Any) -> float:
            return float(np.mean(score) - np.mean(truth))

        frame = fairlearn.MetricFrame(
            metrics={
                "alert_rate": fairlearn.selection_rate,
                "recall": fairlearn.true_positive_rate,
                "calibration": calibration,
            },
            y_true=label,
            y_pred=score >= THRESHOLD,
            sensitive_features=origin,
            sample_params={"calibration": {"score": score}},
        )
        expected = frame.difference(method="between_groups").to_dict()
        assert pytest.approx(expected) == {metric: one[key] for metric, one in of_group["gaps"].items()}


def test_rates_by_hand() -> None:
    """Two cohorts of four rows: alerts for 3 (one at the threshold) and 1 of them, 2 of 2 and 0 of 1 positives found."""
    table = pd.DataFrame(
        {
            "served_at": pd.Timestamp("2030-01-01", tz="UTC"),
            "origin": pd.Series(["EWR"] * 4 + ["JFK"] * 4, dtype="str"),
            "label": [1, 1, 0, 0, 1, 0, 0, 0],
        }
    )
    score = np.array([0.9, 0.8, THRESHOLD, 0.0, 0.2, 0.6, 0.0, 0.0])
    small = EVALUATE.gaps.model_copy(update={"min_positives": 1})
    found = gaps(table, {"candidate": score, "base_rate": score}, EVALUATE.model_copy(update={"gaps": small}))["origin"]
    assert ["EWR", "JFK"] == found["cohorts"]
    expected = {"alert_rate": 3 / 4 - 1 / 4, "recall": 1.0, "calibration": (1.7 + THRESHOLD - 2) / 4 - (0.8 - 1) / 4}
    assert pytest.approx(expected) == {metric: one["candidate"] for metric, one in found["gaps"].items()}
    assert {("EWR", "JFK", None, None)} == {
        (one["highest"], one["lowest"], one["change"], one["p_larger"]) for one in found["gaps"].values()
    }


@pytest.mark.parametrize("needed", [{"min_share": 0.02, "min_positives": 1}, {"min_share": 0.0, "min_positives": 30}])
def test_a_cohort_that_is_too_small_makes_no_gap(needed: dict[str, float]) -> None:
    """The fourth is never alerted, and has one row in a hundred, 20 of them positive: the gaps are as without it."""
    table, scores = world()
    is_tiny = (table["origin"] == "tiny").to_numpy()
    params = EVALUATE.model_copy(update={"gaps": EVALUATE.gaps.model_copy(update=needed)})
    found = gaps(table, scores | {"candidate": np.where(is_tiny, 0.0, scores["candidate"])}, params)["origin"]
    assert ["EWR", "JFK", "LGA"] == found["cohorts"]
    assert found == gaps(table, scores, params)["origin"]


@pytest.mark.parametrize(
    ("rows", "positives", "is_large"),
    [(10, 3, True), (10, 7, True), (10, 2, False), (10, 8, False), (9, 4, False)],
)
def test_a_cohort_is_judged_with_just_the_rows_it_needs(rows: int, positives: int, is_large: bool) -> None:
    """A tenth of 100 rows, and 3 of the rarer class, be that the positives or the negatives."""
    params = EVALUATE.model_copy(
        update={"gaps": EVALUATE.gaps.model_copy(update={"min_share": 0.1, "min_positives": 3})}
    )
    names = pd.Series(["a"] * rows + ["b"] * (100 - rows), dtype="str")
    label = np.array([1] * positives + [0] * (rows - positives) + [0, 1] * 50)[:100]
    values, code = judged(names, label, params)
    assert (["a", "b"] if is_large else ["b"]) == values
    assert ([0, 1] if is_large else [-1, 0]) == [code[0], code[-1]]


def test_the_p_value_of_a_gap_follows_from_samples_of_days() -> None:
    """By hand for the alert rate: the widest of three cohorts less the narrowest, in each draw of the 28 days."""
    table, scores = world()
    day = (table["served_at"] - table["served_at"].min()).dt.days
    weights = intervals.day_weights(28, EVALUATE.bootstrap)

    def wide(score: np.ndarray, drawn: np.ndarray) -> np.ndarray:
        cells = pd.DataFrame({"day": day, "origin": table["origin"], "alert": score >= THRESHOLD})
        of = cells[table["origin"] != "tiny"].groupby(["day", "origin"])["alert"]
        found: np.ndarray = np.ptp((drawn @ of.sum().unstack()) / (drawn @ of.size().unstack()), axis=1)
        return found

    change, samples = (
        wide(scores["candidate"], drawn) - wide(scores["champion"], drawn) for drawn in (np.ones((1, 28)), weights)
    )
    gap = gaps(table, scores, EVALUATE)["origin"]["gaps"]["alert_rate"]
    assert pytest.approx(change[0]) == gap["change"]["value"]
    assert pytest.approx(p_above(float(change[0]), samples, 28, EVALUATE.bootstrap)) == gap["p_larger"]


def test_one_cohort_alone_has_no_gap() -> None:
    """Nor a made-up one of zero."""
    table, scores = world()
    assert {"cohorts": ["EWR"], "gaps": {}} == gaps(table.assign(origin="EWR"), scores, EVALUATE)["origin"]


def test_the_interval_of_the_change_is_paired() -> None:
    """The same model twice: nothing changes, in no sample."""
    table, scores = world()
    found = gaps(table, {"candidate": scores["champion"], "champion": scores["champion"]}, EVALUATE)["origin"]["gaps"]
    nothing = {"value": 0.0, "low": 0.0, "high": 0.0}
    assert [(nothing, 1.0)] * 3 == [(one["change"], one["p_larger"]) for one in found.values()]


def verdict(table: pd.DataFrame, scores: dict[str, np.ndarray]) -> tuple[str, str]:
    rule = gaps_not_wider(gaps(table, scores, EVALUATE), "champion", GATE)  # type: ignore[arg-type]
    return rule["verdict"], rule["reason"]


def test_a_planted_gap_is_asked_about_and_noise_is_not() -> None:
    """The candidate finds less at one airport than the champion did; without that both have the same gaps but for noise."""
    table, scores = world()
    is_jfk = (table["origin"] == "JFK").to_numpy()
    found, said = verdict(
        table, scores | {"candidate": np.where(is_jfk, scores["candidate"] * 0.5, scores["candidate"])}
    )
    assert "inconclusive" == found
    assert "recall of alerts by origin (" in said
    assert "pass" == verdict(table, scores)[0]
