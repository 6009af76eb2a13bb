"""How the service is doing: volume, errors, latency, satisfaction."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pandas as pd

from flywheel import files
from flywheel.data import tables


def monday(moments: pd.Series) -> pd.Series:
    """The Monday of each moment's week, as text."""
    day = moments.dt.tz_localize(None).dt.normalize()
    first = day - pd.to_timedelta(day.dt.weekday, unit="D")
    text: pd.Series[str] = first.dt.strftime("%Y-%m-%d")
    return text


def latest_day(days: list[dt.date]) -> dict[str, Any]:
    """How many predictions the last day had, and what share of them ended in an error."""
    served = tables.read_days(files.VALID, "predictions", days[-1:], ["error"])
    rate = float(served["error"].notna().mean()) if len(served) else None
    return {"day": str(days[-1]), "predictions": len(served), "error_rate": rate}


def service_by_week(days: list[dt.date]) -> list[dict[str, Any]]:
    """Error rate, latency (median and 95th percentile, ms), mean rating and feedback volume by channel, by week."""
    served = tables.read_days(files.VALID, "predictions", days, ["served_at", "latency_ms", "error"])
    said = tables.read_days(files.VALID, "feedback", days, ["received_at", "channel", "value"])
    by_week = served.groupby(monday(served["served_at"]))
    frame = pd.DataFrame(
        {
            "predictions": by_week.size(),
            "error_rate": served["error"].notna().groupby(monday(served["served_at"])).mean(),
            "latency_p50_ms": by_week["latency_ms"].quantile(0.5),
            "latency_p95_ms": by_week["latency_ms"].quantile(0.95),
        }
    )
    week = monday(said["received_at"])
    frame = frame.reindex(sorted({*frame.index, *week})).fillna({"predictions": 0})
    ratings = said[said["channel"] == "rating"]
    mean_rating = ratings.groupby(week)["value"].agg(["mean", "size"])
    volume = said.groupby([week, "channel"]).size().unstack(fill_value=0)
    return [
        {
            "week": name,
            **{str(key): value for key, value in row.items()},
            "mean_rating": mean_rating["mean"].get(name),
            "feedback": {channel: int(volume[channel].get(name, 0)) for channel in volume.columns},
        }
        for name, row in zip(frame.index, frame.to_dict("records"), strict=True)
    ]
