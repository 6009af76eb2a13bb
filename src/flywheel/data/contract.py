"""The contract with the outside: which rules each row breaks. Pure functions of rows."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pandera.pandas as pa
import pyarrow
import pyarrow.compute as pc

from flywheel.data import tables
from flywheel.data.settings import Column


def coerce(raw: pd.DataFrame, columns: dict[str, Column]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Rows in the contract's types, and one record (row, column, rule) for each value of another type."""
    rows, broken = {}, [no_breaks()]
    for name, column in columns.items():
        found = raw[name]
        typed: pd.Series[Any]
        if column.type == "string":
            typed = words(found)
        elif column.type == "datetime":
            typed = moments(found)
        else:
            typed = pd.to_numeric(found, errors="coerce").astype("float64")
            typed = typed.where(np.isfinite(typed))
            if column.type == "integer":
                typed = typed.where(typed == np.floor(typed))
        is_wrong = typed.isna() & found.notna()
        broken.append(breaks(found.index[is_wrong], name, f"not of type {column.type}"))
        rows[name] = typed
    return pd.DataFrame(rows, index=raw.index), pd.concat(broken)


def words(found: pd.Series) -> pd.Series:
    """Values as texts; a truth is `true` or `false`, as `flywheel init` and the databases write it, not Python's `True`."""
    if pd.api.types.infer_dtype(found, skipna=True) == "boolean":
        found = found.map({True: "true", False: "false"})
    return found.astype("str")


def moments(found: pd.Series) -> pd.Series:
    """Moments in UTC. Text must be ISO 8601; a bare number is not a moment."""
    if pd.api.types.is_numeric_dtype(found.dtype):
        found = found.where(found.isna(), "a number").astype("str")
    elif not isinstance(found.dtype, pd.DatetimeTZDtype):
        found = pd.to_datetime(found.astype("str"), utc=True, errors="coerce", format="ISO8601")
    return pd.to_datetime(found, utc=True, errors="coerce").astype("datetime64[us, UTC]")


def broken_rules(rows: pd.DataFrame, columns: dict[str, Column]) -> pd.DataFrame:
    """One record (row, column, rule) for each value that breaks a rule of its column."""
    try:
        schema(columns).validate(rows, lazy=True)
    except pa.errors.SchemaErrors as errors:
        cases = errors.failure_cases
        reason = cases["check"].replace({"not_nullable": "null"})
        return pd.DataFrame({"row": cases["index"].astype("int64"), "column": cases["column"], "rule": reason})
    return no_breaks()


def broken_across(rows: pd.DataFrame, table: str, arrival: pd.Series, known: pd.Series) -> pd.DataFrame:
    """Records (row, column, rule) for rules that concern more than one value.

    `arrival` is the day of the file a row came in; `known` maps each known prediction to the moment it was served.
    """
    at = tables.ARRIVED_AT[table]
    found = [
        breaks(rows.index[rows[at].notna() & (rows[at].dt.floor("D") != arrival)], at, "not on the day of its file")
    ]
    if table == "predictions":
        # A score is null where nothing was served, or the answer failed; what failed was not served.
        if "score" in rows and "error" in rows:
            is_both = rows["score"].notna() & rows["error"].notna()
            found.append(breaks(rows.index[is_both], "score", "present despite an error"))
    else:
        served_at = pd.Series(known.reindex(rows["prediction_id"]).array, index=rows.index)
        # What is served tomorrow is not known today, even if both days are checked together.
        is_known = served_at.dt.floor("D") <= arrival
        found.append(breaks(rows.index[~is_known], "prediction_id", "no such prediction"))
        is_early = is_known & (rows["received_at"] < served_at)
        found.append(breaks(rows.index[is_early], "received_at", "before its prediction"))
        claims = {"outcome": (0, 1), "report": (0, 1), "annotation": (0, 1), "rating": (-1, 1)}
        for channel, allowed in claims.items():
            is_wrong = (rows["channel"] == channel) & ~rows["value"].isin(allowed)
            found.append(breaks(rows.index[is_wrong], "value", f"not allowed for {channel}"))
        is_ticket = rows["channel"] == "ticket"
        found.append(breaks(rows.index[is_ticket & rows["value"].notna()], "value", "not null for ticket"))
    return pd.concat(found)


def came_before(rows: pd.DataFrame, key: str, seen: pd.Series) -> pd.DataFrame:
    """Records (row, column, rule) for good rows whose value an earlier good row already had, in these days or before."""
    is_seen = pc.is_in(pyarrow.array(rows[key], "string"), pyarrow.array(seen, "string")).to_numpy(zero_copy_only=False)
    return breaks(rows.index[rows[key].notna() & (rows.duplicated(key) | is_seen)], key, "came before")


def breaks(index: pd.Index, column: str, rule: str) -> pd.DataFrame:
    """Records (row, column, rule): these rows broke this rule of this column."""
    return pd.DataFrame({"row": index.astype("int64"), "column": column, "rule": rule})


def no_breaks() -> pd.DataFrame:
    """No record at all."""
    return breaks(pd.Index([], dtype="int64"), "", "")


def schema(columns: dict[str, Column]) -> pa.DataFrameSchema:
    """The contract as a pandera schema: nullability, ranges and allowed values."""

    def checks(column: Column) -> list[pa.Check]:
        found = []
        if column.min is not None:
            found.append(pa.Check.ge(column.min, error=f"below {column.min:g}"))
        if column.max is not None:
            found.append(pa.Check.le(column.max, error=f"above {column.max:g}"))
        if column.allowed is not None:
            found.append(pa.Check.isin(column.allowed, error="not an allowed value"))
        return found

    return pa.DataFrameSchema(
        {name: pa.Column(nullable=column.nullable, checks=checks(column)) for name, column in columns.items()}
    )
