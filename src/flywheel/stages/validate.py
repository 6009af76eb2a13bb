"""Stage `validate`: split what arrived into good rows and rejected rows, and say how healthy the data is.

Run it with `python -m flywheel.stages.validate`.
"""

from __future__ import annotations

import datetime as dt
import shutil
from typing import Any

import numpy as np
import pandas as pd
import pandera.pandas as pa
import pyarrow
import pyarrow.compute as pc

from flywheel import events, files
from flywheel.errors import DataError
from flywheel.params import Column, Validate, ValidateParams
from flywheel.stages import run_stage

LEDGER = files.VALID / "ledger.json"


def main(params: ValidateParams) -> str:
    """Write `data/valid/`, `data/rejected/` and `reports/quality.json`; checks only the days that are new."""
    settings = params.contract.model_dump()
    fingerprint = files.fingerprint("validate", settings, files.read_json(files.EVENTS / "source.json"))
    ledger = open_ledger(fingerprint)
    collected = [day for day in events.stored_days(files.EVENTS, "feedback") if day < params.clock.as_of]
    to_do = [day for day in collected if digests(day) != ledger["days"].get(day.isoformat(), {}).get("files")]
    # A day is checked against the ids of all days before it: from the first one to do, everything is to do.
    new = [day for day in collected if to_do and day >= to_do[0]]
    stats = check_new_days(params, new) if new else {}
    for day in new:
        stats[day.isoformat()]["files"] = digests(day)
    ledger["days"] = dict(sorted({**ledger["days"], **stats}.items()))
    files.write_json(LEDGER, ledger)
    quality = {"as_of": params.clock.as_of.isoformat(), **summarize(ledger["days"], params.validate_)}
    files.write_json(files.QUALITY, quality)
    total = quality["total"]
    if quality["recent"]["rejected_share"] > params.validate_.max_rejected_share:
        raise DataError(
            f"{quality['recent']['rejected_share']:.1%} of the rows of the last {params.validate_.recent_days} days were "
            f"rejected; allowed is {params.validate_.max_rejected_share:.1%} (validate.max_rejected_share). They are in "
            f"data/rejected/ with the rule that each broke; counts are in {files.QUALITY}."
        )
    return f"{total['rows'] - total['rejected']:,} good rows, {total['rejected']:,} rejected, {len(new)} new days"


def digests(day: dt.date) -> dict[str, str | None]:
    """What the two files of good rows of a day are, in short."""
    return {table: files.digest_of(events.day_path(files.VALID, table, day)) for table in events.TABLES}


def open_ledger(fingerprint: str) -> dict[str, Any]:
    """What is known of the days checked before; starts over when code or contract changed."""
    ledger = files.read_json(LEDGER) if LEDGER.exists() else {}
    if ledger.get("fingerprint") != fingerprint:
        shutil.rmtree(files.VALID, ignore_errors=True)
        files.empty_folder(files.REJECTED)
        return {"fingerprint": fingerprint, "days": {}}
    return dict(ledger)


def check_new_days(params: ValidateParams, new: list[dt.date]) -> dict[str, Any]:
    """Check both tables of the new days, write good and rejected rows, and count per day."""
    contract = {"predictions": params.contract.predictions, "feedback": params.contract.feedback}
    before = {table: [day for day in events.stored_days(files.VALID, table) if day < new[0]] for table in events.TABLES}
    stats: dict[str, Any] = {day.isoformat(): {} for day in new}
    known: pd.Series[Any] = pd.Series(dtype="datetime64[us, UTC]")  # when each known prediction was served, by its id
    for table in events.TABLES:
        raw = events.read_raw_days(files.EVENTS, table, new, list(contract[table]))
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
        again = [came_before(so_far, name, seen[name]) for name in seen.columns.drop(events.ARRIVED_AT[table])]
        broken = pd.concat([broken, *again])
        broken["rule"] = broken["column"] + ": " + broken["rule"]
        rules = broken.groupby("row")["rule"].agg(lambda found: "; ".join(dict.fromkeys(found)))
        is_good = ~rows.index.isin(rules.index)
        good = rows[is_good]
        events.write_days(files.VALID, table, good, new)
        write_rejected(table, rules, arrival, list(contract[table]))
        if table == "predictions":
            served = [frame.set_index("prediction_id")["served_at"] for frame in (seen, good)]
            known = pd.concat([one.astype("datetime64[us, UTC]") for one in served])
        count_days(stats, table, rows, is_good, rules, arrival)
    return stats


def arrival_days(raw: pd.DataFrame, table: str, new: list[dt.date]) -> pd.Series:
    """The day, as its first moment, of the file that each row came in."""
    counts = [files.read_table(events.day_path(files.EVENTS, table, day), []).num_rows for day in new]
    return pd.Series(np.repeat([events.timestamp(day) for day in new], counts), index=raw.index)


def earlier(table: str, days: list[dt.date], unique: list[str]) -> pd.DataFrame:
    """The values of unique columns that earlier days already used, and when their rows arrived."""
    columns = [*unique, events.ARRIVED_AT[table]]
    return events.read_days(files.VALID, table, days, columns) if days else pd.DataFrame(columns=columns, dtype="str")


def coerce(raw: pd.DataFrame, columns: dict[str, Column]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Rows in the contract's types, and one record (row, column, rule) for each value that is not of its type."""
    rows, broken = {}, [no_breaks()]
    for name, column in columns.items():
        found = raw[name]
        typed: pd.Series[Any]
        if column.type == "string":
            typed = found.astype("str")
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


def moments(found: pd.Series) -> pd.Series:
    """Moments in UTC; text must be ISO 8601, and a bare number is no moment."""
    if pd.api.types.is_numeric_dtype(found.dtype):
        found = found.where(found.isna(), "a number").astype("str")
    elif not isinstance(found.dtype, pd.DatetimeTZDtype):
        found = pd.to_datetime(found.astype("str"), utc=True, errors="coerce", format="ISO8601")
    return pd.to_datetime(found, utc=True, errors="coerce").astype("datetime64[us, UTC]")


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
    """Records (row, column, rule) for the rules that one value alone cannot break.

    `arrival` is the day of the file a row came in; `known` maps each known prediction to the moment it was served.
    """
    at = events.ARRIVED_AT[table]
    found = [
        breaks(rows.index[rows[at].notna() & (rows[at].dt.floor("D") != arrival)], at, "not on the day of its file")
    ]
    if table == "predictions":
        has_score, has_error = rows["score"].notna(), rows["error"].notna()
        found.append(breaks(rows.index[~has_score & ~has_error], "score", "null without an error"))
        found.append(breaks(rows.index[has_score & has_error], "score", "there in spite of an error"))
    else:
        served_at = pd.Series(known.reindex(rows["prediction_id"]).array, index=rows.index)
        # What is served tomorrow is not known today, also where both days are checked together.
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
    """Records (row, column, rule) for good rows whose value another good row had first, in these days or earlier ones."""
    is_seen = pc.is_in(pyarrow.array(rows[key], "string"), pyarrow.array(seen, "string")).to_numpy(zero_copy_only=False)
    return breaks(rows.index[rows[key].notna() & (rows.duplicated(key) | is_seen)], key, "came before")


def breaks(index: pd.Index, column: str, rule: str) -> pd.DataFrame:
    """Records (row, column, rule): these rows broke this rule of this column."""
    return pd.DataFrame({"row": index.astype("int64"), "column": column, "rule": rule})


def no_breaks() -> pd.DataFrame:
    """No record at all."""
    return breaks(pd.Index([], dtype="int64"), "", "")


def write_rejected(table: str, rules: pd.Series, arrival: pd.Series, columns: list[str]) -> None:
    """Write the rejected rows of each day, where there are any: as they came, as text, with the rules that they broke."""
    place = arrival.groupby(arrival).cumcount()
    for moment, mine in rules.groupby(arrival.loc[rules.index]):
        day = moment.date()
        came = files.read_table(events.day_path(files.EVENTS, table, day)).take(place.loc[mine.index].to_numpy())
        text = {name: came[name].cast("string").to_pandas() for name in columns}
        files.write_parquet(events.day_path(files.REJECTED, table, day), pd.DataFrame(text).assign(rule=mine.array))


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
        moment = events.timestamp(date)
        is_there = moment in per_day.index
        metadata = files.read_metadata(events.day_path(files.EVENTS, table, date))
        entry[table] = {
            "rows": int(per_day["size"][moment]) if is_there else 0,
            "rejected": int(per_day["sum"][moment]) if is_there else 0,
            "duplicates": int(metadata.get("duplicates", 0)),
            "rules": {k: int(n) for k, n in by_rule.loc[moment].items() if n} if moment in by_rule.index else {},
            "null_shares": {k: v for k, v in nulls.loc[moment].items() if v > 0} if is_there else {},
        }


def summarize(days: dict[str, Any], params: Validate) -> dict[str, Any]:
    """`reports/quality.json`: totals, the recent days, each trailing day, and every day with an unusual volume."""
    volumes = {table: pd.Series({day: entry[table]["rows"] for day, entry in days.items()}) for table in events.TABLES}
    flags = {table: volume_flags(volume, params) for table, volume in volumes.items()}
    listed = [
        {"day": day, **{table: {**days[day][table], "volume": flags[table][day]} for table in events.TABLES}}
        for day in list(days)[-params.trailing_days :]
    ]
    unusual = [
        {"day": day, "table": table, "rows": int(volumes[table][day]), "volume": flag}
        for table in events.TABLES
        for day, flag in flags[table].items()
        if flag not in ("usual", "too early to tell")
    ]
    return {
        "total": {"days": {"n": len(days), "first": min(days, default=None), "last": max(days, default=None)}}
        | totals(list(days.values())),
        "recent": {"days": params.recent_days, **totals(list(days.values())[-params.recent_days :])},
        "unusual_volume": unusual,
        "days": listed,
    }


def totals(entries: list[dict[str, Any]]) -> dict[str, Any]:
    """Rows, rejected rows, their share, dropped duplicates and broken rules over some days."""
    tables = [entry[table] for entry in entries for table in events.TABLES]
    n_rows, n_rejected = sum(t["rows"] for t in tables), sum(t["rejected"] for t in tables)
    rules: dict[str, int] = {}
    for found in tables:
        for rule, count in found["rules"].items():
            rules[rule] = rules.get(rule, 0) + count
    return {
        "rows": n_rows,
        "rejected": n_rejected,
        "rejected_share": n_rejected / n_rows if n_rows else 0.0,
        "duplicates": sum(t["duplicates"] for t in tables),
        "rules": dict(sorted(rules.items())),
    }


def volume_flags(rows: pd.Series, params: Validate) -> dict[str, str]:
    """Each day's volume against the median of the days before it: usual, low, high, empty or too early to tell."""
    median = rows.rolling(params.trailing_days, min_periods=min(7, params.trailing_days)).median().shift()
    ratio = rows / median
    flags = np.select(
        [rows == 0, median.isna(), ratio < params.low_volume, ratio > params.high_volume],
        ["empty", "too early to tell", "low", "high"],
        "usual",
    )
    return dict(zip(rows.index, (str(flag) for flag in flags), strict=True))


if __name__ == "__main__":
    run_stage(main, ValidateParams)
