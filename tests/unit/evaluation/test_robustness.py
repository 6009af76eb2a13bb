"""Inputs that are off, missing, unknown or extreme: what a planted model's decisions do."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import pandas as pd
import pytest

from flywheel.evaluation.robustness import robustness
from flywheel.model import artifact
from flywheel.stages.evaluate import EvaluateParams
from tests.planted import learn, settings, world

EVALUATE = settings(EvaluateParams).evaluate


@functools.cache
def step_model() -> artifact.Model:
    """A model of a world in which a label is 1 exactly where the size is above 5, whatever the place."""
    features, labels = world(range(1, 16), 40)
    return learn(features, labels.assign(label=(features["size"] > 5).astype("int64").to_numpy()))


def rows(size: list[float], place: list[str | None]) -> pd.DataFrame:
    return pd.DataFrame({"size": size, "place": pd.Series(place, dtype="str")})


def found(table: pd.DataFrame, **changes: float) -> dict[str, Any]:
    params = EVALUATE.model_copy(update={"robustness": EVALUATE.robustness.model_copy(update=changes)})
    said = robustness(table, step_model(), params)
    assert {"size", "place"} == set(said["inputs"])
    return said["inputs"]


FOUR = rows([5.0, 6.0, 2.0, 9.0], ["north", "south", "north", "south"])  # the spread of the sizes is 2.5


def test_a_number_is_moved_up_and_down_in_turn() -> None:
    """By 0.8 of its spread, which is 2: 5 becomes 7 and flips, 6 becomes 4 and flips; 2 and 9 stay on their sides."""
    answer = found(FOUR, shift=0.8)["size"]["perturbed"]
    assert (4, 0.5, 0) == (answer["rows"], answer["flipped"], answer["no_score"])
    assert answer["largest_jump"] > 0.8
    assert 0.0 == found(FOUR, shift=0.01)["size"]["perturbed"]["flipped"]


def test_the_smallest_and_the_largest_value_flip_those_on_the_other_side() -> None:
    """2 is the smallest, and 9 the largest: a row that has the value already is no evidence."""
    answers = found(FOUR)["size"]
    assert (3, 2 / 3) == (answers["smallest"]["rows"], answers["smallest"]["flipped"])  # 6 and 9 flip, 5 does not
    assert (3, 2 / 3) == (answers["largest"]["rows"], answers["largest"]["flipped"])  # 5 and 2 flip, 6 does not


def test_an_input_that_says_nothing_flips_nothing() -> None:
    """The place, whatever is done to it; every row changes, and every one still has a score."""
    answers = found(FOUR)["place"]
    assert {"perturbed", "missing", "unknown"} == set(answers)
    assert [(4, 0.0, 0)] * 3 == [(one["rows"], one["flipped"], one["no_score"]) for one in answers.values()]


def test_rows_that_a_change_leaves_as_they_are_do_not_count() -> None:
    """Two rows lack the size, and one its place: nothing moves what is not there.

    And of the two sizes the smaller one is moved down, but it stays within the range.
    """
    answers = found(rows([np.nan, 6.0, np.nan, 9.0], [None, "south", "north", "south"]), shift=0.1)
    assert {"perturbed": 1, "missing": 2, "smallest": 1, "largest": 1} == {
        w: one["rows"] for w, one in answers["size"].items()
    }
    assert {"perturbed": 3, "missing": 3, "unknown": 4} == {way: one["rows"] for way, one in answers["place"].items()}


def test_a_constant_cannot_be_perturbed_and_says_nothing() -> None:
    """No row changes, so there is no share."""
    answer = found(rows([6.0] * 4, ["north"] * 4))["size"]["perturbed"]
    assert {"rows": 0, "flipped": None, "largest_jump": None, "no_score": 0} == answer


def test_a_model_without_a_score_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """It answers NaN wherever the size is missing."""
    predict = artifact.predict
    monkeypatch.setattr(
        artifact, "predict", lambda model, table: np.where(table["size"].isna(), np.nan, predict(model, table))
    )
    answers = found(FOUR)["size"]
    assert {"perturbed": 0, "missing": 4, "smallest": 0, "largest": 0} == {
        w: one["no_score"] for w, one in answers.items()
    }


def test_as_many_rows_are_asked_as_conf_says_spread_evenly() -> None:
    """Three of nine: the first, the middle and the last."""
    nine = rows([1.0, 9.0, 9.0, 9.0, 2.0, 9.0, 9.0, 9.0, 3.0], ["north"] * 9)
    params = EVALUATE.model_copy(update={"robustness": EVALUATE.robustness.model_copy(update={"rows": 3})})
    said = robustness(nine, step_model(), params)
    assert 3 == said["rows"]
    assert 2 == said["inputs"]["size"]["largest"]["rows"]  # the largest of 1, 2 and 3 is 3
