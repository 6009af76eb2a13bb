"""The two tables from outside, predictions and feedback, and their day files.

Both are stored by day of arrival, one Parquet file a day: `data/events/predictions/2013-03-01.parquet`. A day that has
arrived never changes.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from flywheel import files
from flywheel.data.columns import ASKED, OPTIONAL
from flywheel.errors import DataError

TABLES = ("predictions", "feedback")
ID = {"predictions": "prediction_id", "feedback": "feedback_id"}
# What comes with answers of annotators, whether or not a contract names it.
ANSWERED = ("rubric", ASKED)
WITH_ANSWERS = ("source_id", "text", *ANSWERED)
NUMBERS = ("score", "latency_ms")  # of the optional columns; the others are text
ARRIVED_AT = {"predictions": "served_at", "feedback": "received_at"}
MOMENT = pa.timestamp("us", "UTC")
CHANNELS = ("outcome", "report", "rating", "ticket", "annotation")


def timestamp(day: dt.date) -> pd.Timestamp:
    """The first moment of a UTC day."""
    return pd.Timestamp(day, tz="UTC")


def day_range(start: dt.date, end: dt.date) -> list[dt.date]:
    """The days from `start` up to, not including, `end`."""
    return [start + dt.timedelta(days=n) for n in range((end - start).days)]


def day_path(folder: Path, table: str, day: dt.date) -> Path:
    """The file with one day of a table."""
    return folder / table / f"{day.isoformat()}.parquet"


def stored_days(folder: Path, table: str) -> list[dt.date]:
    """The days that have a file, in order. DataError names a file that is not a day's."""
    return days_in(folder / table)


def days_in(folder: Path) -> list[dt.date]:
    """The days whose Parquet files are in a folder, in order. DataError names a file that is not a day's."""
    return sorted(day_of(path) for path in folder.glob("*.parquet"))


def day_of(path: Path) -> dt.date:
    """The day of a file such as `2013-03-01.parquet`. DataError if its name is not a day."""
    try:
        day = dt.date.fromisoformat(path.stem)
    except ValueError:
        day = None
    if day is None or day.isoformat() != path.stem:  # 20130301 is the same day under another name
        raise DataError(
            f"{path} is not the file of a day; those have names like 2013-03-01.parquet. Nothing else belongs in this "
            "folder: move it away and run again."
        )
    return day


def drop_other_days(folder: Path, days: Iterable[dt.date]) -> None:
    """Delete the day files of other days than `days`: nothing would ever read them, and a full run has none."""
    for day in set(days_in(folder)) - set(days):
        (folder / f"{day}.parquet").unlink()


def write_days(
    folder: Path,
    table: str,
    frame: pd.DataFrame,
    days: Iterable[dt.date],
    without: Mapping[dt.date, Sequence[str]] | None = None,
) -> None:
    """Split a frame by day of arrival and write one file for each of `days`, even if a day is empty.

    `without` names the columns that a day does not have, though others have them.
    """
    arrived = frame[ARRIVED_AT[table]].dt.date
    by_day = dict(list(frame.groupby(arrived, sort=False)))
    nothing = frame.iloc[:0]
    for day in days:
        rows = by_day.get(day, nothing).drop(columns=list((without or {}).get(day, ())))
        files.write_parquet(day_path(folder, table, day), rows)


def read_days(
    folder: Path, table: str, days: Sequence[dt.date] | None = None, columns: list[str] | None = None
) -> pd.DataFrame:
    """The rows of the given days (all stored ones by default), in order of arrival. DataError when a file is broken.

    An optional column that the table does not have is null; what comes with answers of annotators only where it is asked for.
    """
    chosen = stored_days(folder, table) if days is None else days
    if not chosen:
        raise DataError(f"{folder / table} holds no days. Make them with: flywheel run")
    parts = [files.read_table(day_path(folder, table, day), columns) for day in chosen]
    found = pa.concat_tables(parts, promote_options="permissive")
    usual = [name for name in OPTIONAL[table] if name not in ANSWERED]
    for name in usual if columns is None else [name for name in columns if name in (*usual, *ANSWERED)]:
        if name not in found.column_names:
            kind = pa.float64() if name in NUMBERS else pa.string()
            found = found.append_column(name, pa.nulls(found.num_rows, kind))
    return files.as_frame(found)


def has_column(folder: Path, table: str, day: dt.date, column: str) -> bool:
    """Whether the file of a day has a column. DataError when it is missing or broken."""
    return column in files.read_names(day_path(folder, table, day))


def in_order(frame: pd.DataFrame, columns: Sequence[str]) -> pd.DataFrame:
    """The rows sorted by some columns, with a new index. Arrow sorts text several times faster than pandas."""
    keys = pa.table({name: pa.array(frame[name]) for name in columns})
    order = pc.sort_indices(keys, sort_keys=[(name, "ascending") for name in columns])
    return frame.take(order.to_numpy()).reset_index(drop=True)


def read_raw_day(folder: Path, table: str, day: dt.date, nullable: Mapping[str, bool]) -> pa.Table:
    """The unchecked rows of a day, in the columns of `nullable`, with the footer's metadata.

    A missing column that may be null reads as null: the day is older than the column. DataError when any other column is
    missing. A day with a rubric has answers of annotators in it, and what comes with them (`WITH_ANSWERS`).
    """
    path = day_path(folder, table, day)
    found = files.read_table(path)
    missing = [name for name, may_be_null in nullable.items() if name not in found.column_names and not may_be_null]
    if missing:
        raise DataError(
            f"{path}: required columns are missing: {', '.join(missing)}. Found: {', '.join(found.column_names)}. "
            "Fix the source, delete this file and run again; or set nullable: true in the contract, so that days "
            "without the column read as null."
        )
    for name in nullable.keys() - set(found.column_names):
        found = found.append_column(name, pa.nulls(found.num_rows))
    is_answered = table == "feedback" and "rubric" in found.column_names
    more = [name for name in WITH_ANSWERS if is_answered and name in found.column_names and name not in nullable]
    return found.select([*nullable, *more])


def together(parts: Sequence[pa.Table]) -> pd.DataFrame:
    """Unchecked days as one frame: types may differ from day to day."""
    try:
        return files.as_frame(pa.concat_tables(parts, promote_options="permissive"))
    except (pa.ArrowTypeError, pa.ArrowInvalid):  # a column is text on one day and a number on another
        return pd.concat([files.as_frame(part).astype(object) for part in parts], ignore_index=True)
