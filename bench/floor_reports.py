"""The numbers of the floor, floor.py: metrics with intervals, cohorts, behaviours, weeks and drift."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pandas as pd
from floor_tables import monday
from scipy.spatial.distance import jensenshannon
from scipy.stats import wasserstein_distance

DAY = pd.Timedelta(days=1)


def between(table, start, end):
    """The rows served from `start` up to, not including, `end`."""
    return table[(table["served_at"] >= start) & (table["served_at"] < end)]


def count(score, label, day):
    """Distinct scores, and the positives and negatives of each (day x score)."""
    scores, place = np.unique(score, return_inverse=True)
    shape = (day.max() + 1, len(scores))
    cell, size = day * len(scores) + place, shape[0] * shape[1]
    positives = np.bincount(cell, label, size).reshape(shape)
    return scores, positives, np.bincount(cell, minlength=size).reshape(shape) - positives


def draws(n_days, drawn):
    """How often each day counts, (samples x days): once each, then blocks of days, then blocks of another length."""
    weights = [np.ones((1, n_days))]
    for block, seed in ((drawn["block_days"], drawn["seed"]), (drawn["check_block_days"], drawn["seed"] + 1)):
        length = max(1, min(block, n_days // 4))
        starts = np.random.default_rng(seed).integers(0, n_days, (drawn["samples"], -(-n_days // length), 1))
        days = ((starts + np.arange(length)) % n_days).reshape(drawn["samples"], length * starts.shape[1])[:, :n_days]
        weights.append((days[:, :, None] == np.arange(n_days)).sum(axis=1))
    return np.vstack(weights)


def average_precision(positives, negatives):
    """The sum of precision times step in recall of each line."""
    above = positives[:, ::-1].cumsum(-1)
    of_all = above + negatives[:, ::-1].cumsum(-1)
    return (positives[:, ::-1] * above / np.maximum(of_all, 1)).sum(-1) / positives.sum(-1)


def grouped(positives, negatives, n_groups=2000):
    """Neighbouring scores together, as many positives in each group, where there are more scores than that."""
    if positives.shape[1] <= n_groups:
        return positives, negatives
    above = positives.sum(0)[::-1].cumsum()[::-1]
    group = np.ceil(above * n_groups / max(above[0], 1))
    starts = np.flatnonzero(np.append(True, group[1:] != group[:-1]))
    return np.add.reduceat(positives, starts, axis=1), np.add.reduceat(negatives, starts, axis=1)


def bootstrap(score, label, day, params):
    """Every metric of all rows, then of each bootstrap sample of days, in one array a metric: sums over days, weighted."""
    scores, positives, negatives = count(score, label, day)
    weights, costs, n_bins = draws(len(positives), params["bootstrap"]), params["costs"], params["ece_bins"]
    wrong, missed = costs["quiet_right"] - costs["alert_wrong"], costs["alert_right"] - costs["missed"]
    is_alert, sure = scores >= wrong / (wrong + missed), np.clip(scores, 1e-6, 1 - 1e-6)
    in_bin = np.eye(n_bins)[np.minimum((scores * n_bins).astype(int), n_bins - 1)]
    n_pos, n_neg = weights @ positives.sum(-1), weights @ negatives.sum(-1)
    n = n_pos + n_neg
    hits, false = weights @ positives[:, is_alert].sum(-1), weights @ negatives[:, is_alert].sum(-1)
    pairs = positives @ (negatives.cumsum(-1) - negatives / 2).T
    few = grouped(positives, negatives)
    exact, about = (average_precision(*(one.sum(0)[None] for one in both)) for both in ((positives, negatives), few))
    gained = hits * costs["alert_right"] + false * costs["alert_wrong"]
    gained = gained + (n_pos - hits) * costs["missed"] + (n_neg - false) * costs["quiet_right"]
    gap = ((positives + negatives) * scores - positives) @ in_bin
    with np.errstate(invalid="ignore", divide="ignore"):
        return {
            "auc": ((weights @ pairs) * weights).sum(-1) / (n_pos * n_neg),
            "average_precision": average_precision(*(weights @ one for one in few)) + exact - about,
            "log_loss": weights @ -(positives @ np.log(sure) + negatives @ np.log(1 - sure)) / n,
            "brier": weights @ (positives @ (1 - scores) ** 2 + negatives @ scores**2) / n,
            "ece": np.abs(weights @ gap).sum(-1) / n,
            "precision": hits / (hits + false),
            "recall": hits / n_pos,
            "alert_rate": (hits + false) / n,
            "utility": 1000 * gained / n,
        }


def triple(values, params, metric, check=False):
    """A value with its interval. That of the calibration error also holds the basic one, which takes its bias out."""
    tail, n = (1 - params["bootstrap"]["confidence"]) / 2, params["bootstrap"]["samples"]
    drawn, value = values[1 + n :] if check else values[1 : 1 + n], values[0]
    drawn = drawn[np.isfinite(drawn)]
    low, high = np.quantile(drawn, [tail, 1 - tail]) if len(drawn) >= 0.9 * n else (None, None)
    if metric == "ece" and low is not None:
        low, high = min(low, 2 * value - high), max(high, 2 * value - low)
    return {"value": value, "low": low, "high": high}


def compare(judged, scores, params):
    """Metrics of each model, and of the candidate less each other, with intervals."""
    label, day = judged["label"].to_numpy(), pd.factorize(judged["served_at"].dt.date, sort=True)[0]
    drawn = {name: bootstrap(score, label, day, params) for name, score in scores.items()}
    found = {name: {m: triple(values, params, m) for m, values in one.items()} for name, one in drawn.items()}
    for one in found.values():
        one["ece"]["low"] = one["ece"]["low"] and max(one["ece"]["low"], 0)
    others = [name for name in scores if name not in ("candidate", "base_rate")]
    for kind in ("difference", "check"):
        found[kind] = {
            other: {
                m: triple(values - drawn[other][m], params, m, kind == "check")
                for m, values in drawn["candidate"].items()
            }
            for other in others
        }
    return found


def cohorts(judged, scores, params):
    """The comparison within each cohort."""
    found = {}
    for name, cohort in params["cohorts"].items():
        group, edges = judged[cohort["column"]], cohort.get("edges")
        if edges:
            names = [f"{low:g}-{high:g}" for low, high in pairwise(edges)]
            names = [f"under {edges[0]:g}", *names, f"{edges[-1]:g} and more"]
            group = pd.cut(group, [-np.inf, *edges, np.inf], right=False, labels=names).astype("str")
        found[name] = {}
        for value in sorted(group.dropna().unique()):
            mine = (group == value).to_numpy()
            one = compare(judged[mine], {k: v[mine] for k, v in scores.items() if k != "base_rate"}, params)
            one.pop("check")
            rows = {
                "rows": int(mine.sum()),
                "positives": int(judged["label"][mine].sum()),
                "difference": one.pop("difference"),
            }
            values = {model: {m: triple["value"] for m, triple in its.items()} for model, its in one.items()}
            found[name][value] = rows | values
    return found


def curves(judged, scores, params):
    """Points of the curves that the report draws."""
    found, bins = {}, params["ece_bins"]
    for name, score in scores.items():
        levels, positives, negatives = count(score, judged["label"].to_numpy(), np.zeros(len(judged), dtype=int))
        hits = np.concatenate([[0], positives[0, ::-1].cumsum()])
        false = np.concatenate([[0], negatives[0, ::-1].cumsum()])
        at = np.unique(np.linspace(0, len(hits) - 1, 201).astype(int))
        by_bin = pd.DataFrame({"n": positives[0] + negatives[0], "yes": positives[0], "score": levels})
        by_bin["score"] *= by_bin["n"]
        by_bin = by_bin.groupby(np.minimum((levels * bins).astype(int), bins - 1)).sum()
        found[name] = [
            (false[at] / false[-1]).tolist(),
            (hits[at] / hits[-1]).tolist(),
            (hits[at] / np.maximum(hits + false, 1)[at]).tolist(),
            (by_bin["score"] / by_bin["n"]).tolist(),
            (by_bin["yes"] / by_bin["n"]).tolist(),
        ]
    return found


def behaviours(judged, models, scores, predict, params):
    """What the scores do when one input is set to a telling value."""
    found, as_expected = {}, {"higher": np.greater, "lower": np.less, "same": np.equal}
    for name, one in params["behaviours"].items():
        has, value, found[name] = judged[one["column"]], one["set"], {}
        asked = max((has < value, has > value), key=sum) | (one["expect"] == "same")
        changed = judged[asked].assign(**{one["column"]: value})
        found[name]["rows"] = int(asked.sum())
        for model_name, model in models.items():
            shift = predict(model, changed) - scores[model_name][asked]
            moved, right = (shift != 0).mean(), as_expected[one["expect"]](shift, 0).mean()
            share = right if one["expect"] == "same" else right / moved if moved else None
            found[name][model_name] = {"share_moved": moved, "share_as_expected": share, "mean_shift": shift.mean()}
    return found


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
    columns = [name for name in reference.columns if name not in ("prediction_id", "served_at")]
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
        "weighted_share": sum(importance[n] for n in drifted) / total,
    }


def quality_by_week(table, sure, params, limits, champion):
    """AUC, Brier score and calibration error of each week, of what was served and, after its training, of the champion."""
    rows = table[table["served_score"].notna()].merge(sure, on="prediction_id", how="left")
    found, undrawn = {}, params | {"bootstrap": params["bootstrap"] | {"samples": 0}}
    for week, mine in rows.groupby(monday(rows["served_at"])):
        judged = mine[mine["label"].notna()]
        found[week] = {"predictions": len(mine), "labelled": len(judged)}
        learned_until = champion["labels_known_before"] if champion else "9999"
        for name in ("served", *(["champion"] if str(mine["served_at"].min()) >= learned_until else [])):
            rarer = min((judged["label"] == 1).sum(), (judged["label"] == 0).sum())
            enough = len(judged) >= limits["min_labelled_share"] * len(mine)
            if enough and rarer >= limits["min_positives"]:
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
    day = pd.factorize(recent["served_at"].dt.date, sort=True)[0]
    auc = bootstrap(recent["champion_score"].to_numpy(), recent["label"].to_numpy(), day, evaluate)["auc"]
    found["recent"] = {"predictions": len(current), "labelled": len(recent), "auc": triple(auc, evaluate, "auc")}
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
    }
    return found
