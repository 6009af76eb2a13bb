"""Krippendorff's alpha: how far annotators agree beyond chance."""

from __future__ import annotations

import numpy as np

from flywheel.labels.claims import Claims, Ints
from flywheel.labels.evidence import Alpha
from flywheel.labels.truth import Floats
from flywheel.labels.unsure import CONFIDENCE, LEAST

RESAMPLES, SEED = 1000, 2011


def agreement(claims: Claims, at: Ints) -> Alpha:
    """Krippendorff's alpha of the annotations at these places, with a bootstrap interval over predictions, of a fixed seed.

    Predictions with the same answers are drawn together, by how many there are: the same distribution, in any order.
    """
    n_predictions = len(claims.names)
    counts = np.bincount(claims.prediction[at] * 2 + claims.value[at], minlength=2 * n_predictions).reshape(-1, 2)
    counts = counts[counts.sum(axis=1) >= 2]
    n = len(counts)
    if n < LEAST:
        return {"predictions": n, "alpha": None}
    patterns, times = np.unique(counts, axis=0, return_counts=True)
    value = float(alpha(patterns, times[np.newaxis])[0])
    if np.isnan(value):
        return {"predictions": n, "alpha": None}
    drawn = alpha(patterns, np.random.default_rng(SEED).multinomial(n, times / n, RESAMPLES))
    tail = (1 - CONFIDENCE) / 2
    low, high = np.nanquantile(drawn, [tail, 1 - tail])
    return {"predictions": n, "alpha": {"value": value, "low": float(low), "high": float(high)}}


def alpha(patterns: Ints, times: Ints) -> Floats:
    """Krippendorff's alpha of nominal data (Krippendorff, 2011), one for each row of `times`: 1 is perfect, 0 is chance.

    `patterns` says how often each value was given to one unit, shape (patterns, values); `times` how many units are like that,
    shape (draws, patterns). Units with fewer than two values cannot be compared and do not count; missing values need nothing
    else. nan where all values are the same: there is nothing to agree about.
    """
    size = patterns.sum(axis=1)
    is_pair = size >= 2
    patterns, size, times = patterns[is_pair], size[is_pair], times[:, is_pair]
    # The coincidences of different values within units, and in all: n is the number of values that have a partner.
    observed = times @ ((size**2 - (patterns**2).sum(axis=1)) / (size - 1))
    totals = times @ patterns
    n = totals.sum(axis=1)
    expected = (n**2 - (totals**2).sum(axis=1)) / np.maximum(n - 1, 1)
    with np.errstate(invalid="ignore"):
        found: Floats = 1 - observed / np.where(expected > 0, expected, np.nan)
    return found
