"""Intervals of shares and means of what users say, without resampling: there are few texts a week."""

from __future__ import annotations

import math
from statistics import NormalDist

import pandas as pd
from typing_extensions import TypedDict


class Estimate(TypedDict):
    """A value with its interval; without one where there is too little."""

    value: float
    low: float | None
    high: float | None


def wilson(k: float, n: int, confidence: float) -> Estimate:
    """The share k of n with its score interval (Wilson, 1927), which stays within 0 and 1 also where k is 0 or n.

    It takes what it counts as independent. Without anything to count nothing is known: 0, between 0 and 1.
    """
    if n == 0:
        return {"value": 0.0, "low": 0.0, "high": 1.0}
    share = k / n
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    middle = (share + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * math.sqrt(share * (1 - share) / n + z**2 / (4 * n**2))
    return {"value": share, "low": max(middle - half, 0.0), "high": min(middle + half, 1.0)}


def share_difference(k: int, n: int, other_k: int, other_n: int, confidence: float) -> Estimate:
    """The share k of n less another one, with the interval from the score intervals of both (Newcombe, 1998, method 10)."""
    mine, other = wilson(k, n, confidence), wilson(other_k, other_n, confidence)
    value = mine["value"] - other["value"]

    def far(a: float, b: float) -> float:
        return math.sqrt((a - mine["value"]) ** 2 + (b - other["value"]) ** 2)

    ends = [(one["low"] or 0.0, one["high"] or 0.0) for one in (mine, other)]
    (low, high), (other_low, other_high) = ends
    return {"value": value, "low": value - far(low, other_high), "high": value + far(high, other_low)}


def mean(values: pd.Series, confidence: float, least: int) -> Estimate | None:
    """The mean with Student's interval; without an interval below `least` values, None without any.

    It takes values as independent.
    """
    n = len(values)
    if n == 0:
        return None
    value = float(values.mean())
    if n < max(least, 10):
        return {"value": value, "low": None, "high": None}
    half = _quantile_of_t((1 + confidence) / 2, n - 1) * float(values.std(ddof=1)) / math.sqrt(n)
    return {"value": value, "low": value - half, "high": value + half}


def _quantile_of_t(p: float, df: int) -> float:
    """The quantile of Student's t (Abramowitz and Stegun, 26.7.5): right to a thousandth from nine degrees of freedom on."""
    z = NormalDist().inv_cdf(p)
    first = (z**3 + z) / 4
    second = (5 * z**5 + 16 * z**3 + 3 * z) / 96
    third = (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384
    return z + first / df + second / df**2 + third / df**3
