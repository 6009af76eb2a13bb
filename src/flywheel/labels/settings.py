"""Settings of the labels, the section label; of what annotators are asked, queue; and of what users write, voices."""

from __future__ import annotations

import re
import unicodedata
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from flywheel.params import Count, Days, Names, Params, Share

Accuracy = Annotated[float, Field(gt=0.5, lt=1)]
FalseAlarm = Annotated[float, Field(gt=0, le=0.05)]


class LabelAccuracy(Params):
    outcome: Accuracy
    report: Accuracy
    annotation: Accuracy


class OneAnswer(Params):
    false_alarm: FalseAlarm
    min_claims: Count
    memory_days: Days


class FastClaims(Params):
    per_minute: Annotated[int, Field(ge=2)]


class RegularClaims(Params):
    gaps: Annotated[int, Field(ge=5)]
    max_gap_h: Annotated[float, Field(gt=0)]
    false_alarm: FalseAlarm


class SharedErrors(Params):
    days: Days
    members: Annotated[int, Field(ge=3)]
    false_alarm: FalseAlarm


class Lockstep(Params):
    days: Days
    members: Annotated[int, Field(ge=3)]
    meetings: Annotated[int, Field(ge=2)]
    predictions: Count
    agreement: Share
    false_alarm: FalseAlarm


class Quarantine(Params):
    """A rule that is null is off."""

    rest_days: Days
    one_answer: OneAnswer | None
    fast: FastClaims | None
    regular: RegularClaims | None
    shared_errors: SharedErrors | None
    lockstep: Lockstep | None


OTHER = "other"  # the topic of a text that no phrase is found in
GAP = "..."
_WORD = r"[^\W_]+(?:['’-][^\W_]+)*\*?"
_ONE_WORD = re.compile(r"[^\W_]+(?:['’-][^\W_]+)*")
_PHRASE = re.compile(rf"{_WORD}(?: (?:\.\.\. )?{_WORD})*")
MOST_WORDS, MOST_GAPS = 8, 2  # of a phrase: so looking for it takes a time in proportion to the text


def _check_phrases(phrases: tuple[str, ...]) -> tuple[str, ...]:
    for one in phrases:
        words = one.split(" ")
        if len(one) > 100 or not _PHRASE.fullmatch(one) or len(words) > MOST_WORDS or words.count(GAP) > MOST_GAPS:
            raise ValueError(
                f"{one[:100]!r} should be plain words with one space between them, at most {MOST_WORDS}. A * at the end of a "
                f"word stands for any ending, and {GAP} between two words for up to five others, at most {MOST_GAPS} times"
            )
    return phrases


Phrases = Annotated[Names, AfterValidator(_check_phrases)]
Language = Annotated[str, Field(pattern=r"^[a-z]{2,3}$")]


def _check_words(words: tuple[str, ...]) -> tuple[str, ...]:
    for one in words:
        if len(one) > 30 or not _ONE_WORD.fullmatch(one):
            raise ValueError(f"{one[:100]!r} should be one plain word, such as not or wasn't, without a * or a space")
    return words


def same(phrase: str) -> str:
    """A phrase as texts are compared with it: without case, and with one kind of apostrophe."""
    return unicodedata.normalize("NFKC", phrase).replace("’", "'").casefold()


Words = Annotated[Names, AfterValidator(_check_words)]


class Texts(Params):
    """The phrases by which a text claims something, and the words that turn a phrase round, each by language."""

    accuracy: Accuracy
    says_1: dict[Language, Phrases]
    says_0: dict[Language, Phrases]
    negations: dict[Language, Words]

    @model_validator(mode="after")
    def _check_sides(self) -> Texts:
        one, zero = (
            {same(phrase): phrase for phrases in side.values() for phrase in phrases}
            for side in (self.says_1, self.says_0)
        )
        if not one and not zero:
            raise ValueError("there is no phrase in says_1 or says_0; give some, or write texts: null")
        both = sorted(set(one) & set(zero))
        if both:
            raise ValueError(
                f"{one[both[0]]!r} is in both says_1 and says_0, so it says nothing; take it out of one of them"
            )
        return self


class Label(Params):
    min_votes: Count
    min_confidence: Annotated[float, Field(gt=0.5, lt=1)]
    accuracy: LabelAccuracy
    prior_by: Names
    prior_weight: Annotated[float, Field(gt=0)]
    revisit_days: Annotated[tuple[Count, ...], Field(strict=False)]
    max_iterations: Count
    quarantine: Quarantine
    texts: Texts | None = None


class Queue(Params):
    rows: Count
    days: Days
    audit_share: Share
    unsure_below: Annotated[float, Field(gt=0.5, lt=1)]
    looks: Count
    seed: int


class Topic(Params):
    about: Literal["output", "input", "product", "praise"]
    input: str | None = None
    phrases: Annotated[dict[Language, Phrases], Field(min_length=1)]

    @model_validator(mode="after")
    def _check_input(self) -> Topic:
        if self.input is not None and self.about != "input":
            raise ValueError(f"input: {self.input!r} is named, so about should be input, not {self.about}")
        return self


class Rising(Params):
    recent_days: Days
    before_days: Days
    min_users: Annotated[int, Field(ge=3)]
    top: Count


TopicName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9]*(?:[ -][a-z0-9]+)*$", max_length=40)]


class Voices(Params):
    max_chars: Annotated[int, Field(ge=100, le=5_000)]
    min_texts: Annotated[int, Field(ge=10)]
    neutral: Names
    rising: Rising
    topics: dict[TopicName, Topic]

    @model_validator(mode="after")
    def _check_names(self) -> Voices:
        if OTHER in self.topics:
            raise ValueError(f"{OTHER!r} is what fits no topic; give this topic another name")
        return self
