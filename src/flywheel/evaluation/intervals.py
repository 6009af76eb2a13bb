"""Intervals of metrics from a paired bootstrap over days."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from flywheel.evaluation.metrics import (
    Counts,
    Settings,
    average_precision,
    count,
    from_sums,
    measure,
    negatives_below,
    sums,
)
from flywheel.evaluation.settings import Bootstrap, Evaluate

GROUPS = 1000  # of scores, for the average precision of a sample: with more it changes in the fifth digit


@dataclass(frozen=True)
class Resampled:
    """The metrics of one model by name: over all rows, and in every bootstrap sample."""

    estimates: dict[str, float]
    samples: dict[str, np.ndarray]


def resample(table: pd.DataFrame, scores: Mapping[str, np.ndarray], params: Evaluate) -> dict[str, Resampled]:
    """The metrics of every model on the rows of `table` (`served_at`, `label`), with bootstrap samples over their days.

    All models are resampled with the same days, so a difference of their samples is paired. Only days that have rows are
    drawn: a day without a row says nothing about a metric, and to draw it would only vary how much the sample holds.
    """
    day, n_days = day_codes(table["served_at"])
    label = table["label"].to_numpy()
    settings = Settings(params.costs, params.ece_bins)
    weights = day_weights(n_days, params.bootstrap)
    counts = {name: count(score, label, day, n_days) for name, score in scores.items()}
    return {
        name: Resampled(measure(counted, settings), bootstrap(counted, weights, settings))
        for name, counted in counts.items()
    }


def day_codes(served_at: pd.Series) -> tuple[np.ndarray, int]:
    """The day of each row as 0 .. n - 1 among the days that have rows, and n."""
    codes, days = pd.factorize(served_at.dt.date, sort=True)
    return codes, len(days)


def day_weights(n_days: int, params: Bootstrap) -> np.ndarray:
    """How often each day is drawn in each bootstrap sample: (samples x days), the same for every model (paired)."""
    rng = np.random.default_rng(params.seed)
    return rng.multinomial(n_days, np.full(n_days, 1 / n_days), size=params.samples).astype("float64")


def bootstrap(counts: Counts, weights: np.ndarray, settings: Settings) -> dict[str, np.ndarray]:
    """The metrics of every bootstrap sample: days drawn with replacement, because the rows of a day are not independent.

    The cluster bootstrap (Davison and Hinkley, 1997, ch. 3.8) with a day as the cluster. It treats days as independent;
    weather that lasts longer makes the intervals somewhat too narrow.

    The AUC counts ordered pairs, and these add up over pairs of days: so it follows from a small table, (days x days). Only
    the average precision needs the scores in each sample, and is content with the `coarse` ones: what they take from it over
    all days is given back to each sample.
    """
    of_days = sums(counts.scores, counts.positives, counts.negatives, settings)
    pairs = counts.positives @ negatives_below(counts.negatives).T
    ordered = ((weights @ pairs) * weights).sum(-1)
    few = coarse(counts)
    all_days, all_days_coarse = (average_precision(one.positives.sum(0), one.negatives.sum(0)) for one in (counts, few))
    precision = average_precision(weights @ few.positives, weights @ few.negatives) + (all_days - all_days_coarse)
    return from_sums({name: weights @ one for name, one in of_days.items()}, ordered, precision, settings)


def coarse(counts: Counts, n_groups: int = GROUPS) -> Counts:
    """The counts with neighbouring scores grouped, so that each of about `n_groups` groups has as many positives.

    Unchanged where there are not so many scores.
    """
    if len(counts.scores) <= n_groups:
        return counts
    above = np.cumsum(counts.positives.sum(0)[::-1])[::-1]  # positives with this score or a higher one
    group = np.ceil(above * n_groups / max(above[0], 1))
    starts = np.flatnonzero(np.append(True, group[1:] != group[:-1]))
    positives, negatives = (np.add.reduceat(one, starts, axis=1) for one in (counts.positives, counts.negatives))
    return Counts(counts.scores[starts], positives, negatives)


def of_metric(metric: str, found: Resampled, confidence: float) -> dict[str, float | None]:
    """A metric of one model as value, low and high."""
    measured = _with_interval(metric, found.estimates[metric], found.samples[metric], confidence)
    if metric == "ece" and measured["low"] is not None:
        measured["low"] = max(measured["low"], 0.0)
    return measured


def of_difference(metric: str, mine: Resampled, other: Resampled, confidence: float) -> dict[str, float | None]:
    """A metric of one model minus that of another, as value, low and high."""
    value = mine.estimates[metric] - other.estimates[metric]
    return _with_interval(metric, value, mine.samples[metric] - other.samples[metric], confidence)


def _with_interval(metric: str, value: float, samples: np.ndarray, confidence: float) -> dict[str, float | None]:
    """Value, low and high: the percentile interval, but for the calibration error.

    The calibration error is a sum of absolute values: chance alone makes it positive, so its estimate is too high and its
    bootstrap samples are higher still. The percentile interval then lies too high, and the basic one (Davison and Hinkley,
    1997, ch. 5.2), which takes the bias out, too low wherever there is little bias: in planted worlds each misses the truth at
    one of its ends in up to a fifth of the cases. The interval is the two together, which does not.
    """
    low, high = interval(samples, confidence)
    if metric == "ece" and low is not None and high is not None:
        low, high = min(low, 2 * value - high), max(high, 2 * value - low)
    return {"value": value, "low": low, "high": high}


def interval(samples: np.ndarray, confidence: float) -> tuple[float, float] | tuple[None, None]:
    """The percentile interval of bootstrap samples; (None, None) if fewer than nine in ten are defined."""
    defined = samples[np.isfinite(samples)]
    if len(defined) < 0.9 * len(samples) or not len(defined):
        return None, None
    tail = (1 - confidence) / 2
    low, high = np.quantile(defined, [tail, 1 - tail])
    return float(low), float(high)
