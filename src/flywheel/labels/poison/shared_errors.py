"""Groups of sources that are wrong together.

That two sources say the same truth says nothing: so do all who are honest. To say the same falsehood about the same
predictions is what copies do (Dong, Berti-Equille and Srivastava, 2009).
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from flywheel.labels.poison.groups import groups, within
from flywheel.labels.poison.said import (
    CONFIRMED,
    DAYS,
    REFUTED,
    UNCHECKED,
    Bools,
    Floats,
    Ints,
    Said,
    source_days,
    tail,
)
from flywheel.labels.poison.signs import signs, together
from flywheel.labels.settings import SharedErrors

COMPANY = 4  # claims with so many others on their prediction, or more, are of one kind
STEADY_CLAIMS = 20  # the share of a day leans on that of all days as if it had so many claims more
FIRST_ERRORS, FIRST_CLAIMS = 5.0, 100.0  # what is assumed of shared errors before anything is known


def shared_errors(said: Said, params: SharedErrors, rest_days: int) -> pd.DataFrame:
    """Groups of sources that outcomes refute together, within `days`.

    A claim is a shared error if the outcome refutes it and another source said the same of the same prediction. What is usual
    is the share of shared errors among all claims that have an outcome and as much company. A source is suspicious when it
    has more shared errors than chance gives it (see `tail`), at `false_alarm` a morning. Suspicious sources that share errors
    with each other are a group, and from `members` on a group is quarantined. Then so is who shares more with that group than
    others do, at the same rate, two claims at least, with or without an outcome.
    """
    is_hit, usual, is_event = _errors(said)
    event = np.flatnonzero(is_event)
    event = event[np.lexsort((said.check[event], said.source[event]))]
    key = said.source[event] * DAYS + said.check[event]
    end = np.searchsorted(key, key, side="right")
    begin = np.searchsorted(key, key - params.days, side="right")
    n = end - begin
    # Sums over the claims of one source at a time: so no digit of them depends on what other sources say later.
    counted = pd.DataFrame({"hits": is_hit[event].astype(np.int64), "expected": usual[event]})
    until = counted.groupby(said.source[event]).cumsum()
    recent = until.to_numpy()[end - 1] - (until - counted).to_numpy()[begin]
    hits, expected = recent[:, 0].astype(np.int64), recent[:, 1]
    is_seed = (hits >= 2) & (tail(n, hits, expected / n) <= params.false_alarm)
    seed = event[is_seed]
    place = said.prediction * 2 + said.value
    by_check = np.argsort(said.check, kind="stable")
    by_morning = np.argsort(said.morning, kind="stable")
    parts = []
    for morning in np.unique(said.check[seed]).tolist():
        judged = within(said.check, by_check, morning, params.days)
        suspicious = said.source[seed[np.isin(seed, judged)]]
        theirs = judged[is_hit[judged] & np.isin(said.source[judged], suspicious)]
        # What was said lately, and what was said before and is refuted lately: outcomes may take their time.
        window = np.union1d(within(said.morning, by_morning, morning, params.days), judged)
        for group in groups(said.source[theirs], place[theirs], params.members):
            parts.append(_joined(said, place, window, theirs, group, morning, params, rest_days))
    return together(parts)


def _errors(said: Said) -> tuple[Bools, Floats, Bools]:
    """For each claim, as of its check: whether it is a shared error, how usual that is, and whether it could be one."""
    place = said.prediction * 2 + said.value
    others = _there_by(said.prediction, said.morning, said.check) - 1
    agreeing = _there_by(place, said.morning, said.check) - 1
    is_event = (said.checked != UNCHECKED) & (others > 0)
    is_hit = is_event & (said.checked == REFUTED) & (agreeing > 0)
    usual = np.zeros(len(said))
    if is_event.any():
        chosen = np.flatnonzero(is_event)
        day = said.check[chosen] - said.check[chosen].min()
        kind = np.minimum(others[chosen], COMPANY) - 1
        cell, shape = day * COMPANY + kind, (int(day.max()) + 1, COMPANY)
        weight = source_days(said)[chosen]
        n = np.bincount(cell, weight, shape[0] * COMPANY).reshape(shape)
        hit = np.bincount(cell, weight * is_hit[chosen], shape[0] * COMPANY).reshape(shape)
        ever = (hit.cumsum(axis=0) + FIRST_ERRORS) / (n.cumsum(axis=0) + FIRST_CLAIMS)
        today = (hit + STEADY_CLAIMS * ever) / (n + STEADY_CLAIMS)
        usual[chosen] = np.maximum(ever, today)[day, kind]
    return is_hit, usual, is_event


def _there_by(place: Ints, morning: Ints, moment: Ints) -> Ints:
    """For each claim, how many claims about its place were known by a morning, itself among them."""
    key = np.sort(place * DAYS + morning)
    return np.searchsorted(key, place * DAYS + moment, side="right") - np.searchsorted(key, place * DAYS)


def _joined(
    said: Said,
    place: Ints,
    window: Ints,
    theirs: Ints,
    group: Ints,
    morning: int,
    params: SharedErrors,
    rest_days: int,
) -> pd.DataFrame:
    """The signs for a group, and for those who share more with it than others do."""
    is_open = ~((said.checked[window] == CONFIRMED) & (said.check[window] <= morning))
    in_group = np.isin(said.source[window], group)
    places = np.unique(place[theirs][np.isin(said.source[theirs], group)])
    at, n_there = np.unique(place[window[in_group & is_open]], return_counts=True)
    places = np.union1d(places, at[n_there >= 2])
    is_there = is_open & np.isin(place[window], places)
    source, back = np.unique(said.source[window], return_inverse=True)
    n, n_there = np.bincount(back), np.bincount(back[is_there], minlength=len(source))
    outside = ~np.isin(source, group)
    share = (n_there[outside].sum() + 1) / (n[outside].sum() + 1)
    joins = (n_there >= 2) & (tail(n, n_there, np.full(len(n), share)) <= params.false_alarm)
    is_member = joins | (~outside & (n_there > 0))
    first = np.full(len(source), np.iinfo(np.int64).max)
    np.minimum.at(first, back[is_there], said.time[window[is_there]])
    size = int(is_member.sum())
    numbers = {
        "members": np.full(size, size),
        "predictions": np.full(size, len(np.unique(places // 2))),
        "claims": n[is_member],
        "shared": n_there[is_member],
    }
    known_at = np.full(size, morning)
    return signs(source[is_member], first[is_member], known_at, known_at + rest_days, "wrong together", numbers)
