"""How many trees: what earlier fits did best with."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pytest

from flywheel.model.fit import Rows
from flywheel.model.trees import EarlierFit, earlier_days, mean_losses, measure, number_of_trees
from tests.planted import day


def fit(*losses: float) -> EarlierFit:
    return EarlierFit(day(1), 10, 10, np.array(losses))


def test_the_number_is_that_of_the_least_mean_loss() -> None:
    """One fit alone would stop after one tree, the other after three; together they lose least with two."""
    fits = [fit(0.50, 0.51, 0.60), fit(0.60, 0.52, 0.51)]
    assert [0.55, 0.515, 0.555] == mean_losses(fits).tolist()
    assert 2 == number_of_trees(fits, 9)


def test_of_two_equal_numbers_the_smaller_one_is_taken() -> None:
    """A difference in the last bits, which depends on the number of threads, decides nothing."""
    assert 2 == number_of_trees([fit(0.6, 0.5 + 1e-9, 0.5)], 9)


def test_without_an_earlier_fit_the_number_is_that_of_conf() -> None:
    """There is nothing to learn it from yet."""
    assert 9 == number_of_trees([], 9)


@pytest.mark.parametrize(
    ("first", "length", "expected"),
    [
        pytest.param(1, 365, [22, 15], id="the one as of the eighth has 7 of 28 days"),
        pytest.param(1, 7, [22, 15, 8], id="a week is all that any fit learns from"),
        pytest.param(20, 365, [], id="two days are less than half of nine"),
    ],
)
def test_an_earlier_fit_has_at_least_half_as_many_days(first: int, length: int, expected: list[int]) -> None:
    """With much less to learn from, fewer trees are right, which says nothing about the fit of today."""
    assert [day(number) for number in expected] == earlier_days(day(first), day(29), length, 7, 3)


def test_a_fit_with_too_few_events_or_with_one_class_to_measure_on_is_left_out() -> None:
    """Two positives are needed to learn from, and one to be measured on."""
    positives = {(22, None): 2, (22, 29): 1, (15, None): 1, (15, 22): 1, (8, None): 2, (8, 15): 0}

    def rows(at: dt.date, until: dt.date | None) -> Rows:
        n = positives[at.day, until.day if until else None]
        return Rows(None, np.array([1] * n + [0] * 5), np.ones(n + 5))  # type: ignore[arg-type]

    found = measure([day(22), day(15), day(8)], 7, rows, 2, lambda mine, later: np.array([0.5]))
    assert [(day(22), 7, 6)] == [(one.as_of, one.rows, one.later_rows) for one in found]
