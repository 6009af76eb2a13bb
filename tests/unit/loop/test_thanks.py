"""Who is thanked: those whose votes decided a label that a release learned from, and that still stands. Nobody else."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flywheel.labels.conclude import conclude
from flywheel.loop.thanks import Release, Thanks, thanks
from flywheel.stages.label import LabelParams
from tests.planted import at, feedback, table, typed
from tests.planted import settings as of_stage

# Two voters are needed, and agree or do not.
LABEL = of_stage(LabelParams, label={"min_votes": 2, "min_confidence": 0.6, "revisit_days": []}).label
AS_OF = dt.date(2030, 1, 20)
RELEASE: Release = {
    "name": "planted",
    "version": "v0.2.0",
    "start": dt.date(2030, 1, 2),
    "end": dt.date(2030, 1, 10),
    "known_before": dt.date(2030, 1, 10),
}
Claim = tuple[str, str, str, float, str]  # moment, prediction, user, claim, channel
SERVED = {"p": "05T12", "q": "06T12", "old": "01T12", "new": "10T01"}


def thanked(claims: list[Claim], out: Sequence[str] = ()) -> list[Thanks]:
    """Who is thanked; the reports of those who are `out` are in quarantine."""
    rows = [
        feedback(f"f{n}", about, moment, source_id=user, value=value, channel=channel)
        for n, (moment, about, user, value, channel) in enumerate(claims)
    ]
    said = typed("feedback", table("feedback", rows))
    served = pd.DataFrame({"prediction_id": list(SERVED), "served_at": [at(one) for one in SERVED.values()]})
    quarantine = pd.DataFrame({"source_id": pd.Series(out, dtype="str"), "channel": "report", "first": at("01T00")})
    quarantine = quarantine.assign(
        until=pd.Series(pd.NaT, quarantine.index, dtype="datetime64[us, UTC]"), known_at=at("15T00")
    )
    revisions = conclude(said, served, LABEL, AS_OF).revisions
    return thanks(said, served, revisions, quarantine, RELEASE, AS_OF)


def reports(about: str, moment: str = "07T00", **claims: float) -> list[Claim]:
    return [(moment, about, user, value, "report") for user, value in claims.items()]


@pytest.mark.parametrize(
    ("claims", "users"),
    [
        pytest.param(reports("p", ann=1, bob=1, eve=0), ["ann", "bob"], id="those who were right"),
        pytest.param(reports("p", ann=1), [], id="a single report is no label"),
        pytest.param(reports("p", ann=1, bob=0), [], id="a tie is no label"),
        pytest.param(reports("old", ann=1, bob=1), [], id="served before the training window"),
        pytest.param(reports("new", "10T02", ann=1, bob=1), [], id="served after the model was made"),
        pytest.param(reports("p", "11T00", ann=1, bob=1), [], id="said after the model was made"),
        pytest.param(
            [*reports("p", ann=1, bob=1), *reports("p", "12T00", eve=1)], ["ann", "bob"], id="not who said it later"
        ),
        pytest.param(
            [*reports("p", ann=1, bob=1), ("06T00", "p", "feed", 1.0, "outcome")], [], id="an outcome had decided it"
        ),
        pytest.param(
            [*reports("p", ann=1, bob=1), ("12T00", "p", "feed", 0.0, "outcome")], [], id="an outcome overturned it"
        ),
        pytest.param(
            [*reports("p", ann=1, bob=1, eve=0), ("12T00", "p", "feed", 1.0, "outcome")],
            ["ann", "bob"],
            id="an outcome confirmed it",
        ),
        pytest.param(
            [*reports("p", ann=1, bob=1), *reports("p", "12T00", eve=0, joe=0)], [], id="a tie took it back later"
        ),
        pytest.param(
            [*reports("p", ann=1, bob=1, eve=1), *reports("p", "08T00", ann=0)],
            ["bob", "eve"],
            id="who changed their mind to the wrong side",
        ),
        pytest.param(
            [*reports("p", ann=1), ("07T01", "p", "ann-1", 1.0, "annotation"), ("07T02", "p", "rob", 1.0, "rating")],
            ["ann", "ann-1"],
            id="an annotator, and nobody who rated",
        ),
    ],
)
def test_who_is_thanked(claims: list[Claim], users: list[str]) -> None:
    """One message each, in order of the user."""
    assert users == [one["user"] for one in thanked(claims)]


def test_one_message_a_user_says_how_many_claims_counted() -> None:
    """Ann was right about two predictions, and said one of them twice."""
    claims = [*reports("p", ann=1, bob=1), *reports("q", ann=0, bob=0, eve=1), *reports("p", "07T01", ann=1)]
    ann, _ = thanked([*claims, *reports("q", "12T00", joe=0)])
    assert ann == {
        "user": "ann",
        "model": "planted",
        "version": "v0.2.0",
        "claims": 2,
        "message": "Thank you: 2 things that you told us were right, and planted v0.2.0 has learned from them.",
    }


def test_a_claim_in_quarantine_earns_no_thanks() -> None:
    """Although the model learned from it, before anybody knew."""
    claims = reports("p", ann=1, bob=1, eve=1)
    assert ["ann", "bob", "eve"] == [one["user"] for one in thanked(claims)]
    assert ["ann", "eve"] == [one["user"] for one in thanked(claims, out=["bob"])]


def test_a_claim_without_a_source_thanks_nobody() -> None:
    """It decides with the others."""
    claims: list[Any] = [("07T00", "p", None, 1.0, "report"), ("07T01", "p", "ann", 1.0, "report")]
    assert ["ann"] == [one["user"] for one in thanked(claims)]


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["03T00", "07T00", "09T23", "10T00", "15T00"]),
            st.sampled_from(list(SERVED)),
            st.sampled_from(["ann", "bob", "eve"]),
            st.sampled_from([0.0, 1.0]),
            st.sampled_from(["report", "annotation", "outcome"]),
        ),
        max_size=12,
    )
)
def test_nobody_else_gets_a_message(claims: list[Claim]) -> None:
    """Who is thanked made a claim in time, about a prediction of the window; and each of them once."""
    found = thanked(claims)
    able = {
        user
        for moment, about, user, _, channel in claims
        if channel != "outcome" and at(moment) < at("10") and about in "pq"
    }
    assert {one["user"] for one in found} <= able
    assert sorted({one["user"] for one in found}) == [one["user"] for one in found]


@pytest.mark.parametrize(
    ("claims", "users"),
    [
        pytest.param([("07T01", "p", "cat", 1, "text")], ["ann", "bob", "cat"], id="whose text said so"),
        pytest.param([("07T01", "p", "cat", 0, "text")], ["ann", "bob"], id="not whose text did not"),
        pytest.param(
            [("07T01", "p", "cat", 1, "text"), ("07T02", "p", "dan", 1, "text")],
            ["ann", "bob", "dan"],
            id="of two texts the newer one, which counted",
        ),
        pytest.param(
            [("07T01", "p", "cat", 1, "text"), ("07T02", "p", "cat", 0, "report")],
            ["ann", "bob"],
            id="not who said otherwise by voting",
        ),
    ],
)
def test_who_wrote_what_counted_is_thanked(claims: list[Claim], users: list[str]) -> None:
    """The claim of a text is one of its writer, where it was the one that counted."""
    votes = [(moment, about, user, float(value), channel) for moment, about, user, value, channel in claims]
    told = reports("p", "06T00", ann=1, bob=1)
    assert [one["user"] for one in thanked([*told, *votes])] == users
