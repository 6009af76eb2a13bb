"""Drift of planted columns: what moved is found and ranked first, what did not move is left alone."""

from __future__ import annotations

import math
import sys
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from flywheel.monitoring.drift import as_html, histogram, measure, sample, weigh
from flywheel.stages.monitor import MonitorParams
from tests.planted import settings

PARAMS = settings(MonitorParams, monitor={"drift": {"sample_rows": 2000, "threshold": 0.1}}).monitor.drift


def columns(seed: int, n: int = 1500) -> pd.DataFrame:
    """Three numbers and a place, drawn with a seed."""
    rng = np.random.default_rng(seed)
    numbers = {name: rng.normal(10, 2, n) for name in ("age", "size", "speed")}
    place = rng.choice(["north", "south"], n)
    keys = {"prediction_id": [f"p{i}" for i in range(n)], "served_at": pd.Timestamp("2030-01-01", tz="UTC")}
    return pd.DataFrame(keys | numbers | {"place": pd.Series(place).astype("str")})


def drift(reference: pd.DataFrame, current: pd.DataFrame) -> dict[str, Any]:
    return measure(reference, current, ("place",), PARAMS)


def by_name(found: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {one["column"]: one for one in found["by_column"]}


def test_two_samples_that_are_the_same_have_no_distance() -> None:
    """Every column is at distance 0 and none has drifted; keys are no columns."""
    found = drift(columns(1), columns(1))
    assert dict.fromkeys(("age", "place", "size", "speed"), 0.0) == {
        name: one["distance"] for name, one in by_name(found).items()
    }
    assert (4, 0) == (found["columns"], found["drifted"])


def test_two_samples_of_the_same_world_have_not_drifted() -> None:
    """Chance alone stays below the threshold."""
    assert 0 == drift(columns(1), columns(2))["drifted"]


@pytest.mark.parametrize("column", ["age", "size", "speed"])
def test_a_planted_shift_is_ranked_first(column: str) -> None:
    """One number is half a standard deviation higher; it leads the list and is the only one that drifted."""
    current = columns(2)
    found = drift(columns(1), current.assign(**{column: current[column] + 1.0}))
    assert (column, True, 1) == (found["by_column"][0]["column"], found["by_column"][0]["is_drifted"], found["drifted"])


def test_the_distance_of_a_shift_is_in_standard_deviations_of_the_reference() -> None:
    """All values are 3 higher: the Wasserstein distance is 3 over the standard deviation."""
    reference = columns(1)
    found = by_name(drift(reference, reference.assign(size=reference["size"] + 3.0)))
    assert pytest.approx(3 / reference["size"].std(ddof=0), rel=1e-3) == found["size"]["distance"]


def test_the_distance_of_categories_is_that_of_jensen_and_shannon() -> None:
    """Half and half against all in the north, by hand (natural logarithm, square root)."""
    reference = columns(1, 1000).assign(place=["north", "south"] * 500)
    found = by_name(drift(reference, reference.assign(place="north")))
    to_middle = 0.5 * math.log(0.5 / 0.75) + 0.5 * math.log(0.5 / 0.25)
    expected = math.sqrt((to_middle + math.log(1 / 0.75)) / 2)
    assert pytest.approx(expected, rel=1e-3) == found["place"]["distance"]


def test_a_category_that_is_new_is_drift() -> None:
    """A third of the rows come from a place that was never seen before."""
    current = columns(2)
    found = drift(columns(1), current.assign(place=np.where(current.index % 3 == 0, "east", current["place"])))
    assert ("place", True) == (found["by_column"][0]["column"], found["by_column"][0]["is_drifted"])


def test_reference_and_current_are_not_mixed_up() -> None:
    """The distance is in units of the reference's spread: narrow against wide is far, wide against narrow is near."""
    narrow = columns(1)
    wide = narrow.assign(size=10 + 10 * (narrow["size"] - 10))
    there, back = (by_name(drift(*pair))["size"]["distance"] for pair in ((narrow, wide), (wide, narrow)))
    assert there > 5 * back


def test_columns_are_ordered_by_distance_and_then_by_name() -> None:
    """Two columns moved alike, one moved more, the rest did not move."""
    reference = columns(1).assign(speed=lambda frame: frame["age"])
    current = reference.assign(age=reference["age"] + 1, speed=reference["speed"] + 1, size=reference["size"] + 5)
    assert ["size", "age", "speed", "place"] == [one["column"] for one in drift(reference, current)["by_column"]]


@pytest.mark.parametrize("column", ["size", "place"])
@pytest.mark.parametrize("empty", ["reference", "current", "both"])
def test_an_empty_column_has_no_distance_and_is_listed_last(column: str, empty: str) -> None:
    """Nothing is known of it on one side: it did not drift, its nulls are counted, and the others are still measured."""
    is_empty = [empty in (side, "both") for side in ("reference", "current")]
    nothing = pd.Series(None, index=range(1500), dtype="object")
    frames = [
        columns(seed).assign(**({column: nothing} if empties else {}))
        for seed, empties in zip((1, 2), is_empty, strict=True)
    ]
    found = drift(*frames)
    last = found["by_column"][-1]
    assert (column, None, False) == (last["column"], last["distance"], last["is_drifted"])
    assert [float(empties) for empties in is_empty] == last["null_share"]
    assert all(one["distance"] is not None for one in found["by_column"][:-1])


@pytest.mark.parametrize("values", [[5.0, 5.0], [True, False]], ids=["constant", "yes or no"])
def test_a_column_that_is_constant_or_true_or_false_is_measured_too(values: list[Any]) -> None:
    """The same values on both sides are no drift, of whatever type they are."""
    odd = columns(1).assign(odd=values * 750)
    assert 0.0 == by_name(drift(odd, odd))["odd"]["distance"]


def test_a_flag_that_is_set_more_often_has_drifted() -> None:
    """True for one in ten before, for one in two now: 0.4 over the standard deviation of a share of 0.1, which is 0.3."""
    before, now = (columns(1).assign(flag=np.arange(1500) % n == 0) for n in (10, 2))
    assert pytest.approx((1 / 2 - 1 / 10) / 0.3, rel=1e-3) == by_name(drift(before, now))["flag"]["distance"]


@pytest.mark.parametrize("infinite", [np.inf, -np.inf])
def test_infinite_values_do_not_spoil_the_order_of_the_others(infinite: float) -> None:
    """A division by zero in a feature of the project counts as missing: its column has a distance from its other values."""
    reference = columns(1).assign(ratio=[infinite, 1.0] * 750)
    moved = reference.assign(age=reference["age"] + 1, size=reference["size"] + 5, ratio=[infinite, 2.0] * 750)
    found = drift(reference, moved)["by_column"]
    assert ["size", "age", "place", "speed"] == [one["column"] for one in found if one["column"] != "ratio"]
    ratio = by_name({"by_column": found})["ratio"]
    assert (True, [0.5, 0.5]) == (ratio["is_drifted"], ratio["null_share"])


def test_a_column_of_one_side_only_is_left_out() -> None:
    """What has no counterpart cannot be compared."""
    assert {"age", "place", "speed"} == set(by_name(drift(columns(1), columns(2).drop(columns="size"))))


def test_the_share_of_nulls_is_that_of_each_sample() -> None:
    """No nulls before, a third now."""
    current = columns(2)
    found = by_name(drift(columns(1), current.assign(size=current["size"].where(current.index % 3 != 0))))
    assert [0.0, 500 / 1500] == found["size"]["null_share"]


@pytest.mark.parametrize(("moved"), [[], ["age", "size"], ["age", "size", "speed"]])
def test_the_columns_that_drifted_are_counted(moved: list[str]) -> None:
    """As a number, and as a share of the four that there are."""
    reference = columns(1)
    found = drift(reference, reference.assign(**{name: reference[name] + 5 for name in moved}))
    assert (len(moved), len(moved) / 4) == (found["drifted"], found["drifted_share"])


def test_a_column_at_the_threshold_has_not_drifted() -> None:
    """Its distance must be above: the threshold is set to just what the distance is, and to a hair below."""
    reference = columns(1)
    current = reference.assign(age=reference["age"] + 1)
    distance = by_name(drift(reference, current))["age"]["distance"]
    for threshold, is_drifted in ((distance, False), (np.nextafter(distance, 0), True)):
        params = PARAMS.model_copy(update={"threshold": float(threshold)})
        assert is_drifted == by_name(measure(reference, current, ("place",), params))["age"]["is_drifted"]
        share = weigh(reference, current, ("place",), {"age": 1.0}, params)["weighted_share"]
        assert float(is_drifted) == share


def test_each_column_says_by_which_method_it_was_measured() -> None:
    """Numbers and categories have their own, as the settings name them."""
    found = by_name(drift(columns(1), columns(2)))
    assert ("wasserstein", "jensenshannon") == (found["size"]["method"], found["place"]["method"])


def test_the_sample_is_bounded_and_the_same_every_time() -> None:
    """Of 5,000 rows 2,000 are drawn with the seed, in their order."""
    frame = columns(1, 5000)
    found = sample(frame, PARAMS)
    assert (2000, True) == (len(found), found.index.is_monotonic_increasing and found.index.is_unique)
    assert sample(frame, PARAMS).equals(found)
    assert not sample(frame, PARAMS.model_copy(update={"seed": 99})).equals(found)


def test_few_rows_are_all_used() -> None:
    """Where there are no more rows than the bound, none is left out."""
    assert 2000 == len(sample(columns(1, 2000), PARAMS))


def test_the_histogram_of_a_number_has_the_same_bins_for_both_samples() -> None:
    """Reference in the lower half, current in the upper half: the shares of each add up to one and do not meet."""
    found = histogram(pd.Series([0.0, 1.0] * 50), pd.Series([9.0, 10.0] * 50), is_category=False)
    assert (21, 0.0, 10.0) == (len(found["edges"]), found["edges"][0], found["edges"][-1])
    assert (1.0, 1.0) == (pytest.approx(sum(found["reference"])), pytest.approx(sum(found["current"])))
    assert 0 == sum(r * c for r, c in zip(found["reference"], found["current"], strict=True))


def test_the_histogram_of_categories_has_the_ten_commonest_of_both_samples() -> None:
    """Of twelve names the two rarest are left out; equal ones are in the order of their names."""
    names = [f"n{i:02}" for i in range(12) for _ in range(12 - i)]
    found = histogram(pd.Series(names), pd.Series(names[:1]), is_category=True)
    assert [f"n{i:02}" for i in range(10)] == found["categories"]
    assert (12 / 78, 1 / 1) == (found["reference"][0], found["current"][0])


def test_the_histogram_of_one_value_has_a_width() -> None:
    """All are 5: the bins go up to 6, so that they can be drawn, and all rows are in the first."""
    found = histogram(pd.Series([5.0, 5.0]), pd.Series([5.0, np.nan]), is_category=False)
    assert (5.0, 6.0) == (found["edges"][0], found["edges"][-1])
    assert (1.0, 1.0) == (found["reference"][0], found["current"][0])


def test_the_histogram_of_nothing_has_no_bin() -> None:
    """Both samples are empty: there is nothing to draw."""
    nothing = pd.Series([np.nan, np.nan])
    assert {"edges": [], "reference": [], "current": []} == histogram(nothing, nothing, is_category=False)


def test_two_samples_without_a_common_column_have_not_drifted() -> None:
    """No share of no columns: 0."""
    keys = ["prediction_id", "served_at"]
    found = drift(columns(1)[keys], columns(2)[keys])
    assert (0, 0, 0.0) == (found["columns"], found["drifted"], found["drifted_share"])


def test_evidentlys_page_is_about_the_columns_that_have_values_in_both_samples(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither keys nor an empty column, nor one of a single side; the current sample first, and no page in a frame."""
    asked: dict[str, Any] = {}

    class Report:
        def __init__(self, presets: list[Any]) -> None:
            asked["preset"] = presets[0]

        def run(self, current: Any, reference: Any) -> Any:
            asked.update(current=current, reference=reference)
            return SimpleNamespace(get_html_str=lambda **how: asked.update(how) or "<html>")

    def from_pandas(frame: pd.DataFrame, data_definition: Any) -> Any:
        return frame, data_definition

    evidently = SimpleNamespace(
        Report=Report, DataDefinition=SimpleNamespace, Dataset=SimpleNamespace(from_pandas=from_pandas)
    )
    monkeypatch.setitem(sys.modules, "evidently", evidently)
    monkeypatch.setitem(sys.modules, "evidently.presets", SimpleNamespace(DataDriftPreset=SimpleNamespace))
    reference = columns(1).assign(old=1.0, empty=np.nan)
    current = columns(2).assign(size=9.0, empty=1.0)
    assert as_html(reference, current, ("place",), PARAMS) == "<html>"
    names = ["age", "size", "speed", "place"]
    kinds = {"numerical_columns": ["age", "size", "speed"], "categorical_columns": ["place"]}
    methods = {"num_method": "wasserstein", "cat_method": "jensenshannon", "num_threshold": 0.1, "cat_threshold": 0.1}
    assert {"columns": names} | methods == vars(asked["preset"])
    assert ([9.0], False) == (asked["current"][0]["size"].unique().tolist(), asked["as_iframe"])
    for frame, definition in (asked["current"], asked["reference"]):
        assert (names, kinds) == (frame.columns.tolist(), vars(definition))


def test_the_two_configured_methods_need_nothing_of_evidently(monkeypatch: pytest.MonkeyPatch) -> None:
    """To import it costs more than the rest of the stage: it is asked for other methods only."""
    asked: list[tuple[bool, str]] = []

    def evidently(_: pd.Series, __: pd.Series, is_category: bool, method: str) -> float:
        asked.append((is_category, method))
        return 0.5

    monkeypatch.setattr("flywheel.monitoring.drift.evidently", evidently)
    drift(columns(1), columns(2))
    assert asked == []
    others = PARAMS.model_copy(update={"numeric_method": "jensenshannon", "categorical_method": "psi"})
    measure(columns(1), columns(2), ("place",), others)
    assert asked == [*[(False, "jensenshannon")] * 3, (True, "psi")]


def test_the_order_of_rows_is_of_no_importance() -> None:
    """A shuffled sample has the same distances, as long as all of its rows are used."""
    reference, current = columns(1), columns(2)
    shuffled = drift(reference, current.sample(frac=1, random_state=1))
    expected = {name: one["distance"] for name, one in by_name(drift(reference, current)).items()}
    assert expected == pytest.approx({name: one["distance"] for name, one in by_name(shuffled).items()})


@pytest.mark.slow
@pytest.mark.parametrize(("numeric", "categorical"), [("wasserstein", "jensenshannon"), ("psi", "hellinger")])
def test_the_distances_are_those_of_evidentlys_own_report(numeric: str, categorical: str) -> None:
    """Those that are computed here, and those for which its code is called without the plots."""
    from evidently import DataDefinition, Dataset, Report
    from evidently.metrics import ValueDrift

    frames = [columns(1), columns(2).assign(age=lambda frame: frame["age"] + 1)]
    frames[1].loc[::7, "size"] = np.nan
    frames[1].loc[::9, "place"] = "west"
    definition = DataDefinition(numerical_columns=["age", "size", "speed"], categorical_columns=["place"])
    reference, current = (Dataset.from_pandas(frame, data_definition=definition) for frame in frames)
    methods = dict.fromkeys(("age", "size", "speed"), numeric) | {"place": categorical}
    report = Report([ValueDrift(column=name, method=method, threshold=0.1) for name, method in methods.items()])
    values = [float(one["value"]) for one in report.run(current, reference).dict()["metrics"]]
    chosen = PARAMS.model_copy(update={"numeric_method": numeric, "categorical_method": categorical})
    found = by_name(measure(frames[0], frames[1], ("place",), chosen))
    assert {name: found[name]["distance"] for name in methods} == pytest.approx(
        dict(zip(methods, values, strict=True)), rel=1e-9
    )


@pytest.mark.parametrize(
    ("importance", "share"),
    [
        ({"age": 3.0, "size": 1.0}, 0.75),
        ({"age": 0.0, "size": 1.0}, 0.0),
        ({"age": 1.0, "speed": 1.0, "size": 2.0, "unknown": 9.0}, 0.25),
        ({"empty": 1.0, "age": 1.0}, 1.0),
        ({"empty": 1.0}, None),
        ({}, None),
    ],
)
def test_drift_counts_by_the_importance_of_the_columns_that_drifted(
    importance: dict[str, float], share: float | None
) -> None:
    """Only age has moved; a column without importance, without values or without a place in the data counts nothing."""
    moved = columns(2).assign(age=lambda frame: frame["age"] + 3, empty=np.nan)
    found = weigh(columns(1).assign(empty=1.0), moved, ("place",), importance, PARAMS)
    assert found["weighted_share"] == share


def test_a_column_without_importance_is_not_even_compared() -> None:
    """Comparing costs seconds; what weighs nothing, or less, is left out."""
    importance = {"age": 1.0, "size": 0.0, "speed": -1.0}
    found = weigh(columns(1), columns(2), ("place",), importance, PARAMS)
    assert 1 == found["columns"]
