"""The phrases that more users write lately: of one to three words, and never those of a few people.

A phrase is shown only if enough different users wrote it, so that nobody is quoted. A word with a digit in it (a number of
an order, a date) and what the scrubber put in are no part of a phrase.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from statistics import NormalDist

from typing_extensions import TypedDict

from flywheel.labels.settings import Rising

LONGEST = 3
FIRST_WORDS = 100  # of a text; who repeats one text a thousand times has said little more
LEAST_TEXTS = 5
PRIOR = 100.0  # how many words of the usual mix each side is taken to have said before
OVERLAP = 0.5  # of two phrases that share so many of their users' texts, only the stronger one is shown


class Phrase(TypedDict):
    """A phrase, how many texts and users of each period have it, and how far its log odds rose, in standard errors."""

    phrase: str
    recent_texts: int
    before_texts: int
    users: int
    z: float


class Risen(TypedDict):
    """How many phrases were compared, how many standard errors count as risen, and the phrases that have, the first first."""

    compared: int
    limit: float | None
    phrases: list[Phrase]


def rising(
    recent: Sequence[tuple[str, Sequence[str]]],
    before: Sequence[tuple[str, Sequence[str]]],
    params: Rising,
    error: float,
) -> Risen:
    """The phrases that are in more of the recent texts than of those before, from pairs of a user and the words of a text.

    Log odds with an informative Dirichlet prior (Monroe, Colaresi and Quinn, 2008): what is rare on both sides is drawn to
    the usual mix, so one odd text does not win. A phrase counts once a text. By chance alone any phrase is shown in at most
    a share `error` of all cases: the limit is corrected for how many are compared (Bonferroni).
    """
    counted = [_count(texts) for texts in (recent, before)]
    (now, now_users), (then, _) = counted
    known = {
        phrase for phrase, users in now_users.items() if len(users) >= params.min_users and now[phrase] >= LEAST_TEXTS
    }
    if not known or not before:
        return {"compared": 0, "limit": None, "phrases": []}
    limit = NormalDist().inv_cdf(1 - error / len(known))
    totals = [
        [sum(n for phrase, n in one.items() if len(phrase) == size) for size in range(LONGEST + 1)]
        for one in (now, then)
    ]
    scored = {phrase: _z(phrase, now, then, totals) for phrase in known}
    ordered = sorted((one for one in known if scored[one] > limit), key=lambda one: (-scored[one], -len(one), one))
    chosen: list[tuple[str, ...]] = []
    having = {
        phrase: {at for at, (_, words) in enumerate(recent) if phrase in set(_phrases(words))} for phrase in ordered
    }
    for phrase in ordered:
        if len(chosen) == params.top:
            break
        if all(_shared(having[phrase], having[one]) < OVERLAP for one in chosen):
            chosen.append(phrase)
    return {
        "compared": len(known),
        "limit": limit,
        "phrases": [
            {
                "phrase": " ".join(phrase),
                "recent_texts": now[phrase],
                "before_texts": then[phrase],
                "users": len(now_users[phrase]),
                "z": scored[phrase],
            }
            for phrase in chosen
        ],
    }


def _count(
    texts: Sequence[tuple[str, Sequence[str]]],
) -> tuple[Counter[tuple[str, ...]], dict[tuple[str, ...], set[str]]]:
    """In how many texts each phrase is, and whose."""
    found: Counter[tuple[str, ...]] = Counter()
    users: defaultdict[tuple[str, ...], set[str]] = defaultdict(set)
    for user, words in texts:
        for phrase in set(_phrases(words)):
            found[phrase] += 1
            if user:
                users[phrase].add(user)
    return found, users


def _phrases(words: Sequence[str]) -> Iterator[tuple[str, ...]]:
    """The phrases of a text; of which one word at least says something, as far as its length tells."""
    words = words[:FIRST_WORDS]
    may_be = [word.replace("'", "").isalpha() and len(word) <= 30 for word in words]
    for start in range(len(words)):
        for end in range(start + 1, min(start + LONGEST, len(words)) + 1):
            if not may_be[end - 1]:
                break
            if any(len(word) > 3 or not word.isascii() for word in words[start:end]):
                yield tuple(words[start:end])


def _z(
    phrase: tuple[str, ...], now: Counter[tuple[str, ...]], then: Counter[tuple[str, ...]], totals: list[list[int]]
) -> float:
    size = len(phrase)
    n_now, n_then = totals[0][size], totals[1][size]
    k_now, k_then = now[phrase], then[phrase]
    prior = PRIOR * (k_now + k_then) / (n_now + n_then)
    odds = [
        math.log((k + prior) / (n + PRIOR - k - prior)) if n + PRIOR > k + prior else math.inf
        for k, n in ((k_now, n_now), (k_then, n_then))
    ]
    if math.inf in odds:  # all that anybody says
        return 0.0
    return (odds[0] - odds[1]) / math.sqrt(1 / (k_now + prior) + 1 / (k_then + prior))


def _shared(mine: set[int], other: set[int]) -> float:
    return len(mine & other) / min(len(mine), len(other))
