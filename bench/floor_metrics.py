"""The measures of the floor, floor.py: metrics, their intervals over blocks of days, calibration and chance."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.stats import t as student

HIGHER_IS_BETTER = ("auc", "average_precision", "precision", "recall", "utility")


def days_of(table):
    """The day of each row, as 0, 1, ..."""
    return pd.factorize(table["served_at"].dt.date, sort=True)[0]


def weight_of(rows):
    """How much each row counts: as the run found, or all alike."""
    return rows["label_weight"].to_numpy() if "label_weight" in rows else np.ones(len(rows))


def count(score, label, day, weight):
    """Distinct scores, and the positives and negatives of each (day x score)."""
    scores, place = np.unique(score, return_inverse=True)
    shape = (day.max() + 1, len(scores))
    cell, size = day * len(scores) + place, shape[0] * shape[1]
    positives = np.bincount(cell, label * weight, size).reshape(shape)
    return scores, positives, np.bincount(cell, weight, size).reshape(shape) - positives


def block_length(n_days, block):
    """The days of a block: of few days a quarter at most."""
    return max(1, min(block, n_days // 4))


def draws(n_days, drawn, check=False):
    """How often each day counts, (samples x days): once each, then blocks of days, then for `check` those of another length."""
    weights = [np.ones((1, n_days))]
    kinds = [(drawn["block_days"], drawn["seed"]), (drawn["check_block_days"], drawn["seed"] + 1)]
    for block, seed in kinds if check else kinds[:1]:
        length = block_length(n_days, block)
        starts = np.random.default_rng(seed).integers(0, n_days, (drawn["samples"], -(-n_days // length), 1))
        days = ((starts + np.arange(length)) % n_days).reshape(drawn["samples"], length * starts.shape[1])[:, :n_days]
        cell = np.arange(drawn["samples"])[:, None] * n_days + days
        weights.append(np.bincount(cell.ravel(), minlength=drawn["samples"] * n_days).reshape(-1, n_days))
    return np.vstack(weights)


def average_precision(positives, negatives):
    """The sum of precision times step in recall of each line."""
    above = positives[:, ::-1].cumsum(-1)
    of_all = above + negatives[:, ::-1].cumsum(-1)
    with np.errstate(invalid="ignore"):
        return (positives[:, ::-1] * above / np.maximum(of_all, 1)).sum(-1) / positives.sum(-1)


def grouped(positives, negatives, n_groups):
    """Neighbouring scores together, as many positives in each group, where there are more scores than that."""
    if positives.shape[1] <= n_groups:
        return positives, negatives
    above = positives.sum(0)[::-1].cumsum()[::-1]
    group = np.ceil(above * n_groups / max(above[0], 1))
    starts = np.flatnonzero(np.append(True, group[1:] != group[:-1]))
    return np.add.reduceat(positives, starts, axis=1), np.add.reduceat(negatives, starts, axis=1)


def bootstrap(score, label, day, params, is_cohort=False, weight=1.0):
    """Every metric of all rows, then of each bootstrap sample of days, in one array a metric: sums over days, weighted."""
    scores, positives, negatives = count(score, label, day, np.broadcast_to(weight, len(label)))
    weights = draws(len(positives), params["bootstrap"], not is_cohort)
    costs, n_bins = params["costs"], params["ece_bins"]
    is_alert, sure = scores >= threshold(costs), np.clip(scores, 1e-6, 1 - 1e-6)
    in_bin = np.eye(n_bins)[np.minimum((scores * n_bins).astype(int), n_bins - 1)]
    n_pos, n_neg = weights @ positives.sum(-1), weights @ negatives.sum(-1)
    n = n_pos + n_neg
    hits, false = weights @ positives[:, is_alert].sum(-1), weights @ negatives[:, is_alert].sum(-1)
    pairs = positives @ (negatives.cumsum(-1) - negatives / 2).T
    few = grouped(positives, negatives, 500 if is_cohort else 2000)
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


def threshold(costs):
    """The score from which an alert pays off."""
    wrong, missed = costs["quiet_right"] - costs["alert_wrong"], costs["alert_right"] - costs["missed"]
    return wrong / (wrong + missed)


def triple(values, params, metric="", check=False):
    """A value with its interval. That of the calibration error also holds the basic one, which takes its bias out."""
    tail, n = (1 - params["bootstrap"]["confidence"]) / 2, params["bootstrap"]["samples"]
    drawn, value = values[1 + n :] if check else values[1 : 1 + n], values[0]
    drawn = drawn[np.isfinite(drawn)]
    low, high = np.quantile(drawn, [tail, 1 - tail]) if len(drawn) >= 0.9 * n else (None, None)
    if metric == "ece" and low is not None:
        low, high = min(low, 2 * value - high), max(high, 2 * value - low)
    return {"value": value, "low": low, "high": high}


def others_of(scores):
    """What the candidate is compared with, the reference first; the base rate only where there is nothing else."""
    return [name for name in ("champion", "served") if name in scores] or ["base_rate"]


def compare(rows, scores, params, is_cohort=False):
    """Metrics of each model, and of the candidate less each other, with intervals; the arrays that these come from."""
    label, day, weight = rows["label"].to_numpy(), days_of(rows), weight_of(rows)
    drawn = {name: bootstrap(score, label, day, params, is_cohort, weight) for name, score in scores.items()}
    found = {name: {m: triple(values, params, m) for m, values in one.items()} for name, one in drawn.items()}
    for one in found.values():
        one["ece"]["low"] = one["ece"]["low"] and max(one["ece"]["low"], 0)
    mine = drawn["candidate"]
    for kind in ["difference"] + ["check"] * (not is_cohort):
        found[kind] = {
            other: {m: triple(values - drawn[other][m], params, m, kind == "check") for m, values in mine.items()}
            for other in others_of(scores)
        }
    return found, drawn


def values_of(found, models):
    """A comparison without the intervals of the models' own metrics."""
    values = {name: {m: one["value"] for m, one in found[name].items()} for name in models}
    return values | {name: found[name] for name in ("difference", "check") if name in found}


def p_above(values, n_days, params):
    """How likely chance alone gives such a value: by Student's t over blocks of days."""
    n, length = params["bootstrap"]["samples"], block_length(n_days, params["bootstrap"]["block_days"])
    drawn = values[1 : 1 + n]
    drawn = drawn[np.isfinite(drawn)]
    if not np.isfinite(values[0]) or n_days <= length or len(drawn) < 0.9 * n:
        return None
    error = np.std(drawn) * np.sqrt(n_days / (n_days - length))
    if error < 1e-12:
        return float(values[0] <= 1e-12)
    return student.sf(values[0] / error, n_days / length - 1)


def p_worse(drawn, other, n_days, params):
    """The same for each metric of the candidate, in the direction that is worse."""
    signs = {m: -1 if m in HIGHER_IS_BETTER else 1 for m in drawn["candidate"] if m != "alert_rate"}
    return {m: p_above(sign * (drawn["candidate"][m] - drawn[other][m]), n_days, params) for m, sign in signs.items()}


def calibration(rows, scores, params):
    """The line that would put each score right in log odds."""
    label, day, found = rows["label"].to_numpy(), days_of(rows), {}
    weights = draws(day.max() + 1, params["bootstrap"])
    for name in (one for one in scores if one != "base_rate"):
        line = lines(scores[name], label, day, weights, weight_of(rows))
        found[name] = {key: triple(values, params) for key, values in zip(("intercept", "slope"), line, strict=True)}
    return found


def lines(score, label, day, weights, weight):
    """Intercepts and slopes of what happened on log odds, fitted to 50 groups of scores by Newton's method."""
    clipped = np.clip(score, 1e-6, 1 - 1e-6)
    logits, place, n = np.unique(np.log(clipped / (1 - clipped)), return_inverse=True, return_counts=True)
    _, group = np.unique((n.cumsum() - n) * 50 // len(label), return_inverse=True)
    x = np.bincount(group, n * logits) / np.bincount(group, n)
    _, positives, negatives = count(group[place], label, day, weight)
    yes, total = weights @ positives, weights @ (positives + negatives)
    line, step = np.tile([[0.0], [1.0]], len(weights)), np.full(len(weights), np.inf)
    for _ in range(25):
        with np.errstate(all="ignore"):
            p = 1 / (1 + np.exp(-(line[0, :, None] + line[1, :, None] * x)))
            missed, w = yes - total * p, total * p * (1 - p)
            down, down_x, w_0, w_1, w_2 = missed.sum(-1), missed @ x, w.sum(-1), w @ x, w @ x**2
            det = w_0 * w_2 - w_1**2
            det = np.where(det > 1e-9 * w_0 * w_2, det, np.nan)
            move = np.array([(w_2 * down - w_1 * down_x) / det, (w_0 * down_x - w_1 * down) / det])
        line, step = line + np.clip(move, -2, 2), np.abs(move).sum(0)
        if not (step > 1e-9).any():
            break
    return np.where(step < 1e-6, line, np.nan)


def flips(rows, scores, params):
    """How many decisions change from the reference to the candidate, and how many of these are right."""
    now, before = (scores[name] >= threshold(params["costs"]) for name in ("candidate", others_of(scores)[0]))
    up, down, label = now & ~before, before & ~now, rows["label"].to_numpy()
    sets = {
        "to_alert": up,
        "to_alert_right": up & (label == 1),
        "to_quiet": down,
        "to_quiet_right": down & (label == 0),
    }
    return {name: int(one.sum()) for name, one in sets.items()}
