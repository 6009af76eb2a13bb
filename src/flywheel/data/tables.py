"""The two tables of the outside world, predictions and feedback, and their day files.

Both are stored by day of arrival, one Parquet file a day: `data/events/predictions/2013-03-01.parquet`. A day that has
arrived is never changed.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from flywheel import files
from flywheel.errors import DataError

TABLES = ("predictions", "feedback")
ID = {"predictions": "prediction_id", "feedback": "feedback_id"}
ARRIVED_AT = {"predictions": "served_at", "feedback": "received_at"}
CHANNELS = ("outcome", "report", "rating", "ticket", "annotation")


def timestamp(day: dt.date) -> pd.Timestamp:
    """The first moment of a UTC day."""
    return pd.Timestamp(day, tz="UTC")


def day_range(start: dt.date, end: dt.date) -> list[dt.date]:
    """The days from `start` up to, not including, `end`."""
    return [start + dt.timedelta(days=n) for n in range((end - start).days)]


def day_path(folder: Path, table: str, day: dt.date) -> Path:
    """Where a table's rows of one day are."""
    return folder / table / f"{day.isoformat()}.parquet"


def stored_days(folder: Path, table: str) -> list[dt.date]:
    """The days of which a file is there, in order."""
    return sorted(dt.date.fromisoformat(path.stem) for path in (folder / table).glob("*.parquet"))


def write_days(folder: Path, table: str, frame: pd.DataFrame, days: Iterable[dt.date]) -> None:
    """Split a frame by its day of arrival and write one file for each of `days`, also where a day is empty."""
    arrived = frame[ARRIVED_AT[table]].dt.date
    by_day = dict(list(frame.groupby(arrived, sort=False)))
    nothing = frame.iloc[:0]
    for day in days:
        files.write_parquet(day_path(folder, table, day), by_day.get(day, nothing))


def read_days(
    folder: Path, table: str, days: Sequence[dt.date] | None = None, columns: list[str] | None = None
) -> pd.DataFrame:
    """The rows of the given days (all stored ones by default), in order of arrival. DataError when a file is broken."""
    chosen = stored_days(folder, table) if days is None else days
    if not chosen:
        raise DataError(f"{folder / table} holds no days. Make them with: flywheel run")
    parts = [files.read_table(day_path(folder, table, day), columns) for day in chosen]
    return files.as_frame(pa.concat_tables(parts, promote_options="permissive"))


def in_order(frame: pd.DataFrame, columns: Sequence[str]) -> pd.DataFrame:
    """The rows sorted by some columns, with a new index. Arrow sorts text several times faster than pandas."""
    keys = pa.table({name: pa.array(frame[name]) for name in columns})
    order = pc.sort_indices(keys, sort_keys=[(name, "ascending") for name in columns])
    return frame.take(order.to_numpy()).reset_index(drop=True)


def read_raw_days(folder: Path, table: str, days: Sequence[dt.date], required: Iterable[str]) -> pd.DataFrame:
    """Like `read_days`, for rows that nobody has checked: types may differ from day to day.

    DataError when a day lacks one of the `required` columns.
    """
    wanted = list(dict.fromkeys(required))
    parts = []
    for day in days:
        part = files.read_table(day_path(folder, table, day))
        missing = [name for name in wanted if name not in part.column_names]
        if missing:
            raise DataError(
                f"{day_path(folder, table, day)}: required columns are missing: {', '.join(missing)}. "
                f"Found: {', '.join(part.column_names)}. Mend the source, delete this file and run again."
            )
        parts.append(part.select(wanted))
    try:
        return files.as_frame(pa.concat_tables(parts, promote_options="permissive"))
    except (pa.ArrowTypeError, pa.ArrowInvalid):  # a column is text on one day and a number on another
        return pd.concat([files.as_frame(part).astype(object) for part in parts], ignore_index=True)
