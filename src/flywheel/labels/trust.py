"""How far each source is believed on each morning, and what is to be expected of a prediction before anybody speaks.

Trust as of a morning rests on all that was claimed before that day, so a past morning's trust never changes: it serves what is
concluded on that day.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from flywheel.labels.claims import NEVER, TEXT, VOICES, Claims, Ints
from flywheel.labels.settings import Label
from flywheel.labels.truth import EVEN, Beliefs, Floats, Prior, Trust, believe, infer


@dataclass(frozen=True)
class Morning:
    """What is believed on the morning of a day."""

    day: int
    trust: Trust
    log_odds: Floats  # of 1, by key of a prediction
    iterations: int
    converged: bool


@dataclass(frozen=True)
class Keys:
    """What is expected of a prediction goes by its cohort, and by its cohort on its own day: the codes of both."""

    of: Ints  # the key of each prediction
    cohort: Ints  # the cohort of each key


@dataclass(frozen=True)
class _Spans:
    """Things that hold from one day to another, counted by code: on a morning those of which `start < day <= end`."""

    code: Ints
    start: Ints
    end: Ints

    def counts(self, size: int, first: int) -> Iterator[Ints]:
        """How many of each code hold, morning by morning, from a day on."""
        found = np.zeros(size)
        starts, ends = np.argsort(self.start, kind="stable"), np.argsort(self.end, kind="stable")
        sorted_starts, sorted_ends = self.start[starts], self.end[ends]
        began = over = 0
        for day in range(first, NEVER):
            now = int(np.searchsorted(sorted_starts, day, side="left"))
            found += np.bincount(self.code[starts[began:now]], minlength=size)
            began, now = now, int(np.searchsorted(sorted_ends, day, side="left"))
            found -= np.bincount(self.code[ends[over:now]], minlength=size)
            over = now
            yield found


def mornings(claims: Claims, keys: Keys, params: Label, end: int) -> Iterator[Morning]:
    """The mornings from the day after the first claim up to and including day `end`."""
    n, n_keys = len(claims.sources), keys.cohort.size
    group = claims.sources["group"].to_numpy()
    beliefs = beliefs_of(params)
    trust = believe(np.zeros((2, 2, n)), group, beliefs)
    first = int(claims.day.min()) if claims.day.size else end
    outcomes = _outcomes(claims, keys)
    checked, expected = _checked(claims).counts(4 * n, first), outcomes.counts(2 * n_keys, first)
    free = _free(claims)
    for day in range(first, end + 1):
        now = int(np.searchsorted(free.start, day, side="left"))
        at = free.code[:now][free.end[:now] >= day]
        about, prediction = np.unique(claims.prediction[at], return_inverse=True)
        found = infer(
            prediction,
            claims.source[at],
            claims.value[at],
            keys.of[about],
            Prior(next(expected).reshape(2, n_keys), keys.cohort, params.prior_weight),
            next(checked).reshape(2, 2, n),
            group,
            beliefs,
            trust,
            params.max_iterations,
        )
        trust = found.trust
        yield Morning(day, trust, found.log_odds, found.iterations, found.converged)


def beliefs_of(params: Label) -> Beliefs:
    """Where trust in each group of sources begins."""
    accuracy = {
        "report": params.accuracy.report,
        "annotation": params.accuracy.annotation,
        TEXT: params.texts.accuracy if params.texts else EVEN,  # without the phrases there is no text
    }
    return Beliefs(np.array([accuracy[name] for name in VOICES]), params.prior_weight, rare=(VOICES.index(TEXT),))


def _outcomes(claims: Claims, keys: Keys) -> _Spans:
    """Outcomes while they stand, by value and key of their prediction."""
    at = np.flatnonzero(claims.is_outcome)
    code = claims.value[at] * keys.cohort.size + keys.of[claims.prediction[at]]
    return _Spans(code, claims.day[at], claims.until[at])


def _checked(claims: Claims) -> _Spans:
    """Votes while they and an outcome about the same prediction stand, by the value of that, their own value, and source."""
    votes, outcomes = np.flatnonzero(~claims.is_outcome), np.flatnonzero(claims.is_outcome)
    last = np.searchsorted(claims.prediction[outcomes], claims.prediction[votes], side="right")
    begin = np.searchsorted(claims.prediction[outcomes], claims.prediction[votes], side="left")
    vote, outcome = pairs(votes, begin, last)
    outcome = outcomes[outcome]
    start = np.maximum(claims.day[vote], claims.day[outcome])
    end = np.minimum(claims.until[vote], claims.until[outcome])
    n = len(claims.sources)
    code = (claims.value[outcome] * 2 + claims.value[vote]) * n + claims.source[vote]
    held = end > start
    return _Spans(code[held], start[held], end[held])


def _free(claims: Claims) -> _Spans:
    """Votes while they stand and nothing is known for certain: the code is the place of the claim; in order of their start."""
    settled = np.full(len(claims.names), NEVER)
    at = np.flatnonzero(claims.is_outcome)
    np.minimum.at(settled, claims.prediction[at], claims.day[at])
    votes = np.flatnonzero(~claims.is_outcome)
    end = np.minimum(claims.until[votes], settled[claims.prediction[votes]])
    held = end > claims.day[votes]
    votes, end = votes[held], end[held]
    order = np.argsort(claims.day[votes], kind="stable")
    return _Spans(votes[order], claims.day[votes][order], end[order])


def pairs(left: Ints, begin: Ints, end: Ints) -> tuple[Ints, Ints]:
    """Each element of `left` with each number from its `begin` up to, not including, its `end`."""
    length = end - begin
    offset = np.arange(length.sum()) - np.repeat(np.cumsum(length) - length, length)
    return np.repeat(left, length), np.repeat(begin, length) + offset
