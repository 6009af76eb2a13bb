"""Truth and trust from claims alone: worlds with planted coins, and tables small enough to compute by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flywheel.labels.truth import Beliefs, Prior, Trust, Truth, believe, infer, sigmoid

BELIEFS = Beliefs(np.array([0.8]), weight=20)
EVEN = Prior(np.zeros((2, 1)), np.zeros(1, dtype="int64"), weight=20)


def group_of(n: int) -> np.ndarray:
    return np.zeros(n, dtype="int64")


def inferred(
    prediction: np.ndarray,
    source: np.ndarray,
    value: np.ndarray,
    *,
    checked: np.ndarray | None = None,
    prior: Prior = EVEN,
    max_iterations: int = 50,
) -> Truth:
    """The truth with one key for all predictions, and sources of one group."""
    n = int(source.max()) + 1
    counts = np.zeros((2, 2, n)) if checked is None else checked
    return infer(
        prediction,
        source,
        value,
        group_of(int(prediction.max()) + 1),
        prior,
        counts,
        group_of(n),
        BELIEFS,
        believe(np.zeros((2, 2, n)), group_of(n), BELIEFS),
        max_iterations,
    )


def world(seed: int, sensitivity: np.ndarray, specificity: np.ndarray, n: int, each: int) -> tuple[np.ndarray, ...]:
    """Claims of `each` sources about each of `n` predictions: prediction, source, value; and the truth, 1 for three in ten."""
    rng = np.random.default_rng(seed)
    truth = (rng.random(n) < 0.3).astype("int64")
    source = rng.random((n, sensitivity.size)).argsort(axis=1)[:, :each].ravel()
    prediction = np.repeat(np.arange(n), each)
    says_one = np.where(truth[prediction] == 1, sensitivity[source], 1 - specificity[source])
    return prediction, source, (rng.random(source.size) < says_one).astype("int64"), truth


def test_the_coins_of_each_source_are_found_without_any_outcome() -> None:
    """Four kinds of people, ten of each, five claims a prediction: their coins come out, and the share of ones."""
    sensitivity, specificity = np.repeat([0.95, 0.7, 0.9, 0.6], 10), np.repeat([0.9, 0.95, 0.65, 0.8], 10)
    *claims, truth = world(1, sensitivity, specificity, 4000, 5)
    found = inferred(*claims)
    assert found.converged
    for kind in range(4):
        mine = slice(10 * kind, 10 * kind + 10)
        assert abs(found.trust.sensitivity[mine].mean() - sensitivity[mine].mean()) < 0.03
        assert abs(found.trust.specificity[mine].mean() - specificity[mine].mean()) < 0.03
    assert abs(sigmoid(found.log_odds)[0] - 0.3) < 0.02
    assert ((found.probability > 0.5) == truth).mean() > 0.93


def test_a_probability_is_what_it_says() -> None:
    """Of the labels with a confidence of about 0.7, seven in ten are right, and so on: calibration error at most 0.03."""
    rng = np.random.default_rng(2)
    *claims, truth = world(3, rng.beta(9, 2, 60), rng.beta(9, 2, 60), 6000, 2)
    probability = inferred(*claims).probability
    confidence = np.maximum(probability, 1 - probability)
    is_right = (probability > 0.5) == truth
    bins = (confidence * 20).astype("int64")
    error = sum(abs(is_right[bins == b].mean() - confidence[bins == b].mean()) * (bins == b).mean() for b in set(bins))
    assert error < 0.03


def test_with_nothing_to_check_against_a_lone_claim_is_as_sure_as_its_kind() -> None:
    """One report a prediction, one in ten says 1: nothing tells how often people are right, so 0.8 of conf stands."""
    n = 500
    value = (np.arange(n) % 10 == 0).astype("int64")
    found = inferred(np.arange(n), np.arange(n), value)
    assert found.probability[value == 1] == pytest.approx(0.8)
    assert found.probability[value == 0] == pytest.approx(0.2)


def test_a_source_with_few_claims_is_believed_like_its_group_and_one_with_many_like_itself() -> None:
    """Of 1 all say 1 in nine of ten cases, but one who was wrong twice of twice, and one who was wrong 200 times of 300."""
    right = np.array([90.0] * 20 + [0.0, 100.0])
    wrong = np.array([10.0] * 20 + [2.0, 200.0])
    none = np.zeros_like(right)
    trust = believe(np.array([[none, none], [wrong, right]]), group_of(22), BELIEFS)
    assert trust.sensitivity[:20] == pytest.approx(0.9, abs=0.03)
    assert trust.sensitivity[20] > trust.sensitivity[21]
    assert 0.4 < trust.sensitivity[20] < 0.9
    assert trust.sensitivity[21] == pytest.approx(1 / 3, abs=0.05)


def test_sources_who_differ_much_are_less_like_their_group() -> None:
    """Two right of two says more where sources are always right or never than where all are right half of the time."""
    differing = np.array([20.0, 0.0] * 10 + [2.0]), np.array([0.0, 20.0] * 10 + [0.0])
    alike = np.array([10.0, 10.0] * 10 + [2.0]), np.array([10.0, 10.0] * 10 + [0.0])
    found = []
    for right, wrong in (differing, alike):
        none = np.zeros_like(right)
        found.append(believe(np.array([[none, none], [wrong, right]]), group_of(21), BELIEFS).sensitivity[-1])
    assert found[0] > 0.75
    assert found[1] < 0.6


def test_sources_of_two_groups_begin_with_the_beliefs_of_their_own() -> None:
    """Nothing is known yet."""
    trust = believe(np.zeros((2, 2, 3)), np.array([0, 1, 0]), Beliefs(np.array([0.8, 0.93]), 20))
    assert trust.sensitivity.tolist() == trust.specificity.tolist() == pytest.approx([0.8, 0.93, 0.8])


def test_who_is_mostly_wrong_is_neither_believed_nor_taken_for_the_opposite() -> None:
    """The claim of a liar moves nothing, whatever he says."""
    weights = Trust(np.array([0.1, 0.9]), np.array([0.2, 0.8])).weights
    assert weights[:, 0].tolist() == [0, 0]
    assert weights[:, 1] == pytest.approx([np.log(0.1 / 0.8), np.log(0.9 / 0.2)])


def test_who_always_says_yes_says_nothing() -> None:
    """Checked on forty 1 and sixty 0: the claim does not move the odds by more than a tenth."""
    n = 20
    checked = np.zeros((2, 2, n))
    checked[1, 1], checked[1, 0], checked[0, 0], checked[0, 1] = 34, 6, 51, 9  # the others are right in 85 %
    checked[1, 1, 0], checked[1, 0, 0], checked[0, 0, 0], checked[0, 1, 0] = 400, 0, 0, 600
    found = inferred(np.array([0, 1]), np.array([0, n - 1]), np.array([1, 1]), checked=checked)
    assert abs(found.trust.weights[1, 0]) < 0.1
    assert found.trust.weights[1, n - 1] > 1.5


def test_the_prior_is_that_of_the_day_as_far_as_the_day_tells() -> None:
    """Two cohorts, one with a stormy day: 30 of its 40 outcomes are 1; on the calm days of both it is one in ten."""
    outcomes = np.array([[900.0, 10.0, 900.0, 0.0], [100.0, 30.0, 100.0, 0.0]])
    prior = Prior(outcomes, np.array([0, 0, 1, 1]), weight=20)
    calm, stormy, other, unseen = sigmoid(prior.log_odds(np.zeros(0), np.zeros(0, dtype="int64")))
    assert calm == pytest.approx(0.1, abs=0.01)
    assert stormy == pytest.approx((30 + 20 * 0.125) / 60, abs=0.005)
    assert [other, unseen] == pytest.approx([0.1, 0.1], abs=0.01)


def test_without_time_to_settle_it_is_said() -> None:
    """One iteration is not enough for a world where sources differ."""
    *claims, _ = world(4, np.full(9, 0.9), np.full(9, 0.7), 200, 3)
    assert not inferred(*claims, max_iterations=1).converged
    assert inferred(*claims).converged


@settings(max_examples=25, deadline=None)
@given(
    claims=st.lists(st.tuples(st.integers(0, 5), st.integers(0, 4), st.integers(0, 1)), min_size=1, max_size=30),
    seed=st.integers(0, 2**32 - 1),
)
def test_the_order_of_the_claims_changes_nothing(claims: list[tuple[int, int, int]], seed: int) -> None:
    """The same claims in another order give the same truth."""
    table = np.array(sorted(set(claims)))
    table = np.concatenate([table, [[5, 4, 0]]])  # so that both have all predictions and sources
    other = np.random.default_rng(seed).permutation(table)
    one, two = (inferred(*rows.T) for rows in (table, other))
    assert one.probability == pytest.approx(two.probability, abs=1e-9)
