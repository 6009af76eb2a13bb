"""The windows that monitoring compares, and how far each has drifted."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pandas as pd

from flywheel import files
from flywheel.data import tables
from flywheel.model import artifact
from flywheel.model.settings import Windows
from flywheel.monitoring import drift
from flywheel.monitoring.settings import Drift


def reference_days(
    champion: artifact.Model | None, as_of: dt.date, windows: Windows
) -> tuple[tuple[dt.date, dt.date], str]:
    """The window to compare with: the champion's training window, or, where the data does not reach back to it, this run's.

    Of this run's the days of the current window are left out: they would be compared with themselves.
    """
    here = tables.days_in(files.FEATURES)
    start, _ = windows.training(as_of)
    own = max(start, here[0]), windows.current(as_of)[0]
    if champion is None:
        return own, "this run's training window: there is no champion yet"
    start, end = (dt.date.fromisoformat(day) for day in champion.card["training_window"])
    if not any(start <= day < end for day in here):
        return own, f"this run's training window: the champion's ({start} to {end}) is not in the data"
    return (start, end), "the champion's training window"


def drift_windows(
    features: pd.DataFrame,
    reference: tuple[dt.date, dt.date],
    champion: artifact.Model | None,
    as_of: dt.date,
    categorical: tuple[str, ...],
    params: Drift,
) -> list[dict[str, Any]]:
    """Consecutive windows up to the clock, oldest first, each with its drift weighted by the champion's importance.

    Windows that begin inside the champion's training window are left out, and so are windows of fewer than 1 / threshold²
    rows: by chance alone their mean is a threshold away from where it belongs (one standard error).
    """
    if champion is None:
        return []
    compared = between(features, *reference)
    found = []
    for n in range(params.windows, 0, -1):
        start = as_of - dt.timedelta(days=n * params.window_days)
        end = start + dt.timedelta(days=params.window_days)
        rows = between(features, start, end)
        if start < reference[1] or len(rows) < 1 / params.threshold**2:
            continue
        weighed = drift.weigh(compared, rows, categorical, champion.card["importance"], params)
        found.append({"start": str(start), "end": str(end), "rows": len(rows), **weighed})
    return found


def between(features: pd.DataFrame, start: dt.date, end: dt.date) -> pd.DataFrame:
    """The rows that were served from `start` up to, not including, `end`."""
    served_at = features["served_at"]
    return features[(served_at >= tables.timestamp(start)) & (served_at < tables.timestamp(end))]


def unknown_categories(current: pd.DataFrame, champion: artifact.Model | None) -> dict[str, float]:
    """The share of current rows whose category the champion never saw, for each feature that has any."""
    if champion is None:
        return {}
    shares = {
        name: float((current[name].notna() & ~current[name].isin(known)).mean())
        for name, known in champion.card["features"]["categorical"].items()
        if name in current
    }
    return {name: share for name, share in shares.items() if share > 0}
