"""Intervals of metrics from a paired bootstrap over days."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from flywheel.evaluation.metrics import Counts, Settings, metrics
from flywheel.evaluation.settings import Bootstrap

CHUNK = 2_000_000  # numbers in one block of bootstrap samples: about 16 MB


def day_weights(n_days: int, params: Bootstrap) -> np.ndarray:
    """How often each day is drawn in each bootstrap sample: (samples x days), the same for every model (paired)."""
    rng = np.random.default_rng(params.seed)
    return rng.multinomial(n_days, np.full(n_days, 1 / n_days), size=params.samples).astype("float64")


def bootstrap(counts: Counts, weights: np.ndarray, settings: Settings) -> dict[str, np.ndarray]:
    """The metrics of every bootstrap sample: days drawn with replacement, because rows of a day are not independent.

    The cluster bootstrap (Davison and Hinkley, 1997, ch. 3.8) with a day as the cluster. It takes days as independent;
    weather that lasts longer makes the intervals somewhat too narrow.
    """
    parts = [
        metrics(counts.scores, block @ counts.positives, block @ counts.negatives, settings)
        for block in _blocks(weights, len(counts.scores))
    ]
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def interval(samples: np.ndarray, confidence: float) -> tuple[float, float] | tuple[None, None]:
    """The percentile interval of bootstrap samples; (None, None) where fewer than nine in ten are defined."""
    defined = samples[np.isfinite(samples)]
    if len(defined) < 0.9 * len(samples) or not len(defined):
        return None, None
    tail = (1 - confidence) / 2
    low, high = np.quantile(defined, [tail, 1 - tail])
    return float(low), float(high)


def _blocks(weights: np.ndarray, n_scores: int) -> Iterator[np.ndarray]:
    step = max(1, CHUNK // max(n_scores, 1))
    for start in range(0, len(weights), step):
        yield weights[start : start + step]
