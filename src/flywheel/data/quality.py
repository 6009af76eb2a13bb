"""How healthy the data is: `reports/quality.json`."""

from __future__ import annotations

import datetime as dt
import itertools
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import pandas as pd

from flywheel.data import tables
from flywheel.data.evidence import (
    BrokenRule,
    CheckedDay,
    CheckedTable,
    Correction,
    DayOfTable,
    Late,
    Quality,
    Silence,
    Totals,
)
from flywheel.data.settings import Validate

N_WORST = 3


def summarize(
    days: Mapping[str, CheckedDay],
    as_of: dt.date,
    params: Validate,
    late: Mapping[str, Late],
    corrections: Sequence[Correction],
) -> Quality:
    """`reports/quality.json`: totals, the recent days, silent feeds, the trailing days, days with an unusual volume, what
    came late, and what was corrected."""
    volumes = {
        table: pd.Series({day: of(table, entry)["rows"] for day, entry in days.items()}) for table in tables.TABLES
    }
    flags = {table: volume_flags(volume, params) for table, volume in volumes.items()}
    recent = dict(list(days.items())[-params.recent_days :])
    return {
        "as_of": as_of.isoformat(),
        "late": dict(late),
        "corrections": list(corrections),
        "total": {
            "days": {"n": len(days), "first": min(days, default=None), "last": max(days, default=None)},
            **totals(days.values()),
        },
        "recent": {"days": params.recent_days, **totals(recent.values()), "worst": worst_rules(recent)},
        "silence": {feed: silence(heard, as_of, params.trailing_days) for feed, heard in feeds(days).items()},
        "unusual_volume": [
            {"day": day, "table": table, "rows": int(volumes[table][day]), "volume": flag}
            for table in tables.TABLES
            for day, flag in flags[table].items()
            if flag not in ("usual", "too early to tell")
        ],
        "days": [
            {
                "day": day,
                "predictions": listed(days[day]["predictions"], flags["predictions"][day]),
                "feedback": listed(days[day]["feedback"], flags["feedback"][day]),
            }
            for day in list(days)[-params.trailing_days :]
        ],
    }


def of(table: str, day: CheckedDay) -> CheckedTable:
    """What a day's entry says about one table."""
    return day["predictions"] if table == "predictions" else day["feedback"]


def listed(found: CheckedTable, volume: str) -> DayOfTable:
    """What `reports/quality.json` says about one table on one day."""
    return {
        "rows": found["rows"],
        "rejected": found["rejected"],
        "duplicates": found["duplicates"],
        "personal": found.get("personal", {}),
        "rules": found["rules"],
        "null_shares": found["null_shares"],
        "volume": volume,
    }


def totals(days: Iterable[CheckedDay]) -> Totals:
    """Rows, rejected rows, their share, dropped duplicates, replaced personal data and broken rules over some days."""
    counts = [found for day in days for found in (day["predictions"], day["feedback"])]
    n_rows, n_rejected = sum(t["rows"] for t in counts), sum(t["rejected"] for t in counts)
    rules: Counter[str] = Counter()
    personal: Counter[str] = Counter()
    for found in counts:
        rules.update(found["rules"])
        personal.update(found.get("personal", {}))
    return {
        "rows": n_rows,
        "rejected": n_rejected,
        "rejected_share": n_rejected / n_rows if n_rows else 0.0,
        "duplicates": sum(t["duplicates"] for t in counts),
        "personal": dict(sorted(personal.items())),
        "rules": dict(sorted(rules.items())),
    }


def worst_rules(days: Mapping[str, CheckedDay]) -> list[BrokenRule]:
    """The rules that most rows broke, at most three, each with the latest row that did."""
    found: dict[tuple[str, str], BrokenRule] = {}
    for day, entry in days.items():
        for table in tables.TABLES:
            of_table = of(table, entry)
            for rule, rows in of_table["rules"].items():
                before = found[table, rule]["rows"] if (table, rule) in found else 0
                found[table, rule] = {
                    "table": table,
                    "rule": rule,
                    "rows": before + rows,
                    "day": day,
                    "example": of_table["examples"][rule],
                }
    return sorted(found.values(), key=lambda one: (-one["rows"], one["table"], one["rule"]))[:N_WORST]


def in_words(worst: Sequence[BrokenRule]) -> str:
    """Broken rules as a person reads them, each with an example."""
    return "; ".join(
        f"{one['table']}, {one['rule']} ({one['rows']:,} rows, such as {one['example']['value']} in "
        f"{one['example']['id']} on {one['day']})"
        for one in worst
    )


def feeds(days: Mapping[str, CheckedDay]) -> dict[str, list[dt.date]]:
    """The days with good rows of each feed, in order: both tables, and each feedback channel that was ever heard."""
    heard: dict[str, list[dt.date]] = {table: [] for table in tables.TABLES}
    for name, entry in days.items():
        day = dt.date.fromisoformat(name)
        for table in tables.TABLES:
            found = of(table, entry)
            if found["rows"] > found["rejected"]:
                heard[table].append(day)
            for channel in found["channels"]:
                heard.setdefault(channel, []).append(day)
    order = (*tables.TABLES, *tables.CHANNELS)
    return {feed: heard[feed] for feed in order if feed in heard}


def silence(heard: Sequence[dt.date], as_of: dt.date, look_back: int) -> Silence:
    """Whether a feed with these days has been silent for longer than usual, as of a day (which has not begun).

    Usual is the longest silence between the last `look_back` days on which it spoke: that fits a feed of every day and one
    of every month. It has been silent for longer than usual after more than twice as many days, and after more than one.
    So a gap that is just a little longer, which chance brings along, is no alarm. A feed that spoke on a single day has
    no usual silence yet.
    """
    if not heard:
        return {"last_day": None, "days": None, "usual_days": None, "is_silent": False}
    gaps = [(after - before).days - 1 for before, after in itertools.pairwise(heard[-look_back:])]
    days, usual = (as_of - heard[-1]).days - 1, max(gaps, default=None)
    is_silent = usual is not None and days > max(1, 2 * usual)
    return {"last_day": heard[-1].isoformat(), "days": days, "usual_days": usual, "is_silent": is_silent}


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
