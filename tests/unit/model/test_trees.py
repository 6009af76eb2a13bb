"""How many trees: what earlier fits did best with."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from flywheel.model.memo import Memo
from flywheel.model.recipe import how_to_fit, recipe
from flywheel.model.trees import EarlierFit, earlier_days, is_long, mean_losses, number_of_trees
from flywheel.model.vintages import Vintages, Way
from flywheel.stages.train import TrainParams
from tests.planted import day, settings, world


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


@pytest.mark.parametrize(
    ("first", "on", "end", "length", "expected"),
    [
        pytest.param(1, 15, 29, 365, True, id="14 of 28 days"),
        pytest.param(1, 14, 29, 365, False, id="13 of 28 days"),
        pytest.param(1, 5, 29, 8, True, id="4 of the 8 that are learned from"),
        pytest.param(1, 4, 29, 8, False, id="3 of the 8 that are learned from"),
        pytest.param(20, 15, 29, 365, False, id="before the first day"),
    ],
)
def test_half_as_many_days_are_enough(first: int, on: int, end: int, length: int, expected: bool) -> None:
    """Both learn from the last days since the first one of the data."""
    assert expected is is_long(day(first), day(on), day(end), length)


def planted(positives: dict[int, int]) -> tuple[Vintages, Way]:
    """Ten predictions a day, of which on some days so many are positive, and a recipe of windows of seven days."""
    features, labels = world(range(1, 31), 10)
    number = features["served_at"].dt.day.to_numpy()
    label = [int(n % 10 < positives.get(on, 0)) for n, on in enumerate(number)]
    params = settings(
        TrainParams,
        windows={"train_days": 7, "evaluation_days": 7},
        train={"earlier_fits": 3, "min_events_per_feature": 1},
        model={"max_trees": 3, "min_child_samples": 2},
        features={"history": []},
    )
    one = recipe(params.features, None, None, params.label, params.model, params.train, params.windows)
    how = how_to_fit(one)
    assert how
    return Vintages("planted", features, labels.assign(label=label), Memo()), Way(one, how, ("size",), ("place",))


def test_a_fit_with_too_few_events_or_with_one_class_to_measure_on_is_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two positives are needed to learn from, one for each feature, and one to be measured on."""
    monkeypatch.chdir(tmp_path)
    made, way = planted({15: 2, 21: 0, 23: 1})
    # As of the 22nd there are two, and one comes after; as of the 15th there is none; as of the 8th none either.
    assert [(day(22), 70, 70)] == [(one.as_of, one.rows, one.later_rows) for one in made.earlier(way, day(29))]
    made, way = planted({15: 1, 23: 1})
    assert [] == made.earlier(way, day(29))
    made, way = planted({15: 2})
    assert [] == made.earlier(way, day(29))
