"""What a text is about and how its writer feels: phrases, scripts, and texts that nobody would write."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from flywheel.labels.settings import OTHER, Topic
from flywheel.labels.texts.sentiment import sentiment_of
from flywheel.labels.texts.topics import topics_of, words_of

MOST = 1000
LARGEST = 5000  # that conf may say


def topic(*phrases: str, about: str = "output") -> Topic:
    return Topic(about=about, phrases={"en": phrases})


def is_found(phrase: str, text: str) -> bool:
    return topics_of([words_of(text, MOST)], {"it": topic(phrase)}) == ["it"]


@pytest.mark.parametrize(
    ("phrase", "text", "found"),
    [
        ("too late", "It came TOO\n late!", True),
        ("too late", "It came too, late.", True),
        ("too late", "not too lately", False),
        ("late", "chocolate", False),
        ("don't", "I don’t know", True),
        ("e-mail", "by E-Mail please", True),
        ("predict*", "the predictions", True),
        ("predict*", "a pre dict", False),
        ("alert ... late", "the alert came much too late", True),
        ("alert ... late", "alert late", True),
        ("alert ... late", "alert one two three four five late", True),
        ("alert ... late", "alert one two three four five six late", False),
        ("alert ... predict*", "the alert of your prediction", True),
        ("call me", "call [phone] me", False),
        ("call ... me", "call [phone] me", False),
        ("call me", "call | me", True),
        ("很慢", "这个应用很慢。", True),
        ("يصل", "لم يصلني شيء", True),
        ("zu spät", "viel ZU SPÄT", True),
        ("too late", "ｔｏｏ ｌａｔｅ", True),
        ("too late", "too\0late", True),
        ("late", "", False),
    ],
)
def test_a_phrase_is_found_where_its_words_stand(phrase: str, text: str, found: bool) -> None:
    """Whole words in a row; where the scrubber took something out, a phrase ends."""
    assert found == is_found(phrase, text)


def test_the_topic_with_the_most_phrases_wins_and_of_equals_the_first() -> None:
    """Order of the configuration decides, so two runs agree."""
    topics = {"a": topic("slow", "late"), "b": topic("ugly", "slow")}
    texts = ["slow", "slow and ugly", "slow, ugly, late", "neither"]
    assert ["a", "b", "a", OTHER] == topics_of([words_of(text, MOST) for text in texts], topics)


def test_without_topics_everything_is_other() -> None:
    """As the engine's own conf has it."""
    assert [OTHER] == topics_of([["slow"]], {})


@pytest.mark.parametrize(
    "phrase",
    ["", "  ", "(a+)+$", "a  b", "a*b", "*", "...", "a ...", "... a", "a ... b ... c ... d", "a|b", "x" * 101, "a\nb"],
)
def test_a_phrase_is_plain_words(phrase: str) -> None:
    """No regular expression comes in, and no phrase that matches everything."""
    with pytest.raises(ValidationError, match="plain words"):
        topic(phrase)


def test_an_input_is_named_only_by_a_topic_about_one() -> None:
    """Else nobody would look at it."""
    with pytest.raises(ValidationError, match="about should be input, not product"):
        Topic(about="product", input="size", phrases={"en": ("big",)})


NASTY = {
    "one word": "a" * 1_000_000,
    "the first half of a phrase": "alert came " * 100_000,
    "quotes": "'" * 1_000_000,
    "emoji": "😀" * 500_000,
    "flags": "🇩🇪" * 250_000,
    "hearts": "❤☺" * 250_000,
    "one letter that becomes eighteen": "ﷺ" * 1_000_000,
    "marks": "a\u0301" * 500_000,
    "null bytes": "\0" * 1_000_000,
    "placeholders": "[email] " * 100_000,
    "spaces": " " * 1_000_000,
}


@pytest.mark.parametrize("text", NASTY.values(), ids=NASTY)
def test_a_megabyte_is_read_in_a_moment(text: str) -> None:
    """Only its beginning is; no phrase and no rule of VADER takes longer on it."""
    topics = {"it": topic("alert ... never ... came", "a* ... b*", "alert came ... x")}
    sentiment_of(["warm"], LARGEST)
    started = time.process_time()
    assert [OTHER] == topics_of([words_of(text, LARGEST)], topics)
    sentiment_of([text], LARGEST)
    assert time.process_time() - started < 0.5


@given(st.text(max_size=300))
def test_any_text_has_a_topic_and_a_sentiment(text: str) -> None:
    """Whatever the script."""
    assert topics_of([words_of(text, MOST)], {"it": topic("late ... again")})[0] in ("it", OTHER)
    assert -1 <= sentiment_of([text], MOST)[0] <= 1


def test_how_a_writer_feels() -> None:
    """Praise is above zero, blame below, and what VADER does not know is zero."""
    love, hate, nothing, chinese, emoji = sentiment_of(
        ["I love it, great!", "This is horrible.", "The box.", "我很喜欢", "😍"], MOST
    )
    assert (True, True, 0, 0, True) == (love > 0.5, hate < -0.4, nothing, chinese, emoji > 0)


def test_a_word_of_the_field_says_nothing_where_it_is_neutral() -> None:
    """An alert is good news to VADER, and a plain thing to who sends them."""
    (usual,) = sentiment_of(["The alert came."], MOST)
    (neutral,) = sentiment_of(["The alert came."], MOST, ["Alert"])
    assert (True, 0) == (usual > 0, neutral)
