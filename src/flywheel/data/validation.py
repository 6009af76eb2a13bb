"""Checking days against the contract: good rows, rejected rows with the rules they broke, and counts."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa

from flywheel import files
from flywheel.data import tables
from flywheel.data.contract import broken_across, broken_rules, came_before, coerce
from flywheel.data.evidence import CheckedDay, CheckedTable, Example
from flywheel.data.ledger import digest_at
from flywheel.data.privacy import Vocabulary, compiled, scrubbed
from flywheel.data.settings import Column, Contract, Privacy
from flywheel.data.tombstones import WHO, emptied

LEDGER = files.VALID / "ledger.json"

Days = Mapping[dt.date, pa.Table]
# Columns whose values are never shown: who people are, and what they write.
PERSONAL = ("user_id", "source_id", "text")
LONGEST_EXAMPLE = 40
NOTHING_SERVED = pd.Series(dtype="datetime64[us, UTC]")


@dataclass(frozen=True)
class Checked:
    """One table over some days: good rows, rejected rows by day as they came, and the counts of each day."""

    good: pd.DataFrame
    rejected: dict[dt.date, pd.DataFrame]
    counts: dict[dt.date, CheckedTable]


def inputs(day: dt.date) -> str:
    """A short digest of what arrived on a day."""
    return digest_at(tables.day_path(files.EVENTS, table, day) for table in tables.TABLES)


def outputs(day: dt.date) -> str:
    """A short digest of a day's good and rejected rows."""
    return digest_at(
        tables.day_path(folder, table, day) for folder in (files.VALID, files.REJECTED) for table in tables.TABLES
    )


def check_days(
    declared: Contract, new: list[dt.date], before: list[dt.date], privacy: Privacy
) -> dict[dt.date, CheckedDay]:
    """Check both tables of the new days, write good and rejected rows, and count per day.

    `before` are the days before them, which are checked already. Nothing is written until all is read and checked. `privacy`
    says what of a rejected row's values is not shown.
    """
    words, hidden = compiled(privacy), (*PERSONAL, *privacy.inputs)
    contract = {"predictions": {**declared.predictions}, "feedback": {**declared.feedback}}
    for folder in (files.VALID, files.REJECTED):
        folder.mkdir(parents=True, exist_ok=True)
        for table in tables.TABLES:
            tables.stored_days(folder, table)  # a stray file stops the run before anything is written
    raw = {table: read_raw(table, new, contract[table]) for table in tables.TABLES}
    there = {day: {*part.column_names} for day, part in raw["feedback"].items()}
    brought = sorted(set().union(*there.values()) - {*contract["feedback"]})  # with answers of annotators, on some days
    contract["feedback"] |= {name: Column(type="string", nullable=True) for name in brought}
    without = {day: [name for name in brought if name not in names] for day, names in there.items()}
    unique = {table: [name for name, column in contract[table].items() if column.unique] for table in tables.TABLES}
    seen = {table: earlier(table, before, unique[table]) for table in tables.TABLES}
    predictions = check_table(
        "predictions", raw["predictions"], contract["predictions"], seen["predictions"], NOTHING_SERVED
    )
    # When each known prediction was served, by id.
    served = [frame.set_index("prediction_id")["served_at"] for frame in (seen["predictions"], predictions.good)]
    known = pd.concat([one.astype("datetime64[us, UTC]") for one in served])
    feedback = check_table("feedback", raw["feedback"], contract["feedback"], seen["feedback"], known)
    for table, checked in (("predictions", predictions), ("feedback", feedback)):
        for day, thrown in checked.rejected.items():
            counts = checked.counts[day]
            counts["rules"], counts["examples"] = broken_by_rule(thrown, table, list(contract[table]), words, hidden)
    for table, checked in (("predictions", predictions), ("feedback", feedback)):
        tables.write_days(files.VALID, table, checked.good, new, without if table == "feedback" else None)
        for day in new:
            path = tables.day_path(files.REJECTED, table, day)
            if day in checked.rejected:
                files.write_parquet(path, checked.rejected[day])
            else:
                path.unlink(missing_ok=True)
        for folder in (files.VALID, files.REJECTED):
            tables.drop_other_days(folder / table, [*before, *new])
    return {
        day: {
            "inputs": inputs(day),
            "outputs": outputs(day),
            "predictions": predictions.counts[day],
            "feedback": feedback.counts[day],
        }
        for day in new
    }


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
    found = pd.concat([without_forgotten(broken_rules(rows, columns), raw), broken_across(rows, table, arrival, known)])
    # A value of the wrong type has become null: that is one mistake, not two.
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
    rejected = rejected_rows(raw, rules, arrival)
    counts = count_days(table, raw, rows, is_good, arrival)
    return Checked(rows[is_good], rejected, counts)


def without_forgotten(broken: pd.DataFrame, raw: Days) -> pd.DataFrame:
    """The broken rules, but for an id that is null because it was somebody's who was forgotten: the row itself is good."""
    taken, start = [], 0
    for part in raw.values():
        taken += [start + place for place in emptied(part)]
        start += part.num_rows
    return (
        broken[~(broken["row"].isin(taken) & broken["column"].isin(WHO) & (broken["rule"] == "null"))]
        if taken
        else broken
    )


def earlier(table: str, days: list[dt.date], unique: list[str]) -> pd.DataFrame:
    """The values of unique columns that earlier days already used, and when their rows arrived."""
    columns = [*unique, tables.ARRIVED_AT[table]]
    return tables.read_days(files.VALID, table, days, columns) if days else pd.DataFrame(columns=columns, dtype="str")


def rejected_rows(raw: Days, rules: pd.Series, arrival: pd.Series) -> dict[dt.date, pd.DataFrame]:
    """The rejected rows of each day that has any: as they came, as text, with the rules they broke."""
    place = arrival.groupby(arrival).cumcount()
    found = {}
    for moment, mine in rules.groupby(arrival.loc[rules.index]):
        came = raw[moment.date()].take(place.loc[mine.index].to_numpy())
        text = {name: came[name].cast("string").to_pandas() for name in came.column_names}
        found[moment.date()] = pd.DataFrame(text).assign(rule=mine.array)
    return found


def broken_by_rule(
    rejected: pd.DataFrame, table: str, columns: list[str], words: Vocabulary, hidden: Sequence[str]
) -> tuple[dict[str, int], dict[str, Example]]:
    """How many of a day's rejected rows broke each rule, and the first of them with its value."""
    rules: dict[str, int] = {}
    examples: dict[str, Example] = {}
    for row in rejected.to_dict("records"):
        for rule in row["rule"].split("; "):
            rules[rule] = rules.get(rule, 0) + 1
            if rule not in examples:
                column = max((name for name in columns if rule.startswith(f"{name}: ")), key=len)
                name = row[tables.ID[table]]
                value = "(hidden)" if column in hidden and isinstance(row[column], str) else shown(row[column], words)
                examples[rule] = {"id": name if isinstance(name, str) else None, "value": value}
    return dict(sorted(rules.items())), dict(sorted(examples.items()))


def shown(value: object, words: Vocabulary) -> str:
    """A value of a rejected row, fit to be shown as an example: nothing personal, nothing long."""
    if not isinstance(value, str):
        return "null"
    text = scrubbed(value, words)[0]
    return repr(text if len(text) <= LONGEST_EXAMPLE else f"{text[: LONGEST_EXAMPLE - 1]}…")


def count_days(
    table: str, raw: Days, rows: pd.DataFrame, is_good: np.ndarray, arrival: pd.Series
) -> dict[dt.date, CheckedTable]:
    """For each day: rows, rejected rows, dropped duplicates, replaced personal data, null shares, and good rows by channel."""
    n_rejected = pd.Series(~is_good, index=rows.index).groupby(arrival).sum()
    shares = rows.isna().groupby(arrival).mean().to_dict("index")
    nulls = {moment: {str(k): v for k, v in of_day.items() if v > 0} for moment, of_day in shares.items()}
    counts: dict[dt.date, CheckedTable] = {}
    for day, part in raw.items():
        moment = tables.timestamp(day)
        is_there = moment in n_rejected.index
        notes = part.schema.metadata or {}
        counts[day] = {
            "rows": part.num_rows,
            "rejected": int(n_rejected[moment]) if is_there else 0,
            "duplicates": int(notes.get(b"duplicates", 0)),
            "personal": json.loads(notes.get(b"personal", b"{}")),
            "rules": {},
            "null_shares": {k: v for k, v in nulls[moment].items() if k in part.column_names} if is_there else {},
            "examples": {},
            "channels": {},
        }
    if table == "feedback":
        channel = rows.loc[is_good, "channel"]
        for moment, mine in channel.groupby(arrival.loc[channel.index]):
            counts[moment.date()]["channels"] = {str(k): int(n) for k, n in mine.value_counts().sort_index().items()}
    return counts
