"""Slices that nobody declared: a planted one is found and confirmed, and chance alone is not."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from flywheel.evaluation.slices import cut, find_slices
from flywheel.stages.evaluate import EvaluateParams
from tests.planted import settings

EVALUATE = settings(EvaluateParams, evaluate={"bootstrap": {"samples": 200, "check_block_days": 3}}).evaluate
INPUTS = ["age", "origin", "size"]


def world(seed: int, harm: float, n: int = 8000, n_days: int = 56) -> tuple[pd.DataFrame, dict[str, np.ndarray]]:
    """Rows of eight weeks; the candidate differs from the champion by noise, and by harm in small rows from JFK."""
    rng = np.random.default_rng(seed)
    table = pd.DataFrame(
        {
            "served_at": pd.Timestamp("2030-01-01", tz="UTC") + pd.to_timedelta(rng.integers(0, n_days, n), unit="D"),
            "origin": pd.Series(rng.choice(["EWR", "JFK", "LGA"], n), dtype="str"),
            "size": rng.normal(50, 10, n),
            "age": np.where(rng.random(n) < 0.1, np.nan, rng.integers(0, 4, n)),
        }
    )
    logit = rng.normal(-0.5, 1, n)
    is_harmed = ((table["origin"] == "JFK") & (table["size"] < 43)).to_numpy()
    logits = {name: logit + rng.normal(0, 0.3, n) for name in ("candidate", "champion")}
    logits["candidate"] = logits["candidate"] + np.where(is_harmed, harm * rng.normal(0, 1, n), 0)
    table["label"] = (rng.random(n) < 1 / (1 + np.exp(-logit))).astype("int64")
    return table, {name: np.round(1 / (1 + np.exp(-one)), 4) for name, one in logits.items()}


def found(table: pd.DataFrame, scores: Any, **changes: Any) -> dict[str, Any]:
    params = EVALUATE.model_copy(update={"slices": EVALUATE.slices.model_copy(update=changes)})
    return find_slices(table, INPUTS, scores, params)


def test_a_planted_slice_of_two_features_is_found_and_confirmed() -> None:
    """8 % of the rows: small ones from one airport; the edge is that of the first of four bins, by its quantile."""
    table, scores = world(seed=1, harm=1.5)
    first = found(table, scores)["slices"][0]
    edge = np.quantile(table["size"], 0.25)
    assert (f"origin = JFK and size below {edge:g}", True) == (first["slice"], first["is_confirmed"])


def test_what_is_measured_is_measured_on_the_days_where_nothing_was_looked_for() -> None:
    """Rows, losses and their difference of the planted slice, by hand; blocks of three days, every other one."""
    table, scores = world(seed=1, harm=1.5)
    said = found(table, scores)
    day = (table["served_at"] - table["served_at"].min()).dt.days
    is_between = ((day // 3) % 2 == 1).to_numpy()
    assert (3, {"looked": (~is_between).sum(), "tested": is_between.sum()}) == (said["block_days"], said["rows"])
    mine = is_between & ((table["origin"] == "JFK") & (table["size"] < np.quantile(table["size"], 0.25))).to_numpy()
    happened = table["label"][mine].to_numpy() == 1
    loss = {name: -np.log(np.where(happened, one[mine], 1 - one[mine])).mean() for name, one in scores.items()}
    first = said["slices"][0]
    assert (mine.sum(), happened.sum()) == (first["rows"], first["positives"])
    expected = (loss["candidate"], loss["champion"], loss["candidate"] - loss["champion"])
    assert pytest.approx(expected) == (first["candidate"], first["reference"], first["difference"]["value"])


def test_what_only_chance_has_found_is_not_confirmed() -> None:
    """Twenty worlds without harm, ten slices in each that looked worst on half of the days: hardly any is confirmed.

    Without other days to test on nearly every world has one; at 5 % more than three of twenty are luck in one case of sixty.
    """
    confirmed = [any(one["is_confirmed"] for one in found(*world(seed, harm=0.0))["slices"]) for seed in range(20)]
    assert sum(confirmed) <= 3
    assert len(found(*world(0, harm=0.0))["slices"]) == EVALUATE.slices.tested  # there was something to confirm


def test_the_order_of_the_rows_is_of_no_importance() -> None:
    """The same rows, shuffled."""
    table, scores = world(seed=1, harm=1.5)
    order = np.random.default_rng(5).permutation(len(table))
    one = found(table, scores)
    other = found(table.iloc[order].reset_index(drop=True), {name: score[order] for name, score in scores.items()})
    assert [each["slice"] for each in one["slices"]] == [each["slice"] for each in other["slices"]]
    values = [[each["difference"]["value"] for each in said["slices"]] for said in (one, other)]
    assert pytest.approx(values[0]) == values[1]


def test_a_slice_needs_enough_rows() -> None:
    """The planted one has 8 % of them: with 20 % needed it is not found, and every slice that is found has as many."""
    table, scores = world(seed=1, harm=1.5)
    said = found(table, scores, min_share=0.2)
    assert said["slices"]
    assert all(one["rows"] >= 0.2 * said["rows"]["tested"] and " and " not in one["slice"] for one in said["slices"])


def test_a_slice_that_the_other_days_lack_is_not_found() -> None:
    """An airport with flights only on the days where slices are looked for: there is nothing to test it on."""
    table, scores = world(seed=1, harm=0.0)
    day = (table["served_at"] - table["served_at"].min()).dt.days
    is_new = ((table["origin"] == "JFK") & ((day // 3) % 2 == 0)).to_numpy()
    table["origin"] = table["origin"].where(~is_new, "NEW")
    said = found(table, scores | {"candidate": np.where(is_new, 0.5, scores["candidate"])})
    assert (True, False) == (len(said["slices"]) > 0, "NEW" in str(said))


def test_of_slices_with_nearly_the_same_rows_one_is_tested() -> None:
    """A copy of a feature finds nothing twice."""
    table, scores = world(seed=1, harm=1.5)
    twice = find_slices(table.assign(zise=table["size"]), [*INPUTS, "zise"], scores, EVALUATE)["slices"]
    both = [one["slice"] for one in twice if one["slice"].startswith("origin = JFK and")]
    assert ["origin = JFK and size below"] == [" ".join(one.split(" ")[:-1]) for one in both]


def test_too_few_days_to_look_and_to_test_find_nothing() -> None:
    """Four blocks of three days are needed."""
    assert [] == found(*world(seed=1, harm=1.5, n_days=11))["slices"]
    assert [] != found(*world(seed=1, harm=1.5, n_days=12))["slices"]


def test_a_number_is_cut_at_its_quantiles_and_a_missing_one_is_a_part_of_its_own() -> None:
    """An edge belongs to the part above it."""
    parts = cut(pd.Series([0.0, 1.0, 2.0, 3.0, 4.0, np.nan], name="age"), EVALUATE.slices)
    assert ["age below 1", "age from 1 to 2", "age from 2 to 3", "age from 3", "age missing"] == parts.names
    assert [0, 1, 2, 3, 3, 4] == parts.code.tolist()


@pytest.mark.parametrize(
    ("values", "names"),
    [
        ([5.0, 5.0, 5.0], ["age any", "age missing"]),
        ([np.nan, np.nan], ["age any", "age missing"]),
        ([0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 9.0], ["age any", "age missing"]),
    ],
)
def test_a_number_that_hardly_varies_has_few_parts(values: list[float], names: list[str]) -> None:
    """A constant, nothing at all, and one where all quantiles are the smallest value."""
    parts = cut(pd.Series(values, name="age"), EVALUATE.slices)
    assert names == parts.names
    assert set(parts.code) <= set(range(len(names)))


def test_rare_categories_are_one_part_and_missing_ones_another() -> None:
    """With two that stand for themselves, of equally frequent ones by name."""
    few = EVALUATE.slices.model_copy(update={"categories": 2})
    parts = cut(pd.Series(["b", "a", "a", "c", None, "b", "c", "d"], name="place", dtype="str"), few)
    assert ["place = a", "place = b", "place other", "place missing"] == parts.names
    assert [1, 0, 0, 2, 3, 1, 2, 2] == parts.code.tolist()
