"""The two tables of the floor, floor.py: their contract, and what users say."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd


def good_rows(table, at, params, served_at=None):
    """The rows that keep the contract, and how many of each day did not, by rule."""
    contract = params["contract"][table]
    parts = [
        pd.read_parquet(path).assign(day=path.stem) for path in sorted(Path("data/events", table).glob("*.parquet"))
    ]
    rows = pd.concat(parts, ignore_index=True)
    rows["day"] = pd.to_datetime(rows["day"], utc=True)
    broken = {}
    for name, rule in contract.items():
        came = rows[name]
        if rule["type"] in ("number", "integer"):
            rows[name] = pd.to_numeric(came, errors="coerce").astype("float64").replace([np.inf, -np.inf], np.nan)
            if rule["type"] == "integer":
                rows[name] = rows[name].where(rows[name] % 1 == 0)
        elif rule["type"] == "datetime":
            rows[name] = pd.to_datetime(came, utc=True, errors="coerce")
        broken[f"{name}: type"] = rows[name].isna() & came.notna()
        broken[f"{name}: null"] = rows[name].isna() & (not rule.get("nullable", False))
        if rule.get("min") is not None:
            broken[f"{name}: min"] = rows[name] < rule["min"]
        if rule.get("max") is not None:
            broken[f"{name}: max"] = rows[name] > rule["max"]
        if rule.get("allowed") is not None:
            broken[f"{name}: allowed"] = rows[name].notna() & ~rows[name].isin(rule["allowed"])
        if rule.get("unique"):
            broken[f"{name}: came before"] = rows.duplicated(name)
    broken[f"{at}: day"] = rows[at].dt.floor("D") != rows["day"]
    if table == "predictions":
        broken["score: error"] = rows["score"].notna() & rows["error"].notna()
    else:
        served = rows["prediction_id"].map(served_at)
        broken["prediction_id: known"] = ~(served.dt.floor("D") <= rows["day"])
        broken["received_at: early"] = rows[at] < served
        is_rating, is_ticket = rows["channel"] == "rating", rows["channel"] == "ticket"
        broken["value: channel"] = np.select(
            [is_rating, is_ticket], [~rows["value"].isin([-1, 1]), rows["value"].notna()], ~rows["value"].isin([0, 1])
        )
    broken = pd.DataFrame(broken)
    is_good = ~broken.any(axis=1)
    volume = rows.groupby("day").size()
    quality = {
        "rows": len(rows),
        "rejected": int((~is_good).sum()),
        "by_day": broken.groupby(rows["day"]).sum().to_numpy().tolist(),
        "null_shares": rows[list(contract)].isna().groupby(rows["day"]).mean().to_numpy().tolist(),
        "volume": (
            volume / volume.rolling(params["validate"]["trailing_days"], min_periods=7).median().shift()
        ).tolist(),
    }
    return rows[is_good & (rows["day"] < params["clock"]["as_of"])].drop(columns="day").reset_index(drop=True), quality


def labels_and_voices(known, predictions, feedback, claims):
    """What labels rest on, who says how much, and how often voices are right."""
    found = known.merge(predictions[["prediction_id", "served_at"]], on="prediction_id")
    hours = (found["known_at"] - found["served_at"]).dt.total_seconds() / 3600
    votes = claims[claims["channel"] != "outcome"]
    outcomes = feedback[feedback["channel"] == "outcome"].sort_values(["received_at", "feedback_id"])
    newest = outcomes.drop_duplicates("prediction_id", keep="last").set_index("prediction_id")["value"]
    truth = votes["prediction_id"].map(newest)
    right = (votes["value"] == truth)[truth.notna()].groupby(votes["channel"]).agg(["size", "mean"])
    yes, n = (votes.groupby("prediction_id")["value"].agg(how) for how in ("sum", "size"))
    pairs, agreeing = n * (n - 1) / 2, yes * (yes - 1) / 2 + (n - yes) * (n - yes - 1) / 2
    labels = {
        "predictions": len(predictions),
        "labels": len(known),
        "coverage": len(known) / len(predictions),
        "positive_share": known["label"].mean(),
        "mean_confidence": known["confidence"].mean(),
        "median_hours_to_label": hours.median(),
        "by_source": {
            source: {"labels": len(mine), "share": len(mine) / len(known), "positive_share": mine["label"].mean()}
            for source, mine in known.groupby("source")
        },
        "agreement": {
            "with_outcome": {name: {"votes": one["size"], "share": one["mean"]} for name, one in right.iterrows()},
            "between_votes": {"pairs": pairs.sum(), "share": agreeing.sum() / pairs.sum()},
        },
    }
    voices = {}
    for channel, mine in feedback.groupby("channel"):
        volume = mine["source_id"].value_counts()
        top = volume.head(max(1, len(volume) // 100)).sum() / len(mine) if len(volume) else None
        voices[channel] = {"events": len(mine), "sources": len(volume), "top_1pct_share": top}
    reports = votes[votes["channel"] == "report"]
    sure = reports["prediction_id"].map(known[known["source"] == "outcome"].set_index("prediction_id")["label"])
    checked = reports[sure.notna()].assign(right=(reports["value"] == sure)[sure.notna()])
    by_person = checked.groupby("source_id").agg(n=("right", "size"), right=("right", "mean"), yes=("value", "mean"))
    judged = by_person[by_person["n"] >= 20]
    reporters = {"with_20_checked_reports": len(judged), "always_yes": int((judged["yes"] == 1).sum())}
    reporters["right_share_quantiles"] = {f"p{q}": judged["right"].quantile(q / 100) for q in (5, 25, 50, 75, 95)}
    ratings = feedback.loc[feedback["channel"] == "rating", "value"]
    said = {"by_channel": voices, "reporters": reporters, "ratings": {"n": len(ratings), "mean": ratings.mean()}}
    return labels, said


def monday(moments):
    """The week of each moment."""
    day = moments.dt.tz_localize(None).dt.normalize()
    return (day - pd.to_timedelta(day.dt.weekday, unit="D")).dt.strftime("%Y-%m-%d")


def service_by_week(predictions, feedback):
    """Errors, latency, satisfaction and volume of each week."""
    week, said = monday(predictions["served_at"]), monday(feedback["received_at"])
    latency = predictions.groupby(week)["latency_ms"]
    ratings = feedback[feedback["channel"] == "rating"]
    columns = {
        "predictions": latency.size(),
        "error_rate": predictions["error"].notna().groupby(week).mean(),
        "latency_p50_ms": latency.quantile(0.5),
        "latency_p95_ms": latency.quantile(0.95),
    }
    rated = ratings.groupby(said)["value"].mean()
    volume = feedback.groupby([said, "channel"]).size().unstack(fill_value=0)
    volume = volume.to_dict("index")
    found = pd.DataFrame(columns).reindex(sorted({*week, *said})).to_dict("index")
    return {
        name: one | {"mean_rating": {"value": rated.get(name)}, "feedback": volume.get(name)}
        for name, one in found.items()
    }
