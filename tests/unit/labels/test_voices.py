"""What users say by week and lately: counts by hand, planted changes that must show, and chance that must not."""

from __future__ import annotations

import datetime as dt
import json
import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flywheel.labels.settings import Rising, Topic, Voices
from flywheel.labels.shares import mean, share_difference, wilson
from flywheel.labels.texts.phrases import rising
from flywheel.labels.voices import describe_voices, understand
from flywheel.labels.voices_evidence import VoicesHeard

RISING = Rising(recent_days=28, before_days=84, min_users=5, top=5)
PARAMS = Voices(
    max_chars=100,
    min_texts=10,
    neutral=(),
    rising=RISING,
    topics={
        "late": Topic(about="output", phrases={"en": ("too late",)}),
        "size": Topic(about="input", input="size", phrases={"en": ("wrong size",)}),
    },
)
FIRST, AS_OF = dt.date(2030, 1, 2), dt.date(2030, 4, 30)  # a Wednesday, a Tuesday

Text = tuple[str, str | None, str]  # day, user, text


def feedback(texts: list[Text]) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "feedback_id": [f"f{n}" for n in range(len(texts))],
            "prediction_id": [f"p{n}" for n in range(len(texts))],
            "received_at": pd.Series([f"{day}T12:00Z" for day, _, _ in texts], dtype="datetime64[us, UTC]"),
            "source_id": pd.Series([user for _, user, _ in texts], dtype="str"),
            "text": pd.Series([text for _, _, text in texts], dtype="str"),
        }
    )


def heard(texts: list[Text]) -> VoicesHeard:
    return describe_voices(understand(feedback(texts), PARAMS), FIRST, AS_OF, PARAMS)


def spread(start: str, n: int, text: str, name: str) -> list[Text]:
    """A text by each of some users, one a day, for as long as there are days; then from the start again."""
    first = dt.date.fromisoformat(start)
    return [(str(first + dt.timedelta(days=k % 28)), f"{name}{k}", text) for k in range(n)]


def test_texts_users_and_shares_are_counted() -> None:
    """Four texts of three users; the same text twice is two texts."""
    found = heard(
        [
            ("2030-01-02", "ann", "Too late"),
            ("2030-01-03", "bob", "Too late"),
            ("2030-01-08", "ann", "wrong size"),
            ("2030-01-08", "eve", "x" * 101),
        ]
    )
    assert (4, 3, 1) == (found["texts"], found["users"], found["cut"])
    assert {"late": (2, 2), "size": (1, 1), "other": (1, 1)} == {
        one["topic"]: (one["texts"], one["users"]) for one in found["topics"]
    }
    assert ("input", "size") == (found["topics"][1]["about"], found["topics"][1]["input"])
    first, second = found["weeks"][:2]
    assert ("2029-12-31", 5, 2, "2030-01-07", 7, 2) == (
        *(first["week"], first["days"], first["texts"]),
        *(second["week"], second["days"], second["texts"]),
    )
    assert wilson(1, 2, 0.95) == second["shares"]["size"]
    assert 18 == len(found["weeks"])  # also those in which nobody wrote
    assert 1 == found["weeks"][-1]["days"]


def test_nobody_writes() -> None:
    """Neither counts nor intervals fail."""
    found = heard([])
    assert (0, 0, None) == (found["texts"], found["users"], found["sentiment"])
    assert {"too few"} == {one["trend"] for one in found["topics"]}
    assert [] == found["rising"]["phrases"]


def test_without_sources_users_are_not_known() -> None:
    """A null source may be anybody: no number of users, and no phrase."""
    texts: list[Text] = [(day, None, text) for day, _, text in spread("2030-04-02", 28, "too late again", "u")]
    found = heard([*spread("2030-03-01", 28, "it is fine", "v"), *texts])
    late = next(one for one in found["topics"] if one["topic"] == "late")
    assert (28, None) == (late["texts"], late["users"])
    assert [] == found["rising"]["phrases"]


def test_a_topic_that_became_more_common_is_named_and_one_that_stayed_is_not() -> None:
    """A fifth of the texts before, three fifths lately; of another a fifth in both."""
    before = [*spread("2030-03-01", 20, "too late", "a"), *spread("2030-03-01", 80, "it is fine", "b")]
    lately = [*spread("2030-04-02", 60, "too late", "c"), *spread("2030-04-02", 40, "it is fine", "d")]
    trends = {one["topic"]: one["trend"] for one in heard([*before, *lately])["topics"]}
    assert {"late": "more", "size": "too few", "other": "less"} == trends


def test_by_chance_alone_hardly_ever_a_topic_changes() -> None:
    """In 60 worlds in which nothing does, one of three topics in at most a twentieth (and what chance adds)."""
    rng = np.random.default_rng(1)
    days = [str(AS_OF - dt.timedelta(days=n)) for n in range(1, 100)]
    worlds = 0
    for _ in range(60):
        drawn = rng.integers(0, 3, 300)
        rows = pd.DataFrame(
            {
                "topic": np.array(["late", "size", "other"])[drawn],
                "received_at": pd.to_datetime(rng.choice(days, 300), utc=True),
                "source_id": "u",
                "sentiment": 0.0,
                "is_cut": False,
                "text": "",
            }
        )
        found = describe_voices(rows, FIRST, AS_OF, PARAMS)
        worlds += any(one["trend"] in ("more", "less") for one in found["topics"])
    assert worlds <= 6


def words(texts: list[Text]) -> list[tuple[str, list[str]]]:
    return [(user or "", text.split()) for _, user, text in texts]


def test_a_phrase_that_many_users_write_lately_rises() -> None:
    """It is told once: not each of its words, too."""
    before = [*spread("2030-03-01", 60, "it is fine", "a"), *spread("2030-03-01", 2, "the blue button", "b")]
    lately = [*spread("2030-04-02", 40, "it is fine", "c"), *spread("2030-04-02", 20, "the blue button", "d")]
    found = rising(words(lately), words(before), RISING, 0.05)
    assert [("the blue button", 20, 2, 20)] == [
        (one["phrase"], one["recent_texts"], one["before_texts"], one["users"]) for one in found["phrases"]
    ]


def test_what_few_users_write_is_never_shown_however_often() -> None:
    """Four users, a hundred times."""
    lately = [
        (day, f"u{n % 4}", text) for n, (day, _, text) in enumerate(spread("2030-04-02", 100, "call maria now", "u"))
    ]
    found = rising(words(lately), words(spread("2030-03-01", 60, "it is fine", "a")), RISING, 0.05)
    assert [] == found["phrases"]


@pytest.mark.parametrize("text", ["order 4711xy", "[email] [phone]", "| |"])
def test_numbers_and_placeholders_are_no_phrase(text: str) -> None:
    """However many write them."""
    texts = feedback(spread("2030-04-02", 50, text, "u") + spread("2030-03-01", 50, "it is fine", "v"))
    found = describe_voices(understand(texts, PARAMS), FIRST, AS_OF, PARAMS)
    assert not any(
        part in one["phrase"] for one in found["rising"]["phrases"] for part in ("4711", "email", "phone", "|")
    )


def test_no_text_of_anybody_is_in_the_report() -> None:
    """Of a text that one user wrote, not a word."""
    found = heard([("2030-04-20", "ann", "zanzibar quokka"), *spread("2030-03-01", 40, "it is fine", "v")])
    assert not any(word in json.dumps(found) for word in ("zanzibar", "quokka", "ann", "fine"))


def test_the_order_of_rows_changes_nothing() -> None:
    """Nor does it decide between phrases."""
    texts = [*spread("2030-04-02", 30, "too late again", "a"), *spread("2030-03-01", 40, "wrong size here", "b")]
    found = [
        describe_voices(understand(one, PARAMS), FIRST, AS_OF, PARAMS)
        for one in (feedback(texts), feedback(texts)[::-1])
    ]
    assert found[0] == found[1]


def test_wilsons_interval_is_that_of_the_paper() -> None:
    """Newcombe (1998), table I: 81 of 263, and 0 of 20; his table II, method 10, (a): 56 of 70 less 48 of 80."""
    found = wilson(81, 263, 0.95)
    assert (0.2553, 0.3662) == (round(found["low"] or 0, 4), round(found["high"] or 0, 4))
    assert (0.0, 0.1611) == (wilson(0, 20, 0.95)["low"], round(wilson(0, 20, 0.95)["high"] or 0, 4))
    difference = share_difference(56, 70, 48, 80, 0.95)
    assert (0.2, 0.0524, 0.3339) == tuple(round(one or 0, 4) for one in difference.values())


@pytest.mark.parametrize(("n", "quantile"), [(10, 2.262157), (30, 2.045230), (200, 1.971957)])
def test_the_interval_of_a_mean_is_students(n: int, quantile: float) -> None:
    """Quantiles of t with n - 1 degrees of freedom, from any table."""
    values = pd.Series(np.arange(n, dtype="float64"))
    found = mean(values, 0.95, 10)
    assert found is not None
    assert found["high"] == pytest.approx(values.mean() + quantile * values.std() / math.sqrt(n), rel=1e-4)


@given(st.integers(0, 50), st.integers(0, 50), st.integers(1, 50), st.integers(1, 50))
def test_a_difference_lies_in_its_interval(k: int, other: int, n: int, m: int) -> None:
    """Which stays between -1 and 1."""
    found = share_difference(min(k, n), n, min(other, m), m, 0.95)
    assert found["low"] is not None
    assert found["high"] is not None
    assert -1 - 1e-9 <= found["low"] <= found["value"] + 1e-9
    assert found["value"] - 1e-9 <= found["high"] <= 1 + 1e-9
