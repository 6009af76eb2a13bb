"""From a table as others have it to one of the loop's two tables: columns by other names, local times, words for labels.

All of it is declared in `conf/` under `source.options`; nothing is guessed here. What cannot be understood is kept as it
came, so that `validate` rejects the row and says why: nothing vanishes.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any, Literal

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import AfterValidator, Field, model_validator

from flywheel.data import tables
from flywheel.data.columns import OPTIONAL, REQUIRED
from flywheel.errors import DataError
from flywheel.params import MAX_DAYS, Params, TimeZone

NUMBERS = ("score", "latency_ms", "value")  # of the loop's columns; the others are text
PER_SECOND = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
UNITS = tuple(PER_SECOND)
OFFSET = r"(?i)(z|[+-]\d\d(:?\d\d)?)$"  # behind a time of day: what says that a moment is not a local time
STYLE, STYLE_UTC = (
    "%Y-%m-%dT%H:%M:%S.%f%z",
    "%Y-%m-%dT%H:%M:%S.%f+00:00",
)  # of a moment beside one that is not understood
LENGTH = re.compile(r"(\d{1,7})(min|h|d)")
MINUTES = {"min": 1, "h": 60, "d": 1440}
CENTURY = pd.Timedelta(days=MAX_DAYS)
# The days that a clock may have: nothing arrived before or after them. Dates such as 9999-12-31 stand for never.
CALENDAR = pd.Timestamp("1970-01-01", tz="UTC"), pd.Timestamp("2200-01-01", tz="UTC")
ANY_TIME = pd.Timestamp("0001-01-03", tz="UTC"), pd.Timestamp("9999-12-29", tz="UTC")
FAR = 10**11  # seconds from 1970: beyond any calendar, and small enough for microseconds
FAR_NS = 9_200_000_000 * 10**9  # the same for nanoseconds
WHOLE = 2.0**63  # below it, a whole number has an exact text of digits alone


def _check_length(value: str) -> str:
    if not LENGTH.fullmatch(value):
        raise ValueError("must be a length of time such as 30min, 6h or 2d")
    if length(value) > CENTURY:
        raise ValueError("must be a length of time of at most a century")
    return value


def length(text: str) -> pd.Timedelta:
    """A length of time written as 30min, 6h or 2d."""
    number, unit = re.findall(r"\d+|[a-z]+", text)
    return pd.Timedelta(int(number) * MINUTES[unit] * 60, "s")


Length = Annotated[str, AfterValidator(_check_length)]
# Words for 0 and 1 (or -1 and +1), such as {"UP": 1, "DOWN": 0}. Numbers, true and false need none.
Words = dict[str, Literal[-1, 0, 1]]


class Moments(Params):
    """How the moments of a table are written."""

    # The time zone of times that do not say theirs.
    timezone: TimeZone = "UTC"
    # iso; s, ms, us or ns since 1970; or a format such as "%d.%m.%Y %H:%M".
    time: str = "iso"


class TableOptions(Moments):
    """Where the columns of a table are: the loop's name first, then the table's own."""

    columns: Annotated[
        dict[str, str | Annotated[tuple[str, ...], Field(strict=False, min_length=1)]], Field(min_length=1)
    ]


class PredictionsOptions(TableOptions):
    """The table of predictions."""

    @model_validator(mode="after")
    def _check_columns(self) -> PredictionsOptions:
        _check_names(self.columns, "predictions", inputs=True)
        return self


class FeedbackOptions(TableOptions):
    """The table of feedback. `channel` is that of every row where the table has no column for it."""

    channel: Literal[tables.CHANNELS] | None = None  # type: ignore[valid-type]
    values: Words = Field(default_factory=dict)

    @model_validator(mode="after")
    def _check_columns(self) -> FeedbackOptions:
        if ("channel" in self.columns) == (self.channel is not None):
            raise ValueError("columns: channel must be either a column or, as channel: outcome, that of all rows")
        named = {**self.columns, "channel": "", "feedback_id": ""}  # the id is derived where the table has none
        _check_names(named, "feedback", inputs=False)
        return self


class OutcomeOptions(Moments):
    """Outcomes as columns of the table of predictions: what happened, and when that was known.

    `known_at` is a column; `known_after` is a time after `served_at`, where the table has no column for it. While the
    value or that moment is empty, there is no outcome yet.
    """

    value: str
    known_at: str | None = None
    known_after: Length | None = None
    values: Words = Field(default_factory=dict)

    @model_validator(mode="after")
    def _check_when(self) -> OutcomeOptions:
        if (self.known_at is None) == (self.known_after is None):
            raise ValueError("known_at: either known_at (a column) or known_after (such as 6h) must be given, not both")
        return self


def _check_names(columns: Mapping[str, object], table: str, inputs: bool) -> None:
    known = (*REQUIRED[table], *OPTIONAL[table])
    missing = [name for name in REQUIRED[table] if name not in columns]
    if missing:
        raise ValueError(f"columns: {', '.join(missing)} must be named")
    for name, there in columns.items():
        if name not in known and not (inputs and name.startswith("in_")):
            allowed = f"{', '.join(known)}{', and inputs as in_…' if inputs else ''}"
            raise ValueError(f"columns: {name!r} is no column of {table}; allowed: {allowed}")
        if not isinstance(there, str) and name != "prediction_id":
            raise ValueError(
                f"columns: {name!r} must be one column; only prediction_id can be put together from several"
            )


def no_predictions(options: PredictionsOptions) -> pd.DataFrame:
    """A day without predictions."""
    return pd.DataFrame({name: [] for name in options.columns})


def no_feedback(several: Iterable[FeedbackOptions]) -> pd.DataFrame:
    """A day without feedback, with the columns of all tables of feedback."""
    names = ["prediction_id", "received_at", "channel", "value", *(name for one in several for name in one.columns)]
    return pd.DataFrame({name: [] for name in dict.fromkeys(names)})


def wanted(options: TableOptions, outcome: OutcomeOptions | None = None) -> list[str]:
    """The names of the columns that are read from a table, each once."""
    names = [name for there in options.columns.values() for name in several(there)]
    if outcome is not None:
        names += [outcome.value, *([outcome.known_at] if outcome.known_at else [])]
    return list(dict.fromkeys(names))


def check_there(names: Sequence[str], found: Iterable[str], place: str) -> None:
    """DataError when a table lacks a column that `conf/` names, or has two of its name."""
    here = list(found)
    check_once([name for name in here if name in set(names)], place)
    missing = [name for name in names if name not in here]
    if missing:
        raise DataError(
            f"{place} has no column {', '.join(repr(name) for name in missing)}; found: {', '.join(here)}. "
            "Correct columns under source.options in conf/project/, or the table."
        )


def check_once(names: Sequence[str], place: str) -> None:
    """DataError when two columns of a table have one name."""
    twice = sorted(name for name, n in Counter(names).items() if n > 1)
    if twice:
        raise DataError(f"{place}: two columns have the name {twice[0]!r}. Give each its own.")


def predictions(raw: pa.Table, options: PredictionsOptions) -> tuple[pa.Table, np.ndarray]:
    """The loop's predictions, and the UTC day on which each was served (NaT where that cannot be understood)."""
    return _renamed(raw, options, "served_at")


def feedback(raw: pa.Table, options: FeedbackOptions) -> tuple[pa.Table, np.ndarray]:
    """The loop's feedback, and the UTC day on which each row was received (NaT where that cannot be understood)."""
    table, day = _renamed(raw, options, "received_at")
    if options.channel is not None:
        table = table.append_column("channel", pa.array([options.channel] * len(table), "string"))
    return _replaced(table, "value", values(table["value"], options.values)), day


def outcomes(raw: pa.Table, options: PredictionsOptions, outcome: OutcomeOptions) -> tuple[pa.Table, np.ndarray]:
    """The outcomes in a table of predictions as feedback, and the UTC day on which each was known."""
    for name in said_by(options, outcome):
        raw = raw.filter(pc.is_valid(raw[name]))
    if outcome.known_at is not None:
        known_at, day = moments(raw[outcome.known_at], outcome)
    else:
        served_at, day = moments(raw[_one(options.columns["served_at"])], options)
        known_at, day = later(served_at, day, length(outcome.known_after or "0min"))
    table = pa.table(
        {
            "prediction_id": joined(raw, options.columns["prediction_id"]),
            "received_at": known_at,
            "channel": pa.array(["outcome"] * len(raw), "string"),
            "value": values(raw[outcome.value], outcome.values),
        }
    )
    return table, day


def said_by(options: PredictionsOptions, outcome: OutcomeOptions) -> tuple[str, str]:
    """The columns of a table of predictions that are both set once a row is feedback: when it arrived, and what it says."""
    return outcome.known_at or _one(options.columns["served_at"]), outcome.value


def _renamed(raw: pa.Table, options: TableOptions, arrived_at: str) -> tuple[pa.Table, np.ndarray]:
    found: dict[str, Any] = {}
    day = np.array([], dtype="datetime64[D]")
    for name, there in options.columns.items():
        if name == arrived_at:
            found[name], day = moments(raw[_one(there)], options)
        elif name == "prediction_id":
            found[name] = joined(raw, there)
        else:
            column = raw[_one(there)]
            found[name] = column if name in NUMBERS or name.startswith("in_") else texts(column)
    return pa.table(found), day


def several(there: str | tuple[str, ...]) -> tuple[str, ...]:
    """The columns of a table that make one of the loop's."""
    return (there,) if isinstance(there, str) else there


def _one(there: str | tuple[str, ...]) -> str:
    return several(there)[0]


def _replaced(table: pa.Table, name: str, column: pa.ChunkedArray) -> pa.Table:
    return table.set_column(table.column_names.index(name), name, column)


def joined(raw: pa.Table, there: str | tuple[str, ...]) -> pa.ChunkedArray:
    """An id as text; several columns are joined, and null where one of them is."""
    parts = [texts(raw[name]) for name in several(there)]
    return parts[0] if len(parts) == 1 else pc.binary_join_element_wise(*parts, "|")


def texts(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """A column as text, each value by itself. A whole number is written without a point: a gap made the numbers floats."""
    if pa.types.is_floating(column.type):
        is_whole = pc.and_(pc.equal(column, pc.floor(column)), pc.less(pc.abs(column), WHOLE))
        digits = pc.if_else(is_whole, column, pa.scalar(None, column.type)).cast("int64").cast("string")
        return pc.coalesce(digits, column.cast("string"))
    if pa.types.is_nested(column.type) or pa.types.is_null(column.type):
        words = [None if v is None else nested(_said(v)) for v in column.to_pylist()]
        return pa.chunked_array([pa.array(words, "string")])
    if _is_bytes(column.type):
        words = [None if v is None else v.decode("utf-8", "backslashreplace") for v in column.to_pylist()]
        return pa.chunked_array([pa.array(words, "string")])
    return column.cast("string")


def nested(value: Any) -> str:
    """An object or a list as a text in JSON, which depends on it alone: not on the order of its keys, nor on other rows."""
    return encodable(json.dumps(value, sort_keys=True, ensure_ascii=False, default=str))


def encodable(text: str) -> str:
    """A text that can be stored: half of a letter, which JSON may hold, is written as its code."""
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode()


def _said(value: Any) -> Any:
    """An object of a column of objects, without what it does not say: there, each row has the keys of all."""
    if isinstance(value, dict):
        return {key: _said(one) for key, one in value.items() if one is not None}
    return [_said(one) for one in value] if isinstance(value, list) else value


def simple(raw: pa.Table) -> pa.Table:
    """Rows in which what is no number, truth, text or moment is a text: lists, objects, bytes, lengths of time."""
    for at, one in enumerate(raw.schema):
        if pa.types.is_float16(one.type):  # most of Arrow's functions know none
            raw = raw.set_column(at, one.name, raw[one.name].cast("float32"))
        is_odd = pa.types.is_nested(one.type) or pa.types.is_duration(one.type) or pa.types.is_time(one.type)
        if is_odd or _is_bytes(one.type):
            raw = raw.set_column(at, one.name, texts(raw[one.name]))
    return raw


def _is_bytes(kind: pa.DataType) -> bool:
    found: bool = pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_fixed_size_binary(kind)
    return found


def moments(
    column: pa.ChunkedArray, options: Moments, within: tuple[pd.Timestamp, pd.Timestamp] = CALENDAR
) -> tuple[pa.ChunkedArray, np.ndarray]:
    """Moments in UTC, and the day of each; NaT where a moment cannot be understood, and not even its day.

    The moments are timestamps; if one of them cannot be understood they are texts, and that one is as it came. A local time
    that does not exist, or exists twice, because clocks are changed, is not understood: which moment was meant, nobody knows.
    It is put on the day that it names. A moment that is not `within` the calendar is on no day, and is not understood.
    """
    local, is_local = _parsed(column, options)
    is_beyond = ((local < within[0]) | (local >= within[1])).to_numpy()
    local, is_local = local.mask(is_beyond), is_local & ~is_beyond
    at = local.copy()
    if is_local.any():
        naive = pd.DatetimeIndex(local[is_local].dt.tz_localize(None))
        at[is_local] = (
            naive.tz_localize(options.timezone, ambiguous="NaT", nonexistent="NaT").tz_convert("UTC").as_unit("us")
        )
    is_odd = (at.isna() & local.notna()).to_numpy()
    is_lost = at.isna().to_numpy() & ~pc.is_null(column).to_numpy()
    day = _days(at.where(~is_odd, local))
    if not is_lost.any():
        return pa.chunked_array([pa.array(at, tables.MOMENT)]), day
    came = texts(column).to_pandas()
    said = came.where(~is_odd, came + f" in {options.timezone}, where clocks are changed")
    said = said.where(~is_beyond, came + ", which is beyond the calendar")
    shown = at.dt.strftime(STYLE_UTC).astype("str").where(~is_lost, said)
    return pa.chunked_array([pa.array(shown, "string")]), day


def later(at: pa.ChunkedArray, day: np.ndarray, by: pd.Timedelta) -> tuple[pa.ChunkedArray, np.ndarray]:
    """Moments and their days, some time later; what was not understood stays as it came, on a later day."""
    if pa.types.is_timestamp(at.type):
        moved = at.to_pandas() + by
        return pa.chunked_array([pa.array(moved, tables.MOMENT)]), _days(moved)
    came = at.to_pandas()
    moved = pd.to_datetime(came, format=STYLE, utc=True, errors="coerce").astype("datetime64[us, UTC]") + by
    shown = moved.dt.strftime(STYLE_UTC).astype("str").where(moved.notna(), came)
    odd = (pd.Series(day.astype("datetime64[us]")) + by).to_numpy().astype("datetime64[D]")
    return pa.chunked_array([pa.array(shown, "string")]), np.where(moved.isna(), odd, _days(moved))


def _days(at: pd.Series) -> np.ndarray:
    found: np.ndarray = at.dt.tz_localize(None).to_numpy().astype("datetime64[D]")
    return found


def _parsed(column: pa.ChunkedArray, options: Moments) -> tuple[pd.Series, np.ndarray]:
    """Each moment as if it was in UTC, and whether that is still to be set right: it is a time in `timezone`."""
    kind = column.type
    is_local: np.ndarray | bool = True
    if pa.types.is_timestamp(kind) or pa.types.is_date(kind):
        is_local = pa.types.is_date(kind) or kind.tz is None
        at = pd.to_datetime(
            _not_too_far(column).cast(pa.timestamp("us", None if is_local else kind.tz), safe=False).to_pandas(),
            utc=True,
        )
    elif options.time in UNITS:
        is_local = False
        number = pd.to_numeric(column.to_pandas(), errors="coerce")
        number = number.astype("float64") if number.dtype == object else number  # with more digits than any type holds
        far = min(FAR * PER_SECOND[options.time], FAR_NS)
        at = pd.to_datetime(number.clip(-far, far), unit=options.time, utc=True, errors="coerce")  # type: ignore[call-overload]
    elif (
        pa.types.is_string(kind)
        or pa.types.is_large_string(kind)
        or (pa.types.is_integer(kind) and options.time != "iso")
    ):
        words = texts(column).to_pandas()  # a day may be the whole number 20300131
        style = "ISO8601" if options.time == "iso" else options.time
        at = pd.to_datetime(words, format=style, utc=True, errors="coerce")
        is_local = "%z" not in options.time.lower()  # %z is an offset, %Z is UTC
        if options.time == "iso":  # the end of a date is no offset
            says = pc.match_substring_regex(column, OFFSET).to_numpy()
            is_local = ~((says == True) & (words.str.len() > len("2013-01-01")).to_numpy())  # noqa: E712 null is not true
    else:  # a bare number is no moment
        at = pd.Series(pd.NaT, index=range(len(column)), dtype="datetime64[us, UTC]")
    at = at.astype("datetime64[us, UTC]")
    return at, at.notna().to_numpy() & is_local & (options.timezone != "UTC")


def _not_too_far(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Days or moments, of which those that would be others in microseconds are merely far away."""
    kind = column.type
    if pa.types.is_date(kind):
        return _not_too_far(column.cast(pa.timestamp("s" if pa.types.is_date32(kind) else "ms")))
    if kind.unit not in ("s", "ms"):
        return column
    far = FAR * PER_SECOND[kind.unit]
    number = column.cast("int64")
    return pc.max_element_wise(pc.min_element_wise(number, far, skip_nulls=False), -far, skip_nulls=False).cast(kind)


def values(column: pa.ChunkedArray, words: Words) -> pa.ChunkedArray:
    """Claims as numbers; if one of them is none of the words, they are texts, and that one is as it came."""
    if pa.types.is_boolean(column.type):
        column = column.cast("int8")
    if pa.types.is_integer(column.type) or pa.types.is_floating(column.type):
        if not words:
            return column.cast("float64")
        column = texts(column)
    came = texts(column).to_pandas()
    meaning = {"true": 1, "false": 0, **{word.strip().casefold(): number for word, number in words.items()}}
    plain = came.str.strip().str.casefold()
    numbers = plain.map(meaning).astype("float64")
    numbers = numbers.fillna(pd.to_numeric(plain.where(numbers.isna()), errors="coerce"))
    is_lost = numbers.isna() & came.notna()
    if not is_lost.any():
        return pa.chunked_array([pa.array(numbers, "float64", from_pandas=True)])
    kept = numbers.map(lambda number: None if pd.isna(number) else f"{number:g}").astype("str").where(~is_lost, came)
    return pa.chunked_array([pa.array(kept, "string", from_pandas=True)])
