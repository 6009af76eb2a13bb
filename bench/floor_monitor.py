"""What the floor, floor.py, says of weeks and drift."""

from __future__ import annotations

import numpy as np
import pandas as pd
from floor_metrics import bootstrap, days_of, triple
from floor_models import between, rarer
from floor_tables import monday
from scipy.spatial.distance import jensenshannon
from scipy.stats import wasserstein_distance

DAY = pd.Timedelta(days=1)


def distance(before, now, is_category):
    """Jensen-Shannon of the categories, Wasserstein of the numbers in standard deviations; None for an empty column."""
    before, now = before.dropna(), now.dropna()
    if before.empty or now.empty:
        return None
    if is_category:
        shares = pd.concat([one.value_counts(normalize=True) for one in (before, now)], axis=1).fillna(0).to_numpy()
        return jensenshannon(shares[:, 0], shares[:, 1])
    return wasserstein_distance(before, now) / max(before.std(ddof=0), 0.001)


def samples(reference, current, columns, categorical, params):
    """At most `sample_rows` rows of both windows, numbers as floats."""
    for frame in (reference, current):
        few = frame
        if len(frame) > params["sample_rows"]:
            chosen = np.random.default_rng(params["seed"]).choice(len(frame), params["sample_rows"], replace=False)
            few = frame.iloc[np.sort(chosen)]
        numbers = {name: few[name].astype("float64") for name in columns if name not in categorical}
        yield few[columns].assign(**numbers).replace([np.inf, -np.inf], np.nan)


def drift(reference, current, categorical, params):
    """The distance of every column, and the histograms of both windows."""
    never = all(one["served_score"].isna().all() for one in (reference, current))
    left_out = ("prediction_id", "served_at", *(["served_score"] if never else []))
    columns = [name for name in reference.columns if name not in left_out]
    before, now = samples(reference, current, columns, categorical, params)
    found = {}
    for name in columns:
        pair, both = (before[name], now[name]), pd.concat([before[name], now[name]]).dropna()
        if name in categorical:
            common = both.value_counts().sort_index().sort_values(ascending=False, kind="stable").index[:10]
            bars = [(one.value_counts().reindex(common, fill_value=0) / len(one)).tolist() for one in pair]
        elif len(both):
            low, high = both.quantile([0.01, 0.99])
            edges = np.linspace(low, high if high > low else low + 1, 21)
            clipped = (one.dropna().clip(edges[0], edges[-1]) for one in pair)
            bars = [(np.histogram(one, edges)[0] / max(len(one), 1)).tolist() for one in clipped]
        found[name] = {
            "distance": distance(*pair, name in categorical),
            "null_share": [one.isna().mean() for one in pair],
            "histogram": {"reference": bars[0], "current": bars[1]} if len(both) else {},
        }
    return found


def weigh(reference, current, importance, categorical, params):
    """The share of a model's importance that is on drifted columns."""
    columns = [name for name, weight in importance.items() if weight > 0 and name in reference]
    before, now = samples(reference, current, columns, categorical, params)
    far = {name: distance(before[name], now[name], name in categorical) for name in columns}
    measured = {name: one for name, one in far.items() if one is not None}
    drifted = [name for name, one in measured.items() if one > params["threshold"]]
    total = sum(importance[name] for name in measured)
    return {
        "rows": len(current),
        "drifted": len(drifted),
        "weighted_share": sum(importance[n] for n in drifted) / total if total else None,
    }


def is_enough(label, n, limits):
    """Whether so many of `n` predictions have a label that they can be judged."""
    return len(label) >= limits["min_labelled_share"] * n and rarer(label) >= limits["min_positives"]


def quality_by_week(table, sure, params, limits, champion):
    """AUC, Brier score and calibration error of each week, of what was served and, after its training, of the champion."""
    rows = table[table["served_score"].notna()].merge(sure, on="prediction_id", how="left")
    found, undrawn = {}, params | {"bootstrap": params["bootstrap"] | {"samples": 0}}
    for week, mine in rows.groupby(monday(rows["served_at"])):
        judged = mine[mine["label"].notna()]
        found[week] = {"predictions": len(mine), "labelled": len(judged)}
        learned_until = champion["labels_known_before"] if champion else "9999"
        for name in ("served", *(["champion"] if str(mine["served_at"].min()) >= learned_until else [])):
            if is_enough(judged["label"], len(mine), limits):
                once = bootstrap(judged[f"{name}_score"], judged["label"], np.zeros(len(judged), dtype=int), undrawn)
                found[week][name] = {m: once[m][0] for m in ("auc", "brier", "ece")}
    return found


def monitor(table, learned_days, sure, known, champion, params):
    """Quality by week, and what the champion is worth on what came after its training."""
    as_of, evaluate, settings = pd.Timestamp(params["clock"]["as_of"], tz="UTC"), params["evaluate"], params["monitor"]
    found = {"quality": quality_by_week(table, sure, evaluate, settings, champion)}
    if not champion:
        return found
    current = between(table, as_of - DAY * params["windows"]["current_days"], as_of)
    recent = current.merge(sure, on="prediction_id")
    found["recent"] = {"predictions": len(current), "labelled": len(recent)}
    if is_enough(recent["label"], len(current), settings):
        score, label = recent["champion_score"].to_numpy(), recent["label"].to_numpy()
        found["recent"]["auc"] = triple(bootstrap(score, label, days_of(recent), evaluate)["auc"], evaluate)
    learned_until = pd.Timestamp(champion["labels_known_before"], tz="UTC")
    found["new_labels"] = int((known["known_at"] >= learned_until).sum())
    length, n = DAY * settings["drift"]["window_days"], settings["drift"]["windows"]
    starts = [as_of - length * k for k in range(n, 0, -1)]
    before, categorical = between(table, *learned_days), params["features"]["categorical"]
    found["drift_windows"] = {
        str(start.date()): weigh(
            before, between(table, start, start + length), champion["importance"], categorical, settings["drift"]
        )
        for start in starts
        if start >= learned_days[1]
        and len(between(table, start, start + length)) >= 1 / settings["drift"]["threshold"] ** 2
    }
    return found
