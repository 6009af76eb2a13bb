"""Hiding people: keyed hashes for user ids, placeholders for personal data in texts."""

from __future__ import annotations

import hashlib
import hmac
import re
from collections import Counter
from functools import lru_cache

import pandas as pd

from flywheel.data.personal import KINDS, Found, find
from flywheel.data.personal.vocabulary import Vocabulary, compiled, shipped

# For the example and for tests. It hides nothing: with real users, set a secret of your own.
DEMO_KEY = "flywheel-demo-key"

# What is behind the end of a text that was too long.
CUT = "[cut]"
LONGEST_TEXT = 20_000
_WORD_END = 200  # signs before the end in which a space is looked for, so that nothing is cut in two
_ROUNDS = 8
# What no file and no database stores: null bytes and other control signs, and halves of signs (lone surrogates).
_UNSTORABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")


def hash_ids(ids: pd.Series, key: str) -> pd.Series:
    """HMAC-SHA256 of each id under `key`, the first 16 hex digits; null stays null. The raw id cannot be read back."""
    hashed = {item: hash_id(item, key) for item in ids.dropna().unique()}
    return ids.map(hashed).astype("str")


def hash_id(item: object, key: str) -> str:
    """The same of one id."""
    return hmac.new(key.encode(), _name(item).encode(), hashlib.sha256).hexdigest()[:16]


def _name(item: object) -> str:
    """An id as text; 7 and 7.0 are the same user: a gap in the column made the numbers floats."""
    return str(int(item)) if isinstance(item, float) and item.is_integer() else str(item)


def scrub(
    texts: pd.Series, vocabulary: Vocabulary | None = None, longest: int = LONGEST_TEXT
) -> tuple[pd.Series, Counter[str]]:
    """Texts with placeholders such as `[email]` where personal data was, and how many of each kind were put.

    Null stays null. Each different text is looked at once. A text longer than `longest` is cut, with `[cut]` at its end; what
    cannot be stored (null bytes and the like) is left out. Scrubbed texts are scrubbed to themselves.
    """
    words = vocabulary or shipped()
    done = [None if pd.isna(text) else scrubbed(as_text(text), words, longest) for text in texts]
    counts: Counter[str] = Counter()
    for one in done:
        if one is not None:
            counts.update(one[1])
    clean = [None if one is None else one[0] for one in done]
    return pd.Series(clean, texts.index, dtype="str"), counts


def as_text(text: object) -> str:
    """A value as text; a truth as the contract writes it."""
    return str(text).lower() if isinstance(text, bool) else str(text)


@lru_cache(maxsize=20_000)  # errors and short texts repeat; long ones hardly do
def scrubbed(text: str, vocabulary: Vocabulary, longest: int = LONGEST_TEXT) -> tuple[str, tuple[str, ...]]:
    """A text with placeholders, and the kinds of what they stand for, in the order in which it was found."""
    text = _cut(_UNSTORABLE.sub("", text), longest)
    kinds: list[str] = []
    # What is found may let its neighbour be seen: so until nothing is. Each round leaves less; no message needs many.
    for _ in range(_ROUNDS):
        found = find(text, vocabulary)
        text = _cut(_replaced(text, found), longest)
        if not found:
            break
        kinds += [one.kind for one in found]
    return text, tuple(kinds)


def _replaced(text: str, found: list[Found]) -> str:
    parts, at = [], 0
    for one in found:
        parts += [text[at : one.start], f"[{one.kind}]"]
        at = one.end
    return "".join([*parts, text[at:]])


def _cut(text: str, longest: int) -> str:
    """A text of at most `longest` signs: a longer one ends behind a word, and with a mark."""
    if len(text) <= longest:
        return text
    end = longest - len(CUT)
    spaces = [place for place in range(max(0, end - _WORD_END), end) if text[place].isspace()]
    return text[: spaces[-1] + 1 if spaces else end] + CUT


__all__ = [
    "DEMO_KEY",
    "KINDS",
    "LONGEST_TEXT",
    "Found",
    "Vocabulary",
    "as_text",
    "compiled",
    "find",
    "hash_id",
    "hash_ids",
    "scrub",
    "scrubbed",
]
