"""Does the answer leak? Planted leaks of each kind are found, and strong honest inputs are left alone."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from flywheel.errors import ConfigError
from flywheel.evaluation.evidence import Probed, suspicions
from flywheel.evaluation.leaks import Column, Split, alone, class_edges, first_later_day, moments, number_bins, probe
from flywheel.evaluation.settings import Leaks
from flywheel.shapes import check
from tests.planted import at

PARAMS = Leaks(max_auc=0.98, max_candidate_auc=0.99, accepted={})
DAYS, A_DAY = 20, 100
N = DAYS * A_DAY


def rng(seed: int = 1) -> np.random.Generator:
    return np.random.default_rng(seed)


def labels(share: float = 0.3, n: int = N) -> np.ndarray:
    """Labels of which this share is positive, whatever the day."""
    return (rng().random(n) < share).astype("int64")


def served(n: int = N, a_day: int = A_DAY) -> pd.Series:
    """Moments of so many predictions a day, at any whole minute of it."""
    days = pd.Series([at(f"{1 + place // a_day:02}") for place in range(n)])
    return days + pd.to_timedelta(rng(2).integers(0, 1440, n), unit="min")


def found(label: np.ndarray, served_at: pd.Series | None = None, **inputs: Any) -> Probed:
    """What the probe says of these inputs, in the shape in which it is read."""
    table = pd.DataFrame(inputs)
    moments = served(len(label)) if served_at is None else served_at
    said: Probed = check(probe(table, moments, label, PARAMS), Probed, "leaks.json")
    return said


LABEL = labels()


def flipped(label: np.ndarray, share: float) -> np.ndarray:
    return np.where(rng(3).random(len(label)) < share, 1 - label, label)


def gone(label: np.ndarray, n: int) -> np.ndarray:
    """Decent numbers, of which `n` are missing, all where the label is 1."""
    values = rng(4).normal(size=len(label))
    values[rng(5).choice(np.flatnonzero(label == 1), n, replace=False)] = np.nan
    return values


def words(values: np.ndarray) -> pd.Series:
    """One of two words where there is a number, and none where there is none."""
    return pd.Series(np.where(values < 0, "low", "high"), dtype="str").mask(np.isnan(values))


TOO_GOOD = {
    "the label itself": LABEL,
    "the label as decimals": LABEL.astype("float64"),
    "the label as a boolean": LABEL == 1,
    "the label as text": np.where(LABEL == 1, "late", "on time"),
    "a text for each of many places": pd.Series(LABEL).map({0: "a", 1: "b"}) + [f"{n % 40}" for n in range(N)],
    "its opposite": 1 - LABEL,
    "with one in a hundred flipped": flipped(LABEL, 0.01),
    "with some noise": LABEL + rng(6).normal(0, 0.1, N),
    "far out on both sides": np.where(LABEL == 1, rng(6).choice([-1, 1], N) * 9.0, rng(7).normal(size=N)),
    "a value that is written at the outcome": np.where(LABEL == 1, rng(6).exponential(30, N), np.nan),
    "a text that is written at the outcome": pd.Series(np.where(LABEL == 1, "delivered", None)),
}


@pytest.mark.parametrize("name", TOO_GOOD)
def test_an_input_that_knows_the_answer_is_named_with_its_auc(name: str) -> None:
    """Whatever it is written as: an AUC above 0.98, on days that it was not learned from."""
    said = found(LABEL, leak=TOO_GOOD[name], honest=rng(8).normal(size=N))
    assert said["inputs"]["leak"]["auc"] > 0.98
    assert ["leak"] == list(suspicions(said))
    assert (
        f"leak alone has an AUC of {said['inputs']['leak']['auc']:.4f} (0.98 is the limit)" in suspicions(said)["leak"]
    )


@pytest.mark.parametrize("share", [0.02, 0.98])
@pytest.mark.parametrize("noise", [0.0, 0.1])
def test_a_leak_is_found_where_one_class_is_rare(share: float, noise: float) -> None:
    """One in fifty: the bins of a number follow the rarer class too, so its few rows are not mixed with others."""
    label = labels(share, 5 * N)
    moments = served(5 * N, 5 * A_DAY)
    said = found(label, moments, leak=label + rng(6).normal(0, noise, len(label)), flip=flipped(label, 0.01))
    assert {"leak", "flip"} == set(suspicions(said))


def test_a_leak_is_found_among_few_rows() -> None:
    """Thirty rows of each class to learn from, none of them with a number that comes again."""
    label = labels(0.5, 120)
    said = found(label, served(120, 6), leak=label + rng(6).normal(0, 0.1, 120), honest=rng(8).normal(size=120))
    assert ["leak"] == list(suspicions(said))


def test_what_lies_beyond_all_that_was_seen_counts_as_the_nearest() -> None:
    """It grows by the day, the later half beyond the earlier one; large is still late."""
    growing = np.repeat(np.arange(DAYS), A_DAY) / DAYS
    said = found(LABEL, leak=np.where(LABEL == 1, 10 + growing, -10 - growing))
    assert 1.0 == said["inputs"]["leak"]["auc"]


def test_a_number_can_go_to_and_fro() -> None:
    """In every other of six bands it happened: no single border parts the classes."""
    band = 2 * rng(6).integers(0, 3, N) + LABEL
    assert found(LABEL, leak=band + rng(7).random(N))["inputs"]["leak"]["auc"] > 0.95


@pytest.mark.parametrize(
    ("higher", "lower", "why"),
    [
        ((20, 1.0), (500, 0.6), "a rate counts, not how many rows have it"),
        ((500, 0.6), (1, 1.0), "one row is hardly a rate"),
    ],
)
def test_values_are_ranked_by_their_rate_on_the_earlier_rows(
    higher: tuple[int, float], lower: tuple[int, float], why: str
) -> None:
    """All later rows have one of two values, and it happened where it is the one with the higher rate.

    The later rows do not count for the rates: there are many more of the higher value.
    """
    parts = [("other", 1000, 0.1), ("higher", *higher), ("lower", *lower)]
    earlier = [(name, int(place < round(rate * n))) for name, n, rate in parts for place in range(n)]
    later = [("higher", 1)] * 1500 + [("lower", 0)] * 50
    text, label = zip(*(earlier + later), strict=True)
    day = pd.Series([at("01T12")] * len(earlier) + [at("02T12")] * len(later))
    assert 1.0 == found(np.array(label), day, text=list(text))["inputs"]["text"]["auc"], why


def test_a_value_that_many_rows_share_is_not_mixed_with_its_neighbours() -> None:
    """Zero for every negative, a tiny positive number or a negative one for the others; more values than bins."""
    leak = np.where(LABEL == 1, rng(6).normal(0, 1e-6, N), 0.0)
    assert found(LABEL, leak=leak)["inputs"]["leak"]["auc"] == 1.0


def previous_outcome(n: int, stays: float, seed: int = 9) -> tuple[np.ndarray, np.ndarray]:
    """Outcomes that stay what they were with this chance, each with the one before it."""
    changes = rng(seed).random(n + 1) > stays
    outcomes = (np.cumsum(changes) % 2).astype("int64")
    return outcomes[1:], outcomes[:-1]


def test_a_strong_honest_input_is_not_suspicious() -> None:
    """The outcome of the previous period, where nine in ten stay as they were, with an AUC of 0.9."""
    label, before = previous_outcome(N, 0.9)
    said = found(label, before=before, told=np.where(before == 1, "late", "on time"))
    assert said["inputs"]["before"]["auc"] == pytest.approx(0.9, abs=0.02)
    assert said["inputs"]["told"]["auc"] == said["inputs"]["before"]["auc"]
    assert {} == suspicions(said)


@pytest.mark.parametrize("seed", range(5))
def test_what_has_nothing_to_do_with_the_label_is_not_suspicious(seed: int) -> None:
    """Noise of every kind, whole, in words and with gaps: the AUC is about a half on days that it was not learned from."""
    chance = rng(100 + seed)
    noise = chance.normal(size=N)
    said = found(
        LABEL,
        number=noise,
        whole=chance.integers(0, 5, N),
        text=chance.choice(["north", "south", "west"], N),
        gaps=np.where(chance.random(N) < 0.4, np.nan, noise),
        rarely_there=np.where(chance.random(N) < 0.01, noise, np.nan),
        each_once=[f"order {n}" for n in range(N)],
    )
    assert {} == suspicions(said)
    assert [0.5] * 6 == [pytest.approx(one["auc"], abs=0.06) for one in said["inputs"].values()]


def test_an_id_is_not_learned_by_heart() -> None:
    """What was never seen on an earlier day has the base rate, so that an AUC is half."""
    said = found(LABEL, order=[f"order {n}" for n in range(N)])
    assert (0.5, None) == (said["inputs"]["order"]["auc"], said["inputs"]["order"]["one_class"])


@pytest.mark.parametrize(("are", "label"), [("missing", 1), ("missing", 0), ("present", 1), ("present", 0)])
def test_what_is_missing_in_one_class_only_is_named(are: str, label: int) -> None:
    """Thirty rows: too few for the AUC, and far too many for chance."""
    share = 0.3 if label == 1 else 0.7
    outcome = labels(share)
    values = gone(outcome if label == 1 else 1 - outcome, 30)
    if are == "present":
        values = np.where(np.isnan(values), 1.0, np.nan)
    said = found(outcome, leak=values, honest=rng(8).normal(size=N), word=words(values))
    assert {"are": are, "label": label, "rows": 30} == said["inputs"]["leak"]["one_class"]
    assert said["inputs"]["word"]["one_class"] == said["inputs"]["leak"]["one_class"]
    assert said["inputs"]["leak"]["auc"] < 0.6
    why = f"is {are} only where the label is {label} (30 rows)"
    assert {"leak": f"leak {why}", "word": f"word {why}"} == suspicions(said)


def test_of_two_sides_in_one_class_each_the_smaller_one_is_named() -> None:
    """Written only after the outcome: present where it happened, and missing where it did not, which is most."""
    said = found(LABEL, leak=np.where(LABEL == 1, 1.0, np.nan))
    assert {"are": "present", "label": 1, "rows": int(LABEL.sum())} == said["inputs"]["leak"]["one_class"]


def test_of_two_sides_of_one_size_the_missing_one_is_named() -> None:
    """Present wherever it happened, which is in half of the rows."""
    label = np.arange(N) % 2
    said = found(label, leak=np.where(label == 1, 1.0, np.nan))
    assert {"are": "missing", "label": 0, "rows": N // 2} == said["inputs"]["leak"]["one_class"]


@pytest.mark.parametrize(("n", "is_named"), [(1, False), (8, False), (11, False), (12, True), (30, True)])
def test_what_chance_would_do_is_not_named(n: int, is_named: bool) -> None:
    """Of rows that are positive with a chance of 0.3, eleven in a row are one in 900,000, and twelve one in 3 million."""
    assert is_named == (found(LABEL, leak=gone(LABEL, n))["inputs"]["leak"]["one_class"] is not None)


def test_a_gap_on_a_day_on_which_it_happened_to_all_is_not_named() -> None:
    """A storm breaks the station, and everything is late: the missing hundred rows say nothing that their day does not."""
    label = LABEL.copy()
    label[300:400] = 1
    values = rng(4).normal(size=N)
    values[300:400] = np.nan
    assert {} == suspicions(found(label, wind=values))


def test_one_row_of_the_other_class_is_enough_to_trust_a_gap() -> None:
    """It is missing where nothing happened as well."""
    values = gone(LABEL, 30)
    values[np.flatnonzero(LABEL == 0)[0]] = np.nan
    assert found(LABEL, leak=values)["inputs"]["leak"]["one_class"] is None


@pytest.mark.parametrize(
    ("offset", "part"),
    [
        (pd.Timedelta(hours=12), "time of day"),
        (pd.Timedelta(minutes=30), "second of the hour"),
        (pd.Timedelta(seconds=30), "second of the minute"),
    ],
)
def test_a_moment_that_is_written_at_the_outcome_gives_it_away(offset: pd.Timedelta, part: str) -> None:
    """In the other half of the day, the hour or the minute where it happened; its parts are measured, in this order."""
    day = served().dt.floor("D")
    unit = 2 * offset
    within = pd.to_timedelta(rng(6).integers(0, offset // pd.Timedelta("1us"), N), unit="us")
    whole = pd.to_timedelta(rng(7).integers(0, pd.Timedelta("1D") // unit, N), unit="us") * (
        unit // pd.Timedelta("1us")
    )
    moments = day + whole + within + pd.to_timedelta(LABEL * (offset // pd.Timedelta("1us")), unit="us")
    said = found(LABEL, moments, honest=rng(8).normal(size=N))
    assert (part, True) == (said["served_at"]["part"], said["served_at"]["auc"] > 0.98)
    assert ["served_at"] == list(suspicions(said))


def test_a_moment_with_parts_of_a_minute_only_where_it_happened_gives_it_away() -> None:
    """All others are on whole minutes; hour and minute know it, and the first is named."""
    moments = served() + pd.to_timedelta(LABEL * rng(6).integers(1, 60_000_000, N), unit="us")
    assert found(LABEL, moments, honest=LABEL * 0)["served_at"] == {"auc": 1.0, "part": "second of the hour"}


def test_the_date_is_no_leak() -> None:
    """On each day everything happens, or nothing: the day says it all, and no other day learns from that."""
    label = np.repeat(rng(6).permutation([0, 1] * (DAYS // 2)), A_DAY)
    said = found(label, honest=rng(8).normal(size=N))
    assert said["served_at"]["auc"] < 0.6


def test_it_is_measured_on_later_days_than_it_was_learned_from() -> None:
    """An input that knew the answer on the earlier days alone says nothing any more; one that knew its opposite errs."""
    half = np.arange(N) < N // 2
    said = found(LABEL, was=np.where(half, LABEL, rng(6).permutation(LABEL)), turned=np.where(half, LABEL, 1 - LABEL))
    assert {"earlier": N // 2, "later": N // 2} == said["rows"]
    assert "2030-01-11" == said["later_from"]
    assert (pytest.approx(0.5, abs=0.05), 0.0) == tuple(said["inputs"][name]["auc"] for name in ("was", "turned"))


@pytest.mark.parametrize(
    ("rows", "first"), [([5, 5, 5, 5], 2), ([1, 1, 8], 2), ([8, 1, 1], 1), ([7], 1), ([4, 5], 1), ([3, 3, 4], 2)]
)
def test_the_later_half_begins_with_a_day(rows: list[int], first: int) -> None:
    """As near to half of the rows as whole days allow; of one day none is later."""
    assert first == first_later_day(np.repeat(np.arange(len(rows)), rows))


@pytest.mark.parametrize(
    ("label", "why"),
    [
        (np.zeros(N, dtype="int64"), "the earlier days have 0 rows of the rarer class, 20 needed"),
        (np.ones(N, dtype="int64"), "the earlier days have 0 rows of the rarer class, 20 needed"),
        (np.where(np.arange(N) < N // 2, LABEL, 0), "the later days have 0 rows of the rarer class, 20 needed"),
        (np.where(np.arange(N) < N // 2, 1, LABEL), "the earlier days have 0 rows of the rarer class, 20 needed"),
    ],
)
def test_of_one_class_nothing_can_be_told(label: np.ndarray, why: str) -> None:
    """Every AUC is null, and the reason says which half is short."""
    said = found(label, number=rng(8).normal(size=N), text=["a", "b"] * (N // 2), none=np.full(N, np.nan))
    assert why == said["why_not_measured"]
    assert {None} == {one["auc"] for one in said["inputs"].values()} | {said["served_at"]["auc"]}
    assert {} == suspicions(said)


@pytest.mark.parametrize(("n", "why"), [(19, "the later days have 19 rows of the rarer class, 20 needed"), (20, None)])
def test_twenty_rows_of_the_rarer_class_are_needed_in_each_half(n: int, why: str | None) -> None:
    """One less says too little."""
    later = np.zeros(N // 2, dtype="int64")
    later[:n] = 1
    assert why == found(np.concatenate((LABEL[: N // 2], later)), number=rng(8).normal(size=N))["why_not_measured"]


def test_of_one_row_and_of_one_day_nothing_can_be_told() -> None:
    """No half is later: no date, no AUC, no error."""
    for n in (1, 50):
        said = found(LABEL[:n], served(n), number=np.arange(n) * 0.5)
        assert (None, n) == (said["later_from"], said["rows"]["earlier"])
        assert said["inputs"]["number"]["auc"] is None


def test_an_input_that_is_never_there_says_nothing() -> None:
    """Numbers and words; it is constant, which is odd, and no leak."""
    said = found(LABEL, number=np.full(N, np.nan), text=pd.Series([None] * N, dtype="str"))
    assert [{"auc": 0.5, "one_class": None, "hints": ["constant"]}] * 2 == list(said["inputs"].values())


def test_an_input_that_begins_on_a_later_day_says_nothing() -> None:
    """On the earlier days it was never there, so nothing could be learned from it."""
    values = np.where(np.arange(N) < N // 2, np.nan, LABEL)
    assert {0.5} == {one["auc"] for one in found(LABEL, number=values, half=values / 2)["inputs"].values()}


@pytest.mark.parametrize(
    ("values", "hints"),
    [
        (np.full(N, 3.5), ["constant"]),
        (["north"] * N, ["constant"]),
        (np.where(np.arange(N) == 7, np.nan, 3.5), []),
        (np.where(np.arange(N) == 0, np.nan, 3.5), []),
        (pd.Series(["north"] * N).where(np.arange(N) > 0, None), []),
        (np.arange(N), ["like an id"]),
        (np.arange(N) * 1.0, ["like an id"]),
        ([f"order {n}" for n in range(N)], ["like an id"]),
        (np.where(np.arange(N) < 0.96 * N, np.arange(N), 0), ["like an id"]),
        (np.where(np.arange(N) < 0.95 * N, np.arange(N), 0), ["like an id"]),
        (np.where(np.arange(N) < 0.94 * N, np.arange(N), 0), []),
        (np.where(np.arange(N) < 100, np.arange(N), np.nan), ["like an id"]),
        (np.where(np.arange(N) < 99, np.arange(N), np.nan), []),
        (np.arange(N) / 3, []),
        (np.arange(N) % 50, []),
    ],
)
def test_what_is_odd_is_a_hint_and_no_suspicion(values: Any, hints: list[str]) -> None:
    """Constant, or an id: nearly every whole number or text occurs once, in a hundred or more; decimals are no ids."""
    said = found(LABEL, odd=values)
    assert hints == said["inputs"]["odd"]["hints"]
    assert {} == suspicions(said)


def test_twins_are_named_after_the_first_of_them() -> None:
    """Numbers with the same gaps, whole or decimal, and words; not what has other gaps, or other words for the same.

    A zero is a zero, whatever its sign.
    """
    number, text = rng(6).integers(0, 9, N), rng(7).choice(["a", "b"], N)
    said = found(
        LABEL,
        first=number,
        second=number.astype("float64"),
        turned=-(-1.0 * number),
        also_zero=np.where(number == 0, -0.0, number),
        third=np.where(np.arange(N) == 7, np.nan, number),
        word=text,
        same_word=text.copy(),
        other_word=np.char.upper(text),
    )
    hints = {name: one["hints"] for name, one in said["inputs"].items() if one["hints"]}
    twins = {name: ["identical to first"] for name in ("second", "turned", "also_zero")}
    assert twins | {"same_word": ["identical to word"]} == hints


@given(st.permutations(range(240)))
@hypothesis_settings(max_examples=25, deadline=None, derandomize=True)
def test_the_order_of_the_rows_is_of_no_importance(order: list[int]) -> None:
    """Every number and every hint is the same."""
    label = labels(0.4, 240)
    table = pd.DataFrame(
        {
            "number": label + rng(6).normal(size=240),
            "gaps": np.where(rng(7).random(240) < 0.3, np.nan, rng(8).normal(size=240)),
            "text": rng(9).choice(["a", "b", "c"], 240),
            "twin": label + rng(6).normal(size=240),
            "order": [f"order {n}" for n in range(240)],
        }
    )
    moments = served(240, 24)
    shuffled = probe(table.iloc[order], moments.iloc[order], label[order], PARAMS)
    assert probe(table, moments, label, PARAMS) == shuffled


@pytest.mark.parametrize("name", ["delay", "candidate", "served_at"])
def test_limits_and_what_is_accepted_stand_beside_what_was_found(name: str) -> None:
    """The gate reads them there, so that a decision is about one file."""
    params = Leaks(max_auc=0.9, max_candidate_auc=0.95, accepted={name: "It is known before."})
    said = probe(pd.DataFrame({"delay": LABEL}), served(), LABEL, params)
    assert {
        "max_auc": 0.9,
        "max_candidate_auc": 0.95,
        "accepted": {name: "It is known before."},
    }.items() <= said.items()
    assert ["delay"] == list(suspicions(said))


@pytest.mark.parametrize(("noise", "is_suspicious"), [(0.0, True), (0.3, True), (0.6, False)])
def test_a_served_score_that_is_the_label_is_suspicious(noise: float, is_suspicious: bool) -> None:
    """Itself or nearly so; a strong honest one, here with an AUC of about 0.95, is not. Rows without a score do not count."""
    score = pd.Series(LABEL + rng(7).normal(0, 1, N) * noise).mask(rng(8).random(N) < 0.2)
    said = probe(pd.DataFrame({"age": rng().random(N)}), served(), LABEL, PARAMS, score)
    assert is_suspicious == ("served_score" in suspicions(check(said, Probed, "leaks.json")))


@pytest.mark.parametrize("score", [None, pd.Series(np.nan, range(N)), pd.Series(LABEL * 1.0).where(LABEL == 0)])
def test_of_no_score_and_of_one_for_one_class_nothing_is_said(score: pd.Series | None) -> None:
    """There is no AUC."""
    assert probe(pd.DataFrame({"age": rng().random(N)}), served(), LABEL, PARAMS, score)["served_score"] is None


def test_accepting_what_is_no_input_is_a_mistake_in_conf() -> None:
    """A name that is misspelt would accept nothing; the message says which there are."""
    params = Leaks(max_auc=0.98, max_candidate_auc=0.99, accepted={"dealy": "It is known before."})
    said = (
        r"evaluate\.leaks\.accepted: 'dealy' is not an input of the model\. "
        r"Allowed: candidate, served_at, served_score, age, delay\. Fix it in conf/\."
    )
    with pytest.raises(ConfigError, match=said):
        probe(pd.DataFrame({"delay": LABEL, "age": LABEL}), served(), LABEL, params)


def test_the_parts_of_a_moment_by_hand() -> None:
    """In microseconds since midnight, since the hour and since the minute."""
    when = pd.Series(pd.to_datetime(["2030-01-02T13:45:30.000001Z"]))
    found = {name: int(column.numbers[0]) for name, column in moments(when).items()}
    minute = 30_000_001
    hour = 45 * 60_000_000 + minute
    day = 13 * 3_600_000_000 + hour
    assert {"time of day": day, "second of the hour": hour, "second of the minute": minute} == found


@pytest.mark.parametrize(
    ("distinct", "each", "n_edges"),
    [(64, 2, 64), (65, 2, 13 + 1), (1000, 1, 20 + 1), (40, 1, 4 + 1), (5, 1, 1 + 1)],
)
def test_the_edges_of_a_class_by_hand(distinct: int, each: int, n_edges: int) -> None:
    """64 values that come twice are edges all; else a bin has ten rows, and there are twenty at most."""
    edges = class_edges(np.repeat(np.arange(float(distinct)), each))
    assert (n_edges, 0.0, distinct - 1.0) == (len(edges), edges[0], edges[-1])


def test_the_bins_of_numbers_by_hand() -> None:
    """Each edge is a bin of its own; what lies beyond the outer ones counts as the nearest, and what is missing is in none."""
    earlier, later = [2.0, 2.0, 5.0, 5.0, 7.0, 7.0, np.nan], [1.0, 2.0, 3.3, 5.0, 6.0, 7.0, 9.9, np.nan]
    values = np.array(earlier + later)
    found = number_bins(values, Split(np.zeros(len(values)), np.arange(len(values)) >= len(earlier)))
    assert [1, 1, 2, 3, 4, 5, 5, -1] == found[len(earlier) :].tolist()
    one_edge = number_bins(np.array([2.0, 2.0, 1.0, 2.0, 3.0]), Split(np.zeros(5), np.arange(5) > 1))
    assert [1, 1, 1] == one_edge[2:].tolist()


@pytest.mark.parametrize(("positives", "auc"), [(104, 1.0), (105, 0.0)])
def test_a_value_counts_as_if_it_had_ten_rows_more_at_the_base_rate(positives: int, auc: float) -> None:
    """Of a half: seen once, as a positive, it has 6 of 11, which is above 109 of 200 and below 110."""
    n_others = 2 * positives - 189  # negatives, so that a half are positive
    label = np.repeat([1, 1, 0, 0, 1, 0], [1, positives, 190 - positives, n_others, 1, 1])
    codes = np.repeat([0, 1, 2, 0, 1], [1, 190, n_others, 1, 1])
    split = Split(label, np.arange(len(label)) >= len(label) - 2)
    assert auc == alone(Column(codes, ("once", "often", "other")), split)
