"""The contract of a model: what is learned of the inputs, what breaks a call and what does not, and the next version."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flywheel import files
from flywheel.errors import DataError
from flywheel.model import artifact
from flywheel.model.contract import (
    Contract,
    Difference,
    compare,
    learn,
    next_version,
    read_champion_contract,
    read_contract,
    read_contracts,
)
from flywheel.model.fit import straight
from flywheel.stages.train import TrainParams
from flywheel.stages.train import main as train
from tests.planted import learn as learned_model
from tests.planted import settings, world, write_features, write_revisions

NO_DIFFERENCE = Difference()


def number(required: bool = True, low: float | None = 1.0, high: float | None = 9.0) -> dict[str, Any]:
    return {"type": "number", "required": required, "min": low, "max": high}


def category(*words: str, required: bool = True) -> dict[str, Any]:
    return {"type": "category", "required": required, "categories": [*words]}


def contract(version: str = "1.0", **inputs: Any) -> Contract:
    """A contract with these inputs, or with a size and a place."""
    asked = inputs or {"size": number(), "place": category("north", "south")}
    return {"version": version, "inputs": asked, "output": {"type": "probability", "min": 0.1, "max": 0.9}}


TABLE = pd.DataFrame(
    {
        "whole": [1, 4, 9],
        "holes": [np.nan, -0.5, 2.25],
        "endless": [np.inf, 3.0, -np.inf],
        "nothing": [np.nan, np.nan, np.nan],
        "place": pd.Series(["south", None, "north"], dtype="str"),
        "colour": pd.Series(["red", "red", "red"], dtype="str"),
    }
)


def test_the_inputs_are_as_the_training_rows_were() -> None:
    """Range, words, and whether a row lacked it; infinity is a value, and no end of a range."""
    features = {
        "numeric": ["whole", "holes", "endless", "nothing"],
        "categorical": {"place": ["north", "south"], "colour": ["red"]},
    }
    made = learn(TABLE, features, straight(8), None)
    assert {
        "version": "1.0",
        "inputs": {
            "whole": number(low=1.0, high=9.0),
            "holes": number(required=False, low=-0.5, high=2.25),
            "endless": number(low=3.0, high=3.0),
            "nothing": number(required=False, low=None, high=None),
            "place": category("north", "south", required=False),
            "colour": category("red"),
        },
        "output": {"type": "probability", "min": 1 / 10, "max": 9 / 10},
    } == made
    assert [*features["numeric"], "place", "colour"] == [*made["inputs"]]


CHANGES: dict[str, tuple[dict[str, Any], dict[str, Any], tuple[str, ...], tuple[str, ...]]] = {
    "nothing": ({"a": number()}, {"a": number()}, (), ()),
    "ranges": ({"a": number()}, {"a": number(low=-5.0, high=2.0)}, (), ()),
    "another order": ({"a": number(), "b": number()}, {"b": number(), "a": number()}, (), ()),
    "a new input that may be missing": ({}, {"a": number(required=False)}, (), ("a is new and may be missing",)),
    "a new input that must be there": ({}, {"a": number()}, ("a is new and must not be missing",), ()),
    "a new word input that must be there": ({}, {"a": category("x")}, ("a is new and must not be missing",), ()),
    "an input that is gone": ({"a": number(required=False)}, {}, ("a is gone",), ()),
    "a name for another": (
        {"a": number()},
        {"b": number(required=False)},
        ("a is gone",),
        ("b is new and may be missing",),
    ),
    "a number that is now a word": ({"a": number()}, {"a": category("1")}, ("a was a number and is a category",), ()),
    "a word that is now a number": ({"a": category("1")}, {"a": number()}, ("a was a category and is a number",), ()),
    "may now be missing": ({"a": number()}, {"a": number(required=False)}, (), ("a may now be missing",)),
    "may no longer": ({"a": number(required=False)}, {"a": number()}, (), ("a may no longer be missing",)),
    "another word": (
        {"a": category("x")},
        {"a": category("x", "y")},
        (),
        ("a knows 1 category (y) more",),
    ),
    "five words less": (
        {"a": category("x", *"pqrst")},
        {"a": category("x")},
        (),
        ("a no longer knows 5 categories (p, q, r, …)",),
    ),
    "words for words": (
        {"a": category("x", "y")},
        {"a": category("x", "z")},
        (),
        ("a knows 1 category (z) more", "a no longer knows 1 category (y)"),
    ),
    "another coding": (
        {"a": category("x", "y")},
        {"a": category("1", "2")},
        ("a knows none of its 2 categories (x, y) any more",),
        (),
    ),
    "words where there were none": ({"a": category()}, {"a": category("x")}, (), ("a knows 1 category (x) more",)),
}


@pytest.mark.parametrize("name", CHANGES)
def test_what_breaks_a_call_and_what_does_not(name: str) -> None:
    """Each change by itself, as a service that calls the model would see it."""
    before, now, breaking, minor = CHANGES[name]
    base = {"base": number()}
    assert Difference(breaking, minor) == compare(contract(**base, **before), contract(**base, **now))


@pytest.mark.parametrize(
    ("before", "found", "expected"),
    [
        ("1.0", NO_DIFFERENCE, "1.0"),
        ("1.9", Difference(minor=("a",)), "1.10"),
        ("2.3", Difference(breaking=("a",)), "3.0"),
        ("9.9", Difference(("a",), ("b",)), "10.0"),
    ],
)
def test_the_next_version_follows_from_the_change(before: str, found: Difference, expected: str) -> None:
    """A break outweighs what else changed, and numbers are no digits."""
    assert expected == next_version(contract(before), found)


INPUT = st.one_of(
    st.builds(number, st.booleans()),
    st.lists(st.sampled_from("xyz"), unique=True).flatmap(
        lambda words: st.builds(lambda required: category(*words, required=required), st.booleans())
    ),
)
INPUTS = st.dictionaries(st.sampled_from("abcd"), INPUT)


def made(inputs: dict[str, Any], version: str = "1.0") -> Contract:
    return {**contract(version), "inputs": inputs}


@given(INPUTS, INPUTS)
def test_a_call_with_every_input_that_is_not_broken_is_a_call_of_both(
    before: dict[str, Any], now: dict[str, Any]
) -> None:
    """Without a break: what the old model was sent is known to the new one, in its type, and nothing else is needed."""
    found = compare(made(before), made(now))
    if not found.breaking:
        assert {name: one["type"] for name, one in before.items()}.items() <= {
            n: o["type"] for n, o in now.items()
        }.items()
        assert not [name for name, one in now.items() if one["required"] and name not in before]
    assert compare(made(now), made(now)) == NO_DIFFERENCE
    assert (found == NO_DIFFERENCE) == (compare(made(now), made(before)) == NO_DIFFERENCE)


@given(INPUTS, INPUTS)
def test_a_card_says_as_much_of_a_break_as_a_contract(before: dict[str, Any], now: dict[str, Any]) -> None:
    """What it does not know, which inputs may be missing, breaks nothing."""
    card = {
        "numeric": [name for name, one in before.items() if one["type"] == "number"],
        "categorical": {name: one["categories"] for name, one in before.items() if one["type"] == "category"},
    }
    whole, partly = compare(made(before), made(now)), compare(card, made(now))
    assert set(whole.breaking) == set(partly.breaking)
    assert {one for one in whole.minor if "now be" not in one and "longer be" not in one} == set(partly.minor)


@pytest.fixture
def in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def champion(in_an_empty_folder: None) -> None:
    """A champion that knows a place and a size, with its contract."""
    artifact.save(learned_model(*world(range(1, 3), 40)), files.CHAMPION)


def without_contract() -> None:
    """Make the champion one of an older version."""
    artifact.save(replace(learned_model(*world(range(1, 3), 40)), contract=None), files.CHAMPION)


@pytest.mark.usefixtures("champion")
def test_a_contract_is_saved_and_loaded_with_its_model() -> None:
    """As it was made; its digest is on the card."""
    one = artifact.load(files.CHAMPION)
    assert one.contract == read_contract(files.CHAMPION) == learned_model(*world(range(1, 3), 40)).contract
    assert "contract.json" in one.card["sha256"]


@pytest.mark.usefixtures("champion")
def test_a_model_without_a_contract_is_loaded() -> None:
    """It is older than contracts; saving it takes another one's contract away."""
    without_contract()
    assert artifact.load(files.CHAMPION).contract is None
    assert not (files.CHAMPION / "contract.json").exists()


@pytest.mark.usefixtures("champion")
@pytest.mark.parametrize("edit", [None, "{}", '{"version": "9.0"}'])
def test_a_contract_that_was_edited_or_lost_is_seen(edit: str | None) -> None:
    """The card names it, so the model is damaged."""
    place = files.CHAMPION / "contract.json"
    place.unlink() if edit is None else place.write_text(edit)
    with pytest.raises(DataError, match=r"models/champion.*contract\.json.*Restore"):
        artifact.load(files.CHAMPION)


@pytest.mark.usefixtures("champion")
@pytest.mark.parametrize(
    ("edit", "said"),
    [
        ({"version": "1"}, "version: found '1'"),
        ({"inputs": {"a": {"type": "text"}}}, "inputs.a"),
        ({"output": {}}, "output"),
    ],
)
def test_another_shape_names_the_key(edit: dict[str, Any], said: str) -> None:
    place = files.CHAMPION / "contract.json"
    place.write_text(json.dumps(read_contract(files.CHAMPION) | edit))
    with pytest.raises(DataError, match=rf"^models/champion/contract\.json: {said}"):
        read_champion_contract()


@pytest.mark.usefixtures("champion")
def test_where_the_champion_has_no_contract_its_card_stands_in() -> None:
    """Of a champion that lost it, it does not: that is damage."""
    without_contract()
    assert {"numeric": ["size"], "categorical": {"place": ["north", "south"]}} == read_champion_contract()
    artifact.save(learned_model(*world(range(1, 3), 40)), files.CHAMPION)
    (files.CHAMPION / "contract.json").unlink()
    with pytest.raises(DataError, match=r"lacks contract\.json, which its card\.json names"):
        read_champion_contract()


SMALL: dict[str, Any] = {
    "clock": {"as_of": "2030-01-31"},
    "windows": {"train_days": 23, "evaluation_days": 7},
    "train": {"min_events_per_feature": 5, "earlier_fits": 0},
    "model": {"trees": 3, "max_trees": 3, "min_child_samples": 5, "num_leaves": 7},
    "features": {"history": []},
}


@pytest.mark.usefixtures("in_an_empty_folder")
def test_training_writes_the_contract_that_follows_the_champions() -> None:
    """The first is 1.0; the same inputs keep the champion's; an input less is another major version."""
    features, labels = world(range(1, 31), 20)
    write_features(features)
    write_revisions(labels)
    params = settings(TrainParams, **SMALL)
    train(params)
    first = read_contracts()
    assert ("1.0", None) == (first.candidate["version"], first.champion)
    assert {"size": number(), "place": category("north", "south")} == first.candidate["inputs"]
    artifact.save(artifact.load(files.CANDIDATE), files.CHAMPION)
    place = files.CHAMPION / "contract.json"
    place.write_text(place.read_text().replace('"1.0"', '"3.4"'))
    train(params)
    assert "3.4" == read_contract(files.CANDIDATE)["version"]
    write_features(features.drop(columns="size"))
    train(params)
    assert "4.0" == read_contract(files.CANDIDATE)["version"]
