"""Hiding people: keyed hashes for user ids, placeholders for personal data in texts."""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Callable

import pandas as pd

# For the example and for tests. It hides nothing: with real users, set a secret of your own.
DEMO_KEY = "flywheel-demo-key"


# Python's `re` has no class of upper-case letters: those of the Latin, Greek and Cyrillic scripts.
_UPPER = "".join(letter for letter in map(chr, range(0x530)) if letter.isupper())
_WORD = rf"[{_UPPER}][\w'’-]+"
_NAME = rf"{_WORD}(?: (?:van|von|de|der|la|[{_UPPER}]\.|{_WORD}))* {_WORD}"
_CODE_WORD = (
    r"(?i:booking|reservation|confirmation|pnr|locator|ref(?:erence)?)(?i: code| number| no\.?)?(?: is)?[:#]? ?#?"
)


_DAY, _MONTH = r"(?:0?[1-9]|[12]\d|3[01])", r"(?:0?[1-9]|1[0-2])"
# 2013-03-01 and 01/02/2013, with any of the usual separators, and no more digits behind them.
_DATE = rf"(?:\d{{4}}[-/.]{_MONTH}[-/.]{_DAY}|{_DAY}[-/.]{_DAY}[-/.](?:\d{{4}}|\d\d))(?![-/.]?\d)"
# Words that say of the bare number behind them what it is, so that it is nobody's telephone.
_COUNTED = re.compile(
    r"(?i:\b(?:order|invoice|case|ticket|claim|complaint|transaction))(?i:s? number| id| no\.?| nr\.?)?(?: is)?:? ?#?$"
)


def _phone(found: re.Match[str]) -> str:
    """The placeholder for a telephone number; what a word announces as another number stays."""
    is_counted = found[0].isdigit() and _COUNTED.search(found.string, 0, found.start())
    return found[0] if is_counted else "[phone]"


# In this order: an e-mail address may contain what looks like a name or a number.
_PATTERNS: tuple[tuple[str | Callable[[re.Match[str]], str], re.Pattern[str]], ...] = (
    ("[email]", re.compile(r"[\w.!#$%&'*+/=?^`{|}~-]+@[\w-]+(?:\.[\w-]+)+")),
    # Seven to fifteen digits with little between them, but not a date.
    (_phone, re.compile(rf"(?<![\w.$/-])(?!{_DATE})\+?\(?\d(?:[ .\-/()]{{0,2}}\d){{6,14}}(?!\w)")),
    (r"\1[booking]", re.compile(rf"({_CODE_WORD})\b(?=[A-Z0-9]*[A-Z])[A-Z0-9]{{6}}\b")),
    # Six letters and digits, but not two and then four digits: those number a connection, not a booking.
    ("[booking]", re.compile(r"\b(?=[A-Z]*\d)(?=\d*[A-Z])[A-Z0-9]{6}\b(?<!\b[A-Z0-9]{2}\d{4})")),
    (r"\1[name]", re.compile(rf"((?i:my name is|name is|this is|i am|i['’]m|name:)\s+){_NAME}")),
    (r"\1[name]", re.compile(rf"((?i:regards|thanks|thank you|cheers|sincerely|yours|best),?\s+){_NAME}")),
    (r"\1[name]", re.compile(rf"((?:^|\s)(?:--?|–|—)\s*){_NAME}(?=\s*[.!]?\s*$)")),
)


def hash_ids(ids: pd.Series, key: str) -> pd.Series:
    """HMAC-SHA256 of each id under `key`, the first 16 hex digits; null stays null. The raw id cannot be read back."""
    unique = ids.dropna().unique()
    secret = key.encode()
    hashed = {item: hmac.new(secret, _as_text(item).encode(), hashlib.sha256).hexdigest()[:16] for item in unique}
    return ids.map(hashed).astype("str")


def _as_text(item: object) -> str:
    """An id as text; 7 and 7.0 are the same user: a gap in the column made the numbers floats."""
    return str(int(item)) if isinstance(item, float) and item.is_integer() else str(item)


def scrub(texts: pd.Series) -> pd.Series:
    """Put placeholders where a text has an e-mail address, a phone number, a booking code or a signed name.

    Names are found by the words around them ("my name is", "Regards,"), so a name in mid-sentence stays.
    """
    clean = [None if pd.isna(text) else _scrub(str(text)) for text in texts]
    return pd.Series(clean, texts.index, dtype="str")


def _scrub(text: str) -> str:
    for placeholder, pattern in _PATTERNS:
        text = pattern.sub(placeholder, text)
    return text
