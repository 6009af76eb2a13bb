"""How likely chance alone makes something look like harm."""

from __future__ import annotations

import numpy as np

from flywheel.evaluation.evidence import HIGHER_IS_BETTER
from flywheel.evaluation.intervals import Resampled, block_length
from flywheel.evaluation.settings import Bootstrap


def p_worse(mine: Resampled, other: Resampled, n_days: int, params: Bootstrap) -> dict[str, float | None]:
    """For each metric with a good direction: how likely chance alone makes `mine` look so much worse than `other`."""
    return {
        metric: p_above(
            (-1 if higher else 1) * (mine.estimates[metric] - other.estimates[metric]),
            mine.samples[metric] - other.samples[metric],
            n_days,
            params,
        )
        for metric, higher in HIGHER_IS_BETTER.items()
    }


def p_above(value: float, samples: np.ndarray, n_days: int, params: Bootstrap) -> float | None:
    """One-sided p-value of `value` against a truth of 0 or less; None where too few of its bootstrap `samples` are defined.

    The value is held against the spread of its samples, by Student's t with as many degrees of freedom as there are blocks
    of days, less one; and a bootstrap of `n` blocks has a spread that is too small by the root of (n - 1) / n. To count the
    samples beyond 0 would be simpler, but the smallest p-value is then 1 / (samples + 1): with 2,000 samples, and 5 % for all
    of them together, no harm could be shown in more than 100 cohorts. And far out, where many cohorts make one look, so few
    days make the samples too narrow: in a simulation of 21 cohorts without harm over 28 days, a loss was "shown" in 8 % of
    the cases by counting, in 18 % with blocks of three days; by Student's t in 4 % and 2 % (Efron and Tibshirani, 1993).
    """
    defined = samples[np.isfinite(samples)]
    length = block_length(n_days, params.block_days)
    if not np.isfinite(value) or n_days <= length or len(defined) < 0.9 * len(samples):
        return None
    error = float(np.std(defined) * np.sqrt(n_days / (n_days - length)))
    if error < 1e-12:  # the same on every day
        return 0.0 if value > 1e-12 else 1.0
    return student_tail(value / error, n_days / length - 1)


def student_tail(t: float, freedom: float) -> float:
    """How likely Student's t is above `t`: with t = sqrt(freedom) tan(angle) its density is a power of the cosine."""
    angles = np.linspace(np.arctan(abs(t) / np.sqrt(freedom)), np.pi / 2, 1001)
    whole = np.linspace(0, np.pi / 2, 1001)
    beyond, half = (np.trapezoid(np.cos(one) ** (freedom - 1), one) for one in (angles, whole))
    tail = float(beyond / half / 2)
    return tail if t >= 0 else 1 - tail
