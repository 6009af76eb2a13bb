"""How many trees: as many as earlier fits of the same recipe did best with, on the days that came after them.

So the number rests on scores of days that no fit has seen, in the order of time, and no row is kept out of the fit for it.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from flywheel.model.fit import Rows, rarer


@dataclass(frozen=True)
class EarlierFit:
    """A fit as of an earlier day: how many rows it learned from, how many came after, and the loss on these by trees."""

    as_of: dt.date
    rows: int
    later_rows: int
    losses: np.ndarray


def earlier_days(first: dt.date, end: dt.date, length: int, step: int, n: int) -> list[dt.date]:
    """The days as of which the earlier fits are made, the latest first: `n` of them, `step` days apart.

    Each has at least half as many days to learn from as the fit as of `end`, of the last `length` days since the `first`
    one of the data: with much less to learn from, fewer trees are right.
    """

    def span(day: dt.date) -> int:
        return min((day - first).days, length)

    days = [end - dt.timedelta(days=step * k) for k in range(1, n + 1)]
    return [day for day in days if 2 * span(day) >= span(end)]


def measure(
    days: Sequence[dt.date],
    step: int,
    rows: Callable[[dt.date, dt.date | None], Rows],
    n_needed: int,
    losses: Callable[[Rows, Rows], np.ndarray],
) -> list[EarlierFit]:
    """The earlier fits. `rows(day, None)` are those to learn from as of a day, `rows(day, until)` those that came until then.

    Left out is a fit with fewer than `n_needed` rows of the rarer class, or with none of a class to measure on.
    """
    found = []
    for day in days:
        learned, later = rows(day, None), rows(day, day + dt.timedelta(days=step))
        if rarer(learned) >= n_needed and rarer(later):
            found.append(EarlierFit(day, len(learned.label), len(later.label), losses(learned, later)))
    return found


def mean_losses(fits: Sequence[EarlierFit]) -> np.ndarray:
    """The mean over the fits of the loss after each tree."""
    mean: np.ndarray = np.mean([one.losses for one in fits], axis=0).round(6)
    return mean


def number_of_trees(fits: Sequence[EarlierFit], otherwise: int) -> int:
    """The number of trees with the least mean loss, the smaller one where two are equal; `otherwise` without any fit."""
    return int(mean_losses(fits).argmin()) + 1 if fits else otherwise
