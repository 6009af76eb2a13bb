"""How users feel, from what they write: VADER (Hutto and Gilbert, 2014), rules and a list of English words and emoji.

It runs here, without the network. It knows no other language: a text without a word of its list counts as neutral.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable

import numpy as np

MOST_EMOJI = 20  # VADER puts words in their place, and its time grows with the square of their number


def sentiment_of(texts: Iterable[str], max_chars: int, neutral: Iterable[str] = ()) -> np.ndarray:
    """The sentiment of the beginning of each text, from -1 to +1; 0 where it says nothing that VADER knows.

    Words of the field that are `neutral` in it are taken out of VADER's list.
    """
    from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

    analyzer = SentimentIntensityAnalyzer()
    for word in neutral:
        analyzer.lexicon.pop(word.lower(), None)
    said = (_readable(text[:max_chars]) for text in texts)
    return np.array([analyzer.polarity_scores(text)["compound"] for text in said], dtype="float64")


def _readable(text: str) -> str:
    """A text without null bytes, and without its emoji after the first ones."""
    if text.isascii():
        return text.replace("\0", " ")
    kept, n_emoji = [], 0
    for letter in text:
        is_emoji = not letter.isascii() and unicodedata.category(letter) == "So"
        n_emoji += is_emoji
        if not is_emoji or n_emoji <= MOST_EMOJI:
            kept.append(letter)
    return "".join(kept).replace("\0", " ")
