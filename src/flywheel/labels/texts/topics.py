"""What a text is about, by the phrases of the configuration. No model: why a text has its topic can be looked up.

A text is read as words, without case, accents of typography and punctuation, and a phrase is found where its words stand in
a row. In scripts whose letters have no case, such as Chinese or Arabic, a phrase is also found inside a longer word, since
there words are written together.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping

from flywheel.labels.settings import GAP, OTHER, Topic

STOP = "|"  # stands where the scrubber took something out: no phrase reaches across it
_PLACEHOLDER = re.compile(r"\[[a-z_]{1,20}\]")
_WORD = re.compile(r"[^\W_]+(?:'[^\W_]+)*|\|")
# What is put in between: at most five words, none of which is a stop. All counts are bounded, and a space ends each word, so
# there is one way to read a text.
_BETWEEN = r"(?: [^ |]{1,40}){0,5}"
_ENDING = r"[^ |]{0,20}"


def words_of(text: str, max_chars: int) -> list[str]:
    """The words at the beginning of a text, in lower case; `STOP` where a placeholder such as [email] stands."""
    plain = _PLACEHOLDER.sub(f" {STOP} ", text[:max_chars].replace(STOP, " "))
    return _WORD.findall(unicodedata.normalize("NFKC", plain).replace("’", "'").casefold())


def topics_of(texts: Iterable[list[str]], topics: Mapping[str, Topic]) -> list[str]:
    """The topic of each text, given as its words: the one with the most phrases in it, of equals the first of the topics.

    A text without any of the phrases is about something `other`.
    """
    rules = [
        (name, [_finder(one) for said in topic.phrases.values() for one in said]) for name, topic in topics.items()
    ]

    def topic_of(words: list[str]) -> str:
        text = f" {' '.join(words)} "
        found = [(sum(is_in(text) for is_in in finders), name) for name, finders in rules]
        most, name = max(found, key=lambda one: one[0], default=(0, OTHER))  # of equals the first
        return name if most else OTHER

    return [topic_of(words) for words in texts]


def _finder(phrase: str) -> Callable[[str], bool]:
    """A function that says whether a phrase is in a text whose words stand between single spaces."""
    if "*" not in phrase and GAP not in phrase:
        words = words_of(phrase, len(phrase))
        start = "" if has_no_case(words[0][0]) else " "
        end = "" if has_no_case(words[-1][-1]) else " "
        plain = f"{start}{' '.join(words)}{end}"
        return lambda text: plain in text
    search = re.compile(pattern_of(phrase)).search
    return lambda text: search(text) is not None


def pattern_of(phrase: str) -> str:
    """The regular expression of a phrase, for texts whose words stand between single spaces; all its counts are bounded."""
    parts = [f" {part}" if part == GAP else _pattern(part) for part in phrase.split(" ")]
    pattern = "".join(_BETWEEN if part == f" {GAP}" else part for part in parts)
    words = words_of(phrase.replace("*", "").replace(GAP, " "), len(phrase))
    start = "" if has_no_case(words[0][0]) else " "
    end = "" if has_no_case(words[-1][-1]) or phrase.endswith("*") else " "
    return f"{start}{pattern.removeprefix(' ')}{end}"


def _pattern(part: str) -> str:
    """The pattern of what stands in a phrase between two spaces, with a space before each word."""
    words = "".join(f" {re.escape(word)}" for word in words_of(part.removesuffix("*"), len(part)))
    return words + (_ENDING if part.endswith("*") else "")


def has_no_case(letter: str) -> bool:
    """Whether a letter is of a script without capitals, in which words are often written together."""
    return unicodedata.category(letter) == "Lo"
