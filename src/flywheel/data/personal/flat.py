"""A text as it is read for matching: one way to write each space, dash, quote, digit and letter, and nothing unseen."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from functools import lru_cache

# What stands in place of what was found already, and of placeholders: no letter, no digit, no space.
FILLER = "\ufffc"
_DROPPED = frozenset(("Cc", "Cf", "Mn", "Me", "Cs"))
_QUOTES = dict.fromkeys("’‘ʼ´`", "'") | dict.fromkeys("“”„«»", '"')
_LINES = frozenset("\n\r\x0b\x0c\x85\u2028\u2029")


@lru_cache(maxsize=20_000)
def _plain(sign: str) -> str:
    """A sign as it is matched; empty where it is not seen: marks that are put onto letters, directions, null bytes."""
    if sign in _LINES:
        return "\n"
    if sign in _QUOTES:
        return _QUOTES[sign]
    kind = unicodedata.category(sign)
    if sign == "\t" or kind == "Zs":
        return " "
    if kind in _DROPPED:
        return ""
    if kind == "Nd":
        return str(unicodedata.digit(sign))
    if kind == "Pd" or sign == "\u2212":
        return "-"
    if sign.isalpha() and sign < "\u2000":  # without its accents, which many leave off
        return unicodedata.normalize("NFD", sign)[0]
    wide = unicodedata.normalize("NFKC", sign)
    return wide if len(wide) == 1 else sign


def flatten(text: str) -> tuple[str, Sequence[int] | None]:
    """The text for matching, and the place of each of its signs in `text`; None where they are the same places."""
    if text.isascii() and text.isprintable():
        return text, None
    signs = [_plain(sign) for sign in text]
    if all(signs):
        return "".join(signs), None
    return "".join(signs), [place for place, sign in enumerate(signs) if sign]


def span(start: int, end: int, places: Sequence[int] | None, n: int) -> tuple[int, int]:
    """A span of the text for matching in the text of `n` signs; what is not seen behind its last sign belongs to it."""
    if places is None:
        return start, end
    return places[start], places[end] if end < len(places) else n


def fill(text: str, spans: Sequence[tuple[int, int]]) -> str:
    """A text in which spans, in order, are filled in."""
    if not spans:
        return text
    parts, at = [], 0
    for start, end in spans:
        parts += [text[at:start], FILLER * (end - start)]
        at = max(end, at)
    return "".join([*parts, text[at:]])
