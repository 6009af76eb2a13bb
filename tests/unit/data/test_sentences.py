"""Personal data in free texts is found, and little else, on sentences that the patterns were not written from.

The sentences and their markup: tests/unit/data/sentences. With SHOW_MISSES set, the misses are printed with their sentences.
"""

from __future__ import annotations

import ipaddress
import os
import re
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple, Protocol

import pytest
from stdnum import iban, luhn

from flywheel.data.privacy import find

FOLDER = Path(__file__).parent / "sentences"
KINDS = ("email", "phone", "card", "iban", "name", "booking", "passport", "ip", "url")
MARK = re.compile(rf"⟦({'|'.join(KINDS)}):([^⟦⟧]+)⟧")
LONG_NUMBER = re.compile(r"\d(?:[\s–-]?\d){11,}")  # a card has 12 digits or more, some with a gap between two
LIKE_IBAN = re.compile(r"\b[A-Z]{2}\d{2}[A-Z0-9]{11,}\b")
SPELLED_SIGNS = {" [at] ": "@", "[at]": "@", " (at) ": "@", " at ": "@", " [dot] ": ".", " (dot) ": ".", " dot ": "."}
RESERVED_HOST = re.compile(r"(?:^|[.@])(?:example\.(?:com|net|org|edu)|[\w-]+\.example)$")  # RFC 2606
RESERVED_NETWORKS = ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "2001:db8::/32")  # RFC 5737, RFC 3849


class Span(Protocol):
    """A place in a text and what stands there."""

    @property
    def start(self) -> int: ...
    @property
    def end(self) -> int: ...
    @property
    def kind(self) -> str: ...


class Item(NamedTuple):
    """A marked place in a text, as ``find`` would return it."""

    start: int
    end: int
    kind: str


class Sentence(NamedTuple):
    """A text without its markup, and the personal items in it."""

    text: str
    items: tuple[Item, ...]

    def words(self) -> list[tuple[str, str]]:
        """Kind and text of each item."""
        return [(item.kind, self.text[item.start : item.end]) for item in self.items]


class Score(NamedTuple):
    """Items and finds by kind, those that went wrong, and the sentences where they did."""

    marked: Counter[str]
    missed: Counter[str]
    found: Counter[str]
    false: Counter[str]
    where: list[str]

    @property
    def recall(self) -> float:
        return 1 - self.missed.total() / self.marked.total()

    @property
    def precision(self) -> float:
        return 1 - self.false.total() / self.found.total() if self.found else 0.0

    def __str__(self) -> str:
        return (
            f"recall {self.recall:.4f} of {self.marked.total()} items, missed {dict(self.missed)}; "
            f"precision {self.precision:.4f} of {self.found.total()} finds, false {dict(self.false)}"
        )


def parse(line: str) -> Sentence:
    """Take the markup out of a line; a bracket that is not part of a mark is an error."""
    text, items, at = "", [], 0
    for mark in MARK.finditer(line):
        text += line[at : mark.start()]
        items.append(Item(len(text), len(text) + len(mark[2]), mark[1]))
        text += mark[2]
        at = mark.end()
    text += line[at:]
    if "⟦" in text or "⟧" in text:
        raise ValueError(f"a mark is broken, or its kind is none of {', '.join(KINDS)}: {line}")
    return Sentence(text, tuple(items))


def read(name: str) -> list[Sentence]:
    """The sentences of a file, without its heading."""
    lines = (FOLDER / name).read_text(encoding="utf-8").splitlines()
    return [parse(line) for line in lines if not line.startswith("# ")]


def covers(spans: Iterable[Span], item: Item, text: str) -> bool:
    """Whether spans of the item's kind hide each letter and digit of it; punctuation may be left, or taken too."""
    hidden = {at for span in spans if span.kind == item.kind for at in range(span.start, span.end)}
    return all(at in hidden for at in range(item.start, item.end) if text[at].isalnum())


def overlaps(span: Span, items: Iterable[Item]) -> bool:
    """Whether a span touches an item of its kind."""
    return any(span.kind == item.kind and span.start < item.end and item.start < span.end for item in items)


def score(sentences: Iterable[Sentence], finder: Callable[[str], Iterable[Span]]) -> Score:
    """Hold what is found in each sentence against its marks."""
    result = Score(Counter(), Counter(), Counter(), Counter(), [])
    for text, items in sentences:
        spans = list(finder(text))
        missed = [item for item in items if not covers(spans, item, text)]
        false = [span for span in spans if not overlaps(span, items)]
        result.marked.update(item.kind for item in items)
        result.missed.update(item.kind for item in missed)
        result.found.update(span.kind for span in spans)
        result.false.update(span.kind for span in false)
        result.where.extend(f"missed {item.kind} «{text[item.start : item.end]}» in: {text}" for item in missed)
        result.where.extend(f"false {span.kind} «{text[span.start : span.end]}» in: {text}" for span in false)
    return result


def test_personal_data_is_found_and_look_alikes_are_left(capsys: pytest.CaptureFixture[str]) -> None:
    personal, harmless = read("personal.txt"), read("harmless.txt")
    result = score(personal + harmless, find)
    with capsys.disabled():
        print(f"\n{len(personal)} personal and {len(harmless)} harmless sentences: {result}")
        if os.environ.get("SHOW_MISSES"):
            print(*result.where, sep="\n")
    assert result.recall >= 0.98, str(result)
    assert result.precision >= 0.97, str(result)


def test_the_set_is_large_and_has_each_kind() -> None:
    personal, harmless = read("personal.txt"), read("harmless.txt")
    assert len({sentence.text for sentence in personal}) >= 250
    assert len({sentence.text for sentence in harmless}) >= 150
    assert all(sentence.items for sentence in personal)
    assert not any(sentence.items for sentence in harmless)
    by_kind = Counter(item.kind for sentence in personal for item in sentence.items)
    assert min(by_kind[kind] for kind in KINDS) >= 15


def test_marked_cards_and_ibans_pass_their_checksums_and_no_other_number_does() -> None:
    words = [word for sentence in read("personal.txt") for word in sentence.words()]
    assert [text for kind, text in words if kind == "card" and not luhn.is_valid(re.sub(r"\D", "", text))] == []
    assert [text for kind, text in words if kind == "iban" and not iban.is_valid(re.sub(r"[\s-]", "", text))] == []
    assert [text for s in read("harmless.txt") for text in LIKE_IBAN.findall(s.text) if iban.is_valid(text)] == []
    look_alikes = [number for sentence in read("harmless.txt") for number in LONG_NUMBER.findall(sentence.text)]
    assert len(look_alikes) >= 5
    assert [number for number in look_alikes if luhn.is_valid(re.sub(r"\D", "", number))] == []


def plain_address(text: str) -> str:
    """An email address with its sign and dots, where they are spelled out."""
    for spelled, sign in SPELLED_SIGNS.items():
        text = text.replace(spelled, sign)
    return text.lower()


def test_addresses_in_the_set_belong_to_nobody() -> None:
    words = [word for sentence in read("personal.txt") for word in sentence.words()]
    emails = [plain_address(text) for kind, text in words if kind == "email"]
    assert [text for text in emails if not RESERVED_HOST.search(text)] == []
    hosts = [re.sub(r"^\w+://(?:[^/@]*@)?([^/:?#]+).*", r"\1", text) for kind, text in words if kind == "url"]
    assert [host for host in hosts if not RESERVED_HOST.search(host)] == []
    networks = [ipaddress.ip_network(network) for network in RESERVED_NETWORKS]
    machines = [ipaddress.ip_address(text) for kind, text in words if kind == "ip"]
    assert [machine for machine in machines if not any(machine in network for network in networks)] == []


def test_a_line_is_read_into_its_text_and_items() -> None:
    text, items = parse("Hi ⟦name:Ann⟧, is it (⟦phone:555-0100⟧)?")
    assert text == "Hi Ann, is it (555-0100)?"
    assert [(text[item.start : item.end], item.kind) for item in items] == [("Ann", "name"), ("555-0100", "phone")]
    assert parse("gate B22") == ("gate B22", ())


@pytest.mark.parametrize("line", ["⟦nmae:Ann⟧", "⟦name:Ann", "Ann⟧", "⟦name:⟧", "⟦name:Ann ⟦phone:5550100⟧⟧"])
def test_a_broken_mark_is_refused(line: str) -> None:
    with pytest.raises(ValueError, match="a mark is broken"):
        parse(line)


TABLE = [parse("Hi ⟦name:Ann Lee⟧, call ⟦phone:(212) 555-0100⟧."), parse("gate B22 at 10:15")]


@pytest.mark.parametrize(
    ("case", "found", "recall", "precision"),
    [
        ("all", [("Ann Lee", "name"), ("(212) 555-0100", "phone")], 1.0, 1.0),
        ("with punctuation beside it", [("Ann Lee,", "name"), ("(212) 555-0100.", "phone")], 1.0, 1.0),
        ("without the first bracket", [("Ann Lee", "name"), ("212) 555-0100", "phone")], 1.0, 1.0),
        ("in two pieces", [("Ann", "name"), ("Lee", "name"), ("(212) 555-0100", "phone")], 1.0, 1.0),
        ("a planted miss", [("Ann Lee", "name")], 0.5, 1.0),
        ("half of a name", [("Ann", "name"), ("(212) 555-0100", "phone")], 0.5, 1.0),
        ("another kind", [("Ann Lee", "booking"), ("(212) 555-0100", "phone")], 0.5, 0.5),
        ("a false alarm", [("Ann Lee", "name"), ("(212) 555-0100", "phone"), ("B22", "booking")], 1.0, 2 / 3),
        ("one beside an item", [("Ann Lee", "name"), ("(212) 555-0100", "phone"), ("Hi", "name")], 1.0, 2 / 3),
        ("nothing", [], 0.0, 0.0),
    ],
)
def test_misses_lower_recall_and_false_alarms_precision(
    case: str, found: list[tuple[str, str]], recall: float, precision: float
) -> None:
    def finder(text: str) -> list[Item]:
        return [Item(text.index(part), text.index(part) + len(part), kind) for part, kind in found if part in text]

    result = score(TABLE, finder)
    assert (result.recall, result.precision) == pytest.approx((recall, precision)), case
