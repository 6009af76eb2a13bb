"""Personal data in a text: where it is, and of which kind. It never looks at anything but the text and the vocabulary."""

from __future__ import annotations

import re
from dataclasses import dataclass

from flywheel.data.personal import addresses, codes, names, numbers, phones
from flywheel.data.personal.document import Document, Spans
from flywheel.data.personal.flat import FILLER, flatten, span
from flywheel.data.personal.vocabulary import Vocabulary, shipped

KINDS = ("url", "email", "ip", "iban", "card", "passport", "booking", "phone", "name")
_PLACEHOLDER = re.compile(rf"\[(?:{'|'.join(KINDS)}|cut)\]")


@dataclass(frozen=True, order=True)
class Found:
    """A piece of personal data: where it begins and ends in the text, and its kind."""

    start: int
    end: int
    kind: str


def find(text: str, vocabulary: Vocabulary | None = None) -> list[Found]:
    """The personal data in a text, in order, without overlaps; by the words that the engine ships where none are given.

    The kinds are searched one after the other, and what one found is filled in for the next. First what is certain by its form
    (an address with a secret may hold a mail address; a checksum tells a card from a telephone number), then codes that a word
    announces, telephone numbers, which may have any form, and names, which have none.
    """
    flat, places = flatten(text)
    if "[" in flat:
        flat = _PLACEHOLDER.sub(lambda found: FILLER * len(found[0]), flat)
    doc = Document(flat, vocabulary or shipped())
    found: list[tuple[int, int, str]] = []
    harmless: list[tuple[int, int]] = []
    if "." in flat or "://" in flat:
        pages = list(addresses.urls(doc))
        doc = _search(doc, "url", ((start, end) for start, end, is_secret in pages if is_secret), found)
        harmless = [(start, end) for start, end, is_secret in pages if not is_secret]
    doc = _search(doc, "email", addresses.emails(doc), found)
    doc = _search(doc, "ip", addresses.machines(doc), found)
    doc = doc.without([(start, end) for start, end in harmless if FILLER not in doc.text[start:end]])
    if any(sign.isdigit() for sign in flat):
        doc = _search(doc, "iban", numbers.ibans(doc), found)
        doc = _search(doc, "card", numbers.cards(doc), found)
    doc = doc.without(codes.kept(doc))
    doc = _search(doc, "passport", codes.passports(doc), found)
    doc = _search(doc, "booking", codes.bookings(doc), found)
    doc = _search(doc, "phone", phones.phones(doc), found)
    _search(doc, "name", names.names(doc), found)
    return sorted(Found(*span(start, end, places, len(text)), kind) for start, end, kind in found)


def _search(doc: Document, kind: str, spans: Spans, found: list[tuple[int, int, str]]) -> Document:
    """Add the spans of a kind to what was found; returns the text in which they are filled in."""
    mine: list[tuple[int, int]] = []
    for start, end in sorted(spans):
        if start < end and (not mine or start >= mine[-1][1]):
            mine.append((start, end))
    found += [(start, end, kind) for start, end in mine]
    return doc.without(mine)
