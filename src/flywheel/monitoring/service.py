"""How the service is doing: volume, errors, latency, satisfaction."""

from __future__ import annotations

import datetime as dt
import math
from typing import Any

import pandas as pd

from flywheel import files
from flywheel.data import tables
from flywheel.data.weeks import days_of_week, monday
from flywheel.labels.shares import wilson


def latest_day(days: list[dt.date]) -> dict[str, Any]:
    """How many predictions the last day had, whether errors are logged, and what share of the predictions ended in one; null
    where that cannot be known."""
    served = tables.read_days(files.VALID, "predictions", days[-1:], ["prediction_id", "error"])
    is_logged = logs_errors(days)
    rate = float(served["error"].notna().mean()) if len(served) and is_logged else None
    return {"day": str(days[-1]), "predictions": len(served), "logs_errors": is_logged, "error_rate": rate}


def mean_rating(ratings: pd.Series, confidence: float) -> dict[str, float] | None:
    """The mean of ratings in [-1, 1] as value, low and high; None where nobody rated.

    The score interval (Wilson, 1927) of the share of thumbs that are up: it stays within the scale, also for few ratings
    that are all alike. It takes ratings as independent.
    """
    n = len(ratings)
    if n == 0:
        return None
    up = wilson(float(ratings.mean() + 1) / 2 * n, n, confidence)
    return {end: 2 * share - 1 for end, share in up.items() if isinstance(share, float)}


def logs_errors(days: list[dt.date]) -> bool:
    """Whether the table of predictions says which of them failed."""
    return tables.has_column(files.VALID, "predictions", days[-1], "error")


def service_by_week(days: list[dt.date], as_of: dt.date, confidence: float) -> list[dict[str, Any]]:
    """Error rate, latency (median and 95th percentile, ms), mean rating and feedback volume by channel, by week.

    `days` of a week are those between the first day of the data and the clock: fewer than seven are a part of a week. What a
    table does not have (latency, errors) is null.
    """
    served = tables.read_days(files.VALID, "predictions", days, ["served_at", "latency_ms", "error"])
    said = tables.read_days(files.VALID, "feedback", days, ["received_at", "channel", "value"])
    is_error = served["error"].notna() if logs_errors(days) else pd.Series(math.nan, served.index)
    by_week = served.groupby(monday(served["served_at"]))
    frame = pd.DataFrame(
        {
            "predictions": by_week.size(),
            "error_rate": is_error.groupby(monday(served["served_at"])).mean(),
            "latency_p50_ms": by_week["latency_ms"].quantile(0.5),
            "latency_p95_ms": by_week["latency_ms"].quantile(0.95),
        }
    )
    week = monday(said["received_at"])
    frame = frame.reindex(sorted({*frame.index, *week})).fillna({"predictions": 0})
    is_rating = said["channel"] == "rating"
    ratings = {name: mean_rating(mine, confidence) for name, mine in said.loc[is_rating, "value"].groupby(week)}
    volume = said.groupby([week, "channel"]).size().unstack(fill_value=0)
    return [
        {
            "week": name,
            "days": days_of_week(name, days[0], as_of),
            **{str(key): value for key, value in row.items()},
            "mean_rating": ratings.get(name),
            "feedback": {channel: int(volume[channel].get(name, 0)) for channel in volume.columns},
        }
        for name, row in zip(frame.index, frame.to_dict("records"), strict=True)
    ]


def ratings_of(days: list[dt.date]) -> pd.DataFrame:
    """The ratings that came on some days: prediction_id, received_at and value."""
    columns = ["prediction_id", "received_at", "channel", "value"]
    said = tables.read_days(files.VALID, "feedback", days, columns)
    return said.loc[said["channel"] == "rating", ["prediction_id", "received_at", "value"]]
