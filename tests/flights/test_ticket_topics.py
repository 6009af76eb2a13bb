"""How often the phrases of conf/project/flights.yaml find what a ticket is about; what it is about is hidden from the loop."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest

from flights.ticket_texts import PATTERNS, TOPIC_CHANCES, write_ticket
from flywheel.data.privacy import scrub
from flywheel.labels.settings import OTHER, Label, Voices
from flywheel.labels.texts.said import NOTHING, said
from flywheel.labels.texts.topics import topics_of, words_of
from flywheel.params import Params, load


class VoicesParams(Params):
    """Only what texts are about, and what they claim."""

    label: Label
    voices: Voices


MEANT = {
    "wrong prediction": "complaint",
    "praise": "praise",
    "wish": "feature_request",
    "wrong data": "wrong_data",
    "wrong weather": "wrong_data",
    "alert too late": "late_alert",
}


@pytest.fixture(scope="module")
def tickets() -> pd.DataFrame:
    """Tickets as they are stored, each with its hidden topic and the one that is found."""
    rng = np.random.default_rng(2013)
    texts = [write_ticket("UA1545", "JFK", "SFO", *case, rng) for case in TOPIC_CHANCES for _ in range(400)]
    known = {
        topic: re.compile("|".join(re.sub(r"\\\{\w+\\\}", ".+?", re.escape(pattern)) for pattern in patterns))
        for topic, patterns in PATTERNS.items()
    }
    hidden = [next(topic for topic, pattern in known.items() if pattern.match(text)) for text in texts]
    params = load(VoicesParams)
    stored, _ = scrub(pd.Series(texts))
    found = topics_of([words_of(text, params.voices.max_chars) for text in stored], params.voices.topics)
    assert params.label.texts
    claimed = said(stored, params.label.texts)
    return pd.DataFrame({"hidden": hidden, "found": [MEANT.get(one, one) for one in found], "claimed": claimed})


@pytest.mark.parametrize("topic", PATTERNS)
def test_the_phrases_find_most_of_a_topic_and_little_else(tickets: pd.DataFrame, topic: str) -> None:
    """Recall and precision by topic. Who wrote the phrases has read tickets, as a team has: this is no test on new ones."""
    is_found, is_hidden = tickets["found"] == topic, tickets["hidden"] == topic
    both = (is_found & is_hidden).sum()
    assert both / is_hidden.sum() >= 0.55
    assert both / is_found.sum() >= 0.9


def test_most_tickets_have_a_topic_and_not_all(tickets: pd.DataFrame) -> None:
    """The rest is other: phrases that nobody thought of."""
    assert 0.05 < (tickets["found"] == OTHER).mean() < 0.3


def test_who_complains_of_a_late_alert_says_that_the_flight_was_disrupted(tickets: pd.DataFrame) -> None:
    """Only such tickets come when a flight was disrupted and never else; of these most claim it, and of the others none."""
    is_late = tickets["hidden"] == "late_alert"
    assert set(tickets.loc[~is_late, "claimed"]) == {NOTHING}
    assert (tickets.loc[is_late, "claimed"] == 1).mean() > 0.7
    assert 0 not in set(tickets["claimed"])
