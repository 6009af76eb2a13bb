"""Rows of a database as Arrow tables, in types that its columns declare, and where in a column a stretch of time is."""

from __future__ import annotations

import datetime as dt
import gc
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import sqlalchemy as sa

from flywheel.data import tables
from flywheel.data.sources import mapping

MARGIN = dt.timedelta(days=1)  # a local time is less than a day from the same time in UTC
LARGE = 10**6  # whole numbers up to it are written without a point


def kind_of(declared: Any, dialect: str, is_text: bool) -> pa.DataType:
    """The Arrow type of a column. A decimal number is a text where it is part of an id (`is_text`), else a number.

    SQLite keeps moments as texts or numbers, whatever its columns declare; anything unknown is a text.
    """
    declared = getattr(declared, "data_type", declared)  # of a domain, the type that it restricts
    kinds: list[tuple[type[Any], pa.DataType]] = [
        (sa.Boolean, pa.bool_()),
        (sa.Integer, pa.int64()),
        (sa.Float, pa.float64()),
        (sa.Numeric, pa.string() if is_text else pa.float64()),
    ]
    if dialect != "sqlite":
        zone = "UTC" if getattr(declared, "timezone", False) else None
        kinds += [(sa.DateTime, pa.timestamp("us", zone)), (sa.Date, pa.date32())]
    return next((kind for one, kind in kinds if isinstance(declared, one)), pa.string())


def column_of(name: str, declared: Any, dialect: str) -> sa.Column[Any]:
    """A column to select; of SQLite, values as they are: what a column declares there binds nobody."""
    return sa.Column(name, sa.types.NullType() if dialect == "sqlite" else declared)


def arrow(rows: Sequence[Any], kinds: dict[str, pa.DataType], odd: Sequence[str] = ()) -> pa.Table:
    """Some rows as a table; a column with a value that is not of its type is one of texts.

    Behind its columns a row has, for each of the `odd` ones, a text where Python has no value for what is there, else None.
    """
    columns: list[Sequence[Any]] = list(zip(*rows, strict=True)) if rows else [()] * (len(kinds) + len(odd))
    for name, texts in zip(odd, columns[len(kinds) :], strict=True):
        if any(one is not None for one in texts):
            place = list(kinds).index(name)
            columns[place] = [mine if one is None else one for mine, one in zip(columns[place], texts, strict=True)]
    found = zip(kinds.items(), columns[: len(kinds)], strict=True)
    return pa.table({name: array(one, kind) for (name, kind), one in found})


def array(values: Sequence[Any], kind: pa.DataType) -> pa.Array:
    """Values in a type, or as texts if one of them is not of it."""
    if pa.types.is_timestamp(kind) and kind.tz is None:  # a type that does not say that it has a time zone
        first = next((one for one in values if one is not None), None)
        kind = pa.timestamp("us", "UTC") if getattr(first, "tzinfo", None) else kind
    try:
        return pa.array(values, kind)
    except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError, TypeError):
        pass
    try:
        if pa.types.is_floating(kind):
            return pa.array([None if one is None else float(one) for one in values], kind)
        if pa.types.is_boolean(kind):  # 0 and 1
            return pa.array([None if one is None else {0: False, 1: True}[one] for one in values], kind)
    except (ValueError, TypeError, KeyError, OverflowError):
        pass
    return pa.array([None if one is None else text(one) for one in values], "string")


def text(value: Any) -> str:
    """A value as a text, however it came."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (dict, list)):
        return mapping.nested(value)
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if isinstance(value, float):
        return f"{value:g}" if abs(value) < LARGE and value.is_integer() else str(value)
    return f"{value:f}" if isinstance(value, Decimal) else str(value)


def bounds(kind: pa.DataType, options: mapping.Moments, start: dt.datetime, end: dt.datetime) -> tuple[Any, Any] | None:
    """Between which values (the second is beyond) a column holds all moments from `start` up to `end`; None: anywhere.

    A little more is read where a time is local or a text. There are no bounds in texts that are not written as 2030-01-31….
    """
    if pa.types.is_integer(kind) or pa.types.is_floating(kind):
        per_second = mapping.PER_SECOND.get(options.time)
        return None if per_second is None else (int(start.timestamp()) * per_second, int(end.timestamp()) * per_second)
    if pa.types.is_timestamp(kind) and kind.tz is not None:
        return start, end
    margin = dt.timedelta(0) if options.timezone == "UTC" and not pa.types.is_string(kind) else MARGIN
    low, high = start.replace(tzinfo=None) - margin, end.replace(tzinfo=None) + margin
    if pa.types.is_timestamp(kind):
        return low, high
    days = low.date(), high.date() + dt.timedelta(days=1)
    if pa.types.is_date(kind):
        return days
    is_iso = pa.types.is_string(kind) and options.time == "iso"
    return (days[0].isoformat(), days[1].isoformat()) if is_iso else None


def has_offset(moment: str) -> bool:
    """Whether a text says that a moment is so many hours from UTC."""
    return re.search(r"[+-](?!00(:?00)?$)\d\d(:?\d\d)?$", moment[len("2030-01-31") :]) is not None


def in_order(parts: list[pa.Table], schema: pa.Schema) -> pa.Table:
    """The rows of a day, sorted by arrival, id, and the rest: whatever order the database had, and whatever else was read with
    them. A column in which a value is not of its type is one of texts on its own day only.
    """
    found: dict[str, pa.ChunkedArray] = {}
    for field in schema:
        chunks = [chunk for part in parts for chunk in part[field.name].chunks]
        found[field.name] = settled(chunks, field.type)
    table = pa.table(found)
    first = [name for name in (*tables.ARRIVED_AT.values(), *tables.ID.values()) if name in found]
    names = [*first, *(name for name in found if name not in first)]
    return table.take(pc.sort_indices(table, sort_keys=[(name, "ascending") for name in names]))


def settled(chunks: list[pa.Array], kind: pa.DataType) -> pa.ChunkedArray:
    """Parts of a column in its type, else as texts."""
    if all(chunk.type == kind for chunk in chunks):
        return pa.chunked_array(chunks, kind)
    try:
        return pa.chunked_array([chunk.cast(kind) for chunk in chunks], kind)
    except pa.ArrowInvalid:
        pass
    return pa.chunked_array([in_words(chunk) for chunk in chunks], "string")


def in_words(chunk: pa.Array) -> pa.Array:
    """Values as the texts that `mapping` makes of them."""
    if pa.types.is_timestamp(chunk.type):
        return pc.strftime(chunk, "%Y-%m-%dT%H:%M:%S+00:00")
    if pa.types.is_floating(chunk.type):
        return pa.array([None if one is None else text(one) for one in chunk.to_pylist()], "string")
    return chunk.cast("string")


@contextmanager
def quickly() -> Iterator[None]:
    """Without Python's collector of garbage: it would look at every row many times, and a read would take twice as long."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
