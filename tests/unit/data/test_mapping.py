"""From a table as others have it to one of the loop's two: moments, words for labels, ids."""

from __future__ import annotations

import datetime as dt
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flywheel.data.contract import moments as understood
from flywheel.data.sources import mapping
from flywheel.data.sources.mapping import FeedbackOptions, Moments, OutcomeOptions, PredictionsOptions
from flywheel.errors import ConfigError
from flywheel.params import parse

BERLIN = {"timezone": "Europe/Berlin"}


def moments(column: Any, **options: str) -> list[Any]:
    """Some moments as the loop has them: in UTC, or as they came."""
    found, _ = mapping.moments(pa.chunked_array([pa.array(column)]), parse(Moments, options))
    return [one.isoformat() if isinstance(one, dt.datetime) else one for one in found.to_pylist()]


@pytest.mark.parametrize(
    ("came", "options"),
    [
        (["2030-01-05T12:00:00Z"], {}),
        (["2030-01-05 12:00"], {}),
        (["2030-01-05T13:00:00+01:00"], {}),
        (["2030-01-05T13:00:00+01:00"], BERLIN),
        (["2030-01-05 13:00:00"], BERLIN),
        ([dt.datetime(2030, 1, 5, 13)], BERLIN),
        ([dt.datetime(2030, 1, 5, 12, tzinfo=dt.UTC)], BERLIN),
        (["05.01.2030 13:00"], {**BERLIN, "time": "%d.%m.%Y %H:%M"}),
        (["2030-01-05 13:00 +0100"], {**BERLIN, "time": "%Y-%m-%d %H:%M %z"}),
        ([1893844800], {"time": "s"}),
        (["1893844800000"], {**BERLIN, "time": "ms"}),
    ],
)
def test_a_moment_may_be_written_in_many_ways(came: list[Any], options: dict[str, str]) -> None:
    """With an offset, in local time, as a number since 1970, or by a format that conf names."""
    assert ["2030-01-05T12:00:00+00:00"] == moments(came, **options)


def test_a_day_begins_at_midnight_where_it_is() -> None:
    """A date is the first moment of that day in its time zone."""
    assert ["2030-01-04T23:00:00+00:00"] == moments([dt.date(2030, 1, 5)], **BERLIN)
    assert ["2030-01-04T23:00:00+00:00"] == moments(["2030-01-05"], **BERLIN)


@pytest.mark.parametrize("odd", ["2030-10-27 02:30:00", "2030-03-31 02:30:00"])
def test_a_local_time_that_is_not_once_is_kept_and_never_understood(odd: str) -> None:
    """It exists twice or not at all when clocks are changed: nobody may guess, neither here nor in the contract."""
    good, bad = moments(["2030-01-05 13:00:00", odd], **BERLIN)
    assert good == "2030-01-05T12:00:00.000000+00:00"
    assert bad == f"{odd} in Europe/Berlin, where clocks are changed"
    assert [False, True] == understood(pd.Series([good, bad])).isna().tolist()


def test_a_local_time_that_is_not_once_is_on_the_day_that_it_names() -> None:
    """Which is another one than that of the rows around it."""
    column = pa.chunked_array([pa.array(["2030-01-05 13:00", "2030-10-27 02:30", "soon"])])
    _, days = mapping.moments(column, parse(Moments, BERLIN))
    assert ["2030-01-05", "2030-10-27", "NaT"] == [str(one) for one in days]


@pytest.mark.parametrize("came", [["soon"], [12.5], [True], ["13:00"]])
def test_what_is_no_moment_is_kept_as_it_came(came: list[Any]) -> None:
    """The contract rejects it, and shows it."""
    [kept] = moments(came)
    assert (str(came[0]).lower(), True) == (str(kept).lower(), bool(understood(pd.Series([kept])).isna().all()))


def test_nothing_is_no_moment_and_no_mistake() -> None:
    """A missing moment stays missing, whatever is around it."""
    assert [None, "2030-01-05T12:00:00+00:00"] == moments([None, "2030-01-05T12:00Z"])


@given(st.datetimes(dt.datetime(2000, 1, 1), dt.datetime(2040, 1, 1)).map(lambda one: one.replace(tzinfo=dt.UTC)))
@settings(max_examples=60, deadline=None, derandomize=True)
def test_a_local_time_and_its_moment_in_utc_are_the_same(moment: dt.datetime) -> None:
    """Whatever is written in Berlin's time is that moment, or, in the hour that exists twice, not understood."""
    local = moment.astimezone(__import__("zoneinfo").ZoneInfo("Europe/Berlin"))
    [found] = moments([local.replace(tzinfo=None).isoformat()], **BERLIN)
    assert found == moment.isoformat() or "where clocks are changed" in found
    assert [moment.isoformat()] == moments([local.isoformat()], **BERLIN)


@pytest.mark.parametrize(
    ("came", "words", "expected"),
    [
        ([True, False, None], {}, [1.0, 0.0, None]),
        (["true", "False"], {}, [1.0, 0.0]),
        ([1, 0, -1], {}, [1.0, 0.0, -1.0]),
        (["1", "0", None], {}, [1.0, 0.0, None]),
        (["UP", " down ", "Up"], {"UP": 1, "DOWN": 0}, [1.0, 0.0, 1.0]),
        ([2, 1], {"2": 1, "1": 0}, [1.0, 0.0]),
        ([2.0, 1.0], {"2": 1, "1": 0}, [1.0, 0.0]),
        (["yes", "perhaps"], {"yes": 1, "no": 0}, ["1", "perhaps"]),
    ],
)
def test_words_for_labels(came: list[Any], words: dict[str, int], expected: list[Any]) -> None:
    """Numbers, true and false need no words; what is none of the words is kept, for the contract to reject."""
    assert expected == mapping.values(pa.chunked_array([pa.array(came)]), words).to_pylist()  # type: ignore[arg-type]


def test_several_columns_make_an_id_and_a_gap_makes_none() -> None:
    """A number that a gap made a float is written without a point."""
    raw = pa.table({"a": ["x", "x", None], "n": [1.0, None, 2.0], "t": ["2030-01-01"] * 3})
    options = parse(PredictionsOptions, {"columns": {"prediction_id": ["a", "n"], "served_at": "t"}})
    table, _ = mapping.predictions(raw, options)
    assert ["x|1", None, None] == table["prediction_id"].to_pylist()


def test_an_outcome_in_the_table_of_predictions_is_feedback_once_it_is_there() -> None:
    """By a column that says when it was known, or after a fixed time; an empty value is no outcome yet."""
    raw = pa.table(
        {"id": ["a", "b"], "t": ["2030-01-01 22:00", "2030-01-01 23:00"], "y": ["yes", None], "k": ["2030-01-03", None]}
    )
    served = parse(PredictionsOptions, {"columns": {"prediction_id": "id", "served_at": "t"}})
    for when, day in (({"known_at": "k"}, "2030-01-03"), ({"known_after": "6h"}, "2030-01-02")):
        said, days = mapping.outcomes(raw, served, parse(OutcomeOptions, {"value": "y", "values": {"yes": 1}, **when}))
        assert (["a"], ["outcome"], [1.0]) == tuple(
            said[name].to_pylist() for name in ("prediction_id", "channel", "value")
        )
        assert [np.datetime64(day)] == days.tolist() or [dt.date.fromisoformat(day)] == days.tolist()


def test_an_outcome_that_nobody_says_the_moment_of_has_not_arrived() -> None:
    """A value without `known_at` is no outcome yet, as a moment without a value is none."""
    served = parse(PredictionsOptions, {"columns": {"prediction_id": "id", "served_at": "at"}})
    at = ["2030-01-01 10:00"] * 3
    raw = pa.table({"id": ["a", "b", "c"], "at": at, "y": ["1", "1", None], "known": [at[0], None, at[0]]})
    said, days = mapping.outcomes(raw, served, parse(OutcomeOptions, {"value": "y", "known_at": "known"}))
    assert (["a"], 1) == (said["prediction_id"].to_pylist(), len(days))


def test_an_outcome_is_known_later_whatever_stands_around_it() -> None:
    """A time that nobody understands stays as it came, on a later day; its neighbours are not known before their time."""
    at = ["2030-10-26 22:00", "2030-10-27 02:30"]
    raw = pa.table({"id": ["a", "b"], "t": at, "y": [1, 1]})
    served = parse(PredictionsOptions, {"columns": {"prediction_id": "id", "served_at": "t"}, **BERLIN})
    said, days = mapping.outcomes(raw, served, parse(OutcomeOptions, {"value": "y", "known_after": "30h"}))
    odd = "2030-10-27 02:30 in Europe/Berlin, where clocks are changed"
    assert ["2030-10-28T02:00:00.000000+00:00", odd] == said["received_at"].to_pylist()
    assert ["2030-10-28", "2030-10-28"] == [str(one) for one in days]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"columns": {"prediction_id": "id"}}, "served_at must be named"),
        ({"columns": {"prediction_id": "id", "served_at": "t", "temp": "x"}}, "'temp' is no column of predictions"),
        ({"columns": {"prediction_id": "id", "served_at": ["a", "b"]}}, "only prediction_id can be put together"),
        ({"columns": {"prediction_id": "id", "served_at": "t"}, "timezone": "Mars/Crater"}, "must be a time zone"),
    ],
)
def test_a_wrong_declaration_is_refused(options: dict[str, Any], said: str) -> None:
    """Each error names what is wrong and what is allowed."""
    with pytest.raises(ConfigError, match=said):
        parse(PredictionsOptions, options)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({}, "either a column or, as channel: outcome"),
        ({"channel": "gossip"}, "channel: found 'gossip'"),
        ({"channel": "outcome", "values": {"up": 2}}, "values.up: found 2"),
    ],
)
def test_a_wrong_channel_or_word_is_refused(options: dict[str, Any], said: str) -> None:
    """Feedback has a channel, and a label is -1, 0 or 1."""
    columns = {"prediction_id": "id", "received_at": "t", "value": "y"}
    with pytest.raises(ConfigError, match=said):
        parse(FeedbackOptions, {"columns": columns, **options})


@pytest.mark.parametrize("when", [{}, {"known_at": "k", "known_after": "6h"}])
def test_an_outcome_is_known_in_one_way(when: dict[str, str]) -> None:
    """Neither never nor twice."""
    with pytest.raises(ConfigError, match="not both"):
        parse(OutcomeOptions, {"value": "y", **when})


def test_numbers_are_written_each_by_itself() -> None:
    """A half beside them does not make an id of twelve digits one with an exponent."""
    found = mapping.texts(pa.chunked_array([pa.array([123456789012.0, 0.5, None, 1e300, float("inf")])]))
    assert ["123456789012", "0.5", None, "1e+300", "inf"] == found.to_pylist()


@pytest.mark.parametrize(
    ("came", "options"),
    [
        ("9999-12-31", {}),
        ("9999-12-31 23:59:59", BERLIN),
        ("9999-12-31T23:00:00-08:00", BERLIN),
        ("0001-01-01", BERLIN),
        ("1969-12-31", {}),
        ("31.12.9999", {**BERLIN, "time": "%d.%m.%Y"}),
        (dt.datetime(9999, 12, 31, 23), {"timezone": "America/New_York"}),
        (dt.datetime(1, 1, 1), BERLIN),
        (dt.date(9999, 12, 31), BERLIN),
        (253402300799, {"time": "s"}),
        (205001010000, {"time": "s"}),  # which would be a date if it was not a number
        (2**63 - 1, {"time": "ms"}),
        (-(2**63), {"time": "us"}),
        (1e300, {"time": "ns"}),
        ("1" * 40, {"time": "s"}),
    ],
)
def test_a_moment_beyond_the_calendar_is_kept_and_on_no_day(came: Any, options: dict[str, str]) -> None:
    """It stands for never, or is a mistake: the contract rejects that row, and no other."""
    good = {"s": 1893844800, "ms": 1893844800_000, "us": 1893844800_000_000, "ns": 1893844800_000_000_000}
    plain = good.get(options.get("time", ""), "05.01.2030" if "%" in options.get("time", "") else "2030-01-05")
    near = type(came)(plain) if isinstance(came, str | int | float) else type(came)(2030, 1, 5)
    column = pa.chunked_array([pa.array([near, came])])
    found, days = mapping.moments(column, parse(Moments, options))
    assert [False, True] == understood(pd.Series(found.to_pylist())).isna().tolist()
    assert found[1].as_py().endswith(", which is beyond the calendar")
    assert ["NaT"] == [str(one) for one in days][1:]
    said, days = mapping.later(found, days, mapping.length("48h"))
    assert (["NaT"], found[1]) == ([str(one) for one in days][1:], said[1])


@pytest.mark.parametrize("unit", ["s", "ms", "us"])
@pytest.mark.parametrize("zone", [None, "Asia/Tokyo"])
def test_no_number_of_a_moment_is_taken_for_a_near_one(unit: Any, zone: str | None) -> None:
    """2**62 seconds are another day, and a near one, once they are microseconds."""
    column = pa.chunked_array([pa.array([2**62, -(2**62), 0, None], pa.timestamp(unit, zone))])
    found, days = mapping.moments(column, parse(Moments, {}))
    assert [True, True, False, None] == [one and "beyond" in one for one in found.to_pylist()]
    assert ["NaT", "NaT", "1970-01-01", "NaT"] == [str(one) for one in days]


def test_an_outcome_is_not_known_after_a_century() -> None:
    """Days further away are in no calendar."""
    with pytest.raises(
        ConfigError, match=r"known_after: found '9999999d'; must be a length of time of at most a century"
    ):
        parse(OutcomeOptions, {"value": "y", "known_after": "9999999d"})
