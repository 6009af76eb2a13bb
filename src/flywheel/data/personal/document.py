"""A text that is searched: as it is matched, its words, and the phrases of the vocabulary in it."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from flywheel.data.personal.flat import FILLER, fill
from flywheel.data.personal.vocabulary import WORD, Vocabulary

Spans = Iterator[tuple[int, int]]
# Between the words of a phrase: a space, a dot, a dash, but no new line and no more than this.
_GAP = 3


@dataclass(frozen=True)
class Phrase:
    """A phrase of the vocabulary: its first word, the word behind its last, and what it announces."""

    first: int
    behind: int
    kinds: frozenset[str]


@dataclass(frozen=True)
class Document:
    """A text for matching and the vocabulary; what was found already is filled in."""

    text: str
    vocabulary: Vocabulary

    def without(self, spans: list[tuple[int, int]]) -> Document:
        """The same with some spans (in order) filled in."""
        return Document(fill(self.text, spans), self.vocabulary) if spans else self

    @cached_property
    def words(self) -> list[tuple[int, int, str]]:
        """The words in order: where each begins and ends, and it in small letters."""
        return [(found.start(), found.end(), found[0].lower()) for found in WORD.finditer(self.text)]

    @cached_property
    def phrases(self) -> list[Phrase]:
        """The phrases in order; of several that begin with the same word the longest, and of what is in it none."""
        words, known = self.words, self.vocabulary.phrases
        found, i = [], 0
        while i < len(words):
            for phrase, kinds, with_capital in known.get(words[i][2], known.get(words[i][2].removesuffix("'s"), [])):
                n = len(phrase)
                if n == 1 or (
                    i + n <= len(words)
                    and all(words[i + k][2] == phrase[k] for k in range(1, n))
                    and all(self._is_near(i + k) for k in range(n - 1))
                ):
                    has_capital = bool(with_capital) and self.text[words[i][0]].isupper()
                    found.append(Phrase(i, i + n, kinds | with_capital if has_capital else kinds))
                    i += n
                    break
            else:
                i += 1
        return found

    def _is_near(self, i: int) -> bool:
        gap = self.text[self.words[i][1] : self.words[i + 1][0]]
        return len(gap) <= _GAP and "\n" not in gap and FILLER not in gap

    def of(self, kind: str) -> list[Phrase]:
        """The phrases that announce a kind."""
        return [phrase for phrase in self.phrases if kind in phrase.kinds]

    @cached_property
    def ending(self) -> dict[int, Phrase]:
        """The phrases by where they end in the text."""
        return {self.words[one.behind - 1][1]: one for one in self.phrases}

    @cached_property
    def starting(self) -> dict[int, Phrase]:
        """The phrases by their first word."""
        return {one.first: one for one in self.phrases}

    @cached_property
    def followed(self) -> dict[int, Phrase]:
        """The phrases by the word behind them."""
        return {one.behind: one for one in self.phrases}

    def at(self, place: int) -> int:
        """The first word that begins at a place of the text or behind it."""
        return bisect_left(self.words, place, key=lambda word: word[0])

    def gap(self, i: int) -> str:
        """What stands between word `i - 1` and word `i`; before the first and behind the last all there is."""
        start = self.words[i - 1][1] if 0 < i <= len(self.words) else 0
        end = self.words[i][0] if i < len(self.words) else len(self.text)
        return self.text[start:end]
