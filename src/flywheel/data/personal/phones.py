"""Telephone numbers. A cheap pattern finds digits that could be one; words around them, their form, and then the rules of the
countries say whether they are."""

from __future__ import annotations

import re
from functools import lru_cache

from flywheel.data.personal.document import Document, Phrase, Spans
from flywheel.data.personal.flat import FILLER, fill

_DAY, _MONTH = r"(?:0?[1-9]|[12]\d|3[01])", r"(?:0?[1-9]|1[0-2])"
_TIME = r"(?:[ T,]{1,2}(?:at |um |a )?\d{1,2}[:.]\d\d(?:[:.]\d\d(?:[.,]\d{1,9})?)?)?"
# Days, moments, times, IDs of machines, long fractions: filled in before anything is looked for.
_NOISE = re.compile(
    rf"(?<![\d])(?<!\d[-/.])(?:(?:19|20)\d\d(?P<s>[-/. ]){_MONTH}(?P=s){_DAY}{_TIME}|"
    rf"{_DAY}(?P<t>[-/.]){_DAY}(?P=t)(?:(?:19|20)\d\d|\d\d){_TIME}|{_DAY} {_MONTH} (?:19|20)\d\d{_TIME}|"
    rf"{_DAY}\. ?{_MONTH}\. ?(?:(?:19|20)\d\d|\d\d){_TIME}|"
    r"(?:[01]?\d|2[0-3]):[0-5]\d(?::[0-5]\d(?:[.,]\d{1,9})?)?)(?![-/.]?\d)|"
    r"(?<![\w-])[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}(?![\w-])|"
    r"(?<![\d.,])-?\d{1,3}\.\d{5,17}(?![\d.])"
)
_CANDIDATE = re.compile(
    r"(?:\+ ?|\(\+?)?\(?\d(?:[ .\-/()_·•]{0,3}\d){4,19}"
    r"(?P<ext>[ ,]{0,3}(?:ext|extension|extn|x|#|poste|durchwahl|dw|ramal|int|anexo)[.:]?[ ]{0,2}\d{1,6})?(?![^\W_])",
    re.IGNORECASE,
)
# Letters on the keys: 1-800-FLOWERS, 1-888-555-HELP, 0800 REPUBLIC.
_VANITY = re.compile(
    r"(?<![\w.+-])\+?(?:1[ .\-]\(?[2-9]\d\d\)?[ .\-]|8(?:00|33|44|55|66|77|88)-|0[89]00[ .\-]|1[38]00[ .\-])"
    r"(?:\d{3}[ .\-]?)?[A-Z]{3,10}(?:-[A-Z0-9]{2,8})?(?!\w)"
)
# The seconds or milliseconds of a machine's clock, from 2001 to 2033; nobody leaves off the zero of a number that begins so.
_CLOCK = re.compile(r"1\d{9}(?:\d{3})?(?:\.\d{1,9})?")
_DECIMALS = re.compile(r"\d\.\d{2,9}(?:[ ]{1,3}\d\.\d{2,9}){1,9}")
_TICKET = re.compile(r"\d{3}[ \-]\d{10}")  # three digits of who issued it, and ten of its own
_ZERO = re.compile(r"(?<=\d)[oO](?=\d)|(?<=\d[ .\-])[oO](?=\d)")  # the letter for the digit
_STAMP = re.compile(r"(?:19|20)\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])(?:[0-2]\d[0-5]\d(?:[0-5]\d)?)?")
_MONEY_BEFORE = re.compile(r"(?:[$€£¥₹]|\b(?:usd|eur|gbp|chf|cad|aud|inr|brl|r\$|us\$))[ ]?-?$", re.IGNORECASE)
_MONEY_BEHIND = re.compile(r"[ ]?(?:[$€£¥₹%°]|[,.]\d{1,2}(?!\d))")
_LETTERS = re.compile(r"[^\W\d_]{2,16}$")
_THOUSANDS = re.compile(r"\d{1,3}(?:([., ])\d{3})(?:\1\d{3}){0,4}")
_YEARS = re.compile(r"(?:19|20)\d\d(?:[ \-/.]{1,3}(?:19|20)\d\d){1,4}")
_TIMES = re.compile(r"(?:[01]?\d|2[0-3])[.:][0-5]\d(?:[ \-]{1,3}(?:[01]?\d|2[0-3])[.:][0-5]\d){1,4}")
_UNIT = re.compile(r"[ ]?([^\W\d_]{1,14})")
_REST = re.compile(r"[^\W_]{1,40}")
_OWN = re.compile(
    r"[ ,(\-]{1,3}(?:(?:is|was|ist|est|es|e|that's|thats|it's)[ ]{1,2})?"
    r"(?:(?:my|the|our|his|her|a|mein|meine|mon|ma|mi|meu|o meu|das ist|new|work|home|private)[ ]{1,2}){0,3}",
    re.IGNORECASE,
)
_SAYS_IS = re.compile(r"\b(?:is|was|ist|est|es|e)\b", re.IGNORECASE)
_OF_NUMBERS = frozenset(("telephone", "harmless", "booking", "reference", "passport", "bank"))
_AND = re.compile(
    r" ?(?:[,;/&+] ?)?(?:(?:and|or|und|oder|et|ou|y|o|e|to|bis|a) (?:also |auch |on |at )?)?", re.IGNORECASE
)
_SPELLED = 7
_JOINTS = frozenset(("then", "dash", "hyphen", "space", "dann", "puis", "luego", "depois", "guion", "strich", "tiret"))
_FAR = 5  # words between the word for a telephone and its number
_MOST = 300  # candidates of a text that the rules of the countries are asked about; what is beyond counts as a number


def phones(doc: Document) -> Spans:
    """Telephone numbers with their extensions."""
    text = _NOISE.sub(lambda found: FILLER * len(found[0]), doc.text)
    vanities = [found.span() for found in _VANITY.finditer(text)]
    yield from vanities
    text = _ZERO.sub("0", fill(text, vanities))
    asked = at = 0
    last: re.Match[str] | None = None
    none: re.Match[str] | None = None
    while found := _CANDIDATE.search(text, at):
        at = found.end()
        start = found.start()
        if text[start - 1 : start].isalnum():
            letters = _LETTERS.search(text[max(0, start - 16) : start])
            if not letters or not _announces(doc, letters[0].lower(), "telephone"):
                skipped = _REST.match(text, start)
                at = max(skipped.end() if skipped else at, start + 1)
                continue
            yield start, found.end()
            continue
        if (
            start
            and text[start - 1] in "-/."
            and text[start - 2 : start - 1].isalnum()
            and not _is_abbreviated(doc, start - 1)
        ):
            continue
        verdict = _by_words(doc, text, found)
        if verdict is None and last is not None and _is_further(text, last, found):
            verdict = True
        if verdict is None and none is not None and found[0].isdigit() and _is_further(text, none, found):
            verdict = False  # rows 123456789 to 234567890
        if verdict is None:
            asked += 1
            verdict = asked > _MOST or _by_form(found[0], doc.vocabulary.regions)
        elif verdict and not _is_number(found[0]):
            verdict = False
        if verdict:
            yield start, found.end()
            last = found
        else:
            none = found
    yield from _spelled(doc)


def _is_further(text: str, last: re.Match[str], found: re.Match[str]) -> bool:
    """Whether a number follows a telephone number as another one: `555-0123 or 5550199`."""
    is_alike = abs(len(_digits(last[0])) - len(_digits(found[0]))) <= 1
    return is_alike and bool(_AND.fullmatch(text, last.end(), found.start()))


def _spelled(doc: Document) -> Spans:
    """Seven digits or more as words, some of them perhaps as digits: `five five five oh one two three`, `555 one two 3345`;
    behind a word for a telephone also digits with a word between, `555 then 0123`."""
    words, known = doc.words, doc.vocabulary.digits
    i = 0
    while i < len(words):
        k = behind = i
        n_digits = n_words = n_joints = 0
        while k < len(words) and (k == i or doc.gap(k) in (" ", "-", ", ", " - ")):
            word = words[k][2]
            if word in known:
                n_digits, n_words, behind = n_digits + 1, n_words + 1, k + 1
            elif word.isdigit() and len(word) <= 5:
                n_digits, behind = n_digits + len(word), k + 1
            elif word in _JOINTS and k > i and behind == k:
                n_joints += 1
            else:
                break
            k += 1
        if n_digits >= _SPELLED and (n_words >= 3 or (n_words + n_joints and _is_called(doc, words[i][0]))):
            yield words[i][0], words[behind - 1][1]
        i = max(k, i + 1)


def _is_called(doc: Document, start: int) -> bool:
    """Whether the nearest word before that announces a number means a telephone."""
    before = _nearest(doc, doc.text, start)
    return before is not None and "telephone" in before.kinds and "harmless" not in before.kinds


def _announces(doc: Document, word: str, kind: str) -> bool:
    """Whether a word alone announces a kind."""
    return any(len(words) == 1 and kind in kinds for words, kinds, _ in doc.vocabulary.phrases.get(word, ()))


def _is_abbreviated(doc: Document, at: int) -> bool:
    """Whether the dot at a place ends a word for a telephone: `Tel.`"""
    phrase = doc.ending.get(at)
    return phrase is not None and doc.text[at] == "." and "telephone" in phrase.kinds


def _digits(candidate: str) -> str:
    return "".join(filter(str.isdigit, candidate))


def _is_number(candidate: str) -> bool:
    """Whether the digits could be dialled at all."""
    return 6 <= len(_digits(candidate)) <= 20


def _by_words(doc: Document, text: str, found: re.Match[str]) -> bool | None:
    """What the words around a number say of it; None where they say nothing."""
    start, end, raw = found.start(), found.end(), found[0]
    is_bare = raw.isdigit()
    before = _nearest(doc, text, start)
    if _DECIMALS.fullmatch(raw) or _YEARS.fullmatch(raw) or _is_own_behind(doc, end, "harmless"):
        return False
    if before is not None and "telephone" in before.kinds and "harmless" not in before.kinds:
        return not _is_amount(doc, text, found) or not is_bare
    if raw[0] == "+" or raw.startswith("(+"):
        return 7 <= len(_digits(found[0].partition("x")[0])) <= 15 or None
    if _is_amount(doc, text, found):
        return False
    if before is not None:
        if is_bare or _TICKET.fullmatch(raw):
            return False
        return _valid(raw, doc.vocabulary.regions, strictly=True)
    if _is_own_behind(doc, end):
        return True
    return None


def _is_amount(doc: Document, text: str, found: re.Match[str]) -> bool:
    start, end = found.span()
    if _MONEY_BEFORE.search(text[max(0, start - 5) : start]) or _MONEY_BEHIND.match(text, end):
        return True
    unit = _UNIT.match(text, end)
    return unit is not None and _announces(doc, unit[1].lower(), "units")


def _nearest(doc: Document, text: str, start: int) -> Phrase | None:
    """The last phrase before a number that announces one, in the same sentence and with no other number between."""
    at, words, seen = start, 0, start
    while at > 0 and start - at < 48:
        phrase = doc.ending.get(at)
        if phrase is not None and phrase.kinds & _OF_NUMBERS:
            return phrase
        sign = text[at - 1]
        if sign.isdigit() or sign in f"\n!?;{FILLER}":
            return None
        if sign == "." and text[at : at + 1] == " " and not _is_short_word(text, at - 1) and at - 1 not in doc.ending:
            return None
        if sign.isspace() and seen != at:
            words, seen = words + 1, at
        if words > _FAR:
            return None
        at -= 1
    return None


def _is_short_word(text: str, at: int) -> bool:
    """Whether a dot ends an abbreviation, such as `no.`"""
    return bool(re.search(r"(?:^|[^\w])\w{1,3}$", text[max(0, at - 5) : at]))


def _is_own_behind(doc: Document, end: int, kind: str = "telephone") -> bool:
    """`555-0123 is my mobile`, `2125550123 (cell)`; of what is harmless only `0061234567890 is my ticket number`."""
    i = doc.at(end)
    for k in range(i, i + 5):
        phrase = doc.starting.get(k)
        if phrase is not None and kind in phrase.kinds and (kind == "harmless" or "harmless" not in phrase.kinds):
            gap = doc.text[end : doc.words[k][0]]
            return bool(_OWN.fullmatch(gap)) and (kind != "harmless" or bool(_SAYS_IS.search(gap)))
    return False


def _by_form(raw: str, regions: tuple[str, ...]) -> bool:
    """Whether a number is a telephone number by how it is written, or by the rules of one of the countries."""
    digits = _digits(raw)
    n = len(digits)
    if raw[0] == "+":
        return _valid(raw, regions)
    if raw.isdigit():
        if not 9 <= n <= 14 or _STAMP.fullmatch(raw) or _CLOCK.fullmatch(raw):
            return False
        return _valid(raw, regions)
    if not 7 <= n <= 20 or _YEARS.fullmatch(raw) or _TIMES.fullmatch(raw) or re.fullmatch(r"\d{1,3}\.\d{4,17}", raw):
        return False
    if _CLOCK.fullmatch(raw):
        return False
    groups = re.findall(r"\d+", raw)
    if _THOUSANDS.fullmatch(raw) and (n != 9 or "." in raw):
        return False
    if [*map(len, groups)] == [3, 4] and (raw[3] == "-" or raw[0] == "("):
        return True
    if re.fullmatch(r"\d(?:-\d){9,10}", raw) or ([*map(len, groups)] == [3, 4, 4] and raw[0] == "1"):
        return True  # digit by digit; a mobile of China
    if max(map(len, groups)) <= 2 and raw[0] != "0":
        return n >= 9 and _valid(raw, regions, strictly=True)
    if (
        (raw[0] in "(0" and 9 <= n <= 15)
        or [*map(len, groups)][:3] == [3, 3, 4]
        or [*map(len, groups)][:4] == [1, 3, 3, 4]
    ):
        return not re.fullmatch(r"0\d{3,}-\d{7,}-\d{7,}", raw)
    return _valid(raw, regions)


def _valid(raw: str, regions: tuple[str, ...], strictly: bool = False) -> bool:
    """Whether the rules of a country know such a number (libphonenumber); `strictly`: and write it in these groups."""
    return _asked(raw, regions, strictly)


@lru_cache(maxsize=4096)
def _asked(raw: str, regions: tuple[str, ...], strictly: bool) -> bool:
    from phonenumbers import Leniency, PhoneNumberMatcher

    leniency = Leniency.STRICT_GROUPING if strictly else Leniency.VALID
    return any(PhoneNumberMatcher(raw, region, leniency, 3).has_next() for region in regions)
