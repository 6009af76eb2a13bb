"""Annotators: what is planted in small tables is found, and what is chance is not."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flywheel import shapes
from flywheel.labels.alpha import agreement, alpha
from flywheel.labels.annotators import LISTED, describe_annotators
from flywheel.labels.claims import read
from flywheel.labels.conclude import conclude
from flywheel.labels.evidence import Annotators
from flywheel.labels.settings import Label, LabelAccuracy, Quarantine
from flywheel.labels.shares import difference, wilson
from flywheel.labels.unsure import LEAST, coins, share_right

START = pd.Timestamp("2030-05-01", tz="UTC")
DAYS = 60
OFF = Quarantine(rest_days=1, one_answer=None, fast=None, regular=None, shared_errors=None, lockstep=None)
PARAMS = Label(
    min_confidence=0.75,
    min_votes=1,
    accuracy=LabelAccuracy(outcome=0.99, report=0.8, annotation=0.9),
    prior_by=("place",),
    prior_weight=20,
    revisit_days=(),
    max_iterations=50,
    quarantine=OFF,
)
PLACES = ("north", "south", "west")

Event = tuple[float, str, str, str | None, int]  # days since START, prediction, channel, source, value


def table(rows: Sequence[Event]) -> pd.DataFrame:
    """Events as the table of feedback."""
    said = pd.DataFrame(rows, columns=["days", "prediction_id", "channel", "source_id", "value"])
    moments = START + pd.to_timedelta(said["days"].astype("float64"), unit="D")
    return pd.DataFrame(
        {
            "feedback_id": pd.Series([f"f{n:05}" for n in range(len(rows))], dtype="str"),
            "prediction_id": said["prediction_id"].astype("str"),
            "received_at": moments.astype("datetime64[us, UTC]"),
            "channel": said["channel"].astype("str"),
            "source_id": pd.Series(list(said["source_id"]), dtype="str"),
            "value": said["value"].astype("float64"),
        }
    )


def described(rows: Sequence[Event], out: Sequence[str] = (), params: Label = PARAMS) -> Annotators:
    """What is found after DAYS days. Predictions are served at START, at a place that their last digit names; the claims of
    the sources in `out` are quarantined from the beginning.
    """
    feedback = table(rows)
    names = sorted({row[1] for row in rows})
    predictions = pd.DataFrame(
        {
            "prediction_id": pd.Series(names, dtype="str"),
            "served_at": pd.Series([START] * len(names), dtype="datetime64[us, UTC]"),
            "in_place": pd.Series([PLACES[int(name[-1]) % len(PLACES)] for name in names], dtype="str"),
        }
    )
    gone = feedback["source_id"].isin(list(out))
    since = pd.Series(START, feedback.index).where(gone).astype("datetime64[us, UTC]")
    end = (START + pd.Timedelta(days=DAYS)).date()
    return describe_annotators(conclude(feedback, predictions, params, end, since), predictions, params, end)


def checked(
    source: str, ones: tuple[int, int], zeros: tuple[int, int], day: float = 5.0, name: str = "p"
) -> list[Event]:
    """Annotations of predictions that have an outcome: how many are right, of how many, of what is 1 and of what is 0."""
    rows: list[Event] = []
    for truth, (right, n) in ((1, ones), (0, zeros)):
        for at in range(n):
            about = f"{source}-{name}{truth}{at:03}"
            rows.append((day, about, "annotation", source, truth if at < right else 1 - truth))
            rows.append((day + 1, about, "outcome", "feed", truth))
    return rows


def only(found: Annotators) -> Any:
    [one] = found["busiest"]
    return one


def test_against_outcomes_both_shares_are_plain_counts_with_wilsons_interval() -> None:
    """36 of 40 that were 1, 45 of 50 that were 0."""
    found = only(described(checked("ann", (36, 40), (45, 50))))
    assert (90, 90, 90) == (found["annotations"], found["known"], found["with_outcome"])
    assert pytest.approx(wilson(36, 40, 0.95)) == found["sensitivity"]
    assert pytest.approx(wilson(45, 50, 0.95)) == found["specificity"]


@pytest.mark.parametrize(("n", "said"), [(LEAST - 1, False), (LEAST, True)])
def test_from_too_few_nothing_is_said(n: int, said: bool) -> None:
    """The limit is the same for both; each stands for itself."""
    found = only(described(checked("ann", (n, n), (40, 40))))
    assert (said, True) == (found["sensitivity"] is not None, found["specificity"] is not None)


def test_predictions_of_one_kind_say_nothing_of_the_other() -> None:
    """All were 1: how he does on 0 is not known."""
    found = only(described(checked("ann", (27, 30), (0, 0))))
    assert pytest.approx(wilson(27, 30, 0.95)) == found["sensitivity"]
    assert found["specificity"] is None


def test_nobody_confirms_himself() -> None:
    """What only he spoke about is not known otherwise, not even where he reports the same as a user."""
    alone: list[Event] = [(1.0, f"p{n:03}", "annotation", "ann", n % 2) for n in range(60)]
    as_user: list[Event] = [(2.0, f"p{n:03}", "report", "ann", n % 2) for n in range(60)]
    for rows in (alone, alone + as_user):
        found = only(described(rows))
        assert (60, 0, None, None) == tuple(
            found[name] for name in ("annotations", "known", "sensitivity", "specificity")
        )


def test_who_is_believed_more_than_others_does_not_confirm_himself() -> None:
    """Ann was always right where outcomes tell. Where none does, Bob contradicts her, whose word counts for less than hers: it
    is held against her all the same.
    """
    record = [*checked("ann", (100, 100), (100, 100), 1.0), *checked("bob", (90, 100), (90, 100), 1.0)]
    shared: list[Event] = []
    for n in range(80):
        shared += [(9.0, f"q{n:03}", "annotation", "bob", n % 2), (9.0, f"q{n:03}", "annotation", "ann", 1 - n % 2)]
    found = {one["source"]: one for one in described(record + shared)["busiest"]}
    for coin in ("sensitivity", "specificity"):
        assert found["ann"][coin]["value"] < 0.85


def test_voices_are_never_surer_than_an_outcome() -> None:
    """Six whom outcomes confirm agree about 200 predictions; Ann contradicts two in a hundred, of which one is their error."""
    rows = [row for n in range(6) for row in checked(f"bob{n}", (100, 100), (100, 100), 1.0)]
    for at in range(200):
        rows += [(9.0, f"q{at:03}", "annotation", f"bob{n}", at % 2) for n in range(6)]
        rows.append((9.0, f"q{at:03}", "annotation", "ann", at % 2 if at >= 4 else 1 - at % 2))
    found = {one["source"]: one for one in described(rows)["busiest"]}["ann"]
    for coin in ("sensitivity", "specificity"):
        assert found[coin]["value"] == pytest.approx(0.99, abs=0.003)


def test_the_word_of_another_does_not_lean_on_his() -> None:
    """Ann says 1 of everything; Bob is always right. What Bob is held against is Ann and not himself, and the reverse."""
    record = [*checked("bob", (100, 100), (100, 100), 1.0), *checked("ann", (50, 100), (50, 100), 1.0)]
    shared: list[Event] = []
    for n in range(80):
        shared += [(9.0, f"q{n:03}", "annotation", "bob", n % 2), (9.0, f"q{n:03}", "annotation", "ann", 1)]
    found = {one["source"]: one for one in described(record + shared)["busiest"]}
    assert (280, 200) == (found["ann"]["known"], found["ann"]["with_outcome"])
    assert found["ann"]["sensitivity"]["value"] == pytest.approx((50 + 40) / 140, abs=0.02)  # by Bob, who is sure
    assert found["bob"]["sensitivity"]["value"] > 0.99  # Ann's word weighs nothing against him


def voices(rng: np.random.Generator, n: int, right: float, true: tuple[float, float]) -> tuple[np.ndarray, np.ndarray]:
    """How likely others say 1 is, and what an annotator says who is right so often of what is 1 and of what is 0."""
    truth = rng.random(n) < 0.4
    others = np.where(rng.random(n) < right, truth, ~truth)
    odds = 0.4 / 0.6 * np.where(others, right / (1 - right), (1 - right) / right)
    says = np.where(truth, rng.random(n) < true[0], rng.random(n) >= true[1])
    return odds / (1 + odds), says.astype("int64")


def test_the_errors_of_others_are_not_taken_for_his() -> None:
    """Others are right in 85 of 100 cases, he in 97 and 92: the intervals have the truth in nineteen of twenty samples."""
    rng = np.random.default_rng(5)
    found = [coins(*voices(rng, 1500, 0.85, (0.97, 0.92)), 0.93) for _ in range(200)]
    for at, true in ((0, 0.97), (1, 0.92)):
        values = [one[at] for one in found]
        assert np.mean([one["value"] for one in values if one]) == pytest.approx(true, abs=0.01)
        assert np.mean([one is not None and (one["low"] or 0) <= true <= (one["high"] or 0) for one in values]) >= 0.92


def test_what_nobody_is_sure_of_tells_nothing() -> None:
    """A thousand predictions, of each of which 1 is as likely as of the others."""
    assert (None, None) == coins(np.full(1000, 0.7), np.arange(1000) % 2, 0.9)
    found = share_right(np.ones(1000), np.full(1000, 0.5), np.zeros(1000, int), 1, 0.9)
    assert (0, False) == (found.size[0], found.enough[0])


def test_doubt_makes_a_share_less_certain_and_not_smaller() -> None:
    """He agrees as often as who is always right would, with others who are right in eight of ten cases."""
    agrees = np.repeat([1.0, 0.0], [800, 200])
    group = np.zeros(1000, int)
    unsure, certain = (share_right(agrees, np.full(1000, sure), group, 1, 0.9) for sure in (0.8, 1.0))
    assert (pytest.approx(1), pytest.approx(0.8)) == (unsure.value[0], certain.value[0])
    assert pytest.approx(wilson(800, 1000, 0.9)) == certain.estimate(0, 0.9)
    assert certain.size[0] == pytest.approx(1000)
    assert unsure.size[0] < 300


def test_who_gets_worse_is_found_and_who_does_not_is_left_alone() -> None:
    """Ann is right in 95 of 100 cases and then in 70; Bob always in 90; Cid has nothing lately."""
    recent = DAYS - 10.0
    rows = [
        *checked("ann", (95, 100), (95, 100)),
        *checked("ann", (35, 50), (35, 50), recent, "r"),
        *checked("bob", (90, 100), (90, 100)),
        *checked("bob", (44, 50), (45, 50), recent, "r"),
        *checked("cid", (20, 30), (30, 30)),
    ]
    found = {one["source"]: one for one in described(rows)["busiest"]}
    assert {"ann": "worse", "bob": "not shown", "cid": "too few"} == {name: one["trend"] for name, one in found.items()}
    assert (100, 0) == (found["ann"]["recent_known"], found["cid"]["recent_known"])
    assert found["ann"]["change"]["value"] == pytest.approx(-0.25)
    assert found["cid"]["change"] is None


def test_a_change_that_is_not_there_is_seldom_shown() -> None:
    """He is as often right as before, while others are surer of the past than of the last days."""
    rng = np.random.default_rng(7)
    shown = 0
    for _ in range(400):
        sure = np.repeat([0.95, 0.8], [300, 100])
        agrees = rng.random(400) < 0.9 * sure + 0.1 * (1 - sure)
        found = share_right(agrees.astype("float64"), sure, np.repeat([0, 1], [300, 100]), 2, 0.93)
        change = difference(found.estimate(1, 0.95), found.estimate(0, 0.95))
        shown += (change["low"] or 0) > 0 or (change["high"] or 0) < 0
    assert shown / 400 <= 0.07


def test_who_gets_better_is_told_too() -> None:
    rows = [*checked("ann", (70, 100), (70, 100)), *checked("ann", (50, 50), (50, 50), DAYS - 10.0, "r")]
    assert "better" == only(described(rows))["trend"]


def test_a_change_needs_more_where_more_are_compared() -> None:
    """What is shown for one alone is not shown for one of twenty."""
    ann = [*checked("ann", (90, 100), (0, 0)), *checked("ann", (30, 40), (0, 0), DAYS - 10.0, "r")]
    rest = [
        row
        for n in range(19)
        for row in [
            *checked(f"other{n:02}", (45, 50), (0, 0)),
            *checked(f"other{n:02}", (27, 30), (0, 0), DAYS - 10.0, "r"),
        ]
    ]
    assert "worse" == only(described(ann))["trend"]
    assert {"not shown"} == {one["trend"] for one in described(ann + rest)["busiest"]}


def placed(source: str, right: Sequence[int], n: int) -> list[Event]:
    """Annotations at each of the places: how many are right, of n."""
    rows: list[Event] = []
    for place in range(len(PLACES)):
        for at in range(n):
            about, truth = f"{source}-{at:03}{place}", at % 2
            rows.append((3.0, about, "annotation", source, truth if at < right[place] else 1 - truth))
            rows.append((4.0, about, "outcome", "feed", truth))
    return rows


def test_a_hotspot_is_found_and_chance_is_not() -> None:
    """Ann errs in the south, Bob nowhere more than elsewhere: three places of two annotators are compared."""
    found = described([*placed("ann", (57, 39, 57), 60), *placed("bob", (54, 52, 55), 60)])["hotspots"]
    assert (6, 1) == (found["compared"], found["shown"])
    [one] = found["worst"]
    assert ("ann", "place", "south", 60) == (one["source"], one["column"], one["value"], one["known"])
    assert (pytest.approx(0.65), pytest.approx(0.95)) == (one["right"], one["right_elsewhere"])
    assert one["difference"]["value"] == pytest.approx(-0.3)


def test_a_hotspot_needs_more_where_more_are_compared() -> None:
    """What is shown for one alone is not shown beside nine others."""
    ann = placed("ann", (54, 44, 54), 60)
    rest = [row for n in range(9) for row in placed(f"other{n}", (54, 54, 54), 60)]
    alone, among = described(ann)["hotspots"], described(ann + rest)["hotspots"]
    assert ((3, 1), (30, 0)) == ((alone["compared"], alone["shown"]), (among["compared"], among["shown"]))


def test_a_place_with_too_little_is_not_compared() -> None:
    assert 0 == described(placed("ann", (0, LEAST - 1, LEAST - 1), LEAST - 1))["hotspots"]["compared"]


def test_without_cohorts_nothing_is_compared() -> None:
    params = PARAMS.model_copy(update={"prior_by": ()})
    assert {"compared": 0, "shown": 0, "worst": []} == described(placed("ann", (0, 60, 60), 60), (), params)["hotspots"]


def counted(*observers: str) -> np.ndarray:
    """How often each value was given to each unit; a dot: this observer did not see it."""
    values = sorted({value for one in observers for value in one} - {"."})
    return np.array([[unit.count(value) for value in values] for unit in zip(*observers, strict=True)])


def each(patterns: np.ndarray) -> float:
    return float(alpha(patterns, np.ones((1, len(patterns)), int))[0])


def test_alpha_is_that_of_the_paper() -> None:
    """Krippendorff (2011): two observers and two values, 0.095; four observers, five values and missing ones, 0.743."""
    assert each(counted("0100000010", "1110010000")) == pytest.approx(0.095, abs=5e-4)
    four = counted("123321412...", "1233224125.3", ".3332342251.", "12332441251.")
    assert each(four) == pytest.approx(0.743, abs=5e-4)


def test_alpha_by_hand() -> None:
    """Units 11, 11, 10, 00: eight values, five of them 1. Observed 2 of different ones; expected 2 * 5 * 3 / 7."""
    assert each(np.array([[0, 2], [0, 2], [1, 1], [2, 0]])) == pytest.approx(1 - 2 / (30 / 7))


def test_perfect_agreement_is_one_and_contradiction_is_below_zero() -> None:
    assert each(np.array([[0, 3], [3, 0], [0, 2]])) == 1
    assert each(np.array([[1, 1]] * 10)) < 0


def test_chance_agreement_is_about_zero() -> None:
    """Three who throw coins."""
    ones = np.random.default_rng(1).binomial(3, 0.3, 20_000)
    assert each(np.stack([3 - ones, ones], axis=1)) == pytest.approx(0, abs=0.02)


def test_there_is_no_alpha_where_all_say_the_same() -> None:
    """Nothing to agree about is not perfect agreement."""
    assert np.isnan(each(np.array([[0, 2], [0, 3]])))


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=2, max_size=12), st.randoms())
def test_alpha_knows_no_order_no_names_and_no_lone_values(units: list[tuple[int, int]], shuffle: Any) -> None:
    """Other order of units, values exchanged, and units that one observer saw; equal units counted or repeated."""
    patterns = np.array(units)
    expected = each(patterns)
    other = list(units)
    shuffle.shuffle(other)
    lone = np.array([*other, (0, 1), (1, 0)])
    same, times = np.unique(patterns, axis=0, return_counts=True)
    for found in (each(lone), each(lone[:, ::-1]), float(alpha(same, times[np.newaxis])[0])):
        assert found == pytest.approx(expected, nan_ok=True)


def together(n: int, seed: int, right: float = 0.9) -> list[Event]:
    """Predictions that three annotators look at."""
    rng = np.random.default_rng(seed)
    return [
        (1.0, f"p{at:03}", "annotation", source, int(at % 3 == 0) ^ int(rng.random() > right))
        for at in range(n)
        for source in ("ann", "bob", "cid")
    ]


def test_alpha_of_the_report_has_an_interval_that_holds() -> None:
    """Over samples of a hundred predictions it has the value of many in about nineteen of twenty."""
    ones = np.random.default_rng(2).binomial(3, np.where(np.arange(300_000) % 3 == 0, 0.9, 0.1))
    true = each(np.stack([3 - ones, ones], axis=1))
    inside = []
    for seed in range(60):
        found = agreement(read(table(together(100, seed))), np.arange(300))["alpha"]
        assert found
        inside.append((found["low"] or 0) <= true <= (found["high"] or 0))
    assert np.mean(inside) >= 0.88


def test_too_few_shared_predictions_have_no_alpha() -> None:
    assert {"predictions": LEAST - 1, "alpha": None} == described(together(LEAST - 1, 0))["agreement"]
    assert described(together(LEAST, 0))["agreement"]["alpha"]


def test_claims_in_quarantine_count_nowhere() -> None:
    """Neither as annotations nor as what others say of them."""
    rows = together(60, 0)
    without = [row for row in rows if row[3] != "bob"]
    assert described(without) == described(rows, out=["bob"])


def test_only_the_newest_word_of_an_annotator_stands() -> None:
    """He corrects all his errors later."""
    wrong = checked("ann", (0, 30), (0, 30))
    right = [row for row in checked("ann", (30, 30), (30, 30), 9.0) if row[2] == "annotation"]
    found = only(described(wrong + right))
    assert (60, pytest.approx(1), 9) == (found["annotations"], found["sensitivity"]["value"], found["median_days"])


def test_the_days_to_label_are_from_serving_to_his_word() -> None:
    """Ten words after one to ten days: the middle is 5.5, and nine in ten came within 9.1."""
    rows: list[Event] = [(float(n), f"p{n}", "annotation", "ann", 1) for n in range(1, 11)]
    found = only(described(rows))
    assert (pytest.approx(5.5), pytest.approx(9.1)) == (found["median_days"], found["p90_days"])


def test_the_busiest_are_listed_and_the_rest_is_counted() -> None:
    """Of 23, each with one annotation more than the one before, three are left out: 1 + 2 + 3 annotations."""
    rows: list[Event] = [
        (1.0, f"p{at}", "annotation", f"a{who:02}", 1) for who in range(1, LISTED + 4) for at in range(who)
    ]
    found = described(rows)
    assert (LISTED + 3, 3, 6) == (found["annotators"], found["others"], found["others_annotations"])
    assert [f"a{who:02}" for who in range(LISTED + 3, 3, -1)] == [one["source"] for one in found["busiest"]]


def test_who_is_not_named_is_counted_and_not_judged() -> None:
    """And speaks as another voice."""
    rows: list[Event] = [(1.0, f"p{n:03}", "annotation", None, 1) for n in range(5)]
    rows += [(1.0, f"p{n:03}", "annotation", "ann", 1) for n in range(3)]
    found = described(rows)
    assert (8, 5, 1) == (found["annotations"], found["unnamed"], found["annotators"])
    assert 3 == only(found)["known"]


@pytest.mark.parametrize("rows", [[], [(1.0, "p1", "report", "u", 1), (2.0, "p1", "outcome", "feed", 1)]])
def test_without_annotators_the_part_says_zero(rows: list[Event]) -> None:
    found = described(rows)
    assert (0, 0, [], 0) == (
        found["annotators"],
        found["annotations"],
        found["busiest"],
        found["agreement"]["predictions"],
    )
    shapes.check(found, Annotators, "annotators")


@settings(max_examples=5, deadline=None)
@given(st.randoms(), st.integers(0, 1000))
def test_neither_order_nor_repetition_of_claims_changes_anything(shuffle: Any, seed: int) -> None:
    """The same words in another order, and each said twice at the same moment."""
    rows = [*together(40, seed), *checked("ann", (25, 30), (28, 30)), (1.0, "p001", "report", "u", 1)]
    expected = described(rows)
    shapes.check(expected, Annotators, "annotators")
    other = [*rows, *rows]
    shuffle.shuffle(other)
    again = described(other)
    assert repr(rounded(expected)) == repr(rounded(again))


def rounded(value: Any) -> Any:
    """Floats to nine digits: a sum in another order has other last bits."""
    if isinstance(value, dict):
        return {key: rounded(one) for key, one in value.items()}
    if isinstance(value, list):
        return [rounded(one) for one in value]
    return round(value, 9) if isinstance(value, float) else value
