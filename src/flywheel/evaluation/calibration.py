"""Whether a score of 30 % happens in 30 % of the cases: the line that would put it right, and the reliability curve."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from flywheel.evaluation import intervals
from flywheel.evaluation.compare import Scores
from flywheel.evaluation.metrics import CLIP, count
from flywheel.evaluation.settings import Evaluate

GROUPS = 50  # of neighbouring scores: with more the slope changes in the third digit
STEPS = 25


def calibration(table: pd.DataFrame, scores: Scores, params: Evaluate) -> dict[str, Any]:
    """Slope and intercept of each model's logistic recalibration (Cox, 1958), as value, low and high.

    The log odds of what happens are fitted by a line in the log odds of the score: with a slope of 1 and an intercept of 0 the
    score is right as it is. A slope below 1 says that scores are too extreme, above 1 that they are too timid; an intercept
    above 0 that too little is promised. Null where no line can be fitted, as for a score that is always the same.
    """
    day, n_days = intervals.day_codes(table["served_at"])
    weights = intervals.day_weights(n_days, params.bootstrap)
    label, weight = table["label"].to_numpy(), intervals.weight_of(table)
    found: dict[str, Any] = {}
    for name in (one for one in scores if one != "base_rate"):
        logits, positives, negatives = grouped(scores[name], label, day, n_days, weight)
        whole = recalibrate(logits, positives.sum(0)[None], negatives.sum(0)[None])
        start = (float(whole[0][0]), float(whole[1][0]))
        sampled = recalibrate(logits, weights @ positives, weights @ negatives, start)
        found[name] = {
            key: _interval(float(value[0]), samples, params)
            for key, value, samples in zip(("intercept", "slope"), whole, sampled, strict=True)
        }
    return found


def _interval(value: float, samples: np.ndarray, params: Evaluate) -> dict[str, float | None]:
    low, high = intervals.interval(samples, params.bootstrap.confidence)
    return {"value": value, "low": low, "high": high}


def grouped(
    score: np.ndarray, label: np.ndarray, day: np.ndarray, n_days: int, weight: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The mean log odds of `GROUPS` groups of neighbouring scores, and their positives and negatives by day."""
    clipped = np.clip(score, CLIP, 1 - CLIP)
    logits, place = np.unique(np.log(clipped / (1 - clipped)), return_inverse=True)
    rows = np.bincount(place)
    group_of = ((np.cumsum(rows) - rows) * GROUPS // len(score)).astype("int64")  # as many rows in each
    _, group_of = np.unique(group_of, return_inverse=True)
    mean = np.bincount(group_of, weights=rows * logits) / np.bincount(group_of, weights=rows)
    counted = count(group_of[place].astype("float64"), label, day, n_days, weight)
    return mean, counted.positives, counted.negatives


def recalibrate(
    logits: np.ndarray, positives: np.ndarray, negatives: np.ndarray, start: tuple[float, float] = (0.0, 1.0)
) -> tuple[np.ndarray, np.ndarray]:
    """Intercept and slope for each row of `positives` and `negatives` (samples x groups) by Newton's method.

    NaN where it does not settle: with one class alone, one score alone, or scores that separate the classes.
    """
    rows = positives + negatives
    first, slope = (
        np.full(len(rows), one if np.isfinite(one) else ideal) for one, ideal in zip(start, (0.0, 1.0), strict=True)
    )
    step = np.full(len(rows), np.inf)
    with np.errstate(all="ignore"):
        for _ in range(STEPS):
            expected = 1 / (1 + np.exp(-(first[:, None] + slope[:, None] * logits)))
            missed, weight = positives - rows * expected, rows * expected * (1 - expected)
            down, down_x = missed.sum(-1), missed @ logits
            w, w_x, w_xx = weight.sum(-1), weight @ logits, weight @ logits**2
            determinant = w * w_xx - w_x**2
            determinant = np.where(determinant > 1e-9 * w * w_xx, determinant, np.nan)
            to_first, to_slope = (w_xx * down - w_x * down_x) / determinant, (w * down_x - w_x * down) / determinant
            first, slope = first + np.clip(to_first, -2, 2), slope + np.clip(to_slope, -2, 2)
            step = np.abs(to_first) + np.abs(to_slope)
            if not (step > 1e-9).any():
                break
        is_settled = step < 1e-6
    return np.where(is_settled, first, np.nan), np.where(is_settled, slope, np.nan)


def reliability(table: pd.DataFrame, score: np.ndarray, params: Evaluate) -> list[dict[str, float | None]]:
    """The reliability curve: of each bin of scores that has rows their mean, the share of positives with its interval, and n.

    The bins are of equal width, those of the calibration error.
    """
    day, n_days = intervals.day_codes(table["served_at"])
    weights = intervals.day_weights(n_days, params.bootstrap)
    n_bins = params.ece_bins
    cell = day * n_bins + np.minimum((score * n_bins).astype("int64"), n_bins - 1)
    weight = intervals.weights_of(table)
    rows, positives, total = (
        np.bincount(cell, weights=one * weight, minlength=n_days * n_bins).reshape(n_days, n_bins)
        for one in (np.ones(len(score)), table["label"].to_numpy("float64"), score)
    )
    n_rows = np.bincount(cell % n_bins, minlength=n_bins)
    with np.errstate(invalid="ignore"):
        sampled = (weights @ positives) / (weights @ rows)
    points: list[dict[str, float | None]] = []
    for at in np.flatnonzero(rows.sum(0)):
        n = float(rows[:, at].sum())
        low, high = intervals.interval(sampled[:, at], params.bootstrap.confidence)
        rate = float(positives[:, at].sum() / n)
        points.append(
            {"score": float(total[:, at].sum() / n), "rate": rate, "low": low, "high": high, "n": int(n_rows[at])}
        )
    return points
