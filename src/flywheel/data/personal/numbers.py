"""Numbers with a checksum: of bank accounts and of cards. And numbers of accounts that a word announces."""

from __future__ import annotations

import re

from flywheel.data.personal.document import Document, Spans
from flywheel.data.personal.flat import FILLER

# The length of an IBAN in each country (the registry of ISO 13616).
_IBAN_LENGTHS = {
    country: length
    for length, countries in {
        15: "NO", 16: "BE", 18: "DK FI FK FO GL NL SD", 19: "MK SI", 20: "AT BA EE KZ LT LU MN XK", 21: "CH HR LI LV",
        22: "BG BH CR DE GB GE IE ME RS VA", 23: "AE GI IL IQ OM SO TL", 24: "AD CZ ES MD PK RO SA SE SK TN VG",
        25: "LY PT ST", 26: "IS TR", 27: "BI DJ FR GR IT MC MR SM", 28: "AL AZ BY CY DO GT HU LB NI PL SV",
        29: "BR EG PS QA UA", 30: "JO KW MU", 31: "MT SC", 32: "LC", 33: "RU",
    }.items()
    for country in countries.split()
}  # fmt: skip
_IBAN = re.compile(r"(?<![^\W_])[A-Za-z]{2}[ .-]{0,2}\d[ .-]?\d(?:[ .-]{0,2}[A-Za-z0-9]){9,30}")
_CARD = re.compile(r"(?<![\w])\d(?:[ .\-]{0,2}\d){11,24}(?![^\W\d_])")
_CODE = re.compile(r"\d(?:[ \-/.]?\d){4,19}(?!\w)")
_BEFORE = re.compile(r"[ .:#=\-]{0,3}(?:(?:is|no|nr|number|lautet|ist|est|es|e|n[o°]?)[ .:#=]{1,3})?(?=\d)")
# A day, or an amount, behind a word for an account.
_NO_ACCOUNT = re.compile(
    r"(?:19|20)\d\d([-/. ])\d{1,2}\1\d{1,2}(?!\d)|\d{1,2}([-/.])\d{1,2}\2(?:19|20)\d\d(?!\d)|"
    r"\d[\d ]{0,12}(?:[.,]\d{2})?[ ]?(?:[$€£¥]|(?:eur|usd|gbp|chf|euros?|dollars?|pounds?)\b)",
    re.IGNORECASE,
)
_MOST = 2_000  # candidates of a text; a text with more is nobody's message


def ibans(doc: Document) -> Spans:
    """Numbers of bank accounts: IBANs with a right checksum, and what a word such as `IBAN` or `account number` announces."""
    from stdnum import iban

    text = doc.text
    done = at = n = 0
    while (found := _IBAN.search(text, at)) and n < _MOST:
        n += 1
        at = found.start() + 2
        places = [place for place in range(found.start(), found.end()) if text[place].isalnum()]
        length = _IBAN_LENGTHS.get(text[found.start() : found.start() + 2].upper())
        if length is None:
            continue
        is_said = _is_announced(doc, found.start())
        if len(places) < length:
            if is_said and len(places) >= 14:
                yield found.span()
                at = done = found.end()
            continue
        end = places[length - 1] + 1
        if not text[end : end + 1].isalnum() and (
            is_said or iban.is_valid("".join(text[place] for place in places[:length]).upper())
        ):
            yield found.start(), end
            at = done = end
    yield from _accounts(doc, done)


def _accounts(doc: Document, done: int) -> Spans:
    """Digits right behind a word for a bank account."""
    for phrase in doc.of("bank"):
        gap = _BEFORE.match(doc.text, doc.words[phrase.behind - 1][1])
        found = _CODE.match(doc.text, gap.end()) if gap else None
        if found and found.start() >= done and not _NO_ACCOUNT.match(doc.text, found.start()):
            yield found.span()


def _is_announced(doc: Document, start: int) -> bool:
    for end in range(start, max(0, start - 12), -1):
        phrase = doc.ending.get(end)
        if phrase is not None and "bank" in phrase.kinds:
            gap = doc.text[end:start]
            return "\n" not in gap and FILLER not in gap and not any(one.isdigit() for one in gap)
    return False


def cards(doc: Document) -> Spans:
    """Numbers of cards: the beginning and the length that an issuer gives, and a right checksum (Luhn, ISO 7812)."""
    from stdnum import luhn

    for n, found in enumerate(_CARD.finditer(doc.text)):
        if n >= _MOST:
            return
        places = [place for place in range(found.start(), found.end()) if doc.text[place].isdigit()]
        digits = "".join(doc.text[place] for place in places)
        for length in lengths(digits):
            end = places[length - 1] + 1 if length <= len(digits) else None
            if end and not doc.text[end : end + 1].isdigit() and luhn.is_valid(digits[:length]):
                yield found.start(), end
                break


# The first and the last beginning of four digits of each issuer, and how long its numbers are.
_ISSUERS = (
    (4000, 4999, (19, 16, 13)),  # Visa
    (5100, 5599, (16,)),  # Mastercard
    (2221, 2720, (16,)),
    (3400, 3499, (15,)),  # American Express
    (3700, 3799, (15,)),
    (3000, 3059, (19, 16, 14)),  # Diners Club
    (3090, 3099, (19, 16, 14)),
    (3600, 3699, (19, 16, 14)),
    (3800, 3999, (19, 16, 14)),
    (3528, 3589, (19, 16)),  # JCB
    (6011, 6011, (19, 16)),  # Discover
    (6440, 6599, (19, 16)),
    (6200, 6299, (19, 18, 17, 16)),  # UnionPay
    (5000, 5099, (19, 18, 17, 16)),  # Maestro, and others
    (5600, 5899, (19, 18, 17, 16)),
    (6000, 6399, (19, 18, 17, 16)),
    (6700, 6799, (19, 18, 17, 16)),
)


def lengths(digits: str) -> tuple[int, ...]:
    """How long numbers of cards are that begin like this, the longest first; empty where no issuer has such numbers."""
    beginning = int(digits[:4])
    return next((found for first, last, found in _ISSUERS if first <= beginning <= last), ())
