"""The line that would put a score right: against scikit-learn, against planted worlds, and where there is none."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression

from flywheel.evaluation.calibration import calibration, grouped, recalibrate, reliability
from flywheel.evaluation.intervals import day_weights
from flywheel.stages.evaluate import EvaluateParams
from tests.planted import settings

EVALUATE = settings(EvaluateParams, evaluate={"bootstrap": {"samples": 200}, "ece_bins": 5}).evaluate


def world(intercept: float, slope: float, n: int = 20_000, seed: int = 1) -> tuple[pd.DataFrame, np.ndarray]:
    """Four weeks of rows whose log odds are a known line in those of the score."""
    rng = np.random.default_rng(seed)
    logit = rng.normal(-0.7, 1.2, n)
    label = (rng.random(n) < 1 / (1 + np.exp(-(intercept + slope * logit)))).astype("int64")
    served_at = pd.Timestamp("2030-01-01", tz="UTC") + pd.to_timedelta(rng.integers(0, 28, n), unit="D")
    return pd.DataFrame({"served_at": served_at, "label": label}), 1 / (1 + np.exp(-logit))


@pytest.mark.parametrize(("intercept", "slope"), [(0.0, 1.0), (0.4, 1.0), (-0.3, 0.6), (0.2, 1.5)])
def test_the_planted_line_is_found_and_is_that_of_scikit_learn(intercept: float, slope: float) -> None:
    """The groups of scores change it in the third digit; the interval holds the truth."""
    table, score = world(intercept, slope)
    found = calibration(table, {"candidate": score}, EVALUATE)["candidate"]
    fitted = LogisticRegression(C=1e9).fit(np.log(score / (1 - score))[:, None], table["label"])
    expected = {"intercept": fitted.intercept_[0], "slope": fitted.coef_[0, 0]}
    assert pytest.approx(expected, abs=0.01) == {name: one["value"] for name, one in found.items()}
    assert found["intercept"]["low"] <= intercept <= found["intercept"]["high"]
    assert found["slope"]["low"] <= slope <= found["slope"]["high"]
    assert found["slope"]["high"] - found["slope"]["low"] < 0.15


def test_all_samples_at_once_are_each_as_if_alone() -> None:
    """From wherever Newton's method starts."""
    table, score = world(0.3, 0.8, n=2000)
    day = (table["served_at"] - table["served_at"].min()).dt.days.to_numpy()
    logits, positives, negatives = grouped(score, table["label"].to_numpy(), day, 28)
    weights = day_weights(28, EVALUATE.bootstrap)[:5]
    at_once = recalibrate(logits, weights @ positives, weights @ negatives, (0.5, 2.0))
    for place, one in enumerate(weights):
        alone = recalibrate(logits, (one @ positives)[None], (one @ negatives)[None])
        assert pytest.approx([alone[0][0], alone[1][0]]) == [at_once[0][place], at_once[1][place]]


def test_every_row_is_in_one_group_of_neighbouring_scores() -> None:
    """Labels add up, groups have about as many rows each, and their log odds are means of the rows'."""
    table, score = world(0.0, 1.0, n=3000)
    score = np.where(score < 0.2, np.round(score, 2), score)  # some tie
    day = np.zeros(3000, dtype="int64")
    logits, positives, negatives = grouped(score, table["label"].to_numpy(), day, 1)
    rows = (positives + negatives)[0]
    assert (3000, table["label"].sum(), len(rows)) == (rows.sum(), positives.sum(), len(logits))
    assert 30 <= len(logits) <= 50
    assert rows.max() <= 300
    assert pytest.approx(np.log(score / (1 - score)).mean()) == rows @ logits / 3000


@pytest.mark.parametrize(
    ("score", "label"),
    [
        pytest.param([0.3] * 40, [0, 1] * 20, id="one score"),
        pytest.param([0.2, 0.8] * 20, [1, 1] * 20, id="one class"),
        pytest.param([0.2, 0.8] * 20, [0, 1] * 20, id="scores that separate the classes"),
    ],
)
def test_where_no_line_can_be_fitted_there_is_none(score: list[float], label: list[int]) -> None:
    """NaN, which JSON writes as null, and no interval."""
    table = pd.DataFrame({"served_at": pd.date_range("2030-01-01", periods=40, tz="UTC"), "label": label})
    found = calibration(table, {"candidate": np.array(score), "base_rate": np.array(score)}, EVALUATE)
    assert {"candidate"} == set(found)
    assert [(True, None)] * 2 == [(bool(np.isnan(one["value"])), one["low"]) for one in found["candidate"].values()]


def test_the_reliability_curve_has_mean_score_and_rate_of_each_bin_with_rows() -> None:
    """Two bins of five have no row and no point; on two days the first is 0 and 1, so its interval is all there is."""
    served_at = pd.to_datetime(["2030-01-01", "2030-01-02", "2030-01-01", "2030-01-02"], utc=True)
    table = pd.DataFrame({"served_at": served_at, "label": [0, 1, 1, 1]})
    found = reliability(table, np.array([0.05, 0.15, 0.5, 1.0]), EVALUATE)
    expected = [((0.05 + 0.15) / 2, 1 / 2, 2), (0.5, 1 / 1, 1), (1.0, 1 / 1, 1)]
    assert expected == [pytest.approx((point["score"], point["rate"], point["n"])) for point in found]
    assert (0.0, 1.0) == (found[0]["low"], found[0]["high"])
    assert (None, None) == (found[1]["low"], found[1]["high"])  # a quarter of the samples lack its day


def test_the_interval_of_a_point_covers_its_rate() -> None:
    """A score that is right as it is: the rate of each bin is its mean score, within the interval."""
    table, score = world(0.0, 1.0)
    points = reliability(table, score, EVALUATE)
    assert 5 == len(points)
    assert [] == [one for one in points if not one["low"] - 0.005 <= one["score"] <= one["high"] + 0.005]
    assert all(one["high"] - one["low"] < 0.1 for one in points)
