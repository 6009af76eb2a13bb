"""Stage `monitor`: has the world moved since the champion was trained, and how is the service doing?

Run it with `python -m flywheel.stages.monitor`.
"""

from __future__ import annotations

import datetime as dt
from typing import Any

import numpy as np
import pandas as pd

from flywheel import drift, events, files, labels, metrics, model
from flywheel.params import Evaluate, MonitorParams
from flywheel.stages import run_stage


def main(params: MonitorParams) -> str:
    """Write `reports/monitor.json` (quality, service, satisfaction by week) and `reports/drift.json`."""
    as_of = params.clock.as_of
    champion = model.load_if_there(files.CHAMPION)
    reference_window, why = reference_days(champion, params)
    current_window = params.windows.current(as_of)
    reference, current = (
        model.add_score(files.read_features(*window), champion) for window in (reference_window, current_window)
    )
    found = {
        "champion": champion.card["version"] if champion else None,
        "reference": {
            "start": str(reference_window[0]),
            "end": str(reference_window[1]),
            "rows": len(reference),
            "why": why,
        },
        "current": {"start": str(current_window[0]), "end": str(current_window[1]), "rows": len(current)},
        **drift.measure(reference, current, params.features.categorical, params.monitor.drift),
    }
    files.write_json(files.DRIFT, found, digits=5)
    days = [day for day in events.stored_days(files.VALID, "predictions") if day < as_of]
    features = files.read_features(days[0], as_of)
    known = labels.known_before(files.read_parquet(files.LABELS), events.timestamp(as_of))
    health = {
        "as_of": as_of.isoformat(),
        "champion": found["champion"],
        "quality": quality_by_week(
            model.add_score(features, champion), known, params.evaluate, params.monitor.min_rows, champion
        ),
        "service": service_by_week(days),
        "recent": recent(model.add_score(features, champion), known, current_window, params),
        "latest_day": latest_day(days),
        "new_labels": new_labels(known, champion),
        "drift_windows": drift_windows(features, reference_window, champion, params),
        "unknown_categories": unknown_categories(current, champion),
    }
    files.write_json(files.MONITOR, health)
    return f"{found['drifted']} of {found['columns']} columns drifted, {len(health['service'])} weeks"


def reference_days(champion: model.Model | None, params: MonitorParams) -> tuple[tuple[dt.date, dt.date], str]:
    """The window to compare with: the champion's own training window, or this run's where that is not to be had."""
    here = sorted(dt.date.fromisoformat(path.stem) for path in files.FEATURES.glob("*.parquet"))
    start, end = params.windows.training(params.clock.as_of)
    own = max(start, here[0]), end
    if champion is None:
        return own, "this run's training window: there is no champion yet"
    start, end = (dt.date.fromisoformat(day) for day in champion.card["training_window"])
    if not any(start <= day < end for day in here):
        return own, f"this run's training window: the champion's ({start} to {end}) is not in the data"
    return (start, end), "the champion's training window"


def monday(moments: pd.Series) -> pd.Series:
    """The Monday of each moment's week, as text."""
    day = moments.dt.tz_localize(None).dt.normalize()
    first = day - pd.to_timedelta(day.dt.weekday, unit="D")
    text: pd.Series[str] = first.dt.strftime("%Y-%m-%d")
    return text


def quality_by_week(
    features: pd.DataFrame, known: pd.DataFrame, params: Evaluate, min_rows: int, champion: model.Model | None
) -> list[dict[str, Any]]:
    """Realised AUC, Brier score and calibration error by week, of the served score and, after its training, the champion.

    A week with fewer than `min_rows` sure labels says null: too few to judge.
    """
    sure = known[known["label_confidence"] >= params.min_confidence][["prediction_id", "label"]]
    rows = features[features["served_score"].notna()].merge(sure, on="prediction_id", how="left")
    learned_until = pd.Timestamp(champion.card["labels_known_before"], tz="UTC") if champion else None
    settings = metrics.Settings(params.costs, params.ece_bins)
    found = []
    for week, mine in rows.groupby(monday(rows["served_at"])):
        judged = mine[mine["label"].notna()]
        entry: dict[str, Any] = {"week": week, "predictions": len(mine), "labelled": len(judged)}
        is_new = learned_until is not None and mine["served_at"].min() >= learned_until
        for name, column in (("served", "served_score"), ("champion", "champion_score")):
            if column not in rows or (name == "champion" and not is_new):
                continue
            entry[name] = None
            if len(judged) >= min_rows:
                everything = np.zeros(len(judged), dtype="int64")
                counts = metrics.count(judged[column].to_numpy(), judged["label"].to_numpy(), everything, 1)
                measured = metrics.measure(counts, settings)
                entry[name] = {metric: measured[metric] for metric in ("auc", "brier", "ece")}
        found.append(entry)
    return found


def recent(
    features: pd.DataFrame, known: pd.DataFrame, window: tuple[dt.date, dt.date], params: MonitorParams
) -> dict[str, Any]:
    """The champion's realised AUC over the current window, with its interval from the bootstrap over days.

    It is null where there is no champion, or fewer than `monitor.min_rows` sure labels.
    """
    start, end = (events.timestamp(day) for day in window)
    rows = features[(features["served_at"] >= start) & (features["served_at"] < end)]
    sure = known[known["label_confidence"] >= params.evaluate.min_confidence][["prediction_id", "label"]]
    judged = rows.merge(sure, on="prediction_id")
    found: dict[str, Any] = {
        "start": str(window[0]),
        "end": str(window[1]),
        "predictions": len(rows),
        "labelled": len(judged),
        "auc": None,
    }
    if "champion_score" in judged and len(judged) >= params.monitor.min_rows:
        day = (judged["served_at"].dt.floor("D") - start).dt.days.to_numpy()
        n_days = (window[1] - window[0]).days
        counts = metrics.count(judged["champion_score"].to_numpy(), judged["label"].to_numpy(), day, n_days)
        settings = metrics.Settings(params.evaluate.costs, params.evaluate.ece_bins)
        weights = metrics.day_weights(n_days, params.evaluate.bootstrap)
        samples = metrics.bootstrap(counts, weights, settings)["auc"]
        low, high = metrics.interval(samples, params.evaluate.bootstrap.confidence)
        found["auc"] = {"value": metrics.measure(counts, settings)["auc"], "low": low, "high": high}
    return found


def latest_day(days: list[dt.date]) -> dict[str, Any]:
    """How many predictions of the last day there were, and the share of them that ended in an error."""
    served = events.read_days(files.VALID, "predictions", days[-1:], ["error"])
    rate = float(served["error"].notna().mean()) if len(served) else None
    return {"day": str(days[-1]), "predictions": len(served), "error_rate": rate}


def new_labels(known: pd.DataFrame, champion: model.Model | None) -> int | None:
    """The labels that became known after the champion was trained; None where there is no champion."""
    if champion is None:
        return None
    return int((known["known_at"] >= pd.Timestamp(champion.card["labels_known_before"], tz="UTC")).sum())


def drift_windows(
    features: pd.DataFrame, reference: tuple[dt.date, dt.date], champion: model.Model | None, params: MonitorParams
) -> list[dict[str, Any]]:
    """Windows one after the other up to the clock, oldest first, each with its drift weighted by the champion's importance.

    A window that begins inside the champion's own training window, or has too few rows, is left out.
    """
    if champion is None:
        return []
    settings, as_of = params.monitor.drift, params.clock.as_of
    compared = _between(features, *reference)
    found = []
    for n in range(settings.windows, 0, -1):
        start = as_of - dt.timedelta(days=n * settings.window_days)
        end = start + dt.timedelta(days=settings.window_days)
        rows = _between(features, start, end)
        if start < reference[1] or len(rows) < params.monitor.min_rows:
            continue
        weighed = drift.weigh(compared, rows, params.features.categorical, champion.card["importance"], settings)
        found.append({"start": str(start), "end": str(end), "rows": len(rows), **weighed})
    return found


def _between(features: pd.DataFrame, start: dt.date, end: dt.date) -> pd.DataFrame:
    served_at = features["served_at"]
    return features[(served_at >= events.timestamp(start)) & (served_at < events.timestamp(end))]


def service_by_week(days: list[dt.date]) -> list[dict[str, Any]]:
    """Error rate, latency (median and 95th percentile, ms), mean rating and feedback volume by channel, by week."""
    served = events.read_days(files.VALID, "predictions", days, ["served_at", "latency_ms", "error"])
    said = events.read_days(files.VALID, "feedback", days, ["received_at", "channel", "value"])
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


def unknown_categories(current: pd.DataFrame, champion: model.Model | None) -> dict[str, float]:
    """The share of current rows whose category the champion never saw, by feature, where there are any."""
    if champion is None:
        return {}
    shares = {
        name: float((current[name].notna() & ~current[name].isin(known)).mean())
        for name, known in champion.card["features"]["categorical"].items()
        if name in current
    }
    return {name: share for name, share in shares.items() if share > 0}


if __name__ == "__main__":
    run_stage(main, MonitorParams)
