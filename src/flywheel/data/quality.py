"""How healthy the data is: `reports/quality.json`."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from flywheel.data import tables
from flywheel.data.settings import Validate


def summarize(days: dict[str, Any], params: Validate) -> dict[str, Any]:
    """`reports/quality.json`: totals, the recent days, each trailing day, and every day with an unusual volume."""
    volumes = {table: pd.Series({day: entry[table]["rows"] for day, entry in days.items()}) for table in tables.TABLES}
    flags = {table: volume_flags(volume, params) for table, volume in volumes.items()}
    listed = [
        {"day": day, **{table: {**days[day][table], "volume": flags[table][day]} for table in tables.TABLES}}
        for day in list(days)[-params.trailing_days :]
    ]
    unusual = [
        {"day": day, "table": table, "rows": int(volumes[table][day]), "volume": flag}
        for table in tables.TABLES
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
    counts = [entry[table] for entry in entries for table in tables.TABLES]
    n_rows, n_rejected = sum(t["rows"] for t in counts), sum(t["rejected"] for t in counts)
    rules: dict[str, int] = {}
    for found in counts:
        for rule, count in found["rules"].items():
            rules[rule] = rules.get(rule, 0) + count
    return {
        "rows": n_rows,
        "rejected": n_rejected,
        "rejected_share": n_rejected / n_rows if n_rows else 0.0,
        "duplicates": sum(t["duplicates"] for t in counts),
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
