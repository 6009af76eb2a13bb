"""Intervals of shares and means of what users say, without resampling: there are few texts a week."""

from __future__ import annotations

import math
from statistics import NormalDist
from typing import TYPE_CHECKING

from typing_extensions import TypedDict

if TYPE_CHECKING:  # slow to import, and the report needs only the types
    import pandas as pd


MANY = 200  # degrees of freedom


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
    """The share k of n less another one, with its interval."""
    return difference(wilson(k, n, confidence), wilson(other_k, other_n, confidence))


def difference(mine: Estimate, other: Estimate) -> Estimate:
    """A share less another one, with the interval from the score intervals of both (Newcombe, 1998, method 10)."""
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
    if n < max(least, 2):
        return {"value": value, "low": None, "high": None}
    half = quantile_of_t((1 + confidence) / 2, n - 1) * float(values.std(ddof=1)) / math.sqrt(n)
    return {"value": value, "low": value - half, "high": value + half}


def quantile_of_t(p: float, df: int) -> float:
    """The quantile of Student's t for p above one half, from its distribution (Abramowitz and Stegun, 26.7.3 and 26.7.4)."""
    if df > MANY:  # where the expansion 26.7.5 is right to a millionth
        z = NormalDist().inv_cdf(p)
        return z + (z**3 + z) / (4 * df) + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * df**2)
    low, high = 0.0, 1.0
    while _within(high, df) < 2 * p - 1:
        low, high = high, 2 * high
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if _within(middle, df) < 2 * p - 1 else (low, middle)
    return high


def _within(t: float, df: int) -> float:
    """How likely Student's t lies between -t and t."""
    angle = math.atan(t / math.sqrt(df))
    sine, cosine = math.sin(angle), math.cos(angle)
    is_odd = df % 2
    term = cosine if is_odd else 1.0
    total = 0.0
    for j in range(1, df // 2 + 1):
        total += term
        term *= cosine**2 * (2 * j - 1 + is_odd) / (2 * j + is_odd)
    if not is_odd:
        return sine * total
    return 2 / math.pi * (angle + sine * total)
