"""Trust as time goes on: what is concluded on a day rests on the days before it, and what was concluded never changes."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flywheel.errors import ConfigError
from flywheel.labels.conclude import Concluded, conclude
from flywheel.labels.revisions import known_before
from flywheel.labels.settings import Label, LabelAccuracy, Quarantine

START = dt.date(2030, 5, 1)
PARAMS = Label(
    min_confidence=0.75,
    min_votes=1,
    accuracy=LabelAccuracy(outcome=0.99, report=0.8, annotation=0.9),
    prior_by=("place",),
    prior_weight=20,
    revisit_days=(1, 7),
    max_iterations=50,
    quarantine=Quarantine(rest_days=1, one_answer=None, fast=None, regular=None, shared_errors=None, lockstep=None),
)
SAID = ["prediction_id", "label", "label_confidence", "label_source", "known_at", "revised_at"]

Event = tuple[float, str, str, str | None, int]  # days since START, prediction, channel, source, value


def moment(days: float) -> pd.Timestamp:
    return pd.Timestamp(START, tz="UTC") + pd.Timedelta(days=days)


def feedback(rows: Sequence[Event]) -> pd.DataFrame:
    """Events as the table of feedback."""
    return pd.DataFrame(
        {
            "feedback_id": pd.Series([f"f{n:05}" for n in range(len(rows))], dtype="str"),
            "prediction_id": pd.Series([row[1] for row in rows], dtype="str"),
            "received_at": pd.Series([moment(row[0]) for row in rows], dtype="datetime64[us, UTC]"),
            "channel": pd.Series([row[2] for row in rows], dtype="str"),
            "source_id": pd.Series([row[3] for row in rows], dtype="str"),
            "value": pd.Series([row[4] for row in rows], dtype="float64"),
        }
    )


def concluded(
    rows: Sequence[Event],
    days: int,
    params: Label = PARAMS,
    places: Sequence[str] = ("north",),
    out: Mapping[str, int] | None = None,
) -> Concluded:
    """What is concluded in so many days; predictions are served on the first day, in turn at one of the places.

    The claims of the sources in `out` are quarantined as of the morning of that day.
    """
    names = sorted({row[1] for row in rows})
    served = pd.DataFrame({"prediction_id": pd.Series(names, dtype="str"), "served_at": moment(0)})
    served["in_place"] = [places[n % len(places)] for n in range(len(names))]
    said = feedback(rows)
    since = said["source_id"].map({source: moment(day) for source, day in (out or {}).items()})
    return conclude(said, served, params, START + dt.timedelta(days=days), since.astype("datetime64[us, UTC]"))


def record(source: str, right: int, wrong: int, day: float = 0.1) -> list[Event]:
    """A record of reports that outcomes of the same day confirm or refute: as many of 1 as of 0."""
    rows: list[Event] = []
    for n in range(right + wrong):
        name, truth = f"{source}-{n:03}", n % 2
        rows.append((day, name, "report", source, truth if n >= wrong else 1 - truth))
        rows.append((day + 0.1, name, "outcome", "feed", truth))
    return rows


def history(found: Concluded, name: str) -> list[tuple[int, float]]:
    """Label and day of each revision of a prediction; a label that is taken back ends with a -1."""
    mine = found.revisions[found.revisions["prediction_id"] == name]
    rows = []
    for row in mine.to_dict(orient="records"):
        rows.append((row["label"], (row["revised_at"] - moment(0)) / pd.Timedelta(days=1)))
    end = mine["superseded_at"].iloc[-1] if len(mine) else pd.NaT
    return rows if pd.isna(end) else [*rows, (-1, (end - moment(0)) / pd.Timedelta(days=1))]


def test_a_record_counts_from_the_next_morning_on() -> None:
    """On the day on which outcomes refute him he is still believed; the day after he is not."""
    rows = [*record("liar", 0, 200), (0.5, "today", "report", "liar", 1), (1.5, "tomorrow", "report", "liar", 1)]
    found = concluded(rows, 2, PARAMS.model_copy(update={"revisit_days": ()}))
    assert [(1, 0.5)] == history(found, "today")
    assert [] == history(found, "tomorrow")


def test_who_was_always_right_settles_a_label_alone() -> None:
    """A stranger's word is not enough where eight in ten are right; that of a reliable source is."""
    params = PARAMS.model_copy(update={"min_confidence": 0.9})
    rows = [
        *record("ann", 200, 0),
        *record("bob", 12, 8),
        (1.5, "p", "report", "ann", 1),
        (1.5, "q", "report", "bob", 1),
    ]
    found = concluded(rows, 2, params)
    assert [(1, 1.5)] == history(found, "p")
    assert [] == history(found, "q")


def test_a_reliable_source_outweighs_two_unreliable_ones() -> None:
    """Two against one, and the one is right."""
    rows = [*record("ann", 200, 0), *record("bob", 70, 30), *record("cid", 70, 30)]
    rows += [(1.4, "p", "report", "bob", 0), (1.5, "p", "report", "cid", 0), (1.6, "p", "report", "ann", 1)]
    found = history(concluded(rows, 2), "p")
    assert (0, 1.5) == pytest.approx(found[0])
    assert {1} == {label for label, at in found if at > 1.59}


def test_what_a_liar_said_is_taken_back_when_he_is_found_out() -> None:
    """He labels `p`; on day 3 outcomes refute him; `p` is looked at again at the end of the seventh day after his word."""
    rows = [(0.5, "p", "report", "liar", 1), *record("liar", 0, 200, day=3)]
    (first, *middle, last) = history(concluded(rows, 9), "p")
    assert (1, 0.5) == first
    assert last[0] == -1
    assert last[1] == pytest.approx(7, abs=1e-6)
    assert all(label == 1 for label, _ in middle)


def test_what_is_looked_at_again_is_known_before_the_next_morning() -> None:
    """What the last day of a run taught counts in that run."""
    rows = [(0.5, "p", "report", "liar", 1), *record("liar", 0, 200, day=3)]
    found = concluded(rows, 7).revisions
    assert "p" in set(known_before(found, moment(6.9))["prediction_id"])
    assert "p" not in set(known_before(found, moment(7))["prediction_id"])


def test_the_outcomes_of_a_place_say_what_is_to_be_expected_there() -> None:
    """One stranger says 1: believed where seven in ten are 1, not where one in ten is."""
    rows: list[Event] = [
        (0.2, f"a{n:03}", "outcome", "feed", int(n // 2 % 10 < (1 if n % 2 else 7))) for n in range(400)
    ]
    rows += [(1.5, "b-north", "report", "x", 1), (1.5, "b-south", "report", "y", 1)]
    found = concluded(rows, 2, places=("north", "south"))
    assert [(1, 1.5)] == history(found, "b-north")
    assert [] == history(found, "b-south")


def test_a_column_that_no_prediction_has_is_refused_by_its_name() -> None:
    """A typing mistake in conf is no traceback."""
    params = PARAMS.model_copy(update={"prior_by": ("place", "plaec")})
    with pytest.raises(ConfigError, match=r"label\.prior_by: found 'plaec', .*without in_"):
        concluded([(1, "p", "report", "ann", 1)], 2, params)


def test_a_newer_outcome_corrects_the_record() -> None:
    """He was wrong by the first outcomes and right by those that replace them."""
    rows = record("ann", 0, 200)
    rows += [(1.2, name, "outcome", "feed", 1 - value) for _, name, channel, _, value in rows if channel == "outcome"]
    rows += [(1.5, "before", "report", "ann", 1), (2.5, "after", "report", "ann", 1)]
    params = PARAMS.model_copy(update={"revisit_days": ()})
    assert [] == history(concluded(rows, 3, params), "before")
    assert [(1, 2.5)] == history(concluded(rows, 3, params), "after")


def test_a_vote_that_was_changed_counts_as_it_stands() -> None:
    """Who says 0 after 1 before the outcome 0 came was right."""
    rows = record("ann", 0, 200)
    rows += [
        (day + 0.05, name, "report", "ann", 1 - value) for day, name, channel, _, value in rows if channel == "report"
    ]
    rows.append((1.5, "p", "report", "ann", 1))
    assert (1, 1.5) == history(concluded(rows, 2), "p")[0]


def test_claims_without_a_source_are_believed_like_each_other() -> None:
    """A hundred refuted claims of nobody: the next one of nobody is not believed, and that of a stranger more."""
    rows = [(day, name, channel, None, value) for day, name, channel, _, value in record("x", 0, 100)]
    rows += [(1.5, "p", "report", None, 1)]
    assert [] == history(concluded(rows, 2), "p")
    assert [(1, 1.5)] == history(concluded([(1.5, "p", "report", None, 1)], 2), "p")


def test_an_untrusted_vote_alone_leaves_a_prediction_without_a_label() -> None:
    """With nobody believed, what stays is what was expected; below the limit that is no label."""
    rows = [*record("liar", 0, 200), (1.5, "p", "report", "liar", 0)]
    assert [] == history(concluded(rows, 2), "p")


def test_it_is_said_on_how_many_mornings_trust_did_not_settle() -> None:
    """Three people who contradict each other, and one iteration."""
    rng = np.random.default_rng(1)
    rows: list[Event] = [
        (0.1 + day, f"p{day}-{n}", "report", source, int(rng.random() < 0.5))
        for day in range(2)
        for n in range(40)
        for source in ("a", "b", "c")
    ]
    assert 0 == concluded(rows, 3).unsettled
    hasty = concluded(rows, 3, PARAMS.model_copy(update={"max_iterations": 1}))
    assert (4, 3) == (hasty.mornings, hasty.unsettled)


def test_ten_thousand_claims_of_one_source_in_a_minute_are_one_vote() -> None:
    """They stand for what it said last, and take no time to speak of."""
    rows: list[Event] = [(0.5 + n / 1e8, "p", "report", "bot", n % 2) for n in range(10_000)]
    found = concluded([*rows, (0.6, "p", "report", "ann", 0)], 1)
    assert {1} == set(found.revisions["n_votes"])
    assert (1, 0.5 + 9_999 / 1e8) == pytest.approx(history(found, "p")[-2])
    assert (-1, 0.6) == pytest.approx(history(found, "p")[-1])  # one says 1, the other 0


def test_a_quarantined_claim_counts_until_the_morning_on_which_it_was_found() -> None:
    """Two strangers label `p`; on the third morning one of them is out, and what the other said is not enough."""
    params = PARAMS.model_copy(update={"min_confidence": 0.9})
    rows: list[Event] = [(0.5, "p", "report", "ann", 1), (0.6, "p", "report", "bot", 1)]
    assert (1, 0.6) == pytest.approx(history(concluded(rows, 2, params), "p")[0])
    (first, *_, last) = history(concluded(rows, 4, params, out={"bot": 2}), "p")
    assert (1, 0.6) == pytest.approx(first)
    assert (-1, 2) == pytest.approx(last)


def test_a_claim_that_arrives_in_quarantine_never_counts() -> None:
    """Neither on its day nor later, and he who makes it is no voter."""
    params = PARAMS.model_copy(update={"min_confidence": 0.9, "revisit_days": (1,)})
    rows: list[Event] = [(2.5, "p", "report", "bot", 1), (2.6, "p", "report", "ann", 1)]
    assert [] == history(concluded(rows, 4, params, out={"bot": 2}), "p")
    rows.append((2.7, "p", "report", "bob", 1))
    found = concluded(rows, 4, params, out={"bot": 2})
    assert (1, 2.7) == pytest.approx(history(found, "p")[0])
    assert {2} == set(found.revisions["n_votes"])


def test_quarantined_claims_tell_nothing_about_anybody() -> None:
    """With the liars out, the trust in all others is as if they had never spoken."""
    rows = [*record("ann", 30, 10), *record("bob", 20, 5)]
    rows += [(0.4, f"x{n}", "report", source, 1) for n in range(50) for source in ("bot", "ann")]
    alone = [row for row in rows if row[3] != "bot"]
    one, two = concluded(rows, 3, out={"bot": 0}), concluded(alone, 3)
    names = one.claims.sources["source_id"].tolist()
    kept = [names.index(name) for name in two.claims.sources["source_id"]]
    assert one.trust.sensitivity[kept].tolist() == two.trust.sensitivity.tolist()
    assert one.trust.specificity[kept].tolist() == two.trust.specificity.tolist()


events = st.lists(
    st.tuples(
        st.integers(0, 39).map(lambda hour: hour / 4),
        st.sampled_from(["p", "q", "r", "s", "t"]),
        st.sampled_from(["outcome", "report", "report", "report", "annotation"]),
        st.sampled_from(["a", "b", "c", None]),
        st.sampled_from([0, 1]),
    ),
    max_size=40,
)


@pytest.mark.slow
@settings(max_examples=40, deadline=None)
@given(rows=events, day=st.integers(0, 10), out=st.dictionaries(st.sampled_from(["a", "b"]), st.integers(1, 10)))
def test_what_was_known_on_a_morning_never_changes_afterwards(rows: list[Event], day: int, out: dict[str, int]) -> None:
    """Ten days concluded at once say of each morning what was concluded on it: trust, second looks and quarantine included."""
    past = [row for row in rows if row[0] < day]
    found_by_then = {source: since for source, since in out.items() if since <= day}
    now = known_before(concluded(rows, 11, out=out).revisions, moment(day))[SAID]
    then = known_before(concluded(past, day, out=found_by_then).revisions, moment(day))[SAID]
    served = {row[1] for row in past}
    assert then.to_dict(orient="records") == now[now["prediction_id"].isin(served)].to_dict(orient="records")
