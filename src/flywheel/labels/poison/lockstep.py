"""Groups of sources that are always together, where no outcome tells whether they are right.

A group that meets on the same predictions again and again, as no independent sources would, is in lockstep (CopyCatch, Beutel
et al., 2013; CatchSync, Jiang et al., 2014). Friends do that too, so it needs a larger group, and little else that it says.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from flywheel.labels.poison.groups import groups, within
from flywheel.labels.poison.said import CONFIRMED, REPORT, Bools, Floats, Ints, Said
from flywheel.labels.poison.signs import signs, together
from flywheel.labels.settings import Lockstep

CROWD = 30  # only the first so many who say the same about a prediction are paired: more are a crowd, and cost too much
MORE = 2.0  # a group meets so many times as often as chance makes it: less may be what all do on a busy day
SOURCES = 2**31  # more than there are: two codes make one number


def lockstep(said: Said, params: Lockstep, rest_days: int) -> pd.DataFrame:
    """Signs of groups of sources of reports that meet again and again, agree, and say little else.

    Two sources meet when they say the same of the same prediction and no outcome confirms it. They are linked after
    `meetings` within `days`, if by chance so many are at most as likely as `false_alarm` (see `_Chance` and `poisson_tail`).
    Linked sources are a group. Of it remain those who meet others of it with most of their claims. It is quarantined if it
    still has `members`, meets on `predictions`, gives one answer in a share `agreement` of what it speaks about, and if all
    its pairs together, linked or not, meet at least twice as often as chance makes them.
    """
    report = np.flatnonzero(said.channels[said.source] == REPORT)
    place = said.prediction * 2 + said.value
    one, other = _pairs(place, report)
    later = np.maximum(said.morning[one], said.morning[other])
    is_open = ~_confirmed(said, one, later)
    one, other, later = one[is_open], other[is_open], later[is_open]
    a, b = said.source[one], said.source[other]
    pair = pd.factorize(np.minimum(a, b) * SOURCES + np.maximum(a, b))[0]
    order = np.lexsort((later, pair))
    one, other, later, pair = one[order], other[order], later[order], pair[order]
    at = np.arange(params.meetings - 1, len(pair))
    before = at - params.meetings + 1
    again = at[(pair[at] == pair[before]) & (later[at] - later[before] < params.days)]
    by_morning = report[np.argsort(said.morning[report], kind="stable")]
    by_later = np.argsort(later, kind="stable")
    parts = []
    for morning in np.unique(later[again]).tolist():
        window = within(said.morning, by_morning, morning, params.days)
        met = within(later, by_later, morning, params.days)
        met = met[~_confirmed(said, one[met], np.full(len(met), morning))]
        a, b = said.source[one[met]], said.source[other[met]]
        chance = _chance(said, place, window)
        linked = _linked(a, b, pair[met], chance, params)
        for group in groups(np.append(a[linked], b[linked]), np.tile(pair[met][linked], 2), params.members):
            parts.append(_judged(said, place, window, group, chance, morning, params, rest_days))
    return together(parts)


def _confirmed(said: Said, claim: Ints, morning: Ints) -> Bools:
    """Whether an outcome had confirmed some claims as of some mornings."""
    found: Bools = (said.checked[claim] == CONFIRMED) & (said.check[claim] <= morning)
    return found


def _pairs(place: Ints, chosen: Ints) -> tuple[Ints, Ints]:
    """All pairs of claims at the same place, without those who come when a crowd is there."""
    order = chosen[np.argsort(place[chosen], kind="stable")]
    _, start, size = np.unique(place[order], return_index=True, return_counts=True)
    rank = np.arange(len(order)) - np.repeat(start, size)
    after = np.maximum(np.repeat(np.minimum(size, CROWD), size) - rank - 1, 0)
    first = np.repeat(np.arange(len(order)), after)
    step = np.arange(len(first)) - np.repeat(np.cumsum(after) - after, after) + 1
    return order[first], order[first + step]


def _linked(source: Ints, other: Ints, pair: Ints, chance: _Chance, params: Lockstep) -> Bools:
    """Which meetings are those of pairs that met so often, and more often than chance makes them."""
    _, back, times = np.unique(pair, return_inverse=True, return_counts=True)
    times = times[back]
    return (times >= params.meetings) & (poisson_tail(times, chance.of_pairs(source, other)) <= params.false_alarm)


@dataclass(frozen=True)
class _Chance:
    """How often sources meet by chance, with as many claims as each makes on each day of a window.

    Two claims are at the same place with the probability that two claims of all sources are: those of one day, on which all
    speak of the same things, and those of any two days. Both are added, so the number is rather too large.
    """

    sources: Ints
    claims: Ints  # by source and day
    same_day: Floats
    any_day: float

    def of_pairs(self, one: Ints, other: Ints) -> Floats:
        """For each pair of sources, how often they would meet."""
        a, b = self.claims[np.searchsorted(self.sources, one)], self.claims[np.searchsorted(self.sources, other)]
        usual: Floats = (a * b * self.same_day).sum(axis=1) + a.sum(axis=1) * b.sum(axis=1) * self.any_day
        return usual

    def within(self, group: Ints) -> float:
        """How often all pairs of a group together would meet."""
        mine = self.claims[np.searchsorted(self.sources, group)].astype(np.float64)
        a_day = (mine.sum(axis=0) ** 2 - (mine**2).sum(axis=0)) / 2
        ever = (mine.sum() ** 2 - (mine.sum(axis=1) ** 2).sum()) / 2
        return float((a_day * self.same_day).sum() + ever * self.any_day)


def _chance(said: Said, place: Ints, window: Ints) -> _Chance:
    """What chance does in a window of claims."""
    sources, who = np.unique(said.source[window], return_inverse=True)
    days, when = np.unique(said.morning[window], return_inverse=True)
    n_days = len(days)
    claims = np.bincount(who * n_days + when, minlength=len(sources) * n_days).reshape(len(sources), n_days)
    cell, there = np.unique(place[window] * n_days + when, return_counts=True)
    same_day = np.bincount(cell % n_days, there * (there - 1.0), minlength=n_days) / claims.sum(axis=0) ** 2.0
    _, ever = np.unique(place[window], return_counts=True)
    return _Chance(sources, claims, same_day, float((ever * (ever - 1.0)).sum()) / len(window) ** 2)


def poisson_tail(times: Ints, usual: Floats) -> Floats:
    """At most how likely a Poisson number with this mean is so large or larger: the bound of Chernoff."""
    mean = np.maximum(usual, 1e-12)
    return np.where(times > mean, np.exp(times - mean - times * np.log(times / mean)), 1.0)


def _judged(
    said: Said,
    place: Ints,
    window: Ints,
    group: Ints,
    chance: _Chance,
    morning: int,
    params: Lockstep,
    rest_days: int,
) -> pd.DataFrame:
    """The signs of a group of linked sources; none where it is not in lockstep."""
    theirs = window[np.isin(said.source[window], group)]
    while True:
        confirmed = _confirmed(said, theirs, np.full(len(theirs), morning))
        _, at, voices = np.unique(place[theirs], return_inverse=True, return_counts=True)
        meets = (voices[at] >= 2) & ~confirmed
        sources, back = np.unique(said.source[theirs], return_inverse=True)
        n, n_met = np.bincount(back), np.bincount(back[meets], minlength=len(sources))
        stays = 2 * n_met > n
        if stays.all() or not stays.any():
            break
        theirs = theirs[stays[back]]
    _, there = np.unique(place[theirs[meets]], return_counts=True)
    n_places, met, by_chance = len(there), float((there * (there - 1) / 2).sum()), chance.within(sources)
    _, about, spoken = np.unique(said.prediction[theirs], return_inverse=True, return_counts=True)
    ones = np.bincount(about, said.value[theirs])
    shared = spoken >= 2
    agree = float(((ones == 0) | (ones == spoken))[shared].mean()) if shared.any() else 0.0
    if not stays.all() or len(sources) < params.members or n_places < params.predictions:
        return together([])
    if agree < params.agreement or met < MORE * by_chance:
        return together([])
    first = np.full(len(sources), np.iinfo(np.int64).max)
    np.minimum.at(first, back[meets], said.time[theirs[meets]])
    size = len(sources)
    numbers = {"members": np.full(size, size), "predictions": np.full(size, n_places), "claims": n, "shared": n_met}
    known_at = np.full(size, morning)
    return signs(sources, first, known_at, known_at + rest_days, "lockstep", numbers)
