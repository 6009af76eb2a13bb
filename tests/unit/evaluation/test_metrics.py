"""Metrics against golden tables and scikit-learn, and the bootstrap against planted and simulated truths."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import average_precision_score, brier_score_loss, log_loss, roc_auc_score

from flywheel.evaluation.evidence import HIGHER_IS_BETTER, IN_WORDS
from flywheel.evaluation.intervals import (
    Resampled,
    bootstrap,
    check_weights,
    coarse,
    day_codes,
    day_weights,
    interval,
    of_difference,
    of_metric,
    resample,
)
from flywheel.evaluation.metrics import Counts, Settings, count, curves, measure, metrics
from flywheel.evaluation.settings import Bootstrap, Costs
from flywheel.stages.evaluate import EvaluateParams
from tests.planted import settings

# A wrong alert costs as much as a right one gains: alerts pay from a score of 1 / (1 + 1).
COSTS = Costs(alert_right=1.0, alert_wrong=-1.0, missed=0.0, quiet_right=0.0)
SETTINGS = Settings(costs=COSTS, ece_bins=10)
DRAWS = Bootstrap(samples=400, confidence=0.95, seed=7, block_days=1, check_block_days=3)

SCIKIT_LEARN = {
    "auc": roc_auc_score,
    "average_precision": average_precision_score,
    "log_loss": log_loss,
    "brier": brier_score_loss,
}


def counts_of(score: list[float], label: list[int]) -> Counts:
    return count(np.array(score), np.array(label), np.zeros(len(score), dtype="int64"), 1)


def rows_with_ties(seed: int, n: int = 300, n_days: int = 12) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Scores on a coarse grid (so most of them tie), labels that follow them, and the day of each row."""
    rng = np.random.default_rng(seed)
    score = rng.integers(1, 20, n) / 20
    label = (rng.random(n) < score).astype("int64")
    return score, label, rng.integers(0, n_days, n)


def clustered_days(rng: np.random.Generator, n_days: int, rows: int) -> tuple[np.ndarray, np.ndarray]:
    """Labels whose rate changes from day to day (mean 0.4), and the day of each row."""
    day = np.repeat(np.arange(n_days), rows)
    rate = rng.choice([0.1, 0.3, 0.5, 0.7], n_days)
    return (rng.random(n_days * rows) < rate[day]).astype("int64"), day


# The golden table: scores 0.2 0.4 0.6 0.6 0.8 with labels 0 1 0 1 1.
GOLDEN = ([0.2, 0.4, 0.6, 0.6, 0.8], [0, 1, 0, 1, 1])


def test_auc_counts_ordered_pairs_and_half_of_each_tie() -> None:
    """Of 3 x 2 pairs, 0.4 beats one, the tied 0.6 beats one and a half, 0.8 beats two."""
    assert pytest.approx((1 + 1.5 + 2) / 6) == measure(counts_of(*GOLDEN), SETTINGS)["auc"]


def test_average_precision_sums_precision_over_steps_in_recall() -> None:
    """From the top: 0.8 gives 1/1, both 0.6 give 2/3, 0.4 gives 3/4; each adds a third of the positives."""
    expected = (1 / 3) * (1 / 1) + (1 / 3) * (2 / 3) + (1 / 3) * (3 / 4)
    assert pytest.approx(expected) == measure(counts_of(*GOLDEN), SETTINGS)["average_precision"]


def test_log_loss_is_the_mean_of_minus_log_of_what_came_true() -> None:
    """Each row pays the logarithm of the probability given to what happened."""
    expected = -(math.log(0.8) + math.log(0.4) + math.log(0.4) + math.log(0.6) + math.log(0.8)) / 5
    assert pytest.approx(expected) == measure(counts_of(*GOLDEN), SETTINGS)["log_loss"]


def test_brier_is_the_mean_squared_error() -> None:
    """Each row pays the square of its distance to the label."""
    expected = (0.2**2 + 0.6**2 + 0.6**2 + 0.4**2 + 0.2**2) / 5
    assert pytest.approx(expected) == measure(counts_of(*GOLDEN), SETTINGS)["brier"]


def test_ece_weighs_the_gap_of_each_bin_by_its_rows() -> None:
    """Five bins: 0.65 and 0.69 share one (mean 0.67, rate 1/2), three are alone, one bin is empty."""
    settings = Settings(costs=COSTS, ece_bins=5)
    scores, labels = [0.25, 0.45, 0.65, 0.69, 0.85], [0, 1, 0, 1, 1]
    expected = (1 * abs(0.25 - 0) + 1 * abs(0.45 - 1) + 2 * abs(0.67 - 1 / 2) + 1 * abs(0.85 - 1)) / 5
    assert pytest.approx(expected) == measure(counts_of(scores, labels), settings)["ece"]


def test_ece_is_zero_where_every_bin_keeps_its_promise() -> None:
    """A score of 1/4 that comes true once in four is calibrated."""
    assert pytest.approx(0, abs=1e-12) == measure(counts_of([0.25] * 4, [0, 0, 0, 1]), SETTINGS)["ece"]


def test_a_score_of_one_falls_into_the_last_bin() -> None:
    """Not into the first: there it would make up for a low score that is wrong the other way."""
    expected = (abs(0.05 - 1) + abs(1.0 - 0)) / 2
    assert pytest.approx(expected) == measure(counts_of([0.05, 1.0], [1, 0]), SETTINGS)["ece"]


def test_precision_recall_and_alert_rate_count_scores_at_the_threshold_as_alerts() -> None:
    """Alerts pay from 3 / (3 + 2) on: three of five rows are alerts, two of them right, one positive is missed."""
    costs = Costs(alert_right=2.0, alert_wrong=-3.0, missed=0.0, quiet_right=0.0)
    found = measure(counts_of(*GOLDEN), Settings(costs=costs, ece_bins=10))
    expected = {"precision": 2 / 3, "recall": 2 / 3, "alert_rate": 3 / 5}
    assert expected == pytest.approx({name: found[name] for name in expected})


def test_utility_is_the_cost_table_per_thousand_predictions() -> None:
    """Two right alerts, one wrong alert, one miss, one quiet row that was right to be quiet."""
    costs = Costs(alert_right=1.0, alert_wrong=-0.9, missed=-0.3, quiet_right=0.2)
    found = measure(counts_of(*GOLDEN), Settings(costs=costs, ece_bins=10))
    assert pytest.approx(1000 * (2 * 1.0 + 1 * -0.9 + 1 * -0.3 + 1 * 0.2) / 5) == found["utility"]


def test_an_alert_at_the_threshold_neither_gains_nor_loses() -> None:
    """The threshold is the rate at which alerting earns on average what keeping quiet earns."""
    costs = Costs(alert_right=1.0, alert_wrong=-0.4, missed=-0.5, quiet_right=0.1)
    rate = costs.threshold
    assert pytest.approx(rate * 1.0 + (1 - rate) * -0.4) == rate * -0.5 + (1 - rate) * 0.1


@pytest.mark.parametrize(("score", "label"), [(0.0, 1), (1.0, 0)])
def test_a_certain_and_wrong_score_costs_much_but_not_infinitely(score: float, label: int) -> None:
    """A score of 0 for what happened, or of 1 for what did not, is clipped at one in a million."""
    assert pytest.approx(-math.log(1e-6)) == measure(counts_of([score], [label]), SETTINGS)["log_loss"]


@pytest.mark.parametrize("metric", sorted(SCIKIT_LEARN))
def test_metrics_equal_scikit_learn_with_ties(metric: str) -> None:
    """Scores on a coarse grid give what scikit-learn gives."""
    score, label, day = rows_with_ties(seed=1)
    found = measure(count(score, label, day, 12), SETTINGS)
    assert pytest.approx(SCIKIT_LEARN[metric](label, score)) == found[metric]


@pytest.mark.parametrize("metric", sorted(SCIKIT_LEARN))
def test_metrics_equal_scikit_learn_with_weights(metric: str) -> None:
    """Rows that weigh 0.5, 1 or 3 count as much as scikit-learn's sample weights say."""
    score, label, _ = rows_with_ties(seed=2)
    weight = np.random.default_rng(3).choice([0.5, 1.0, 3.0], len(score))
    scores, group = np.unique(score, return_inverse=True)
    positives = np.bincount(group, weights=weight * label, minlength=len(scores))
    negatives = np.bincount(group, weights=weight * (1 - label), minlength=len(scores))
    found = metrics(scores, positives, negatives, SETTINGS)
    expected = SCIKIT_LEARN[metric](label, score, sample_weight=weight)
    assert pytest.approx(expected) == float(found[metric])


@pytest.mark.parametrize("metric", sorted(SCIKIT_LEARN))
def test_a_bootstrap_sample_equals_scikit_learn_on_the_days_it_drew(metric: str) -> None:
    """How often a day was drawn is the weight of its rows; days that were not drawn count for nothing."""
    score, label, day = rows_with_ties(seed=4)
    weights = np.array([[0, 2, 1, 0, 1, 1, 3, 0, 1, 2, 1, 0], [1, 1, 0, 2, 0, 1, 0, 4, 0, 1, 1, 1]], dtype="float64")
    found = bootstrap(count(score, label, day, 12), weights, SETTINGS)[metric]
    expected = [SCIKIT_LEARN[metric](label, score, sample_weight=drawn[day]) for drawn in weights]
    assert expected == pytest.approx(found.tolist())


def test_every_metric_with_a_direction_is_measured() -> None:
    """The gate asks for the direction of a metric by its name, so both lists must agree."""
    assert set(HIGHER_IS_BETTER) == set(measure(counts_of(*GOLDEN), SETTINGS)) - {"alert_rate"}


@pytest.mark.parametrize(
    ("labels", "undefined"),
    [
        ([0, 0, 0], {"auc", "average_precision", "recall"}),
        ([1, 1, 1], {"auc"}),
    ],
)
def test_metrics_that_need_a_class_that_is_not_there_are_nan(labels: list[int], undefined: set[str]) -> None:
    """Rows of one class leave ranking without a meaning; the other metrics stay numbers."""
    found = measure(counts_of([0.2, 0.5, 0.9], labels), SETTINGS)
    assert undefined == {name for name, value in found.items() if math.isnan(value)}


def test_precision_without_an_alert_is_nan() -> None:
    """Scores that all stay below the threshold raise no alert that could be right."""
    found = measure(counts_of([0.1, 0.2], [0, 1]), SETTINGS)
    assert {"precision"} == {name for name, value in found.items() if math.isnan(value)}


def test_a_bootstrap_sample_without_a_positive_is_nan_and_the_others_are_not() -> None:
    """A sample that drew only the quiet day has no AUC; one that drew both days has."""
    counts = count(np.array([0.1, 0.4, 0.3, 0.8]), np.array([0, 0, 0, 1]), np.array([0, 0, 1, 1]), 2)
    found = bootstrap(counts, np.array([[2.0, 0.0], [1.0, 1.0]]), SETTINGS)["auc"]
    assert [True, False] == np.isnan(found).tolist()


def test_counts_keep_each_label_of_each_day_and_score() -> None:
    """Two days, two distinct scores: every row is in one cell."""
    counts = count(np.array([0.7, 0.2, 0.7, 0.7]), np.array([1, 0, 0, 1]), np.array([0, 0, 1, 1]), 2)
    assert [0.2, 0.7] == counts.scores.tolist()
    assert [[0, 1], [0, 1]] == counts.positives.tolist()
    assert [[1, 0], [0, 1]] == counts.negatives.tolist()


def test_the_interval_is_the_percentiles_of_the_samples() -> None:
    """The middle 80 % of 0 .. 100 is 10 to 90."""
    assert pytest.approx((10.0, 90.0)) == interval(np.arange(101.0), 0.8)


@pytest.mark.parametrize(("n_undefined", "is_there"), [(10, True), (11, False), (100, False)])
def test_there_is_no_interval_where_fewer_than_nine_in_ten_samples_are_defined(
    n_undefined: int, is_there: bool
) -> None:
    """Of 100 samples, 10 may be undefined and 11 may not."""
    samples = np.concatenate([np.full(n_undefined, np.nan), np.arange(100.0 - n_undefined)])
    assert is_there == (interval(samples, 0.95) != (None, None))


def test_a_bootstrap_sample_draws_as_many_days_as_there_are() -> None:
    """Days are drawn with replacement: the counts of each sample add up to the number of days."""
    weights = day_weights(9, DRAWS)
    assert (400, 9) == weights.shape
    assert {9.0} == set(weights.sum(axis=1))


def test_every_day_is_drawn_equally_often() -> None:
    """Over 400 samples of 9 days each day is drawn about once a sample (standard error 0.047)."""
    assert np.ones(9) == pytest.approx(day_weights(9, DRAWS).mean(axis=0), abs=0.2)


@pytest.mark.parametrize(("n_days", "block_days", "length"), [(28, 3, 3), (28, 7, 7), (9, 3, 2), (3, 3, 1), (1, 7, 1)])
def test_days_are_drawn_in_blocks_of_neighbours(n_days: int, block_days: int, length: int) -> None:
    """Each day of a block but its last is followed by the next one, the last day by the first; a block is at most a quarter."""
    params = DRAWS.model_copy(update={"block_days": block_days, "samples": 200})
    weights = day_weights(n_days, params)
    assert {float(n_days)} == set(weights.sum(axis=1))
    assert np.ones(n_days) == pytest.approx(weights.mean(axis=0), abs=0.45)
    alone = (weights > 0) & (np.roll(weights, 1, axis=1) == 0) & (np.roll(weights, -1, axis=1) == 0)
    cut = n_days % length  # the last block of each sample may be a shorter one
    assert (alone.sum(axis=1) <= (1 if cut == 1 else 0)).all() or length == 1


def test_days_that_are_good_or_bad_for_long_widen_the_interval_of_blocks() -> None:
    """Four weeks, good and bad in turn: drawn one by one, days seem to say more than four weeks can."""
    day = np.repeat(np.arange(28), 20)
    label = ((day // 7) % 2 == 0).astype("int64")
    counts = count(np.full(len(day), 0.5) + 0.001 * (day % 2), label, day, 28)
    rates = {}
    for length in (1, 7):
        weights = day_weights(28, DRAWS.model_copy(update={"block_days": length}))
        recalled = weights @ counts.positives.sum(axis=1) / weights.sum(axis=1)
        rates[length] = float(np.std(recalled))
    assert rates[7] > 1.5 * rates[1]


def test_the_check_draws_other_days_in_blocks_of_its_own_length() -> None:
    """Another length and another seed, and as many samples."""
    drawn, checked = day_weights(28, DRAWS), check_weights(28, DRAWS)
    assert drawn.shape == checked.shape
    assert np.array_equal(checked, day_weights(28, DRAWS.model_copy(update={"seed": 8, "block_days": 3})))


def test_the_samples_and_those_of_the_check_are_kept_apart() -> None:
    """Of one table: what each draws is what its own days give."""
    rows = pd.DataFrame({"served_at": pd.date_range("2030-01-01", periods=280, freq="1h", tz="UTC")})
    rng = np.random.default_rng(3)
    score = np.round(rng.random(280), 2)
    table = rows.assign(label=(rng.random(280) < score).astype("int64"))
    params = settings(EvaluateParams, evaluate={"bootstrap": {**DRAWS.model_dump()}}).evaluate
    found = resample(table, {"one": score}, params)["one"]
    day, n_days = day_codes(table["served_at"])
    counts = count(score, table["label"].to_numpy(), day, n_days)
    each = Settings(params.costs, params.ece_bins)
    for kept, weights in ((found.samples, day_weights(n_days, DRAWS)), (found.check, check_weights(n_days, DRAWS))):
        assert bootstrap(counts, weights, each)["auc"] == pytest.approx(kept["auc"])


def test_the_seed_decides_which_days_are_drawn() -> None:
    """The same seed draws the same days, another seed draws others."""
    same, other = day_weights(9, DRAWS), day_weights(9, DRAWS.model_copy(update={"seed": 8}))
    assert (True, False) == (np.array_equal(day_weights(9, DRAWS), same), np.array_equal(other, same))


def test_identical_models_differ_by_exactly_zero_in_every_sample() -> None:
    """The same scores on the same days leave no noise in a paired difference."""
    score, label, day = rows_with_ties(seed=5)
    weights = day_weights(12, DRAWS)
    one = bootstrap(count(score, label, day, 12), weights, SETTINGS)
    two = bootstrap(count(score.copy(), label, day, 12), weights, SETTINGS)
    assert dict.fromkeys(one, (0.0, 0.0)) == {name: interval(one[name] - two[name], 0.95) for name in one}


@pytest.mark.parametrize("metric", ["auc", "average_precision", "log_loss", "brier", "utility"])
def test_a_planted_win_has_an_interval_above_zero(metric: str) -> None:
    """The model that knows the rate of each row beats one whose scores are half noise, for sure."""
    rng = np.random.default_rng(6)
    day = np.repeat(np.arange(40), 50)
    rate = np.round(rng.random(len(day)) * 0.9 + 0.05, 2)
    label = (rng.random(len(day)) < rate).astype("int64")
    noisy = np.round((rate + rng.random(len(day)) * 0.9 + 0.05) / 2, 2)
    weights = day_weights(40, DRAWS)
    good, bad = (bootstrap(count(score, label, day, 40), weights, SETTINGS)[metric] for score in (rate, noisy))
    low, high = interval(good - bad if HIGHER_IS_BETTER[metric] else bad - good, 0.95)
    assert low is not None
    assert high is not None
    assert 0 < low < high


def test_the_interval_of_a_difference_covers_the_truth_in_95_of_100_worlds() -> None:
    """Two constant scores in worlds with good and bad days: the true difference in Brier score is known."""
    truth = (0.3**2 - 0.5**2) - 2 * 0.4 * (0.3 - 0.5)
    n_days, rows, n_worlds = 60, 10, 300
    rng = np.random.default_rng(11)
    weights = day_weights(n_days, DRAWS)
    covered = 0
    for _ in range(n_worlds):
        label, day = clustered_days(rng, n_days, rows)
        one, two = (
            bootstrap(count(np.full(len(day), score), label, day, n_days), weights, SETTINGS)["brier"]
            for score in (0.3, 0.5)
        )
        low, high = interval(one - two, 0.95)
        covered += low is not None and high is not None and low <= truth <= high
    assert pytest.approx(0.95, abs=0.04) == covered / n_worlds


def test_the_interval_of_the_auc_covers_the_truth_in_95_of_100_worlds() -> None:
    """A score that is high for 7 in 10 positives and 4 in 10 negatives has a known AUC, ties included."""
    truth = 0.7 * 0.6 + (0.7 * 0.4 + 0.3 * 0.6) / 2
    n_days, rows, n_worlds = 60, 20, 300
    rng = np.random.default_rng(12)
    weights = day_weights(n_days, DRAWS)
    covered = 0
    for _ in range(n_worlds):
        label, day = clustered_days(rng, n_days, rows)
        score = np.where(rng.random(len(day)) < np.where(label == 1, 0.7, 0.4), 0.8, 0.2)
        low, high = interval(bootstrap(count(score, label, day, n_days), weights, SETTINGS)["auc"], 0.95)
        covered += low is not None and high is not None and low <= truth <= high
    assert pytest.approx(0.95, abs=0.04) == covered / n_worlds


@pytest.mark.parametrize("metric", ["auc", "average_precision", "log_loss", "brier", "ece", "utility"])
def test_copies_of_rows_within_their_days_do_not_narrow_the_interval(metric: str) -> None:
    """Ten copies of every row say nothing new: days are drawn, not rows."""
    score, label, day = rows_with_ties(seed=8)
    weights = day_weights(12, DRAWS)
    once = bootstrap(count(score, label, day, 12), weights, SETTINGS)[metric]
    copied = [np.repeat(column, 10) for column in (score, label, day)]
    ten_times = bootstrap(count(copied[0], copied[1], copied[2], 12), weights, SETTINGS)[metric]
    assert pytest.approx(interval(once, 0.95)) == interval(ten_times, 0.95)


def test_days_that_differ_widen_the_interval() -> None:
    """The same labels spread evenly over the days give a far narrower interval than good days and bad days."""
    label, day = clustered_days(np.random.default_rng(9), n_days=40, rows=25)
    mixed = np.random.default_rng(10).permutation(label)
    weights = day_weights(40, DRAWS)
    widths = []
    for labels in (label, mixed):
        low, high = interval(bootstrap(count(np.full(1000, 0.4), labels, day, 40), weights, SETTINGS)["brier"], 0.95)
        assert low is not None
        assert high is not None
        widths.append(high - low)
    assert widths[0] > 1.5 * widths[1]


def test_drawing_the_same_days_for_both_models_takes_the_luck_of_the_days_out() -> None:
    """Two nearly equal models: the paired difference is far less spread than one with days drawn apart."""
    label, day = clustered_days(np.random.default_rng(13), n_days=40, rows=25)
    score = np.round(np.random.default_rng(14).random(1000) * 0.8 + 0.1, 2)
    paired, apart = day_weights(40, DRAWS), day_weights(40, DRAWS.model_copy(update={"seed": 99}))
    one, two = count(score, label, day, 40), count(np.minimum(score + 0.01, 1), label, day, 40)
    first = bootstrap(one, paired, SETTINGS)["log_loss"]
    spread = [np.std(first - bootstrap(two, weights, SETTINGS)["log_loss"]) for weights in (paired, apart)]
    assert spread[0] < 0.2 * spread[1]


def many_scores() -> tuple[Counts, np.ndarray]:
    """20,000 distinct scores of five days, and the days of twenty samples."""
    rng = np.random.default_rng(15)
    score, day = rng.permutation(np.arange(1, 20_001)) / 20_001, rng.integers(0, 5, 20_000)
    label = (rng.random(20_000) < score).astype("int64")
    return count(score, label, day, 5), day_weights(5, DRAWS.model_copy(update={"samples": 50}))


@pytest.mark.parametrize("metric", sorted(IN_WORDS))
def test_a_sample_of_many_distinct_scores_is_what_the_rows_of_its_days_give(metric: str) -> None:
    """The sums over days and over pairs of days lose nothing; the grouped scores next to nothing of the average precision."""
    counts, weights = many_scores()
    expected = metrics(counts.scores, weights @ counts.positives, weights @ counts.negatives, SETTINGS)[metric]
    close = 1e-4 if metric == "average_precision" else 1e-12
    assert expected == pytest.approx(bootstrap(counts, weights, SETTINGS)[metric], abs=close)


def test_scores_are_grouped_by_their_positives() -> None:
    """Two groups with as many positives each; no row is lost, and with few scores nothing is grouped."""
    counts = counts_of([0.1, 0.2, 0.3, 0.4, 0.5, 0.6], [0, 1, 0, 1, 1, 1])
    found = coarse(counts, 2)
    assert ([2.0, 2.0], [2.0, 0.0]) == (found.positives.sum(0).tolist(), found.negatives.sum(0).tolist())
    assert coarse(counts, 6) is counts


def test_the_roc_curve_of_few_scores_has_every_corner() -> None:
    """From nothing to everything, one point for each distinct score."""
    found = curves(counts_of(*GOLDEN), 10)["roc"]
    expected = [(0, 0), (0, 1 / 3), (1 / 2, 2 / 3), (1 / 2, 1), (1, 1)]
    assert expected == [pytest.approx((point["fall_out"], point["recall"])) for point in found]


def test_the_precision_recall_curve_has_every_corner() -> None:
    """One point for each distinct score, from the highest down."""
    found = curves(counts_of(*GOLDEN), 10)["precision_recall"]
    expected = [(1 / 3, 1 / 1), (2 / 3, 2 / 3), (1, 3 / 4), (1, 3 / 5)]
    assert expected == [pytest.approx((point["recall"], point["precision"])) for point in found]


def test_the_score_histogram_has_the_share_of_rows_in_each_bin() -> None:
    """Each row is in one bin, and empty bins are listed with 0."""
    found = curves(counts_of([0.25, 0.45, 0.65, 0.65, 0.85], [0, 1, 0, 1, 1]), 5)["scores"]
    expected = [(0.1, 0), (0.3, 1 / 5), (0.5, 1 / 5), (0.7, 2 / 5), (0.9, 1 / 5)]
    assert expected == [pytest.approx((point["score"], point["share"])) for point in found]


@pytest.mark.parametrize(("shift", "slope"), [(0.3, 1.0), (0.0, 0.6)])
def test_the_interval_of_the_calibration_error_misses_the_truth_at_neither_end(shift: float, slope: float) -> None:
    """Worlds whose scores are wrong by a known amount, few rows a day: the percentile interval alone is too high there.

    In 200 worlds it lies above the truth in 20 or more; the interval of the metric is above or below it in at most 14 each.
    """
    n_days, rows = 28, 40
    grid = np.linspace(0.06, 0.94, 23)
    rate = 1 / (1 + np.exp(-(shift + slope * np.log(grid / (1 - grid)))))
    bins = (grid * SETTINGS.ece_bins).astype(int)
    truth = sum(abs((grid - rate)[bins == one].sum()) for one in range(SETTINGS.ece_bins)) / len(grid)
    rng, weights, day = np.random.default_rng(5), day_weights(n_days, DRAWS), np.repeat(np.arange(n_days), rows)
    percentile, found = [], []
    for _ in range(200):
        drawn = rng.integers(0, len(grid), len(day))
        counts = count(grid[drawn], (rng.random(len(day)) < rate[drawn]).astype("int64"), day, n_days)
        one = Resampled(measure(counts, SETTINGS), bootstrap(counts, weights, SETTINGS))
        percentile.append(interval(one.samples["ece"], 0.95))
        found.append(of_metric("ece", one, 0.95))
    assert sum(low is not None and low > truth for low, _ in percentile) >= 20
    assert sum(one["low"] > truth for one in found) <= 14
    assert sum(one["high"] < truth for one in found) <= 14


def test_the_interval_of_the_calibration_error_is_that_of_both_methods_and_not_below_zero() -> None:
    """Samples 0.02 .. 0.12 around a value of 0.03: percentile [0.03, 0.11], basic [-0.05, 0.03]."""
    found = of_metric("ece", Resampled({"ece": 0.03}, {"ece": np.linspace(0.02, 0.12, 101)}), 0.8)
    assert pytest.approx({"value": 0.03, "low": 0.0, "high": 0.11}) == found


def test_a_difference_of_calibration_errors_may_be_below_zero() -> None:
    """Samples of the difference -0.05 .. 0.05 around -0.02: percentile [-0.04, 0.04], basic [-0.08, 0]."""
    drawn = {"ece": np.linspace(-0.05, 0.05, 101) + 0.1}
    mine, other = Resampled({"ece": 0.08}, drawn), Resampled({"ece": 0.1}, {"ece": np.full(101, 0.1)})
    assert pytest.approx({"value": -0.02, "low": -0.08, "high": 0.04}) == of_difference("ece", mine, other, 0.8)


def test_days_without_rows_are_not_drawn() -> None:
    """Two days a month apart are two days, not thirty: the same rows always give the same interval."""
    moments = pd.to_datetime(["2030-01-01T10", "2030-01-31T10", "2030-01-31T12"], utc=True).to_series()
    codes, n = day_codes(moments)
    assert ([0, 1, 1], 2) == (codes.tolist(), n)


def test_the_codes_of_days_are_in_the_order_of_the_days() -> None:
    """Whatever the order of the rows: else the same seed would draw other days for the same rows."""
    moments = pd.to_datetime(["2030-01-31T10", "2030-01-01T10", "2030-01-15T10"], utc=True).to_series()
    assert [2, 0, 1] == day_codes(moments)[0].tolist()


def test_only_the_calibration_error_is_cut_at_zero_and_widened() -> None:
    """A utility may be a loss: samples -2 .. 0 around -0.5 have their percentiles, [-1.8, -0.2], and nothing else."""
    drawn = {"utility": np.linspace(-2.0, 0.0, 101)}
    found = of_metric("utility", Resampled({"utility": -0.5}, drawn), 0.8)
    assert pytest.approx({"value": -0.5, "low": -1.8, "high": -0.2}) == found


def test_a_calibration_error_that_is_hardly_ever_defined_has_no_interval() -> None:
    """Of 100 samples 20 are undefined: there is nothing to widen, and nothing to cut at zero."""
    drawn = {"ece": np.concatenate([np.full(20, np.nan), np.linspace(0.1, 0.2, 80)])}
    assert {"value": 0.1, "low": None, "high": None} == of_metric("ece", Resampled({"ece": 0.1}, drawn), 0.8)
