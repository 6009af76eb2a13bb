"""Checking days against the contract: good rows, rejected rows with the rules that they broke, and counts."""

from __future__ import annotations

import datetime as dt
import shutil
from typing import Any

import numpy as np
import pandas as pd

from flywheel import files
from flywheel.data import tables
from flywheel.data.contract import broken_across, broken_rules, came_before, coerce
from flywheel.data.ledger import digest_of
from flywheel.data.settings import Contract

LEDGER = files.VALID / "ledger.json"


def digests(day: dt.date) -> dict[str, str | None]:
    """What the two files of good rows of a day are, in short."""
    return {table: digest_of(tables.day_path(files.VALID, table, day)) for table in tables.TABLES}


def open_ledger(fingerprint: str) -> dict[str, Any]:
    """What is known of the days checked before; starts over when code or contract changed."""
    ledger = files.read_json(LEDGER) if LEDGER.exists() else {}
    if ledger.get("fingerprint") != fingerprint:
        shutil.rmtree(files.VALID, ignore_errors=True)
        files.empty_folder(files.REJECTED)
        return {"fingerprint": fingerprint, "days": {}}
    return dict(ledger)


def check_new_days(declared: Contract, new: list[dt.date]) -> dict[str, Any]:
    """Check both tables of the new days, write good and rejected rows, and count per day."""
    contract = {"predictions": declared.predictions, "feedback": declared.feedback}
    before = {table: [day for day in tables.stored_days(files.VALID, table) if day < new[0]] for table in tables.TABLES}
    stats: dict[str, Any] = {day.isoformat(): {} for day in new}
    known: pd.Series[Any] = pd.Series(dtype="datetime64[us, UTC]")  # when each known prediction was served, by its id
    for table in tables.TABLES:
        raw = tables.read_raw_days(files.EVENTS, table, new, list(contract[table]))
        arrival = arrival_days(raw, table, new)
        rows, mistyped = coerce(raw, contract[table])
        found = pd.concat([broken_rules(rows, contract[table]), broken_across(rows, table, arrival, known)])
        # A value that is not of its type has become null: that is one mistake, not two.
        is_echo = pd.MultiIndex.from_frame(found[["row", "column"]]).isin(
            pd.MultiIndex.from_frame(mistyped[["row", "column"]])
        )
        broken = pd.concat([mistyped, found[~is_echo]])
        unique = [name for name, column in contract[table].items() if column.unique]
        seen = earlier(table, before[table], unique)
        so_far = rows[~rows.index.isin(broken["row"])]
        again = [came_before(so_far, name, seen[name]) for name in seen.columns.drop(tables.ARRIVED_AT[table])]
        broken = pd.concat([broken, *again])
        broken["rule"] = broken["column"] + ": " + broken["rule"]
        rules = broken.groupby("row")["rule"].agg(lambda found: "; ".join(dict.fromkeys(found)))
        is_good = ~rows.index.isin(rules.index)
        good = rows[is_good]
        tables.write_days(files.VALID, table, good, new)
        write_rejected(table, rules, arrival, list(contract[table]))
        if table == "predictions":
            served = [frame.set_index("prediction_id")["served_at"] for frame in (seen, good)]
            known = pd.concat([one.astype("datetime64[us, UTC]") for one in served])
        count_days(stats, table, rows, is_good, rules, arrival)
    return stats


def arrival_days(raw: pd.DataFrame, table: str, new: list[dt.date]) -> pd.Series:
    """The day, as its first moment, of the file that each row came in."""
    counts = [files.read_table(tables.day_path(files.EVENTS, table, day), []).num_rows for day in new]
    return pd.Series(np.repeat([tables.timestamp(day) for day in new], counts), index=raw.index)


def earlier(table: str, days: list[dt.date], unique: list[str]) -> pd.DataFrame:
    """The values of unique columns that earlier days already used, and when their rows arrived."""
    columns = [*unique, tables.ARRIVED_AT[table]]
    return tables.read_days(files.VALID, table, days, columns) if days else pd.DataFrame(columns=columns, dtype="str")


def write_rejected(table: str, rules: pd.Series, arrival: pd.Series, columns: list[str]) -> None:
    """Write the rejected rows of each day, where there are any: as they came, as text, with the rules that they broke."""
    place = arrival.groupby(arrival).cumcount()
    for moment, mine in rules.groupby(arrival.loc[rules.index]):
        day = moment.date()
        came = files.read_table(tables.day_path(files.EVENTS, table, day)).take(place.loc[mine.index].to_numpy())
        text = {name: came[name].cast("string").to_pandas() for name in columns}
        files.write_parquet(tables.day_path(files.REJECTED, table, day), pd.DataFrame(text).assign(rule=mine.array))


def count_days(
    stats: dict[str, Any],
    table: str,
    rows: pd.DataFrame,
    is_good: np.ndarray,
    rules: pd.Series,
    arrival: pd.Series,
) -> None:
    """Add rows, rejected rows by rule, dropped duplicates and null shares of each day to `stats`."""
    per_day = pd.Series(~is_good, index=rows.index).groupby(arrival).agg(["size", "sum"])
    nulls = rows.isna().groupby(arrival).mean()
    broken = rules.str.split("; ").explode()
    by_rule = pd.crosstab(arrival.loc[broken.index].to_numpy(), broken.to_numpy())
    for day, entry in stats.items():
        date = dt.date.fromisoformat(day)
        moment = tables.timestamp(date)
        is_there = moment in per_day.index
        metadata = files.read_metadata(tables.day_path(files.EVENTS, table, date))
        entry[table] = {
            "rows": int(per_day["size"][moment]) if is_there else 0,
            "rejected": int(per_day["sum"][moment]) if is_there else 0,
            "duplicates": int(metadata.get("duplicates", 0)),
            "rules": {k: int(n) for k, n in by_rule.loc[moment].items() if n} if moment in by_rule.index else {},
            "null_shares": {k: v for k, v in nulls.loc[moment].items() if v > 0} if is_there else {},
        }
