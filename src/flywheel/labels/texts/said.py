"""What a text claims, by the phrases of the configuration: 1, 0 or nothing. No model: why it does can be looked up.

The claim is a weak one. So the texts are one voice for all, whose reliability is learned like that of any source
(`labels/claims.py`); phrases that are often wrong lose their weight by themselves.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import islice

import numpy as np
import pandas as pd

from flywheel.data import tables
from flywheel.labels.claims import TEXT, VOTES
from flywheel.labels.settings import Texts, same
from flywheel.labels.texts.topics import STOP, has_no_case, pattern_of, words_of

MOST_LETTERS = 5_000  # of a text that are read
MOST_TIMES = 100  # that a phrase is looked at in a text
BEFORE = 3  # words before a phrase in which a negation turns it round
LETTERS_BEFORE = 4  # the same, where words are written together
NOTHING = -1
# A sign of ASCII ends something only where a space follows: not in 1,000 and 3.30. All counts are bounded.
_SENTENCE_END = re.compile(r"([。！？؟।\n]|[.!?…]{1,3}(?=[\s\"')\]]|$))")
_CLAUSE_END = re.compile(r"[，；：、،؛()（）]|[,;:](?=\s|$)|\s[-–—](?=\s)")
_QUESTION = frozenset("?？؟")


@dataclass(frozen=True)
class _Found:
    """A phrase in a text: from which letter to which, and what it says there."""

    start: int
    end: int
    value: int


def with_texts(feedback: pd.DataFrame, texts: Texts | None) -> pd.DataFrame:
    """The rows of feedback that claim something, in order of arrival: outcomes, reports, annotations, and what texts say.

    A text is read where its row claims nothing by itself, as a ticket or a rating. Its claim has the channel `text`, and
    whoever wrote it as source_id. Without `texts` no text says anything.
    """
    claims = feedback[feedback["channel"].isin(VOTES)]
    if texts is not None:
        written = feedback[~feedback["channel"].isin(VOTES) & feedback["text"].notna()]
        codes, unique = pd.factorize(written["text"])
        value = said([str(one) for one in unique], texts)[codes]
        spoken = written.assign(value=value.astype("float64"), channel=TEXT)[value != NOTHING]
        claims = pd.concat([claims, spoken.astype({"channel": claims["channel"].dtype})]) if len(spoken) else claims
    return tables.in_order(claims, ["received_at", "feedback_id"])


def said(texts: Iterable[str], params: Texts) -> np.ndarray:
    """What each text says: 1, 0, or NOTHING.

    A phrase inside a longer one that is found does not count. A negation up to three words before a phrase, or inside it, turns
    it round; two of them leave it open. No phrase and no negation reaches across the end of a sentence or a part of it. A
    question says nothing, and so does a text of which one phrase says 1 and another 0.
    """
    negations = {same(word) for words in params.negations.values() for word in words}
    finders = [
        _finder(phrase, value, negations)
        for value, side in ((1, params.says_1), (0, params.says_0))
        for phrase in sorted({one for phrases in side.values() for one in phrases})
    ]

    def value_of(text: str) -> int:
        plain = _read(text)
        values = {one.value for one in _longest(one for find in finders for one in find(plain))}
        return values.pop() if len(values) == 1 else NOTHING

    return np.array([value_of(text) for text in texts], dtype="int64")


def _read(text: str) -> str:
    """The words of a text between single spaces, with STOP between parts of sentences, and without its questions."""
    parts = _SENTENCE_END.split(text[:MOST_LETTERS])
    sentences = [
        sentence for sentence, end in zip(parts[::2], [*parts[1::2], ""], strict=True) if not _QUESTION & set(end)
    ]
    clauses = [clause for sentence in sentences for clause in _CLAUSE_END.split(sentence)]
    return f" {f' {STOP} '.join(' '.join(words_of(clause, MOST_LETTERS)) for clause in clauses)} "


def _finder(phrase: str, value: int, negations: set[str]) -> Callable[[str], list[_Found]]:
    """A function that finds a phrase in a text, wherever it stands."""
    search = re.compile(pattern_of(phrase)).finditer
    own = set(words_of(phrase, len(phrase)))
    together = [word for word in negations if has_no_case(word[0])]

    def find(text: str) -> list[_Found]:
        found = []
        for match in islice(search(text), MOST_TIMES):
            before = text[: match.start()].rpartition(STOP)[2]
            near = [*before.split()[-BEFORE:], *(word for word in match[0].split() if word not in own)]
            turns = sum(word in negations for word in near)
            turns += any(word in before[-LETTERS_BEFORE:] for word in together if word not in near)
            if turns < 2:
                start, end = match.start() + match[0].startswith(" "), match.end() - match[0].endswith(" ")
                found.append(_Found(start, end, 1 - value if turns else value))
        return found

    return find


def _longest(found: Iterable[_Found]) -> list[_Found]:
    """Those that are no part of a longer one."""
    kept, reach, last = [], -1, None
    for one in sorted(found, key=lambda one: (one.start, -one.end)):
        if one.end > reach or (one.start, one.end) == last:
            kept.append(one)
            reach, last = one.end, (one.start, one.end)
    return kept
