"""Checking days against the contract: good rows, rejected rows with the rules that they broke, and counts."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from flywheel import files
from flywheel.data import tables
from flywheel.data.contract import broken_across, broken_rules, came_before, coerce
from flywheel.data.ledger import digest_at
from flywheel.data.settings import Column, Contract

LEDGER = files.VALID / "ledger.json"

Days = Mapping[dt.date, pa.Table]
NOTHING_SERVED = pd.Series(dtype="datetime64[us, UTC]")


@dataclass(frozen=True)
class Checked:
    """One table of some days: good rows, rejected rows by day as they came, and what is counted of each day."""

    good: pd.DataFrame
    rejected: dict[dt.date, pd.DataFrame]
    counts: dict[dt.date, dict[str, Any]]


def inputs(day: dt.date) -> str:
    """What arrived on a day, in short."""
    return digest_at(tables.day_path(files.EVENTS, table, day) for table in tables.TABLES)


def outputs(day: dt.date) -> str:
    """What the good and the rejected rows of a day are, in short."""
    return digest_at(
        tables.day_path(folder, table, day) for folder in (files.VALID, files.REJECTED) for table in tables.TABLES
    )


def check_days(declared: Contract, new: list[dt.date], before: list[dt.date]) -> dict[str, dict[str, Any]]:
    """Check both tables of the new days, write good and rejected rows, and count per day.

    `before` are the days before them, which are checked already. Nothing is written until all is read and checked.
    """
    contract = {"predictions": declared.predictions, "feedback": declared.feedback}
    for folder in (files.VALID, files.REJECTED):
        folder.mkdir(parents=True, exist_ok=True)
        for table in tables.TABLES:
            tables.stored_days(folder, table)  # a stray file stops the run before anything is written
    raw = {table: read_raw(table, new, contract[table]) for table in tables.TABLES}
    unique = {table: [name for name, column in contract[table].items() if column.unique] for table in tables.TABLES}
    seen = {table: earlier(table, before, unique[table]) for table in tables.TABLES}
    predictions = check_table(
        "predictions", raw["predictions"], contract["predictions"], seen["predictions"], NOTHING_SERVED
    )
    # When each known prediction was served, by its id.
    served = [frame.set_index("prediction_id")["served_at"] for frame in (seen["predictions"], predictions.good)]
    known = pd.concat([one.astype("datetime64[us, UTC]") for one in served])
    feedback = check_table("feedback", raw["feedback"], contract["feedback"], seen["feedback"], known)
    for table, checked in (("predictions", predictions), ("feedback", feedback)):
        tables.write_days(files.VALID, table, checked.good, new)
        for day in new:
            path = tables.day_path(files.REJECTED, table, day)
            if day in checked.rejected:
                files.write_parquet(path, checked.rejected[day])
            else:
                path.unlink(missing_ok=True)
        for folder in (files.VALID, files.REJECTED):
            tables.drop_other_days(folder / table, [*before, *new])
    return {day.isoformat(): {"predictions": predictions.counts[day], "feedback": feedback.counts[day]} for day in new}


def read_raw(table: str, days: list[dt.date], columns: Mapping[str, Column]) -> dict[dt.date, pa.Table]:
    """The unchecked rows of each day, in the columns of the contract. Each file is opened once."""
    nullable = {name: column.nullable for name, column in columns.items()}
    return {day: tables.read_raw_day(files.EVENTS, table, day, nullable) for day in days}


def check_table(table: str, raw: Days, columns: dict[str, Column], seen: pd.DataFrame, known: pd.Series) -> Checked:
    """Split the rows of some days by the contract.

    `seen` has the unique values that earlier days used already; `known` maps each prediction to the moment it was served
    (for feedback).
    """
    came = tables.together(list(raw.values()))
    moments = pd.DatetimeIndex([tables.timestamp(day) for day in raw]).as_unit("us")
    arrival = pd.Series(moments.repeat([part.num_rows for part in raw.values()]), index=came.index)
    rows, mistyped = coerce(came, columns)
    found = pd.concat([broken_rules(rows, columns), broken_across(rows, table, arrival, known)])
    # A value that is not of its type has become null: that is one mistake, not two.
    is_echo = pd.MultiIndex.from_frame(found[["row", "column"]]).isin(
        pd.MultiIndex.from_frame(mistyped[["row", "column"]])
    )
    broken = pd.concat([mistyped, found[~is_echo]])
    so_far = rows[~rows.index.isin(broken["row"])]
    again = [came_before(so_far, name, seen[name]) for name in seen.columns.drop(tables.ARRIVED_AT[table])]
    broken = pd.concat([broken, *again])
    broken["rule"] = broken["column"] + ": " + broken["rule"]
    rules = broken.groupby("row")["rule"].agg(lambda found: "; ".join(dict.fromkeys(found)))
    is_good = ~rows.index.isin(rules.index)
    return Checked(rows[is_good], rejected_rows(raw, rules, arrival), count_days(raw, rows, is_good, rules, arrival))


def earlier(table: str, days: list[dt.date], unique: list[str]) -> pd.DataFrame:
    """The values of unique columns that earlier days already used, and when their rows arrived."""
    columns = [*unique, tables.ARRIVED_AT[table]]
    return tables.read_days(files.VALID, table, days, columns) if days else pd.DataFrame(columns=columns, dtype="str")


def rejected_rows(raw: Days, rules: pd.Series, arrival: pd.Series) -> dict[dt.date, pd.DataFrame]:
    """The rejected rows of each day that has some: as they came, as text, with the rules that they broke."""
    place = arrival.groupby(arrival).cumcount()
    found = {}
    for moment, mine in rules.groupby(arrival.loc[rules.index]):
        came = raw[moment.date()].take(place.loc[mine.index].to_numpy())
        text = {name: came[name].cast("string").to_pandas() for name in came.column_names}
        found[moment.date()] = pd.DataFrame(text).assign(rule=mine.array)
    return found


def count_days(
    raw: Days, rows: pd.DataFrame, is_good: np.ndarray, rules: pd.Series, arrival: pd.Series
) -> dict[dt.date, dict[str, Any]]:
    """For each day: rows, rejected rows, rejected rows by rule, dropped duplicates and null shares."""
    n_rejected = pd.Series(~is_good, index=rows.index).groupby(arrival).sum()
    nulls = rows.isna().groupby(arrival).mean()
    broken = rules.str.split("; ").explode()
    by_rule = pd.crosstab(arrival.loc[broken.index].to_numpy(), broken.to_numpy())
    counts = {}
    for day, part in raw.items():
        moment = tables.timestamp(day)
        is_there = moment in n_rejected.index
        counts[day] = {
            "rows": part.num_rows,
            "rejected": int(n_rejected[moment]) if is_there else 0,
            "duplicates": int((part.schema.metadata or {}).get(b"duplicates", 0)),
            "rules": {k: int(n) for k, n in by_rule.loc[moment].items() if n} if moment in by_rule.index else {},
            "null_shares": {k: v for k, v in nulls.loc[moment].items() if v > 0} if is_there else {},
        }
    return counts
