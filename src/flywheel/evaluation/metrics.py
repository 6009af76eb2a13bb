"""Metrics of a probability against a 0/1 label, and their intervals from a paired bootstrap over days.

Everything starts from one table per model: how many positives and negatives each day has at each distinct score. Most metrics
follow from sums over its rows that add up over days, so that a bootstrap sample of days is a product with few columns.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from flywheel.evaluation.settings import Costs

CLIP = 1e-6  # the log loss of a score of exactly 0 or 1 would be infinite


@dataclass(frozen=True)
class Settings:
    """The costs of the four cases, from which the alert threshold follows, and how many bins the calibration error has."""

    costs: Costs
    ece_bins: int


@dataclass(frozen=True)
class Counts:
    """Positives and negatives, each (days x scores), at each distinct score in ascending order."""

    scores: np.ndarray
    positives: np.ndarray
    negatives: np.ndarray


def count(
    score: np.ndarray, label: np.ndarray, day: np.ndarray, n_days: int, weight: np.ndarray | None = None
) -> Counts:
    """Count labels by day (0 .. n_days - 1) and distinct score, each row as often as its weight says (none: once)."""
    scores, group = np.unique(score, return_inverse=True)
    cell = day * len(scores) + group
    shape = (n_days, len(scores))
    size = n_days * len(scores)
    total = np.bincount(cell, weights=weight, minlength=size).reshape(shape).astype("float64")
    weighted = label if weight is None else label * weight
    positives = np.bincount(cell, weights=weighted, minlength=size).reshape(shape)
    return Counts(scores, positives, total - positives)


def auc(positives: np.ndarray, negatives: np.ndarray) -> np.ndarray:
    """The chance that a positive scores above a negative, ties count half (Mann-Whitney); NaN without both.

    `positives` and `negatives` are (... x scores), in ascending order of score.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        ordered = (positives * negatives_below(negatives)).sum(-1)
        found: np.ndarray = ordered / (positives.sum(-1) * negatives.sum(-1))
        return found


def negatives_below(negatives: np.ndarray) -> np.ndarray:
    """How many negatives score lower than each score, and half of those that score the same: (... x scores)."""
    found: np.ndarray = np.cumsum(negatives, axis=-1) - negatives / 2
    return found


def average_precision(positives: np.ndarray, negatives: np.ndarray) -> np.ndarray:
    """The sum of precision times step in recall; NaN without a positive. Both are (... x scores), scores ascending."""
    with np.errstate(divide="ignore", invalid="ignore"):
        reached = np.cumsum(positives[..., ::-1], axis=-1)
        of_all = reached + np.cumsum(negatives[..., ::-1], axis=-1)
        precision = np.divide(reached, of_all, out=np.zeros_like(reached), where=of_all > 0)
        found: np.ndarray = (positives[..., ::-1] * precision).sum(-1) / positives.sum(-1)
        return found


def sums(scores: np.ndarray, positives: np.ndarray, negatives: np.ndarray, settings: Settings) -> dict[str, np.ndarray]:
    """What the metrics that do not order the rows follow from, and what adds up over days: each is (...) or (... x bins).

    `positives` and `negatives` are (... x scores), in ascending order of score.
    """
    clipped = np.clip(scores, CLIP, 1 - CLIP)
    in_bin, is_alert = _bins(scores, settings.ece_bins), scores >= settings.costs.threshold
    return {
        "positives": positives.sum(-1),
        "negatives": negatives.sum(-1),
        "loss": -(positives @ np.log(clipped) + negatives @ np.log1p(-clipped)),
        "squared": positives @ (1 - scores) ** 2 + negatives @ scores**2,
        "hits": positives[..., is_alert].sum(-1),
        "false_alerts": negatives[..., is_alert].sum(-1),
        "expected_in_bin": ((positives + negatives) * scores) @ in_bin,
        "positives_in_bin": positives @ in_bin,
    }


def metrics(
    scores: np.ndarray, positives: np.ndarray, negatives: np.ndarray, settings: Settings
) -> dict[str, np.ndarray]:
    """All metrics at once. `positives` and `negatives` are (... x scores), in ascending order of score."""
    ordered = (positives * negatives_below(negatives)).sum(-1)
    found = sums(scores, positives, negatives, settings)
    return from_sums(found, ordered, average_precision(positives, negatives), settings)


def from_sums(
    found: Mapping[str, np.ndarray], ordered: np.ndarray, precision: np.ndarray, settings: Settings
) -> dict[str, np.ndarray]:
    """All metrics of `sums`, of the pairs that are `ordered` rightly, and of the average precision.

    log_loss: mean, natural logarithm. brier: mean squared error. ece: expected calibration error over equal-width bins.
    precision, recall, alert_rate: of alerts (score >= costs.threshold). utility: mean of the cost table per 1,000 predictions.
    A metric that is not defined (no positive, say) is NaN.
    """
    n_pos, n_neg, costs = found["positives"], found["negatives"], settings.costs
    hits, false_alerts, n = found["hits"], found["false_alerts"], n_pos + n_neg
    gained = (
        hits * costs.alert_right
        + false_alerts * costs.alert_wrong
        + (n_pos - hits) * costs.missed
        + (n_neg - false_alerts) * costs.quiet_right
    )
    with np.errstate(divide="ignore", invalid="ignore"):
        return {
            "auc": ordered / (n_pos * n_neg),
            "average_precision": precision,
            "log_loss": found["loss"] / n,
            "brier": found["squared"] / n,
            "ece": np.abs(found["expected_in_bin"] - found["positives_in_bin"]).sum(-1) / n,
            "precision": hits / (hits + false_alerts),
            "recall": hits / n_pos,
            "alert_rate": (hits + false_alerts) / n,
            "utility": 1000 * gained / n,
        }


def measure(counts: Counts, settings: Settings) -> dict[str, float]:
    """The metrics over all days."""
    found = metrics(counts.scores, counts.positives.sum(0), counts.negatives.sum(0), settings)
    return {name: float(value) for name, value in found.items()}


def curves(counts: Counts, bins: int) -> dict[str, list[dict[str, float]]]:
    """Points of the ROC and precision-recall curves and of the score histogram."""
    positives, negatives = counts.positives.sum(0), counts.negatives.sum(0)
    hits = np.concatenate(([0.0], np.cumsum(positives[::-1])))
    false_alerts = np.concatenate(([0.0], np.cumsum(negatives[::-1])))
    chosen = np.unique(np.linspace(0, len(hits) - 1, 201).astype(int))
    recall, fall_out = hits / max(hits[-1], 1), false_alerts / max(false_alerts[-1], 1)
    precision = np.divide(hits, hits + false_alerts, out=np.ones_like(hits), where=hits + false_alerts > 0)
    in_bin = _bins(counts.scores, bins)
    n = (positives + negatives) @ in_bin
    return {
        "roc": [{"fall_out": float(fall_out[i]), "recall": float(recall[i])} for i in chosen],
        "precision_recall": [{"recall": float(recall[i]), "precision": float(precision[i])} for i in chosen if i],
        "scores": [{"score": (b + 0.5) / bins, "share": float(n[b] / n.sum())} for b in range(bins)],
    }


def _bins(scores: np.ndarray, bins: int) -> np.ndarray:
    """(scores x bins): 1 where a score falls into an equal-width bin of [0, 1]."""
    index = np.minimum((scores * bins).astype(int), bins - 1)
    one_hot: np.ndarray = np.eye(bins)[index]
    return one_hot
