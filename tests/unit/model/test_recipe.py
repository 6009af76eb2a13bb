"""The recipe: what it consists of, when two are the same, and why one cannot be fitted again."""

from __future__ import annotations

import re
from copy import deepcopy
from typing import Any

import pytest

from flywheel.model.recipe import Recipe, hash_of, how_to_fit, recipe, why_not_fitted
from flywheel.stages.train import TrainParams
from tests.planted import settings

COLUMNS = ["prediction_id", "served_at", "place", "size"]


def made(derive: str | None = "rooms.features:derive", code: str | None = "c0de", **changes: Any) -> Recipe:
    """The recipe of the planted settings, with changes in sections of params."""
    found = settings(TrainParams, **changes)
    return recipe(found.features, derive, code, found.label, found.model, found.train, found.windows)


MINE = made()


def test_the_same_settings_are_the_same_recipe() -> None:
    """Equal in full, and by name; the name is twelve hexadecimal digits."""
    assert (MINE, hash_of(MINE)) == (made(), hash_of(made()))
    assert re.fullmatch("[0-9a-f]{12}", hash_of(MINE))


def test_the_name_does_not_depend_on_the_order_of_the_keys() -> None:
    """A card that somebody sorted still names the same recipe."""
    assert hash_of(MINE) == hash_of(dict(reversed(MINE.items())))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "changed",
    [
        made(features={"numeric": []}),
        made(features={"calendar": {"timezone": "Europe/Berlin"}}),
        made(derive=None),
        made(code="c0ffee"),
        made(label={"min_votes": 3}),
        made(model={"num_leaves": 5}),
        made(train={"seed": 99}),
        made(train={"earlier_fits": 0}),
        made(train={"weigh": {"min_propensity": 0.05}}),
        made(windows={"train_days": 10}),
        made(windows={"evaluation_days": 10}),
    ],
)
def test_whatever_decides_a_fit_makes_another_recipe(changed: Recipe) -> None:
    """Other features, code, labels, settings of the fit, or days to learn from."""
    assert changed != MINE
    assert hash_of(changed) != hash_of(MINE)


@pytest.mark.parametrize(
    "same",
    [
        made(clock={"as_of": "2030-01-20"}),
        made(windows={"evaluation_windows": 2}),
        made(windows={"current_days": 3}),
        made(project={"name": "renamed"}),
    ],
)
def test_what_decides_no_fit_is_no_part_of_a_recipe(same: Recipe) -> None:
    """The day, how many windows are looked at, and what monitoring looks at."""
    assert same == MINE


def test_how_to_fit_is_what_the_settings_say() -> None:
    """In the types of today's settings."""
    found, params = how_to_fit(MINE), settings(TrainParams)
    assert found
    assert (params.train, params.model) == (found.train, found.model)
    assert (params.windows.train_days, params.windows.evaluation_days) == (found.train_days, found.step_days)


def test_a_fit_looks_as_far_back_as_its_earliest_fit() -> None:
    """Its own days, and a step for each earlier fit."""
    found = how_to_fit(made(windows={"train_days": 10, "evaluation_days": 7}, train={"earlier_fits": 3}))
    assert found
    assert 10 + 3 * 7 == found.reach


def other(section: str, **values: Any) -> Recipe:
    """The recipe with values in a section that today's code may not know; None takes a key away."""
    found: Any = deepcopy(MINE)
    for name, value in values.items():
        if value is None:
            del found[section][name]
        else:
            found[section][name] = value
    return found  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    "unknown",
    [
        other("model", boosting="dart"),
        other("model", num_leaves=None),
        other("model", num_leaves="31"),
        other("train", seed=None),
        other("train", rounds=5),
        {**MINE, "train_days": 0},
        {**MINE, "step_days": "a week"},
    ],
)
def test_a_recipe_that_today_s_code_does_not_know_cannot_be_fitted(unknown: Recipe) -> None:
    """A setting too many, one too few, or one of another type: none is guessed."""
    assert how_to_fit(unknown) is None
    said = "its recipe has settings that today's code does not know"
    assert said == why_not_fitted(unknown, MINE, ["size"], COLUMNS)


@pytest.mark.parametrize(
    ("one", "names", "why"),
    [
        (None, ["size"], "its card names no recipe, because it was made by older code"),
        (
            MINE,
            ["size", "weight", "age"],
            "its recipe needs features that no longer exist: age, weight",
        ),
        (made(label={"min_votes": 3}), ["size"], "its labels were concluded with other settings"),
        (made(derive=None), ["size"], "its features were derived by other code of the project's own"),
        (made(code="c0ffee"), ["size"], "its features were derived by other code of the project's own"),
        (made(code=None), ["size"], "its features were derived by other code of the project's own"),
        (
            made(features={"calendar": {"timezone": "Europe/Berlin"}}),
            ["size"],
            "its calendar is that of another time zone",
        ),
    ],
)
def test_why_a_recipe_cannot_be_fitted_again_is_said(one: Recipe | None, names: list[str], why: str) -> None:
    """As half a sentence that goes on from the champion."""
    assert why == why_not_fitted(one, MINE, names, COLUMNS)


@pytest.mark.parametrize(
    "one",
    [
        MINE,
        made(model={"num_leaves": 5}),
        made(windows={"train_days": 10}),
        made(features={"numeric": [], "history": []}),
        made(train={"min_events_per_feature": 99}),
    ],
)
def test_another_recipe_on_today_s_features_can_be_fitted(one: Recipe) -> None:
    """Other settings of the fit, or fewer features, are nothing in the way."""
    assert why_not_fitted(one, MINE, ["size", "place"], COLUMNS) is None


def test_two_recipes_of_one_name_are_not_taken_for_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files and fits go by the name; where it is not enough to tell two apart, the champion is compared as it is."""
    other = made(model={"num_leaves": 5})
    assert why_not_fitted(other, MINE, ["size"], COLUMNS) is None
    monkeypatch.setattr("flywheel.model.recipe.hash_of", lambda one: "0123456789ab")
    said = "its recipe has, by chance, the name of today's"
    assert (said, None) == tuple(why_not_fitted(one, MINE, ["size"], COLUMNS) for one in (other, MINE))
