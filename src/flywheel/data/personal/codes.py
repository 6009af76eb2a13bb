"""Codes that open a booking or name a document: those that a word announces, and booking codes that show what they are."""

from __future__ import annotations

import itertools
import re

from flywheel.data.personal.document import Document, Phrase, Spans

# Between the announcing word and the code: `number is:`, `no. #`, `(`, but no other word.
_BETWEEN = re.compile(
    r"(?:(?:(?<=\b[a-z]{2})|(?<=\b[a-z]{3})|(?<=\bconf)|(?<=nr))\.(?= ?\S))?"  # ref.
    r"[ ]{0,2}(?:(?:code|codes|number|numbers|numero|nummer|nr|no|num|n[o°º]?|ref|reference|id|key|locator|name)\b"
    r"[.]?[ ]{0,2}){0,3}(?:#[ ]{1,2}(?=[^\W\d_]))?"
    r"(?:(?:is|was|are|ist|war|lautet|est|es|e|were|reads|says)\b[ ]{0,2}){0,1}"
    r"(?:(?:under|unter|sous|bajo|sob)\b[ ]{0,2}(?:(?:the|my|our)[ ])?(?:(?:code|number|ref|reference)\b[ ]{0,2})?)?"
    r"[,:#=\"'`(\[<>*/_→\-]{0,3}[ ]{0,2}[:#=\"'`(\[<>*→]{0,2}[ ]?\n{0,2}",
    re.IGNORECASE,
)
_NOUN = re.compile(
    r"(?:\b(?:code|number|numero|nummer|nr|no|num|n[o°]|ref|reference|id|key|locator)\b|[:#=\"(]|"
    r"\b(?:is|ist|lautet|est|es|e)\b)",
    re.IGNORECASE,
)
_SAYS_CODE = re.compile(
    r"\b\w{0,16}(?:code|nummer|nr|number|numero|ref|pnr|locator|localizador|clave|referenz|"
    r"referencia|reference|rloc|filekey|conf|dossier)\b",
    re.IGNORECASE,
)
# Words that mean the code itself, so that any six letters behind them are it.
_LOCATOR = re.compile(
    r"(?:pnrs?|locator|localizador|rloc|rec ?loc|filekey)(?: is| ist| est| es| e)[ ]{0,2}$", re.IGNORECASE
)
_CODE = re.compile(r"[A-Za-z0-9](?:-?[A-Za-z0-9]){4,13}(?![^\W_])")
_GROUPED = re.compile(r"\d{2,6}(?:[ .\-]\d{2,6}){1,4}(?![^\W_]|[.,]\d)")  # 1234.567.890
_IS = frozenset(("is", "ist", "est", "es", "e", "lautet", "was"))
_HALVES = re.compile(r"(?=[A-Z0-9 ]{0,7}\d)(?=[A-Z0-9 ]{0,7}[A-Z])[A-Z0-9]{2,4} [A-Z0-9]{2,4}(?![^\W_])")  # X7K 2PQ
_DAY = re.compile(r"\d{1,4}[-/. ]\d{1,2}[-/. ]\d{1,4}(?!\d)")
_SPACED = re.compile(r"(?:[A-Z0-9](?P<s>[ .])(?:[A-Z0-9](?P=s)){4}[A-Z0-9]|[a-z0-9](?: [a-z0-9]){5})(?![^\W_])")
# Six letters that no word has: four consonants in a row (nights and months have an h), a q without its u, no vowel.
_NO_WORD = re.compile(r"(?=[a-z]{0,5}[bcdfgjklmnpqrstvwxz]{4}|[a-z]{0,5}q(?!u)|[^aeiouy]{6})[a-z]{6}", re.IGNORECASE)
_DOCUMENT = re.compile(r"(?=[A-Za-z0-9 \-./]{0,14}\d)[A-Za-z0-9](?:[ \-./]?[A-Za-z0-9]){4,15}(?![^\W_])")
# Without a word: six capitals and digits that take turns at least twice, and no two signs with four digits behind them.
_ALONE = re.compile(r"(?<![\w/.@#-])(?=[A-Z0-9]{0,5}\d)(?=[A-Z0-9]{0,5}[A-Z])[A-Z0-9]{6}(?![\w/@]|-\w)")
_CONNECTION = re.compile(r"[A-Za-z0-9]{2}\d{4}|[A-Z]{3}\d{1,5}[A-Z]?")
_OWN = re.compile(
    r"[ ]{0,2}[\])\"'>*]?[ ]?[,(:=\-]{0,2}[ ]{0,2}"
    r"(?:(?:(?:is|was|ist|est|es|e|that's|thats|it's|das ist)(?: what)?|"
    r"on|in|from|of|for|as|als|comme|como|auf|fur|zu|sur|en|de|pour)[ ]{1,2})?"
    r"(?:(?:my|the|our|his|her|a|an|mein|meine|meinem|meiner|ein|eine|mon|ma|un|une|mi|meu|minha|o meu|"
    r"a minha|um|uma)[ ]{1,2})?"
    r"(?:(?-i:[A-Z])[a-z]{2,14}[ ]{1,2})?$",  # an Indian passport
    re.IGNORECASE,
)
_SAYS_IS = re.compile(r"\b(?:is|was|ist|est|es|e|that's|thats|it's)\b|\(", re.IGNORECASE)
_TAIL = re.compile(r"N[1-9]\d{0,4}[A-Z]{0,2}")
_AND = re.compile(r"[ ]{0,2}(?:and|und|et|y|e|or|&|\+|/|,|,? and)[ ]{1,2}|[ ]?/[ ]?", re.IGNORECASE)
# Numbers of persons that show by their form what they are: of the United States, of Brazil.
_ENDS = re.compile(r"[\])\"'>*]{0,2}[ ]{0,2}(?:[.,;!?)\n]|$)")
_SSN = re.compile(r"(?<![\w-])(?:\d{3}-\d{2}-\d{4}|(?<!\.)\d{3}\.\d{3}\.\d{3}-\d{2})(?![\w-])")
# One to three letters and six to eight digits; of Germany, without vowels.
_FORM = re.compile(r"[A-Z]{1,3}\d{6,8}|(?=\w{0,8}\d\w{0,6}\d)[CFGHJK][0-9CFGHJKLMNPRTVWXYZ]{8}", re.IGNORECASE)
_ITS_NUMBER = re.compile(
    r"\b(?:it|number|no|nr|nummer|numero)[.]? (?:(?:is|was|ist|war|lautet|es|est|e) )?$", re.IGNORECASE
)
_MRZ = re.compile(r"(?<![A-Z0-9<])[A-Z0-9<]{20,44}(?![A-Z0-9<])")


def kept(doc: Document) -> list[tuple[int, int]]:
    """What is never personal in this project, in order."""
    found = [(doc.words[one.first][0], doc.words[one.behind - 1][1]) for one in doc.of("keep")]
    if doc.vocabulary.kept is not None:
        found += [one.span() for one in doc.vocabulary.kept.finditer(doc.text)]
    ordered: list[tuple[int, int]] = []
    for start, end in sorted(found):
        if not ordered or start >= ordered[-1][1]:
            ordered.append((start, end))
    return ordered


def bookings(doc: Document) -> Spans:
    """Codes of bookings: what follows a word for a booking, in any case of letters, and six signs that are nothing else."""
    others: set[int] = set()
    for phrase in doc.phrases:
        if not phrase.kinds & {"booking", "reference"}:
            continue
        start = doc.words[phrase.behind - 1][1]
        at = _BETWEEN.match(doc.text, start).end()  # type: ignore[union-attr]  # it matches nothing, too
        code = (_CODE.match(doc.text, at) or _SPACED.match(doc.text, at)) if at > start else None
        if _is_harmless_before(doc, phrase):
            others |= {code.start()} if code else set()
            continue
        said = doc.text[doc.words[phrase.first][0] : at]
        grouped = (
            _GROUPED.match(doc.text, at) if at > start and "booking" in phrase.kinds and _NOUN.search(said) else None
        )
        if grouped and not _DAY.match(grouped[0]):
            yield grouped.span()
        elif code and _is_code(code[0], said, doc.vocabulary.no_names, "booking" in phrase.kinds, _is_last(doc, code)):
            yield code.span()
            yield from _more(doc.text, code)
        elif halves := _HALVES.match(doc.text, at) if at > start and _names_code(said) else None:
            yield halves.span()
        elif found := _further(doc, phrase):
            yield found
    yield from _alone(doc, others)
    yield from _of_booking(doc)
    yield from _before_word(doc)


def _names_code(said: str) -> bool:
    """Whether the words before mean a code, not the whole booking."""
    return bool(_NOUN.search(said) or _SAYS_CODE.search(said))


def _is_last(doc: Document, code: re.Match[str]) -> bool:
    """Whether the sentence ends behind a code, or something is set off, and the code itself announces nothing."""
    return bool(_ENDS.match(doc.text, code.end())) and doc.at(code.start()) not in doc.starting


def _more(text: str, code: re.Match[str]) -> Spans:
    """Codes of the same make right behind one: `ABC123 and DEF456`."""
    for _ in range(8):
        joined = _AND.match(text, code.end())
        following = _CODE.match(text, joined.end()) if joined else None
        if following is None or len(following[0]) != len(code[0]) or following[0].isupper() != code[0].isupper():
            return
        if not any(map(str.isdigit, following[0])) and any(map(str.isdigit, code[0])):
            return
        code = following
        yield code.span()


def _further(doc: Document, phrase: Phrase) -> tuple[int, int] | None:
    """A code some words behind: `the booking for my mother is ABC123`; without digits only behind a word for a code."""
    is_named = bool(_SAYS_CODE.search(doc.text, doc.words[phrase.first][0], doc.words[phrase.behind - 1][1]))
    for i in range(phrase.behind, min(len(doc.words), phrase.behind + 7)):
        gap = doc.gap(i)
        if re.search(r"[.!?;\n\ufffc]", gap) or (
            i > phrase.behind and i in doc.starting and "harmless" in doc.starting[i].kinds
        ):
            return None
        start, end, word = doc.words[i]
        raw = doc.text[start:end]
        if not any(map(str.isdigit, word)):
            if is_named and len(raw) == 6 and raw.isupper() and (":" in gap or doc.words[i - 1][2] in _IS):
                is_free = word not in doc.vocabulary.no_names and i not in doc.starting
                return (start, end) if is_free and _ENDS.match(doc.text, end) else None
            continue
        is_code = (
            re.fullmatch(r"[A-Z0-9]{5,7}", raw)
            and any(map(str.isalpha, raw))
            and doc.text[end : end + 1] not in tuple("-/")
        )
        is_said = bool(re.search(r"[:=]", gap)) or doc.words[i - 1][2] in _IS
        if is_code and (is_said or (_takes_turns(raw) and not _CONNECTION.fullmatch(raw))):
            return start, end
        return None
    return None


def _is_code(code: str, said: str, words: frozenset[str], is_booking: bool, is_last: bool) -> bool:
    """Whether what follows a word for a booking is its code. `said` is all before it, from that word on; digits alone are a
    booking's only where that word means nothing else. `is_last`: nothing goes on behind it, so that it is no
    word of a clause."""
    plain = re.sub(r"[-. ]", "", code)
    n_digits = sum(one.isdigit() for one in plain)
    is_sure = bool(_SAYS_CODE.search(said))
    has_noun = is_sure or bool(_NOUN.search(said))
    if n_digits == len(plain):
        return is_booking and (5 if has_noun else 7) <= n_digits <= 12 and not _looks_like_day(plain)
    if n_digits:
        if not (plain.isupper() or plain.islower()) and not has_noun:
            return False
        if re.fullmatch(
            r"\d{1,4}(?:st|nd|rd|th|am|pm|h|min|mins|days|hours|x|km|kg|eur|usd|gbp)", plain, re.IGNORECASE
        ):
            return False
        if "-" in code and not plain.isupper():
            return n_digits >= 3
        return len(plain) >= 5
    if plain.lower() in words or len(plain) != 6:
        return False
    if "," in said:  # booking, please; booking, QWERTY
        return plain.isupper() and is_last and not said.isupper()
    if plain.isupper():
        letters = [one for one in said if one.isalpha()]
        is_loud = len(letters) > 4 and all(one.isupper() for one in letters)
        is_marked = bool(re.search(r"[:#=\"(]\s?$", said)) or (is_sure and not is_loud)
        return is_marked or not is_loud
    is_said = bool(re.search(r"[:#=\"(]\s?$", said))
    if _NO_WORD.fullmatch(plain) and (is_said or has_noun) and plain[1:].islower():
        return True
    if plain.islower():
        return (is_said and is_sure) or bool(_LOCATOR.search(said))
    return has_noun and sum(one.isupper() for one in plain[1:]) > 1


def _looks_like_day(digits: str) -> bool:
    return bool(re.fullmatch(r"(?:19|20)\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])", digits))


def _is_harmless_before(doc: Document, phrase: Phrase) -> bool:
    """Whether the word right before says that it is an order's, or a case's: `order reference`, `case ref`."""
    before = doc.followed.get(phrase.first)
    return before is not None and "harmless" in before.kinds and doc.gap(phrase.first).strip(" -#") == ""


def _takes_turns(code: str) -> bool:
    """Whether letters and digits change places at least twice, and it is no registration of a plane."""
    return sum(a.isdigit() != b.isdigit() for a, b in itertools.pairwise(code)) >= 2 and not _TAIL.fullmatch(code)


def _alone(doc: Document, others: set[int]) -> Spans:
    for found in _ALONE.finditer(doc.text):
        code, start = found[0], found.start()
        if start in others or not _takes_turns(code) or _CONNECTION.fullmatch(code):
            continue
        before = [end for end in range(max(0, start - 8), start) if end in doc.ending]
        if any("harmless" in doc.ending[end].kinds and _is_short(doc.text[end:start]) for end in before):
            continue
        yield found.span()


def _of_booking(doc: Document) -> Spans:
    """Six signs that are no word, in a text that speaks of a booking anywhere: `Where is my booking? It's KXMTQX`."""
    if not doc.of("booking"):
        return
    for i, (start, end, word) in enumerate(doc.words):
        if len(word) != 6 or not word.isascii() or word in doc.vocabulary.no_names or i in doc.starting:
            continue
        if (doc.text[start - 1 : start] or " ") in "-/._@#=" or (doc.text[end : end + 2] + "  ")[0] in "-/_@=":
            continue
        before = doc.followed.get(i)
        if before is not None and "harmless" in before.kinds:
            continue
        raw = doc.text[start:end]
        is_drawn = _takes_turns(raw.upper()) and not _CONNECTION.fullmatch(raw) and (raw.isupper() or raw.islower())
        if is_drawn or (raw.isupper() and _NO_WORD.fullmatch(raw)):
            yield start, end


def _is_short(gap: str) -> bool:
    return bool(re.fullmatch(r"[ ]?(?:no\.?|nr\.?|id|is|:|#|number)?[ ]?[:#]?[ ]?", gap, re.IGNORECASE))


def _before_word(doc: Document) -> Spans:
    """`abc23d is my booking code`, and six capitals that are said to be one: `QWERTY is my booking`."""
    for i, (start, end, word) in enumerate(doc.words):
        if len(word) != 6 or not word.isascii():
            continue
        gap = _follows(doc, i, "booking")
        if gap is None:
            continue
        is_said = bool(_SAYS_IS.search(gap))
        if any(map(str.isdigit, word)) and any(map(str.isalpha, word)):
            is_code = is_said or not _CONNECTION.fullmatch(word)
        else:
            is_code = doc.text[start:end].isupper() and word.isalpha() and word not in doc.vocabulary.no_names
            is_named = i > 0 and doc.gap(i) == " " and bool(_SAYS_CODE.fullmatch(doc.words[i - 1][2]))
            is_code = is_code and (is_said or is_named or bool(_NO_WORD.fullmatch(word)))
        if is_code:
            yield start, end


def _follows(doc: Document, i: int, kind: str) -> str | None:
    """What stands between word `i` and the kind that it is said to be: `is my`, before `passport number`; else None."""
    for k in range(i + 1, i + 5):
        phrase = doc.starting.get(k)
        if phrase is not None and kind in phrase.kinds:
            gap = doc.text[doc.words[i][1] : doc.words[k][0]]
            return gap if _OWN.match(gap) else None
    return None


def passports(doc: Document) -> Spans:
    """Numbers of documents of identity: what follows a word for one, or stands before it, and what machines read of them."""
    for phrase in doc.of("passport"):
        start = doc.words[phrase.behind - 1][1]
        at = _BETWEEN.match(doc.text, start).end()  # type: ignore[union-attr]  # it matches nothing, too
        found = _DOCUMENT.match(doc.text, at) if at > start else None
        end = _end_of_document(found[0]) if found else 0
        if not end and (further := _further_document(doc, phrase)):
            at, end = further
        if end:
            yield at, at + end
            joined = _AND.match(doc.text, at + end)
            further_one = _DOCUMENT.match(doc.text, joined.end()) if joined else None
            length = _end_of_document(further_one[0]) if further_one else 0
            if joined and length and abs(length - end) <= 1:
                yield joined.end(), joined.end() + length
    for i, (start, end, word) in enumerate(doc.words):
        n_digits = sum(map(str.isdigit, word))
        if 6 <= len(word) <= 12 and n_digits >= 5 and _follows(doc, i, "passport") is not None:
            yield start, end
    yield from _of_form(doc)
    yield from (found.span() for found in _SSN.finditer(doc.text))
    if "<<" in doc.text:
        yield from (found.span() for found in _MRZ.finditer(doc.text) if "<<" in found[0])


def _of_form(doc: Document) -> Spans:
    """What has the form of a passport's number, in a text that speaks of one anywhere."""
    if not doc.of("passport"):
        return
    for i, (start, end, word) in enumerate(doc.words):
        before = doc.followed.get(i)
        if before is not None and before.kinds & {"harmless", "booking", "telephone"}:
            continue
        is_said = word.isdigit() and 7 <= len(word) <= 9 and not _looks_like_day(word)
        if _FORM.fullmatch(word) or (is_said and _ITS_NUMBER.search(doc.text[max(0, start - 24) : start])):
            yield start, end


def _further_document(doc: Document, phrase: Phrase) -> tuple[int, int] | None:
    """Where a number some words behind begins, and how long it is: `the passport issued in Spain is AAB123456`."""
    for i in range(phrase.behind, min(len(doc.words), phrase.behind + 8)):
        if re.search(r"[!?;\n\ufffc]|\. ", doc.gap(i)[:8]) and doc.words[i - 1][2] not in ("no", "nr", "num", "n"):
            return None
        if i in doc.starting and doc.starting[i].kinds & {"harmless", "telephone", "booking"}:
            return None
        start, _, word = doc.words[i]
        n_digits = sum(map(str.isdigit, word))
        if n_digits >= 3 and not _looks_like_day(word) and not _DAY.match(doc.text, start):
            found = _DOCUMENT.match(doc.text, start)
            length = _end_of_document(found[0]) if found else 0
            if length and (n_digits >= 5 or length >= 7):
                return start, length
    return None


def _end_of_document(found: str) -> int:
    """How much of what follows the word is the number: whole words, as long as they hold digits; 0 if none is."""
    end = 0
    for word in re.finditer(r"[^ ]+", found):
        n_digits = sum(map(str.isdigit, word[0]))
        is_part = n_digits or (len(word[0]) <= 2 and word[0].isupper())
        if not is_part:
            break
        end = word.end()
    digits = sum(map(str.isdigit, found[:end]))
    signs = sum(map(str.isalnum, found[:end]))
    return end if digits >= 3 and signs >= 6 else 0
