"""Names of people, by the words around them: a greeting, a title, an introduction, a label, what is said at the end. A name in
the middle of a sentence that nothing announces is not found."""

from __future__ import annotations

import re
from collections.abc import Callable

from flywheel.data.personal.document import Document, Phrase, Spans
from flywheel.data.personal.flat import FILLER

_PARTICLES = frozenset(
    ("van", "von", "vom", "zu", "zur", "der", "den", "de", "del", "della", "di", "da", "das", "do", "dos", "du", "des", "la",
     "le", "el", "al", "bin", "ibn", "ben", "ter", "ten", "st", "san", "y", "e", "af", "av", "mac", "mc")
)  # fmt: skip
_AND = frozenset(("and", "und", "et", "y", "e"))
_MINE = frozenset(("my", "mein", "meine", "mon", "ma", "mi", "meu", "minha", "your"))
_FROM = frozenset(("from", "von", "de", "da", "di"))
_NAMED = frozenset(("called", "named"))
# How words end that say what somebody is, not who: I'm Swedish, I'm Furious.
_QUALITY = re.compile(r"(?:ish|i?an|ese|ch|ed|ing|ous|ble|ful|less|ive|ant|ent|ist|er|ic|al)$")
_ASIAN = re.compile(
    r"(?<![\u4e00-\u9fff])(?![皆客])[\u4e00-\u9fff]{1,4}?(?=先生|女士|小姐|さん|様|さま)|"
    r"(?<![\uac00-\ud7a3])(?!고객|선생|여러)[\uac00-\ud7a3]{2,4}(?=님|씨)"
)
_I = frozenset(("i", "ich", "je", "moi", "yo", "eu"))
_WHOSE = frozenset(("are", "we're", "for", "from", "to", "with", "and"))
_FAMILY = frozenset(("family", "familie"))
_NO_MORE = frozenset(("am",))  # I left off: only where a sentence begins
_LONGEST = 6  # words of a name
_DASH = re.compile(r"(?:^|[\n.!?)\]] {0,3}|[^\S\n]{1,3})(?:-{1,3}|~|/) {0,3}(?=[^\W\d_])", re.MULTILINE)
_CHECKED_IN = re.compile(
    r"(?<![^\W_])[A-Z]{2,24}/[A-Z]{2,24}(?: [A-Z]{2,24})?(?: ?(?:MR|MRS|MS|MISS|MSTR|DR|CHD|INF))(?![^\W_])"
)
_NICKNAME = re.compile(r" (?:\"[^\W\d_]{2,15}\"|'[^\W\d_]{2,15}'|\([^\W\d_]{2,15}\)) (?=[^\W\d_])")
_INITIALS = re.compile(r"[A-Z]\. ?(?:[A-Z]\. ?){0,2}[A-Z]?(?=\s*$|\n)")  # at the end
_HONOURED = re.compile(r"(?<!\w)[A-Z][a-z]{1,20}-(?:san|sama|sensei|kun|chan)(?!\w)")
_MENTION = re.compile(r"(?<![\w@.])@(?=[^\W\d_])")
_EMOJI = r"(?:[^\w\s\x00-\x7f\ufffc]{1,6} {0,2})?"
_PLACE = re.compile(
    r"(?:, | \()[^\W\d_]{2,20}(?:[ -][^\W\d_]{2,20})?[.)]? {0,2}(?:\n|$)"
)  # where somebody is who signs
_SIGNING = re.compile(rf" {{0,3}}[,.!:;\-*]{{0,3}} {{0,2}}{_EMOJI}[\s\-_*(]{{0,8}}{_EMOJI}")
_GREETING = re.compile(rf"[,!:]? {{0,2}}{_EMOJI}")
_END = re.compile(r"[ ]{0,3}(?:[.,!;:?)\n\"'|(/&\[-]|$)|[ ]{0,3}[^\w\s]")


def names(doc: Document) -> Spans:
    """Names that a word or the place announces."""
    reader = _Reader(doc)
    for phrase in doc.phrases:
        if phrase.behind >= len(doc.words) and "behind" not in phrase.kinds:
            continue
        for kind, read in reader.ways.items():
            found = read(phrase) if kind in phrase.kinds else None
            if found is not None:
                yield found
                yield from reader.others(found[1])
                break
    yield from reader.at_the_end()
    yield from reader.by_form()
    yield from (found.span() for found in _CHECKED_IN.finditer(doc.text))
    yield from (found.span() for found in _ASIAN.finditer(doc.text))
    yield from (found.span() for found in _HONOURED.finditer(doc.text))


class _Reader:
    """Reads names from words of a text on."""

    def __init__(self, doc: Document) -> None:
        self.doc = doc
        self.words = doc.words
        self.text = doc.text
        self.ways: dict[str, Callable[[Phrase], tuple[int, int] | None]] = {
            "introductions": self.introduced,
            "labels": self.labelled,
            "titles": self.titled,
            "signatures": self.signed,
            "greetings": self.greeted,
            "perhaps": self.perhaps,
            "people": self.perhaps,
            "behind": self.before,
        }

    def raw(self, i: int) -> str:
        return self.text[self.words[i][0] : self.words[i][1]]

    def gap(self, i: int) -> str:
        """What stands between word `i - 1` and word `i`."""
        return self.doc.gap(i)

    def has_capital(self, i: int) -> bool:
        sign = self.text[self.words[i][0]]
        return sign.isupper() or (sign.isalpha() and sign.upper() == sign.lower())  # some scripts have no small letters

    def is_loud(self, i: int) -> bool:
        """Whether the words around are all in capitals, so that a capital says nothing."""
        if len(self.raw(i)) < 2 or not self.raw(i).isupper():
            return False
        near = [self.raw(k) for k in range(max(0, i - 4), min(len(self.words), i + 5)) if k != i]
        long = [word for word in near if len(word) > 1 and word.isalpha()]
        return len(long) >= 2 and sum(word.isupper() for word in long) > len(long) / 2

    def is_first(self, i: int) -> bool:
        return self.words[i][2].removesuffix("'s") in self.doc.vocabulary.first_names

    def is_title(self, i: int) -> bool:
        """Whether a title begins with a word; what it belongs to may have been found already."""
        phrase = self.doc.starting.get(i)
        return phrase is not None and "titles" in phrase.kinds and not self.is_first(i)

    def may_be(self, i: int, is_small: bool) -> bool:
        """Whether a word can be part of a name: letters alone, and not one of the words that are none."""
        word = self.words[i][2]
        if not word.replace("'", "").isalpha() or len(word) > 30:
            return False
        if word in self.doc.vocabulary.no_names:
            return not is_small and self.is_first(i)
        return not re.search(r"[a-z][A-Z]{2}", self.raw(i))  # LightGBM

    def name(self, i: int, is_small: bool = False, most: int = _LONGEST) -> tuple[int, int] | None:
        """The words of the name that begins with word `i`: from it on, up to the second number; None if none does."""
        words, n = self.words, len(self.words)
        if i >= n or self.is_title(i):
            return None
        k, behind = i, i
        while k < n and k - i < most:
            if k > i and not self.is_joined(k):
                break
            word = words[k][2]
            if len(word) == 1 and self.has_capital(k) and not is_small and word.isalpha():
                k += 1  # an initial: part of a name that goes on, or that ends with it
                behind = k if k - 1 > i else behind
                continue
            if is_small and len(word) == 1 and word.isalpha() and self.gap(k + 1).startswith("."):
                k += 1  # j. smith
                continue
            is_name = self.may_be(k, is_small) and len(word) > 1 and (is_small != self.has_capital(k))
            if is_name and not (k > i and word in _PARTICLES and not self.has_capital(k)):
                k += 1
                behind = k
                continue
            is_last = k == behind > i and self.has_capital(k) and word.isalpha() and len(word) > 2
            if is_last and self.is_first(i) and word not in self.doc.vocabulary.no_people and self.ends(k + 1):
                behind = k + 1  # Anna Long
                break
            if word in _PARTICLES and k - i < most - 1 and not (k == i and not self._goes_on(k, is_small)):
                k += 1
                continue
            break
        if behind == i:
            return None
        is_known = self.is_first(i) and self.has_capital(i) and not self._goes_on(i, is_small)  # Ben, Al
        if not is_known and all(words[j][2] in _PARTICLES or len(words[j][2]) == 1 for j in range(i, behind)):
            return None
        return i, behind

    def _goes_on(self, k: int, is_small: bool) -> bool:
        """Whether a word with a capital follows the particle at `k`, perhaps behind others."""
        while not is_small and k + 1 < len(self.words) and self.is_joined(k + 1):
            k += 1
            if self.has_capital(k):
                return True
            if self.words[k][2] not in _PARTICLES:
                return False
        return False

    def others(self, at: int) -> Spans:
        """Further names right behind one that ends at a place: `Anna and Peter Schmidt`."""
        for _ in range(8):
            i = self.doc.at(at)
            if i >= len(self.words) or not 0 < self.words[i][0] - at <= 3:
                return
            gap = self.text[at : self.words[i][0]]
            if self.words[i][2] in _AND and gap == " " and i + 1 < len(self.words) and self.gap(i + 1) == " ":
                i += 1
            elif gap.strip() not in ("&", "/", "+", ","):
                return
            i = self.skip_titles(i)
            found = self.name(i) if i < len(self.words) and self.has_capital(i) and not self.is_loud(i) else None
            if found is None and i < len(self.words) and self.is_first(i) and self.may_be(i, True):
                found = self.small(i, 2)
            if found is None or not (self.is_first(i) or gap == " " or "&" in gap):
                return
            span = self.span(found)
            if span is None:
                return
            yield span
            at = span[1]

    def is_joined(self, k: int) -> bool:
        """Whether word `k` goes on from the one before it."""
        gap = self.gap(k)
        if gap in (" ", "  ", "-", "'", "' "):
            return True
        is_initial = len(self.words[k - 1][2]) == 1 or self.words[k - 1][2] in ("st", "jr", "sr", "dr")
        return gap in (". ", ".") and is_initial

    def span(self, found: tuple[int, int] | None) -> tuple[int, int] | None:
        if found is None:
            return None
        start, end = self.words[found[0]][0], self.words[found[1] - 1][1]
        if len(self.words[found[1] - 1][2]) == 1 and self.text[end : end + 1] == ".":
            end += 1
        nickname = _NICKNAME.match(self.text, end)  # Robert (Bob) Smith
        if nickname:
            i = self.doc.at(nickname.end())
            more = self.name(i, most=3) if self.has_capital(i) else None
            end = self.words[more[1] - 1][1] if more else end
        return start, end

    def ends(self, behind: int) -> bool:
        """Whether the sentence, the line or the text ends behind a word, or something is set off."""
        return bool(_END.match(self.text, self.words[behind - 1][1]))

    def stops(self, behind: int) -> bool:
        """Whether a name may end behind a word: something is set off, or goes on as it does behind a name: calling, from."""
        follows = self.doc.starting.get(behind)
        return self.ends(behind) or (
            behind < len(self.words)
            and self.gap(behind) == " "
            and (self.words[behind][2] in _FROM or (follows is not None and "behind" in follows.kinds))
        )

    def skip_titles(self, i: int) -> int:
        """The first word from `i` on that begins no title."""
        for _ in range(4):
            phrase = self.doc.starting.get(i)
            if phrase is None or "titles" not in phrase.kinds:
                break
            if not re.fullmatch(r"[.]?\)?[ ]{1,2}|[.]", self.gap(phrase.behind)) or phrase.behind >= len(self.words):
                break
            i = phrase.behind
        return i

    def is_near(self, i: int, signs: str = " ,.:-\"'(=") -> bool:
        """Whether word `i` follows the one before it with no more than some signs between."""
        gap = self.gap(i)
        return i < len(self.words) and len(gap) <= 6 and not gap.strip(signs) and FILLER not in gap

    def introduced(self, phrase: Phrase) -> tuple[int, int] | None:
        i = phrase.behind
        if not self.is_near(i):
            return None
        i = self.skip_titles(i)
        if i >= len(self.words):
            return None
        if self.has_capital(i) and not self.is_loud(i):
            return self.span(self.name(i))
        if self.is_loud(i):
            return self.span(self.loud(i, 3))
        if not self.may_be(i, True) and not (self.is_first(i) and self.words[i][2] not in _PARTICLES):
            return None
        return self.span(self.small(i, 3))

    def small(self, i: int, most: int) -> tuple[int, int] | None:
        """A name in small letters from word `i` on: its first word, and others that can be part of a name."""
        if self.has_capital(i):
            return None
        found = self.name(i, True, most)
        if found is None and self.is_first(i):
            found = (i, i + 1)
            more = self.name(i + 1, True, most - 1) if i + 1 < len(self.words) and self.is_joined(i + 1) else None
            found = (i, more[1]) if more else found
        if found is not None:  # van, de and the like at the end belong to what follows
            start, behind = found
            while behind > start + 1 and self.words[behind - 1][2] in _PARTICLES:
                behind -= 1
            found = start, behind
        return found

    def loud(self, i: int, most: int) -> tuple[int, int] | None:
        """The same where all is in capitals."""
        behind = i
        while (
            not self.is_title(i)
            and behind < len(self.words)
            and behind - i < most
            and (behind == i or self.is_joined(behind))
        ):
            if not self.may_be(behind, True) and not (behind == i and self.is_first(i)):
                break
            behind += 1
        return (i, behind) if behind > i else None

    def labelled(self, phrase: Phrase) -> tuple[int, int] | None:
        i = phrase.behind
        if self.gap(i) == " " and self.has_capital(i) and self.is_first(i) and not self.is_loud(i):
            return self.span(self.name(i))
        is_part = self.words[phrase.first][2] in ("last", "family", "surname")
        if self.gap(i) == " " and phrase.behind - phrase.first > 1 and self.has_capital(i) and not self.is_loud(i):
            found = self.name(i)  # passenger name DOE JOHN, last name Doe
            is_name = found is not None and (is_part or (found[1] - i > 1 and self.raw(i).isupper()))
            return self.span(found) if found is not None and is_name and self.ends(found[1]) else None
        if not re.fullmatch(r" {0,2}[:=] {0,3}[\"']?", self.gap(i)):
            return None
        i = self.skip_titles(i)
        if i >= len(self.words):
            return None
        if self.has_capital(i) and not self.is_loud(i):
            found = self.name(i)
            is_name = found is not None and (self.is_first(i) or found[1] - found[0] > 1 or self.ends(found[1]))
            return self._turned(found) if is_name else None
        if self.is_first(i):
            return self.span(self.loud(i, 3) if self.is_loud(i) else self.small(i, 3))
        found = self.loud(i, 3) if self.has_capital(i) else self.small(i, 2)
        is_whole = found is not None and found[1] - found[0] == 2 and self.ends(found[1])
        return self.span(found) if is_whole else None

    def _turned(self, found: tuple[int, int] | None) -> tuple[int, int] | None:
        """A name with the first name behind it that a comma turned: `Name: Nakamura, Taro`."""
        if found is None or found[1] - found[0] > 2 or found[1] >= len(self.words) or self.gap(found[1]) != ", ":
            return self.span(found)
        more = self.name(found[1], most=2) if self.has_capital(found[1]) else None
        return self.span((found[0], more[1]) if more is not None and self._is_last(more[1]) else found)

    def titled(self, phrase: Phrase) -> tuple[int, int] | None:
        i = phrase.behind
        title = self.raw(phrase.behind - 1)
        is_greeted = (
            phrase.behind - phrase.first > 1
        )  # with a greeting it is a title in small letters too: dear miss jones
        start = self.words[phrase.first][0]
        if i >= len(self.words) or not re.fullmatch(r"\.? {1,2}|\.|\.?\) ?", self.gap(i)):
            return None
        if re.search(r"\d ?$", self.text[max(0, start - 2) : start]) or (len(title) == 1 and not title.isupper()):
            return None
        if len(title) == 1 and "." not in self.gap(i):
            return None
        i = self.skip_titles(i)
        if i >= len(self.words):
            return None
        is_loud = self.is_loud(i)
        if (self.has_capital(i) and not is_loud) or (self.words[i][2] in _PARTICLES and self._goes_on(i, False)):
            is_word = not is_greeted and title.islower() and title in self.doc.vocabulary.no_names
            if is_word and not (self.is_first(i) or self.ends(i + 1)):
                return None
            found = self.name(i)
            if found is None and not is_word and self.words[i][2] not in self.doc.vocabulary.no_people:
                found = (
                    (i, i + 1) if self.words[i][2].isalpha() and len(self.words[i][2]) > 2 else None
                )  # Ms. Long, Mr. Best
            return self.span(found)
        is_short = len(title) <= 4 and title.lower() not in self.doc.vocabulary.no_names
        if not (is_short or is_greeted or self.is_first(i)):
            return None
        if is_loud:
            return self.span(self.loud(i, 2))
        k = i
        while k < min(len(self.words), i + 3) and self.words[k][2] in _PARTICLES and self.is_joined(k + 1):
            k += 1
        if k > i and self.may_be(k, True):
            return self.span((i, k + 1))  # mrs de la cruz
        found = self.small(i, 3 if self.is_first(i) else 1)
        both = self.small(i, 2) if found is not None and found[1] - found[0] == 1 else None
        return self.span(both if both is not None and self.ends(both[1]) else found)

    def greeted(self, phrase: Phrase) -> tuple[int, int] | None:
        i = phrase.behind
        if i >= len(self.words) or not _GREETING.fullmatch(self.gap(i)) or self.gap(i) == "":
            return None
        if self.skip_titles(i) != i:
            return None  # the title finds it
        return self._lone(i, is_sure=not set(self.gap(i)) & set(",!:"))

    def _lone(self, i: int, is_sure: bool) -> tuple[int, int] | None:
        """A name that stands for itself from word `i` on: it ends there, is known, or has several words with capitals."""
        is_loud = self.is_loud(i)
        if self.has_capital(i) and not is_loud:
            found = self.name(i)
            if found is None or self._is_crowd(found[1]):
                return None
            n = found[1] - found[0]
            if self.is_first(i) or (is_sure and (n > 1 or self.ends(found[1]) or self._is_plain(found[1]))):
                return self.span(found)
            return None
        if not self.is_first(i):
            is_called = is_sure and not is_loud and self.may_be(i, True) and len(self.words[i][2]) > 2
            is_called = is_called and bool(re.match(r"[,!\n]", self.text[self.words[i][1] :][:1]))
            return self.span((i, i + 1)) if is_called else None
        if self.words[i][2] in self.doc.vocabulary.no_names and not self.ends(i + 1):
            return None
        return self.span(self.loud(i, 2) if is_loud else self.small(i, 2))

    def _is_plain(self, behind: int) -> bool:
        """Whether a word behind begins a sentence: a small word of those that are no names, or `I`."""
        if behind >= len(self.words) or not self.is_joined(behind):
            return False
        word = self.words[behind][2]
        return word in self.doc.vocabulary.no_names and (word.startswith("i") or not self.has_capital(behind))

    def _is_crowd(self, behind: int) -> bool:
        """Whether a word behind says that it was no person."""
        return (
            behind < len(self.words) and self.is_joined(behind) and self.words[behind][2] in self.doc.vocabulary.crowds
        )

    def perhaps(self, phrase: Phrase) -> tuple[int, int] | None:
        i = phrase.behind
        if not self.is_near(i, " ,:\"'("):
            return None
        if i >= len(self.words) or self.skip_titles(i) != i:
            return None
        said, n_said = self.words[phrase.behind - 1][2], phrase.behind - phrase.first
        if said in _NO_MORE and n_said == 1 and not self.begins(phrase.first):
            return None
        is_loud = self.is_loud(i)
        if self.has_capital(i) and not is_loud:
            found = self.name(i)
            if found is None or self._is_crowd(found[1]):
                return None
            n = sum(len(self.words[k][2]) > 1 for k in range(*found))
            is_mine = "people" in phrase.kinds and self.words[phrase.first][2] in _MINE  # my wife Xiomara
            is_sure = self.is_first(i) or n > 1 or (is_mine and n_said > 1)
            is_sure = is_sure or ("people" in phrase.kinds and self._is_meant(phrase, found))
            is_sure = is_sure or (
                self._is_i(phrase) and n == 1 and self.ends(found[1]) and not _QUALITY.search(self.words[i][2])
            )
            return self.span(found) if is_sure else None
        if not self.is_first(i) or self.words[i][2] in self.doc.vocabulary.no_names:
            if not (self.is_first(i) and i + 1 < len(self.words) and self.is_joined(i + 1) and self.stops(i + 2)):
                return None
            if not self.may_be(i + 1, True):
                return None
        return self.span(self.loud(i, 2) if is_loud else self.small(i, 2))

    def _is_i(self, phrase: Phrase) -> bool:
        """Whether a sentence begins with `I'm`."""
        return self.words[phrase.first][2] in ("i'm", "im", "i") and self.begins(phrase.first)

    def _is_meant(self, phrase: Phrase, found: tuple[int, int]) -> bool:
        """Whether any name behind a phrase for a person is one: `a lady named Xanthippe`, `it's me, Xanthippe`, `the agent,
        Xanthippe, left`."""
        said, gap = self.words[phrase.behind - 1][2], self.gap(found[0])
        if phrase.behind - phrase.first > 1 and said in _NAMED:
            return gap == " "
        if phrase.behind - phrase.first > 1 and said == "me":
            return gap in (" ", ", ") and self.ends(found[1])
        return gap == ", " and self.text[self.words[found[1] - 1][1] :][:1] == ","

    def signed(self, phrase: Phrase) -> tuple[int, int] | None:
        i = phrase.behind
        if i >= len(self.words) or not _SIGNING.fullmatch(self.gap(i)):
            return None
        if self.gap(i) == "" or self.skip_titles(i) != i:
            return None
        n_said = phrase.behind - phrase.first
        if n_said == 1 and not self.begins(phrase.first):
            return None
        initials = _INITIALS.match(self.text, self.words[i][0]) if self.gap(i).strip(" ") else None
        if initials:
            return initials.start(), initials.start() + len(initials[0].rstrip())
        is_new_line = "\n" in self.gap(i)
        is_set_off = bool(self.gap(i).strip(" ")) or n_said > 1
        if self.words[i][2] in _FROM and i + 1 < len(self.words) and self.gap(i + 1) == " " and self.is_first(i + 1):
            i += 1
        is_loud = self.is_loud(i)
        if self.has_capital(i) and (not is_loud or is_new_line):
            found = self.name(i)
            if found is None:
                return None
            n = sum(len(self.words[k][2]) > 1 for k in range(*found))
            is_end = self.ends(found[1]) and not self._goes_on_after(found[1])
            if self._is_crowd(found[1]):
                return None
            if (
                self.is_first(i)
                or (n > 1 and not self._is_clause(found[1]))
                or (is_end and (is_set_off or self._is_all(found[1])))
            ):
                return self.span(found)
            return None
        if len(self.words[i][2]) == 1 and not is_new_line:
            return None
        found = self.loud(i, 3) if is_loud else self.small(i, 3)
        if found is None or not self._is_last(found[1]):
            return None
        is_sure = is_new_line or found[1] - found[0] == 2
        return self.span(found) if self.is_first(i) or (is_sure and found[1] - found[0] <= 3) else None

    def begins(self, i: int) -> bool:
        """Whether a sentence, or what is set off, begins with word `i`."""
        return i == 0 or bool(re.search(r"[^\w\s'][ ]{0,3}$|\n[ ]{0,8}$", self.gap(i)))

    def by_form(self) -> Spans:
        """`I, John Doe, demand`; `for the Smith family`; `@Anna`."""
        words = self.words
        opening = self.name(0, most=2) if words and self.has_capital(0) and not self.is_loud(0) else None
        if opening is not None and re.match(r" ?,\s*\n", self.text[words[opening[1] - 1][1] :][:8]):
            yield self.span(opening) or (0, 0)  # a letter begins: Xanthippe, and a new line
        for i in range(1, len(words)):
            if (
                (
                    words[i][2] in ("i", "me")
                    and words[i - 1][2] in _AND
                    and i > 1
                    and self.gap(i) == self.gap(i - 1) == " "
                )
                and self.is_first(i - 2)
                and self.has_capital(i - 2)
                and not self.is_loud(i - 2)
            ):
                yield self.span(self.name(i - 2, most=1)) or (0, 0)  # Anna and I
            if words[i - 1][2] in _I and self.gap(i) == ", " and self.has_capital(i) and not self.is_loud(i):
                found = self.name(i)
                is_two = found is not None and (found[1] - found[0] > 1 or self.is_first(i))
                if found is not None and is_two and self.text[words[found[1] - 1][1] :][:1] == ",":
                    yield self.span(found) or (0, 0)
            if words[i][2] in _FAMILY and i > 2 and words[i - 2][2] == "the" and self.gap(i) == self.gap(i - 1) == " ":
                is_whose = words[i - 3][2] in _WHOSE and self.gap(i - 2) == " "
                is_name = self.has_capital(i - 1) and not self.is_loud(i - 1) and self.may_be(i - 1, True)
                if is_whose and is_name and not (i + 1 < len(words) and words[i + 1][2] == "of"):
                    yield words[i - 1][0], words[i - 1][1]
        for mention in _MENTION.finditer(self.text):
            i = self.doc.at(mention.end())
            if i < len(words) and words[i][0] == mention.end() and self.is_first(i) and self.has_capital(i):
                yield self.span(self.name(i)) or (0, 0)

    def before(self, phrase: Phrase) -> tuple[int, int] | None:
        """`Anna Schmidt here`: a known first name at the beginning of a sentence, and what is behind it up to the word; behind
        a greeting any name."""
        first = phrase.first
        for i in range(max(0, first - 3), first):
            greeting = self.doc.followed.get(i)
            is_greeted = (
                greeting is not None and "greetings" in greeting.kinds and self.has_capital(i) and "," in self.gap(i)
            )
            if (
                (self.is_first(i) or is_greeted)
                and (self.begins(i) or self.doc.followed.get(i))
                and not self.is_loud(i)
            ):
                found = self.name(i) if self.has_capital(i) else self.small(i, 2)
                if found is not None and found[1] == first and self.is_joined(first):
                    return self.span(found)
        return self._before_by_form(phrase)

    def _before_by_form(self, phrase: Phrase) -> tuple[int, int] | None:
        """`Xanthippe Papas writing`, `Xanthippe speaking`: no first name that is known, but nothing else either."""
        first = phrase.first
        said = self.words[first][2]
        for i in range(max(0, first - 3), first):
            if said == "again" or not (self.has_capital(i) and self.begins(i)) or self.is_loud(i):
                continue
            found = self.name(i)
            if found is None or found[1] != first or self.gap(first) != " ":
                continue
            is_alone = said == "speaking" and self.ends(phrase.behind) and not self.words[i][2].endswith("ly")
            if (found[1] - i > 1 and self.stops(phrase.behind)) or is_alone:
                return self.span(found)
        return None

    def _is_clause(self, behind: int) -> bool:
        """Whether a sentence goes on behind a word, in small letters."""
        return behind < len(self.words) and self.gap(behind) in (" ", "  ") and not self.has_capital(behind)

    def _goes_on_after(self, behind: int) -> bool:
        return behind < len(self.words) and self.gap(behind) == "-" and not self.has_capital(behind)

    def _is_all(self, behind: int) -> bool:
        """Whether no word follows in the text."""
        return behind == len(self.words)

    def _is_last(self, behind: int) -> bool:
        """Whether nothing but signs follows in the line."""
        return bool(re.compile(r"[^\w\n]{0,8}(?:\n|$)").match(self.text, self.words[behind - 1][1]))

    def at_the_end(self) -> Spans:
        """A name behind a dash, or alone in the last line."""
        for dash in _DASH.finditer(self.text):
            i = self.doc.at(dash.end())
            if i >= len(self.words) or self.words[i][0] != dash.end():
                continue
            if not self.has_capital(i) and not self.is_first(i):
                continue
            found = self.name(i) if self.has_capital(i) else self.small(i, 2)
            if found is None or not (self._is_last(found[1]) or _PLACE.match(self.text, self.words[found[1] - 1][1])):
                continue
            n = sum(len(self.words[k][2]) > 1 for k in range(*found))
            is_new = dash.start() == 0 or dash[0][0] in "\n.!?)]"
            is_route = not is_new and i > 0 and self.has_capital(i - 1)
            if (
                (self.is_first(i) and not is_route)
                or (n > 1 and is_new and not self.is_loud(i))
                or (n == 1 and is_new and self._signs(dash, found))
            ):
                yield self.span(found) or (0, 0)
        yield from self._set_off()
        start = self.text.rstrip().rfind("\n")
        if start >= 0:
            i = self.doc.at(start)
            found = self.name(i) if i < len(self.words) and self.has_capital(i) else None
            if found is not None and self._is_last(found[1]) and found[1] == len(self.words):
                is_cut = len(self.words[found[1] - 1][2]) == 1 and self.text.rstrip().endswith(".")  # Xanthippe P.
                is_named = self.is_first(i) or len(self.words[i][2]) == 1 or is_cut
                if is_named:
                    yield self.span(found) or (0, 0)

    def _signs(self, dash: re.Match[str], found: tuple[int, int]) -> bool:
        """Whether a word behind a dash is the last of the text, in a line of its own, and no item of a list."""
        if not (self._is_all(found[1]) and self.has_capital(found[0])):
            return False
        before = self.text[: dash.start()].rstrip()
        is_line = "\n" in dash[0] or self.text[dash.start() - 1 : dash.start()] == "\n"
        is_list = before.endswith(":") or re.search(r"^ {0,3}[-*~] ", before, re.MULTILINE)
        return bool(before) and is_line and not is_list

    def _set_off(self) -> Spans:
        """A known first name, alone or with others behind it, that is the whole of the first or the last part of a text."""
        n = len(self.words)
        if n > 1 and self.is_first(0) and self.has_capital(0) and not self.is_loud(0):
            found = self.name(0)
            if found is not None and self.gap(found[1]).startswith((",", "!")) and found[1] < n:
                yield self.span(found) or (0, 0)
        for i in range(max(1, n - 4), n):
            if self.is_first(i) and self.has_capital(i) and self.begins(i) and not self.is_loud(i):
                found = self.name(i)
                if found is not None and found[1] == n and not self.gap(n).strip(" .!\n)*_-"):
                    yield self.span(found) or (0, 0)
                return
