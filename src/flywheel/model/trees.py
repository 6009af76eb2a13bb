"""How many trees: as many as earlier fits of the same recipe did best with, on the days that came after them.

So the number rests on scores of days that no fit has seen, in the order of time, and no row is kept out of the fit for it.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class EarlierFit:
    """A fit as of an earlier day: how many rows it learned from, how many came after, and the loss on these by trees."""

    as_of: dt.date
    rows: int
    later_rows: int
    losses: np.ndarray


def earlier_days(first: dt.date, end: dt.date, length: int, step: int, n: int) -> list[dt.date]:
    """The days as of which the earlier fits are made, the latest first: `n` of them, `step` days apart, if they are `long`."""
    days = [end - dt.timedelta(days=step * k) for k in range(1, n + 1)]
    return [day for day in days if is_long(first, day, end, length)]


def is_long(first: dt.date, day: dt.date, end: dt.date, length: int) -> bool:
    """Whether a fit as of `day` has at least half as many days to learn from as the one as of `end` that it speaks for.

    Both learn from the last `length` days since the `first` one of the data. With much less to learn from, fewer trees are
    right, and more days help more.
    """

    def span(day: dt.date) -> int:
        return min((day - first).days, length)

    return 2 * span(day) >= span(end)


def mean_losses(fits: Sequence[EarlierFit]) -> np.ndarray:
    """The mean over the fits of the loss after each tree; a fit that found no more trees keeps the loss of its last one."""
    longest = max(len(one.losses) for one in fits)
    padded = [np.pad(one.losses, (0, longest - len(one.losses)), mode="edge") for one in fits]
    mean: np.ndarray = np.mean(padded, axis=0).round(6)
    return mean


def number_of_trees(fits: Sequence[EarlierFit], otherwise: int) -> int:
    """The number of trees with the least mean loss, the smaller one where two are equal; `otherwise` without any fit."""
    return int(mean_losses(fits).argmin()) + 1 if fits else otherwise
