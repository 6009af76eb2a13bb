"""Intervals of metrics from a paired bootstrap over blocks of days."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

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

AT_ONCE = 64  # samples
GROUPS = 2000  # of scores, for the average precision of a sample: with more it changes in the fifth digit
WEIGHT = "label_weight"  # the column that says how much a row counts; without it all count alike
FEWER_GROUPS = 500  # and in the fourth, which is enough for a cohort


@dataclass(frozen=True)
class Resampled:
    """The metrics of one model by name: over all rows, in every bootstrap sample, and in those of the check."""

    estimates: dict[str, float]
    samples: dict[str, np.ndarray]
    check: dict[str, np.ndarray] = field(default_factory=dict)


def resample(
    table: pd.DataFrame, scores: Mapping[str, np.ndarray], params: Evaluate, is_cohort: bool = False
) -> dict[str, Resampled]:
    """The metrics of every model on the rows of `table` (`served_at`, `label`), with bootstrap samples over their days.

    All models are resampled with the same days, so a difference of their samples is paired. Only days that have rows are
    drawn: a day without a row says nothing about a metric, and to draw it would only vary how much the sample holds.
    In a cohort, of which there may be many, there are no samples of the check. A row counts as much as its `label_weight`
    says, where there is such a column: weights are taken as known, so intervals do not hold what is uncertain about them.
    """
    day, n_days = day_codes(table["served_at"])
    label = table["label"].to_numpy()
    settings = Settings(params.costs, params.ece_bins)
    weights = day_weights(n_days, params.bootstrap)
    if not is_cohort:
        weights = np.vstack([weights, check_weights(n_days, params.bootstrap)])
    n, found = params.bootstrap.samples, {}
    for name, score in scores.items():
        counted = count(score, label, day, n_days, weight_of(table))
        samples = bootstrap(counted, weights, settings, FEWER_GROUPS if is_cohort else GROUPS)
        first, second = ({metric: one[part] for metric, one in samples.items()} for part in (slice(n), slice(n, None)))
        found[name] = Resampled(measure(counted, settings), first, second)
    return found


def weight_of(table: pd.DataFrame) -> np.ndarray | None:
    """How much each row counts; None where all count alike."""
    return table[WEIGHT].to_numpy("float64") if WEIGHT in table else None


def weights_of(table: pd.DataFrame) -> np.ndarray:
    """How much each row counts: 1 where all count alike."""
    found = weight_of(table)
    return np.ones(len(table)) if found is None else found


def day_codes(served_at: pd.Series) -> tuple[np.ndarray, int]:
    """The UTC day of each row as 0 .. n - 1 among the days that have rows, and n."""
    moments = served_at.to_numpy("datetime64[s]")  # in UTC; to ask each for its date takes fifty times as long
    codes, days = pd.factorize(moments.astype("datetime64[D]").astype("int64"), sort=True)
    return codes, len(days)


def day_weights(n_days: int, params: Bootstrap) -> np.ndarray:
    """How often each day is drawn in each bootstrap sample: (samples x days), the same for every model (paired).

    The circular block bootstrap (Politis and Romano, 1992): blocks of `block_days` neighbouring days, the first following the
    last, until there are as many days as before; the last block is cut. So what lasts for some days, like weather, stays
    together.
    """
    length = block_length(n_days, params.block_days)
    n_blocks = -(-n_days // length)
    starts = np.random.default_rng(params.seed).integers(0, n_days, (params.samples, n_blocks, 1))
    drawn = ((starts + np.arange(length)) % n_days).reshape(params.samples, -1)[:, :n_days]
    cell = np.arange(params.samples)[:, None] * n_days + drawn
    counted = np.bincount(cell.ravel(), minlength=params.samples * n_days)
    return counted.reshape(params.samples, n_days).astype("float64")


def block_length(n_days: int, block_days: int) -> int:
    """How many days a block has: a quarter of all days at most, else all samples would be alike."""
    return max(1, min(block_days, n_days // 4))


def check_weights(n_days: int, params: Bootstrap) -> np.ndarray:
    """The same with blocks of another length and another seed: what is shown by both is not shown by their choice."""
    return day_weights(
        n_days, params.model_copy(update={"block_days": params.check_block_days, "seed": params.seed + 1})
    )


def bootstrap(counts: Counts, weights: np.ndarray, settings: Settings, n_groups: int = GROUPS) -> dict[str, np.ndarray]:
    """The metrics of every bootstrap sample of days, because the rows of a day are not independent.

    The AUC counts ordered pairs, and these add up over pairs of days: so it follows from a small table, (days x days). Only
    the average precision needs the scores in each sample, and is content with the `coarse` ones: what they take from it over
    all days is given back to each sample.
    """
    of_days = sums(counts.scores, counts.positives, counts.negatives, settings)
    pairs = counts.positives @ negatives_below(counts.negatives).T
    ordered = ((weights @ pairs) * weights).sum(-1)
    few = coarse(counts, n_groups)
    all_days, all_days_coarse = (average_precision(one.positives.sum(0), one.negatives.sum(0)) for one in (counts, few))
    batches = [
        weights[at : at + AT_ONCE] for at in range(0, len(weights), AT_ONCE)
    ]  # so few stay in the processor's cache
    precision = np.concatenate([average_precision(one @ few.positives, one @ few.negatives) for one in batches])
    precision += all_days - all_days_coarse
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


def of_difference_checked(metric: str, mine: Resampled, other: Resampled, confidence: float) -> dict[str, float | None]:
    """The same with the samples of the check."""
    value = mine.estimates[metric] - other.estimates[metric]
    return _with_interval(metric, value, mine.check[metric] - other.check[metric], confidence)


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
