"""The words by which personal data is found, made ready: which word begins which phrase, and what the phrase announces."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from flywheel.data.personal.flat import flatten
from flywheel.data.settings import Privacy, Words
from flywheel.params import from_yaml, parse

# A word: letters and digits, with an apostrophe inside.
WORD = re.compile(r"[^\W_]+(?:'[^\W_]+)*")
# Where `find` is used without params: the words that the engine ships, for the countries of these languages.
SHIPPED = Path(__file__).parents[4] / "conf/privacy/words.yaml"
NO_NAMES = {"greetings", "signatures", "booking", "passport", "telephone", "bank"}
REGIONS = ("US", "CA", "GB", "IE", "AU", "IN", "DE", "AT", "CH", "FR", "BE", "ES", "MX", "PT", "BR")


@dataclass(frozen=True, eq=False)
class Vocabulary:
    """Phrases by their first word, the longest first, each with what it announces, and what only with a capital; and sets of
    single words."""

    phrases: dict[str, list[tuple[tuple[str, ...], frozenset[str], frozenset[str]]]]
    first_names: frozenset[str]
    no_names: frozenset[str]
    no_people: frozenset[str]
    crowds: frozenset[str]
    at: frozenset[str]
    dot: frozenset[str]
    digits: frozenset[str]
    kept: re.Pattern[str] | None
    regions: tuple[str, ...]


def split(text: str) -> tuple[str, ...]:
    """The words of a phrase, as they are matched."""
    return tuple(WORD.findall(flatten(text)[0].lower()))


def compiled(params: Privacy) -> Vocabulary:
    """The vocabulary that the section `privacy` says."""
    said = [params.words[language] for language in params.languages] + [params.also]
    phrases: dict[tuple[str, ...], tuple[set[str], set[str]]] = {}
    for words in said:
        for kind, listed in announcing(words).items():
            for phrase in listed:
                phrases.setdefault(split(phrase), (set(), set()))[phrase[0].isupper()].add(kind)
    for phrase in params.keep:
        if "#" not in phrase:
            phrases.setdefault(split(phrase), (set(), set()))[0].add("keep")
    by_first: dict[str, list[tuple[tuple[str, ...], frozenset[str], frozenset[str]]]] = {}
    for parts, (kinds, with_capital) in sorted(phrases.items(), key=lambda item: -len(item[0])):
        if parts:
            by_first.setdefault(parts[0], []).append((parts, frozenset(kinds), frozenset(with_capital)))
    sets = [singles(words) for words in said]
    first_names, no_names, no_people, crowds, at, dot, digits = (
        frozenset(flatten(word)[0].lower() for one in sets for word in one[n]) for n in range(7)
    )
    # What announces something is no name itself: `Regards, Tel. 555-0123`.
    no_names |= {parts[0] for parts, (kinds, _) in phrases.items() if len(parts) == 1 and kinds & NO_NAMES}
    kept = _numbered([phrase for phrase in params.keep if "#" in phrase])
    return Vocabulary(
        by_first, first_names, no_names | no_people, no_people, crowds, at, dot, digits, kept, params.regions
    )


def announcing(words: Words) -> dict[str, tuple[str, ...]]:
    """The phrases of a language that say what stands beside them, by what they say."""
    return {
        "greetings": words.greetings,
        "titles": words.titles,
        "introductions": words.introductions,
        "perhaps": words.perhaps,
        "people": words.people,
        "labels": words.labels,
        "signatures": words.signatures,
        "behind": words.behind,
        "booking": words.booking,
        "reference": words.reference,
        "passport": words.passport,
        "telephone": words.telephone,
        "bank": words.bank,
        "harmless": words.harmless,
        "units": words.units,
    }


def singles(words: Words) -> tuple[tuple[str, ...], ...]:
    """The words of a language that count by themselves, as `compiled` takes them apart."""
    return words.first_names, words.no_names, words.no_people, words.crowds, words.at, words.dot, words.digits


@cache
def shipped() -> Vocabulary:
    """The vocabulary of the engine, without a project's own words."""
    words = from_yaml(SHIPPED.read_bytes())["words"]
    values = {"languages": list(words), "regions": list(REGIONS), "words": words, "inputs": [], "keep": "", "also": {}}
    return compiled(parse(Privacy, {**values, "longest_text": 20_000}))


def _numbered(phrases: list[str]) -> re.Pattern[str] | None:
    """What is kept with digits in it: `#` stands for one to six of them. Everything else of a phrase is meant as it is."""
    if not phrases:
        return None
    said = "|".join(r" ?\d{1,6}".join(map(re.escape, flatten(one)[0].split("#"))) for one in phrases)
    return re.compile(rf"(?<![^\W_])(?:{said})(?![^\W_])", re.IGNORECASE)
