"""Sources that always give the same answer, however things turn out."""

from __future__ import annotations

import numpy as np
import pandas as pd

from flywheel.labels.poison.said import CHANNELS, CONFIRMED, REFUTED, UNCHECKED, Floats, Said, source_days
from flywheel.labels.poison.signs import OPEN, signs
from flywheel.labels.settings import OneAnswer

STEADY_CLAIMS = 20  # the usual share of a day leans on that of the weeks before as if it had so many claims more
# What is assumed before anything is known, as if so many claims had said it: even odds, and sources that differ somewhat.
FIRST_CLAIMS, FIRST_LIKENESS = 50, 0.1


def one_answer(said: Said, params: OneAnswer) -> pd.DataFrame:
    """Signs of sources that give one answer however things turn out.

    A run is a stretch of equal answers of a source. Its probability is the product of the usual shares of that answer among
    claims of all sources on the same day, of the same channel, about predictions of which the outcomes said the same: on a bad
    day it says little. Sources differ, so each further equal answer surprises less: as in the urn of Polya, with the likeness
    of two claims of one source as it was measured on all sources until then. A run is found when its probability is at most
    `false_alarm`, divided by 2 for either answer and by r(r+1) for the r-th run of a source, unless outcomes have confirmed
    more of it than they refuted. These parts sum up to 1 and a run that goes on is the same event, so that looking every
    morning costs nothing: an honest source is ever found with probability `false_alarm`, as far as the shares are right. The
    quarantine is the run, from its first claim to the morning that knows of another answer.
    """
    order = np.lexsort((np.arange(len(said)), said.source))
    source, value, morning = said.source[order], said.value[order], said.morning[order]
    if not len(source):
        return signs(source, source, source, source, "always one answer", {"claims": source})
    usual_one, likeness = _usual(said, params.memory_days)
    usual = np.where(value == 1, usual_one[order], 1 - usual_one[order])
    is_new_source = np.diff(source, prepend=-1) != 0
    is_start = is_new_source | (np.diff(value, prepend=-1) != 0)
    run = np.cumsum(is_start) - 1
    start = np.flatnonzero(is_start)
    earlier = np.arange(len(source)) - start[run]
    number = run - run[np.flatnonzero(is_new_source)][np.cumsum(is_new_source) - 1] + 1
    alike = likeness[order]
    surprise = -np.log((usual * (1 - alike) + alike * earlier) / (1 - alike + alike * earlier))
    checked = said.at_once[order]
    counted = pd.DataFrame({"surprise": surprise, "right": checked == CONFIRMED, "wrong": checked == REFUTED})
    so_far = counted.groupby(run).cumsum()
    in_run, excused = so_far["surprise"].to_numpy(), (so_far["right"] > so_far["wrong"]).to_numpy()
    needed = np.log(2 * number * (number + 1.0) / params.false_alarm)
    found = np.flatnonzero((in_run >= needed) & ~excused & (earlier + 1 >= params.min_claims))
    found = found[np.unique(run[found], return_index=True)[1]]
    ends = np.append(start[1:], len(source))[run[found]]
    goes_on = (ends == len(source)) | (source[np.minimum(ends, len(source) - 1)] != source[found])
    until = np.where(goes_on, OPEN, morning[np.minimum(ends, len(source) - 1)])
    numbers = {"answer": value[found], "claims": earlier[found] + 1, "probability": np.exp(-in_run[found])}
    time = said.time[order]
    return signs(source[found], time[start[run[found]]], morning[found], until, "always one answer", numbers)


def _usual(said: Said, memory_days: int) -> tuple[Floats, Floats]:
    """For each claim, as of its morning: the usual share of ones among claims like it, and the likeness of sources.

    The likeness is the correlation of what neighbouring claims of a source have beyond the usual share: 0 where sources do
    not differ, 1 where each always says the same.
    """
    first_day = said.morning.min()
    day = said.morning - first_day
    n_days = int(day.max()) + 1
    weight = source_days(said)
    kinds = 3 * len(CHANNELS)
    truth = np.where(said.at_once == UNCHECKED, 2, np.where(said.at_once == CONFIRMED, said.value, 1 - said.value))
    kind = said.channels[said.source] * 3 + truth
    cell = day * kinds + kind
    shape = (n_days, kinds)
    n = np.bincount(cell, weight, n_days * kinds).astype(np.float64).reshape(shape)
    ones = np.bincount(cell, weight * said.value, n_days * kinds).astype(np.float64).reshape(shape)
    n_recent, ones_recent = _trailing(n, memory_days), _trailing(ones, memory_days)
    steady = (ones_recent + FIRST_CLAIMS / 2) / (n_recent + FIRST_CLAIMS)
    usual = ((ones + STEADY_CLAIMS * steady) / (n + STEADY_CLAIMS))[day, kind]

    order = np.lexsort((np.arange(len(said)), said.source))
    beyond = (said.value - usual)[order]
    pair = np.flatnonzero(np.diff(said.source[order]) == 0)  # a claim and the next one of the source
    later = order[pair + 1]
    both = np.bincount(day[later], weight[later] * beyond[pair] * beyond[pair + 1], n_days).cumsum()
    alone = np.bincount(day[later], weight[later] * (usual * (1 - usual))[later], n_days).cumsum()
    assumed = FIRST_CLAIMS / 4
    likeness = np.clip((both + FIRST_LIKENESS * assumed) / (alone + assumed), 0.0, 0.95)
    return usual, likeness[day]


def _trailing(daily: Floats, days: int) -> Floats:
    """The sum over each day and those before it, so many in all."""
    total = daily.cumsum(axis=0)
    total[days:] -= total[:-days].copy()
    return total
