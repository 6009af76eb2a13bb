"""History features against loops that follow their definition word by word."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flywheel.features.history import history, window_length
from flywheel.features.settings import History, column_names
from flywheel.labels.revisions import FOREVER as LASTING

START = pd.Timestamp("2013-03-01", tz="UTC")
FOREVER = math.inf
BY_ORIGIN = History(key=("origin",), windows=("3h",))
ITEMS = (
    History(key=("origin",), windows=("3h", "1d")),
    History(key=("carrier", "origin"), windows=("5h",)),
    History(key=(), windows=("4h",)),
)

Asked = tuple[float, str | None, str | None]  # hours after the start, origin, carrier
Told = tuple[float, float, int, str | None, str | None]  # known at and until (hours), label, origin, carrier


def moments(hours: Sequence[float]) -> pd.Series:
    """Hours after the start as moments; infinity is far in the future."""
    return pd.Series(
        [LASTING if math.isinf(hour) else START + pd.Timedelta(hours=hour) for hour in hours],
        dtype="datetime64[us, UTC]",
    )


def compute(asked: Sequence[Asked], told: Sequence[Told], items: Sequence[History]) -> pd.DataFrame:
    queries = pd.DataFrame(
        {
            "served_at": moments([row[0] for row in asked]),
            "origin": pd.Series([row[1] for row in asked], dtype="str"),
            "carrier": pd.Series([row[2] for row in asked], dtype="str"),
        }
    )
    known = pd.DataFrame(
        {
            "known_at": moments([row[0] for row in told]),
            "until": moments([row[1] for row in told]),
            "label": pd.Series([row[2] for row in told], dtype="int64"),
            "origin": pd.Series([row[3] for row in told], dtype="str"),
            "carrier": pd.Series([row[4] for row in told], dtype="str"),
        }
    )
    return history(queries, known, items)


def by_loops(asked: Sequence[Asked], told: Sequence[Told], items: Sequence[History]) -> dict[str, list[float | None]]:
    """The same columns by the definition: `t - window <= known_at < t`, and it still held at `t`."""
    found: dict[str, list[float | None]] = {}
    for item in items:
        for window in item.windows:
            hours = window_length(window) / pd.Timedelta(hours=1)
            rates: list[float | None] = []
            counts: list[float | None] = []
            for at, origin, carrier in asked:
                key = {"origin": origin, "carrier": carrier}
                mine = [
                    label
                    for known_at, until, label, its_origin, its_carrier in told
                    if all({"origin": its_origin, "carrier": its_carrier}[name] == key[name] for name in item.key)
                    and at - hours <= known_at < at <= until
                ]
                rates.append(sum(mine) / len(mine) if mine else None)
                counts.append(float(len(mine)))
            rate, count = column_names(item.key, window)
            found |= {rate: rates, count: counts}
    return found


def as_lists(frame: pd.DataFrame) -> dict[str, list[float | None]]:
    return {
        str(name): [None if math.isnan(value) else value for value in column.tolist()] for name, column in frame.items()
    }


def random_world(seed: int, n_asked: int, n_told: int) -> tuple[list[Asked], list[Told]]:
    """Events on a grid of half hours, so that many of them fall on the same moment."""
    rng = np.random.default_rng(seed)
    asked = [
        (float(hour), str(origin), str(carrier))
        for hour, origin, carrier in zip(
            rng.integers(0, 96, n_asked) / 2,
            rng.choice(["EWR", "JFK"], n_asked),
            rng.choice(["AA", "UA"], n_asked),
            strict=True,
        )
    ]
    told: list[Told] = []
    for hour in rng.integers(0, 96, n_told) / 2:
        until = FOREVER if rng.random() < 0.7 else float(hour + rng.integers(0, 12) / 2)
        key = str(rng.choice(["EWR", "JFK", "LGA"])), str(rng.choice(["AA", "UA"]))
        told.append((float(hour), until, int(rng.integers(0, 2)), *key))
    return asked, told


hours = st.integers(0, 40).map(lambda n: n / 2)
origins = st.sampled_from(["EWR", "JFK", None])
carriers = st.sampled_from(["AA", "UA", None])
asked_rows = st.lists(st.tuples(hours, origins, carriers), max_size=12)
told_rows = st.lists(
    st.tuples(hours, st.one_of(st.just(FOREVER), hours), st.sampled_from([0, 1]), origins, carriers).map(
        lambda row: (row[0], max(row[0], row[1]), *row[2:])
    ),
    max_size=25,
)


@pytest.mark.slow
@settings(max_examples=150, deadline=None)
@given(asked=asked_rows, told=told_rows)
def test_history_equals_loops_for_any_events(asked: list[Asked], told: list[Told]) -> None:
    """Ties in time, keys that were never seen, null keys, labels that changed, nothing known, nothing asked."""
    assert by_loops(asked, told, ITEMS) == as_lists(compute(asked, told, ITEMS))


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_history_equals_loops_for_many_events(seed: int) -> None:
    """Two hundred questions about five hundred labels."""
    asked, told = random_world(seed, n_asked=200, n_told=500)
    assert by_loops(asked, told, ITEMS) == as_lists(compute(asked, told, ITEMS))


def test_rate_and_count_of_a_small_table() -> None:
    """At hour 10 the last three hours have two labels of EWR, one of them positive."""
    asked = [(10.0, "EWR", "AA")]
    told = [(8.0, FOREVER, 1, "EWR", "AA"), (9.0, FOREVER, 0, "EWR", "UA"), (9.0, FOREVER, 1, "JFK", "AA")]
    assert {"origin_rate_3h": [1 / 2], "origin_count_3h": [2]} == as_lists(compute(asked, told, [BY_ORIGIN]))


@pytest.mark.parametrize(
    ("known_at", "count"),
    [
        (10.0, 0),  # known at the very moment: too late
        (10.0 - 1e-6, 1),  # just before
        (7.0, 1),  # exactly as old as the window
        (7.0 - 1e-6, 0),  # just older
    ],
)
def test_a_window_has_its_oldest_moment_and_not_its_newest(known_at: float, count: int) -> None:
    """A window of 3 h before 10 o'clock runs from 7 o'clock up to, not including, 10 o'clock."""
    found = compute([(10.0, "EWR", "AA")], [(known_at, FOREVER, 1, "EWR", "AA")], [BY_ORIGIN])
    assert [count] == found["origin_count_3h"].tolist()


@pytest.mark.parametrize(("until", "count"), [(9.0, 0), (10.0, 1), (11.0, 1)])
def test_a_label_counts_until_it_is_superseded(until: float, count: int) -> None:
    """At 10 o'clock a label overturned at 9 is gone; one overturned at 10 is not known to be wrong yet."""
    found = compute([(10.0, "EWR", "AA")], [(8.0, until, 1, "EWR", "AA")], [BY_ORIGIN])
    assert [count] == found["origin_count_3h"].tolist()


def test_a_label_that_was_overturned_counts_once_with_its_new_value() -> None:
    """First 1, from 9 o'clock on 0: at 10 o'clock the rate is 0 of 1."""
    told = [(8.0, 9.0, 1, "EWR", "AA"), (9.0, FOREVER, 0, "EWR", "AA")]
    found = compute([(9.0, "EWR", "AA"), (10.0, "EWR", "AA")], told, [BY_ORIGIN])
    assert {"origin_rate_3h": [1 / 1, 0 / 1], "origin_count_3h": [1, 1]} == as_lists(found)


def test_a_label_that_held_for_no_time_counts_for_nothing() -> None:
    """Two reports at the same moment: the conclusion between them never held."""
    found = compute([(9.0, "EWR", "AA")], [(8.0, 8.0, 1, "EWR", "AA")], [BY_ORIGIN])
    assert [0] == found["origin_count_3h"].tolist()


def test_a_key_that_nobody_spoke_of_has_count_zero_and_no_rate() -> None:
    """No label is not a rate of zero."""
    found = compute([(10.0, "LGA", "AA")], [(9.0, FOREVER, 1, "EWR", "AA")], [BY_ORIGIN])
    assert {"origin_rate_3h": [None], "origin_count_3h": [0]} == as_lists(found)


def test_without_any_label_every_count_is_zero() -> None:
    """The first day of a loop: nothing is known yet."""
    found = compute([(10.0, "LGA", "AA"), (11.0, "EWR", "AA")], [], [BY_ORIGIN])
    assert {"origin_rate_3h": [None, None], "origin_count_3h": [0, 0]} == as_lists(found)


def test_without_a_prediction_there_are_columns_and_no_rows() -> None:
    """An empty day has the columns of every other day."""
    found = compute([], [(9.0, FOREVER, 1, "EWR", "AA")], ITEMS)
    assert (0, 8) == found.shape
    assert {"float64"} == {str(dtype) for dtype in found.dtypes}


def test_a_key_of_two_columns_counts_only_where_both_are_the_same() -> None:
    """AA from EWR is neither AA from JFK nor UA from EWR."""
    told = [(9.0, FOREVER, 1, "EWR", "AA"), (9.0, FOREVER, 0, "JFK", "AA"), (9.0, FOREVER, 0, "EWR", "UA")]
    found = compute([(10.0, "EWR", "AA")], told, [History(key=("carrier", "origin"), windows=("1d",))])
    assert {"carrier_origin_rate_1d": [1 / 1], "carrier_origin_count_1d": [1]} == as_lists(found)


def test_a_null_key_is_a_key_of_its_own() -> None:
    """Rows whose origin is not known are compared with each other, not with all."""
    told = [(9.0, FOREVER, 1, None, "AA"), (9.0, FOREVER, 0, "EWR", "AA")]
    found = compute([(10.0, None, "AA")], told, [BY_ORIGIN])
    assert {"origin_rate_3h": [1 / 1], "origin_count_3h": [1]} == as_lists(found)


def test_the_order_and_the_index_of_the_questions_are_kept() -> None:
    """Rows come back where they were, whatever their order in time."""
    queries = pd.DataFrame({"served_at": moments([12.0, 9.5, 10.0]), "origin": ["EWR"] * 3}).set_axis([30, 10, 20])
    known = pd.DataFrame(
        {
            "known_at": moments([9.0, 9.75, 11.0]),
            "until": moments([FOREVER] * 3),
            "label": [1, 0, 1],
            "origin": ["EWR"] * 3,
        }
    )
    found = history(queries, known, [BY_ORIGIN])
    assert {30: 3.0, 10: 1.0, 20: 2.0} == found["origin_count_3h"].to_dict()


@pytest.mark.parametrize("served_at", [START, pd.Timestamp(2**64 // 13_500 - 2, unit="us", tz="UTC")])
def test_a_key_with_many_values_counts_each_of_them_apart(served_at: pd.Timestamp) -> None:
    """Twenty thousand users with two labels each: every one has a count of two.

    At the second moment (2013-04-20) a number of 64 bits made of user and microsecond would come round to another user.
    """
    users = [f"user {n}" for n in range(20_000)]
    queries = pd.DataFrame({"served_at": served_at, "origin": users})
    known = pd.DataFrame(
        {
            "known_at": served_at - pd.Timedelta(hours=1),
            "until": LASTING,
            "label": [1] * 20_000 + [0] * 20_000,
            "origin": users * 2,
        }
    )
    found = history(queries, known, [BY_ORIGIN])
    assert ({2.0}, {1 / 2}) == (set(found["origin_count_3h"]), set(found["origin_rate_3h"]))


@pytest.mark.parametrize(("window", "hours"), [("3h", 3), ("24h", 24), ("7d", 7 * 24)])
def test_windows_are_hours_or_days(window: str, hours: int) -> None:
    """`7d` is 168 hours."""
    assert pd.Timedelta(hours=hours) == window_length(window)


def test_columns_are_named_after_their_key_and_window() -> None:
    """The name says what was counted, by what, over how long."""
    assert ("origin_dest_rate_7d", "origin_dest_count_7d") == column_names(["origin", "dest"], "7d")


def test_without_a_key_the_history_is_of_all_predictions() -> None:
    """Two of three labels of the last hours were positive, wherever they were."""
    told: list[Told] = [(1, FOREVER, 1, "JFK", "AA"), (2, FOREVER, 1, "LGA", "UA"), (3, FOREVER, 0, "EWR", "DL")]
    found = as_lists(compute([(4, "JFK", "B6")], told, [History(key=(), windows=("1d",))]))
    assert {"all_rate_1d": [pytest.approx(2 / 3)], "all_count_1d": [3.0]} == found
