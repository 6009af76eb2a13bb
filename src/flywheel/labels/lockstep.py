"""Groups of sources that are always together, where no outcome tells whether they are right.

A group that meets on the same predictions again and again, as no independent sources would, is in lockstep (CopyCatch, Beutel
et al., 2013; CatchSync, Jiang et al., 2014). Friends do that too, so it needs a larger group, and little else that it says.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from flywheel.labels.groups import groups, within
from flywheel.labels.said import CONFIRMED, REPORT, Bools, Floats, Ints, Said
from flywheel.labels.settings import Lockstep
from flywheel.labels.signs import signs, together

CROWD = 30  # only the first so many who say the same about a prediction are paired: more are a crowd, and cost too much
SOURCES = 2**31  # more than there are: two codes make one number


def lockstep(said: Said, params: Lockstep, rest_days: int) -> pd.DataFrame:
    """Signs of groups of sources of reports that meet again and again, agree, and say little else.

    Two sources meet when they say the same of the same prediction and no outcome confirms it. They are linked after
    `meetings` within `days`, if with as many claims as they made so many are at most as likely as `false_alarm` (see
    `poisson_tail`). Linked sources are a group. Of it remain those with most of their claims where the group meets. It is
    quarantined if it still has `members`, meets on `predictions`, more than are confirmed, and gives one answer in a share
    `agreement` of what it speaks about.
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
        linked = _linked(said, place, window, one[met], other[met], pair[met], params)
        members = said.source[np.append(linked[0], linked[1])]
        for group in groups(members, np.tile(linked[2], 2), params.members):
            parts.append(_judged(said, place, window, group, morning, params, rest_days))
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


def _linked(
    said: Said, place: Ints, window: Ints, one: Ints, other: Ints, pair: Ints, params: Lockstep
) -> tuple[Ints, Ints, Ints]:
    """The meetings of pairs that met more often than chance makes them: both claims, and the pair."""
    _, back, times = np.unique(pair, return_inverse=True, return_counts=True)
    is_often = times[back] >= params.meetings
    one, other, pair, times = one[is_often], other[is_often], pair[is_often], times[back][is_often]
    n = np.bincount(said.source[window], minlength=int(said.source.max()) + 1)
    # Two claims drawn from the window are at the same place with this probability.
    same = np.bincount(np.unique(place[window], return_inverse=True)[1])
    chance = float((same * (same - 1.0)).sum()) / max(len(window), 1) ** 2
    usual = (n[said.source[one]] * n[said.source[other]]).astype(np.float64) * chance
    is_linked = poisson_tail(times, usual) <= params.false_alarm
    return one[is_linked], other[is_linked], pair[is_linked]


def poisson_tail(times: Ints, usual: Floats) -> Floats:
    """At most how likely a Poisson number with this mean is so large or larger: the bound of Chernoff."""
    mean = np.maximum(usual, 1e-12)
    return np.where(times > mean, np.exp(times - mean - times * np.log(times / mean)), 1.0)


def _judged(
    said: Said, place: Ints, window: Ints, group: Ints, morning: int, params: Lockstep, rest_days: int
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
    n_places = len(np.unique(place[theirs[meets]]))
    n_confirmed = len(np.unique(place[theirs[(voices[at] >= 2) & confirmed]]))
    _, about, spoken = np.unique(said.prediction[theirs], return_inverse=True, return_counts=True)
    ones = np.bincount(about, said.value[theirs])
    shared = spoken >= 2
    agree = float(((ones == 0) | (ones == spoken))[shared].mean()) if shared.any() else 0.0
    if not stays.all() or len(sources) < params.members or n_places < params.predictions or n_places <= n_confirmed:
        return together([])
    if agree < params.agreement:
        return together([])
    first = np.full(len(sources), np.iinfo(np.int64).max)
    np.minimum.at(first, back[meets], said.time[theirs[meets]])
    size = len(sources)
    numbers = {"members": np.full(size, size), "predictions": np.full(size, n_places), "claims": n, "shared": n_met}
    known_at = np.full(size, morning)
    return signs(sources, first, known_at, known_at + rest_days, "lockstep", numbers)
