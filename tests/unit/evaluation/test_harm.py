"""P-values of harm: Student's t against SciPy, Holm by hand, and both together in planted and harmless worlds."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from flywheel.evaluation.cohorts import by_cohort
from flywheel.evaluation.evidence import HIGHER_IS_BETTER
from flywheel.evaluation.gate import cohorts_unharmed
from flywheel.evaluation.harm import p_above, p_worse, student_tail
from flywheel.evaluation.holm import corrected
from flywheel.evaluation.intervals import Resampled, day_weights
from flywheel.evaluation.settings import Bootstrap, Cohort, Evaluate
from flywheel.stages.evaluate import EvaluateParams
from flywheel.stages.gate import GateParams
from tests.planted import settings

DRAWS = Bootstrap(samples=1000, confidence=0.95, seed=7, block_days=1, check_block_days=3)
EVALUATE = settings(EvaluateParams, evaluate={"bootstrap": {"samples": 200}}).evaluate
GATE = settings(GateParams).gate


@pytest.mark.parametrize("freedom", [1.0, 2.5, 8.333, 27.0, 400.0])
@pytest.mark.parametrize("t", [-3.0, -0.5, 0.0, 0.7, 2.0, 5.0])
def test_the_tail_of_students_t_is_that_of_scipy(t: float, freedom: float) -> None:
    """On both sides, with few and with many degrees of freedom, whole or not."""
    assert pytest.approx(stats.t.sf(t, freedom), rel=2e-3, abs=1e-12) == student_tail(t, freedom)


def test_holm_by_hand() -> None:
    """The smallest of four is multiplied by 4, the next by 3; the third may not be below it, the last not above 1."""
    found = corrected({"c": 0.03, "a": 0.01, "d": 0.9, "b": 0.02})
    assert {"a": 0.04, "b": pytest.approx(0.06), "c": pytest.approx(0.06), "d": 0.9} == found


def test_equal_p_values_come_in_the_order_of_their_names() -> None:
    """So that a report does not depend on how cohorts were found."""
    assert ["a", "b", "c"] == [*corrected({"c": 0.02, "b": 0.02, "a": 0.02})]


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_a_corrected_p_value_is_never_smaller_and_keeps_its_place(p_values: list[float]) -> None:
    """Between the p-value itself and Bonferroni's; whoever was smaller stays so or is equal."""
    named = {str(at): p_value for at, p_value in enumerate(p_values)}
    found = corrected(named)
    assert set(named) == set(found)
    assert all(named[name] <= found[name] <= min(1, named[name] * len(named)) + 1e-12 for name in named)
    in_order = [found[name] for name in sorted(named, key=lambda name: named[name])]
    assert sorted(in_order) == in_order


def test_a_difference_without_spread_is_no_matter_of_chance() -> None:
    """Equal models are not worse; a model that is worse by the same on every day surely is."""
    assert [1.0, 0.0] == [p_above(value, np.full(50, value), 28, DRAWS) for value in (0.0, 0.1)]


@pytest.mark.parametrize(
    ("value", "samples", "n_days"),
    [
        (0.1, np.array([0.1, np.nan]), 28),
        (np.nan, np.array([0.1, 0.2]), 28),
        (0.1, np.array([0.1, 0.1]), 1),
    ],
)
def test_what_has_no_interval_has_no_p_value(value: float, samples: np.ndarray, n_days: int) -> None:
    """Half of the samples undefined, no value, a single day."""
    assert p_above(value, samples, n_days, DRAWS) is None


def test_a_p_value_by_hand() -> None:
    """Samples with a spread of 1, in blocks of three of 27 days: 8 degrees of freedom, and a spread larger by 27 / 24."""
    draws = DRAWS.model_copy(update={"block_days": 3})
    expected = stats.t.sf(2 / np.sqrt(27 / 24), 8)
    assert pytest.approx(expected, rel=2e-3) == p_above(2.0, np.array([1.0, 3.0] * 20), 27, draws)


@pytest.mark.parametrize("metric", sorted(HIGHER_IS_BETTER))
def test_a_p_value_of_harm_is_of_a_loss_against_the_other_model(metric: str) -> None:
    """A mean loss of 2 whose samples have a spread of 1, as above, whichever way is up; the same gain is the other tail."""
    draws, better = DRAWS.model_copy(update={"block_days": 3}), 1 if HIGHER_IS_BETTER[metric] else -1
    all_of = dict.fromkeys(HIGHER_IS_BETTER, 0.0)
    other = Resampled(dict.fromkeys(all_of, 5.0), dict.fromkeys(all_of, np.array([4.0, 7.0] * 20)))
    losing = Resampled({**all_of, metric: 5.0 - 2 * better}, {name: np.array([3.0, 8.0] * 20) for name in all_of})
    gaining = Resampled({**all_of, metric: 5.0 + 2 * better}, losing.samples)
    expected = stats.t.sf(2 / np.sqrt(27 / 24), 8)
    assert pytest.approx(expected, rel=2e-3) == p_worse(losing, other, 27, draws)[metric]
    assert pytest.approx(1 - expected, rel=2e-3) == p_worse(gaining, other, 27, draws)[metric]


@pytest.mark.parametrize(("n_undefined", "is_told"), [(1, True), (2, False)])
def test_nine_in_ten_samples_must_be_defined(n_undefined: int, is_told: bool) -> None:
    """Just so many are enough."""
    samples = np.array([np.nan] * n_undefined + [1.0, 3.0] * 5)[:10]
    assert is_told == (p_above(2.0, samples, 28, DRAWS) is not None)


def p_values(daily: np.ndarray, draws: Bootstrap) -> list[float | None]:
    """The p-value of each row of daily differences (all days have as many rows) against a mean of 0 or less."""
    n_days = daily.shape[-1]
    samples = daily @ day_weights(n_days, draws).T / n_days
    return [p_above(mean, one, n_days, draws) for mean, one in zip(daily.mean(-1), samples, strict=True)]


@pytest.mark.parametrize("block_days", [1, 3])
def test_without_harm_hardly_one_in_twenty_gates_finds_some(block_days: int) -> None:
    """21 cohorts over 28 days, 100 times, days with heavy tails: with Holm at 5 % in at most about 5 %."""
    rng = np.random.default_rng(1)
    draws = DRAWS.model_copy(update={"block_days": block_days})
    found = np.array(p_values(rng.standard_t(5, (100 * 21, 28)), draws), dtype="float64").reshape(100, 21)
    smallest = [min(corrected(dict(enumerate(one))).values()) for one in found]
    assert np.mean(np.array(smallest) <= 0.05) <= 0.065
    assert 0.8 <= np.mean(found <= 0.05) / 0.05 <= 1.2 or block_days > 1  # one cohort alone: neither shy nor rash


def flights(seed: int, harm: float) -> tuple[pd.DataFrame, dict[str, np.ndarray]]:
    """Rows of 84 days in 21 cohorts, the first with 8 % of them; the candidate differs by noise, and in the first by harm."""
    rng = np.random.default_rng(seed)
    n = 12_000
    cohort = np.where(rng.random(n) < 0.08, 0, rng.integers(1, 21, n))
    day = rng.integers(0, 84, n)
    logit = rng.normal(-1, 1, n) + rng.normal(0, 0.3, 84)[day]
    label = (rng.random(n) < 1 / (1 + np.exp(-logit))).astype("int64")
    table = pd.DataFrame(
        {
            "served_at": pd.Timestamp("2030-01-01", tz="UTC") + pd.to_timedelta(day, unit="D"),
            "label": label,
            "cohort": pd.Series([f"c{one:02}" for one in cohort], dtype="str"),
        }
    )
    logits = {name: logit + rng.normal(0, 0.3, n) for name in ("champion", "candidate")}
    logits["candidate"] = logits["candidate"] + np.where(cohort == 0, harm * rng.normal(0, 1, n), 0)
    return table, {name: np.round(1 / (1 + np.exp(-one)), 2) for name, one in logits.items()}


def judged(table: pd.DataFrame, scores: Any, evaluate: Evaluate = EVALUATE, margin: float = 0.02) -> dict[str, str]:
    params = evaluate.model_copy(update={"cohorts": {"cohort": Cohort(column="cohort")}})
    asked = GATE.change["cohorts"].model_copy(update={"margin": margin})
    rule = cohorts_unharmed(by_cohort(table, scores, params), len(table), "champion", asked, GATE)
    return {"verdict": rule["verdict"], "reason": rule["reason"]}


def test_harm_to_one_cohort_of_many_is_found() -> None:
    """8 % of the rows are scored with noise, and 20 other cohorts are not: that one cohort is named, and no other."""
    found = judged(*flights(seed=2, harm=1.2))
    assert "fail" == found["verdict"]
    assert found["reason"].startswith("1 of 21 cohorts lose more than 0.02 of log loss to champion")
    assert "cohort = c00 (" in found["reason"]


def test_many_cohorts_without_harm_pass() -> None:
    """The same world without the harm, even without a margin."""
    assert "pass" == judged(*flights(seed=2, harm=0.0), margin=0.0)["verdict"]
