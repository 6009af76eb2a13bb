"""Labels: tables of feedback and what is concluded from them, and when."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Sequence

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flywheel.labels import conclude as concluding
from flywheel.labels.conclude import Concluded
from flywheel.labels.revisions import FOREVER, known_before, spans, sure
from flywheel.labels.settings import Label, LabelAccuracy, Quarantine
from flywheel.labels.summary import agreement, describe_feedback, summarize

START = pd.Timestamp("2013-03-01", tz="UTC")
OFF = Quarantine(rest_days=1, one_answer=None, fast=None, regular=None, shared_errors=None, lockstep=None)
PARAMS = Label(
    min_confidence=0.501,
    min_votes=2,
    accuracy=LabelAccuracy(outcome=0.99, report=0.8, annotation=0.9),
    prior_by=(),
    prior_weight=20,
    revisit_days=(),
    max_iterations=50,
    quarantine=OFF,
)
REPORT, ANNOTATION = math.log(0.8 / 0.2), math.log(0.9 / 0.1)  # the weight of one vote

Event = tuple[int, str, str, str, int]  # minute, prediction, channel, source, value


def minute(n: float) -> pd.Timestamp:
    return START + pd.Timedelta(minutes=n)


def feedback(rows: Sequence[Event]) -> pd.DataFrame:
    """Events as the table of feedback, with ids in the order of the rows."""
    return pd.DataFrame(
        {
            "feedback_id": pd.Series([f"f{n:03}" for n in range(len(rows))], dtype="str"),
            "prediction_id": pd.Series([row[1] for row in rows], dtype="str"),
            "received_at": pd.Series([minute(row[0]) for row in rows], dtype="datetime64[us, UTC]"),
            "channel": pd.Series([row[2] for row in rows], dtype="str"),
            "source_id": pd.Series([row[3] for row in rows], dtype="str"),
            "value": pd.Series([row[4] for row in rows], dtype="float64"),
        }
    )


def concluded(said: pd.DataFrame, params: Label = PARAMS) -> Concluded:
    """All that is concluded from the feedback of one day, of which nobody knows more than that it is about predictions."""
    served = pd.DataFrame({"prediction_id": said["prediction_id"].unique(), "served_at": START})
    return concluding.conclude(said, served, params, dt.date(2013, 3, 2))


def conclude(said: pd.DataFrame, params: Label = PARAMS) -> pd.DataFrame:
    """Every revision."""
    return concluded(said, params).revisions


def final(rows: Sequence[Event], params: Label = PARAMS) -> dict[str, tuple[int, str]]:
    """The label and its source that hold in the end, by prediction."""
    revisions = conclude(feedback(rows), params)
    last = revisions[revisions["superseded_at"].isna()]
    return {
        row["prediction_id"]: (int(row["label"]), str(row["label_source"])) for row in last.to_dict(orient="records")
    }


def confidence(rows: Sequence[Event]) -> float:
    """The confidence that holds in the end, of the one prediction in the rows."""
    revisions = conclude(feedback(rows), PARAMS)
    (found,) = revisions.loc[revisions["superseded_at"].isna(), "label_confidence"]
    return float(found)


def timeline(rows: Sequence[Event]) -> list[tuple[int, float, float, float | None]]:
    """Every revision: label, and the minutes of known_at, revised_at and superseded_at."""

    def minutes(moment: pd.Timestamp) -> float | None:
        return None if pd.isna(moment) else (moment - START) / pd.Timedelta(minutes=1)

    return [
        (int(row["label"]), minutes(row["known_at"]), minutes(row["revised_at"]), minutes(row["superseded_at"]))
        for row in conclude(feedback(rows), PARAMS).to_dict(orient="records")
    ]


def posterior(weight: float) -> float:
    return 1 / (1 + math.exp(-weight))


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        pytest.param([], {}, id="nothing said"),
        pytest.param([(1, "p", "outcome", "feed", 1)], {"p": (1, "outcome")}, id="an outcome settles it alone"),
        pytest.param(
            [(1, "p", "report", "a", 1), (2, "p", "report", "b", 1), (3, "p", "outcome", "feed", 0)],
            {"p": (0, "outcome")},
            id="an outcome wins over reports before it",
        ),
        pytest.param(
            [(1, "p", "outcome", "feed", 0), (2, "p", "report", "a", 1), (3, "p", "report", "b", 1)],
            {"p": (0, "outcome")},
            id="an outcome wins over reports after it",
        ),
        pytest.param(
            [(1, "p", "outcome", "feed", 0), (2, "p", "outcome", "feed", 1)],
            {"p": (1, "outcome")},
            id="the newest outcome counts",
        ),
        pytest.param([(1, "p", "report", "a", 1)], {}, id="one report settles nothing"),
        pytest.param([(1, "p", "annotation", "x", 1)], {}, id="one annotation settles nothing"),
        pytest.param(
            [(1, "p", "report", "a", 1), (2, "p", "report", "b", 1)], {"p": (1, "report")}, id="two reports agree"
        ),
        pytest.param([(1, "p", "report", "a", 1), (2, "p", "report", "b", 0)], {}, id="a tie settles nothing"),
        pytest.param(
            [(1, "p", "report", "a", 1), (2, "p", "report", "b", 0), (3, "p", "report", "c", 0)],
            {"p": (0, "report")},
            id="a third vote breaks the tie",
        ),
        pytest.param(
            [(1, "p", "report", "a", 1), (2, "p", "report", "a", 1)], {}, id="one voter who repeats is one voter"
        ),
        pytest.param(
            [(1, "p", "report", "a", 1), (2, "p", "report", "b", 0), (3, "p", "report", "a", 0)],
            {"p": (0, "report")},
            id="a voter who speaks again replaces the vote",
        ),
        pytest.param(
            [(1, "p", "report", "a", 1), (2, "p", "annotation", "x", 0)],
            {"p": (0, "annotation")},
            id="an annotation weighs more than a report",
        ),
        pytest.param(
            [(1, "p", "annotation", "x", 0), (2, "p", "report", "a", 1), (3, "p", "report", "b", 1)],
            {"p": (1, "report")},
            id="two reports weigh more than an annotation, and the source is who won",
        ),
        pytest.param(
            [(1, "p", "annotation", "x", 1), (2, "p", "annotation", "y", 0), (3, "p", "report", "a", 1)],
            {"p": (1, "annotation")},
            id="one of two annotators is with the winner",
        ),
        pytest.param(
            [
                (1, "p", "report", "a", 1),
                (2, "p", "report", "b", 1),
                (3, "p", "annotation", "x", 1),
                (4, "p", "annotation", "x", 0),
            ],
            {"p": (1, "report")},
            id="an annotator who goes over to the losers is no source of what won",
        ),
        pytest.param(
            [
                (1, "p", "report", "a", 0),
                (2, "p", "report", "b", 0),
                (3, "p", "annotation", "x", 1),
                (4, "p", "annotation", "x", 0),
            ],
            {"p": (0, "annotation")},
            id="an annotator who comes over to the winners is",
        ),
        pytest.param(
            [(1, "p", "rating", "a", 1), (2, "p", "rating", "b", 1), (3, "p", "report", "c", 1)],
            {},
            id="a rating is no vote",
        ),
        pytest.param(
            [(1, "p", "report", "a", 1), (2, "q", "report", "b", 1)], {}, id="votes on two predictions do not add up"
        ),
        pytest.param(
            [(1, "q", "outcome", "feed", 0), (2, "p", "outcome", "feed", 1)],
            {"p": (1, "outcome"), "q": (0, "outcome")},
            id="each prediction has its own outcome",
        ),
    ],
)
def test_what_is_concluded_in_the_end(rows: list[Event], expected: dict[str, tuple[int, str]]) -> None:
    """Feedback in, label and its source out."""
    assert expected == final(rows)


def test_with_one_vote_needed_a_single_report_is_enough() -> None:
    """`min_votes` says how many voters must have spoken."""
    params = PARAMS.model_copy(update={"min_votes": 1})
    assert {"p": (1, "report")} == final([(1, "p", "report", "a", 1)], params)


def test_with_three_votes_needed_two_reports_are_not_enough() -> None:
    """`min_votes` says how many voters must have spoken."""
    params = PARAMS.model_copy(update={"min_votes": 3})
    assert {} == final([(1, "p", "report", "a", 1), (2, "p", "report", "b", 1)], params)


def test_an_event_that_arrives_out_of_order_in_the_table_counts_at_its_time() -> None:
    """The order of the rows means nothing: the newest outcome is the one received last."""
    rows: list[Event] = [(2, "p", "outcome", "feed", 1), (1, "p", "outcome", "feed", 0)]
    assert {"p": (1, "outcome")} == final(rows)


def test_the_confidence_of_an_outcome_is_the_accuracy_of_outcomes() -> None:
    """Nothing else is weighed where there is an outcome."""
    assert confidence([(1, "p", "report", "a", 1), (2, "p", "outcome", "feed", 1)]) == 0.99


def test_the_confidence_of_two_reports_is_their_joint_posterior() -> None:
    """Both right against both wrong: 0.8 x 0.8 against 0.2 x 0.2."""
    expected = 0.8 * 0.8 / (0.8 * 0.8 + 0.2 * 0.2)
    assert pytest.approx(expected, abs=1e-6) == confidence([(1, "p", "report", "a", 1), (2, "p", "report", "b", 1)])


def test_the_confidence_of_a_majority_is_that_of_its_lead() -> None:
    """Three against one weighs like two alone."""
    rows: list[Event] = [(n, "p", "report", f"user {n}", int(n != 2)) for n in range(1, 5)]
    assert pytest.approx(posterior(2 * REPORT), abs=1e-6) == confidence(rows)


def test_a_report_against_an_annotation_leaves_what_the_annotation_weighs_more() -> None:
    """An annotation of 0.9 against a report of 0.8: 0.9 x 0.2 against 0.1 x 0.8."""
    expected = 0.9 * 0.2 / (0.9 * 0.2 + 0.1 * 0.8)
    found = confidence([(1, "p", "report", "a", 1), (2, "p", "annotation", "x", 0)])
    assert pytest.approx(expected, abs=1e-6) == found == pytest.approx(posterior(ANNOTATION - REPORT), abs=1e-6)


def test_a_label_is_known_from_the_feedback_that_settled_it() -> None:
    """The second report settles it, not the first."""
    assert [(1, 5, 5, None)] == timeline([(2, "p", "report", "a", 1), (5, "p", "report", "b", 1)])


def test_feedback_that_confirms_is_a_revision_of_what_is_known_already() -> None:
    """The third report and the outcome make it surer; the label is known since the second."""
    rows: list[Event] = [(n, "p", "report", f"user {n}", 1) for n in (1, 2, 3)]
    assert [(1, 2, 2, 3), (1, 2, 3, 9), (1, 2, 9, None)] == timeline([*rows, (9, "p", "outcome", "feed", 1)])


def test_feedback_that_overturns_starts_a_new_label() -> None:
    """The outcome contradicts two reports: known anew from then on."""
    rows: list[Event] = [
        (1, "p", "report", "a", 1),
        (2, "p", "report", "b", 1),
        (9, "p", "outcome", "feed", 0),
    ]
    assert [(1, 2, 2, 9), (0, 9, 9, None)] == timeline(rows)


def test_a_tie_takes_the_label_back_until_it_is_broken() -> None:
    """Between the third and the fifth minute nothing is concluded; after it the label is known anew."""
    rows: list[Event] = [
        (1, "p", "report", "a", 1),
        (2, "p", "report", "b", 1),
        (3, "p", "report", "b", 0),
        (5, "p", "report", "c", 1),
    ]
    assert [(1, 2, 2, 3), (1, 5, 5, None)] == timeline(rows)


def test_feedback_that_changes_nothing_is_no_revision() -> None:
    """A report after the outcome, and the same outcome again."""
    rows: list[Event] = [
        (1, "p", "outcome", "feed", 1),
        (2, "p", "report", "a", 0),
        (3, "p", "outcome", "feed", 1),
    ]
    assert [(1, 1, 1, None)] == timeline(rows)


def test_revisions_count_the_voters_who_had_spoken() -> None:
    """Two, then three; a voter who repeats is not counted again."""
    rows: list[Event] = [
        (1, "p", "report", "a", 1),
        (2, "p", "annotation", "x", 1),
        (3, "p", "report", "a", 0),
        (4, "p", "report", "b", 1),
    ]
    assert [2, 2, 3] == conclude(feedback(rows), PARAMS)["n_votes"].tolist()


def test_a_label_is_sure_from_the_limit_on() -> None:
    """A confidence of exactly the limit is sure enough."""
    labels = pd.DataFrame({"prediction_id": ["p", "q", "r"], "label_confidence": [0.89, 0.9, 0.99]})
    assert ["q", "r"] == sure(labels, 0.9)["prediction_id"].tolist()


@pytest.mark.parametrize(("moment", "expected"), [(2, []), (2.5, [1]), (9, [1]), (9.5, [0])])
def test_known_before_reads_what_held_just_before_a_moment(moment: float, expected: list[int]) -> None:
    """What arrives at the moment itself is not known yet; what it overturns still holds."""
    rows: list[Event] = [(1, "p", "report", "a", 1), (2, "p", "report", "b", 1), (9, "p", "outcome", "feed", 0)]
    revisions = conclude(feedback(rows), PARAMS)
    assert expected == known_before(revisions, minute(moment))["label"].tolist()


def test_spans_join_the_revisions_of_one_label() -> None:
    """Known at 2, confirmed at 3, overturned at 9: two spans, the second open."""
    rows: list[Event] = [(n, "p", "report", f"user {n}", 1) for n in (1, 2, 3)]
    found = spans(conclude(feedback([*rows, (9, "p", "outcome", "feed", 0)]), PARAMS))
    expected = [("p", 1, minute(2), minute(9)), ("p", 0, minute(9), FOREVER)]
    assert expected == list(found[["prediction_id", "label", "known_at", "until"]].itertuples(index=False, name=None))


def test_spans_leave_out_the_time_of_a_tie() -> None:
    """Settled from 2 to 3, tied until 5, settled again."""
    rows: list[Event] = [
        (1, "p", "report", "a", 1),
        (2, "p", "report", "b", 1),
        (3, "p", "report", "b", 0),
        (5, "p", "report", "c", 1),
    ]
    found = spans(conclude(feedback(rows), PARAMS))
    expected = [(minute(2), minute(3)), (minute(5), FOREVER)]
    assert expected == list(found[["known_at", "until"]].itertuples(index=False, name=None))


def test_no_feedback_has_no_span() -> None:
    """The first day of a loop."""
    assert spans(conclude(feedback([]), PARAMS)).empty


@pytest.mark.parametrize("rows", [[], [(1, "p", "report", "a", 1)]], ids=["no feedback", "no label"])
def test_a_table_of_no_label_has_the_columns_and_types_of_any_other(rows: list[Event]) -> None:
    """Else the first day's file could not be read together with the next one's."""
    some = conclude(feedback([(1, "p", "outcome", "feed", 1)]), PARAMS)
    assert [*SAID, "superseded_at"] == some.columns.tolist()
    assert some.dtypes.to_dict() == conclude(feedback(rows), PARAMS).dtypes.to_dict()


# Several predictions at once: each of them is a case of its own.
events = st.lists(
    st.tuples(
        st.integers(0, 8),
        st.sampled_from(["p", "q", "r", "s"]),
        st.sampled_from(["outcome", "report", "report", "report", "annotation"]),
        st.sampled_from(["a", "b", "c"]),
        st.sampled_from([0, 1]),
    ),
    max_size=30,
)
SAID = ["prediction_id", "label", "label_confidence", "label_source", "n_votes", "known_at", "revised_at"]


@pytest.mark.slow
@settings(max_examples=30, deadline=None)
@given(rows=events, moment=st.integers(0, 9))
def test_what_was_known_at_a_moment_never_changes_afterwards(rows: list[Event], moment: int) -> None:
    """Concluding from what had arrived is the same as reading that moment from what is concluded later."""
    everything = feedback(rows)
    earlier = conclude(everything[everything["received_at"] < minute(moment)], PARAMS)
    then = earlier[earlier["superseded_at"].isna()][SAID]
    now = known_before(conclude(everything, PARAMS), minute(moment))[SAID]
    assert then.to_dict(orient="records") == now.to_dict(orient="records")


@pytest.mark.slow
@settings(max_examples=30, deadline=None)
@given(rows=events, moment=st.integers(0, 9))
def test_spans_hold_the_label_that_was_known_at_any_moment(rows: list[Event], moment: int) -> None:
    """Both ways to read the past agree: revisions that held, and spans that cover the moment."""
    revisions = conclude(feedback(rows), PARAMS)
    held = spans(revisions)
    covering = held[(held["known_at"] < minute(moment)) & (held["until"] >= minute(moment))]
    columns = ["prediction_id", "label", "known_at"]
    expected = known_before(revisions, minute(moment))[columns].to_dict(orient="records")
    assert expected == covering[columns].to_dict(orient="records")


def many_events(seed: int) -> list[Event]:
    """Three hundred events about forty predictions, several of them at each moment."""
    rng = np.random.default_rng(seed)
    channels = rng.choice(["outcome", "report", "annotation"], 300, p=[0.1, 0.7, 0.2])
    columns = [rng.integers(0, 9, 300), rng.integers(10, 50, 300), channels, rng.choice(["a", "b", "c", "d"], 300)]
    return [
        (int(at), f"p{number}", str(channel), str(source), int(rng.integers(0, 2)))
        for at, number, channel, source in zip(*columns, strict=True)
    ]


@pytest.mark.parametrize("seed", [1, 2])
def test_what_was_known_of_many_predictions_never_changes_afterwards(seed: int) -> None:
    """At every moment, whatever arrives later."""
    everything = feedback(many_events(seed))
    revisions = conclude(everything, PARAMS)
    for n in range(10):
        earlier = conclude(everything[everything["received_at"] < minute(n)], PARAMS)
        then = earlier[earlier["superseded_at"].isna()][SAID]
        now = known_before(revisions, minute(n))[SAID]
        assert then.to_dict(orient="records") == now.to_dict(orient="records")


@settings(max_examples=15, deadline=None)
@given(rows=events, seed=st.integers(0, 2**32 - 1))
def test_the_order_of_the_rows_changes_nothing(rows: list[Event], seed: int) -> None:
    """The same events in another order give the same revisions."""
    everything = feedback(rows)
    shuffled = everything.sample(frac=1, random_state=seed)
    pd.testing.assert_frame_equal(conclude(everything, PARAMS), conclude(shuffled, PARAMS))


def test_agreement_compares_votes_with_the_outcome() -> None:
    """Of three reports with an outcome two say the same; the annotation does not; `q` has no outcome."""
    rows: list[Event] = [
        (1, "p", "report", "a", 1),
        (2, "p", "report", "b", 1),
        (3, "p", "report", "c", 0),
        (4, "p", "annotation", "x", 0),
        (5, "p", "outcome", "feed", 1),
        (6, "q", "report", "a", 1),
    ]
    expected = {"report": {"votes": 3, "share": 2 / 3}, "annotation": {"votes": 1, "share": 0 / 1}}
    assert expected == agreement(feedback(rows))["with_outcome"]


def test_agreement_counts_pairs_of_votes_on_the_same_prediction() -> None:
    """Votes 1 1 0 make three pairs of which one agrees; votes 0 0 make one that agrees."""
    rows: list[Event] = [(n, "p", "report", f"user {n}", int(n < 3)) for n in (1, 2, 3)]
    rows += [(4, "q", "report", "a", 0), (5, "q", "annotation", "x", 0)]
    assert {"pairs": 3 + 1, "share": (1 + 1) / 4} == agreement(feedback(rows))["between_votes"]


def test_agreement_of_nothing_is_null() -> None:
    """No votes have no share."""
    nothing = {"votes": 0, "share": None}
    expected = {
        "with_outcome": {"report": nothing, "annotation": nothing},
        "between_votes": {"pairs": 0, "share": None},
    }
    assert expected == agreement(feedback([]))


def test_the_label_report_counts_coverage_and_sources() -> None:
    """Of four predictions three have a label, two of them by an outcome."""
    rows: list[Event] = [
        (60, "p", "outcome", "feed", 1),
        (120, "q", "outcome", "feed", 0),
        (60, "r", "report", "a", 1),
        (180, "r", "report", "b", 1),
        (60, "s", "report", "a", 1),
    ]
    said = feedback(rows)
    predictions = pd.DataFrame({"prediction_id": ["p", "q", "r", "s"], "served_at": [START] * 4})
    current = conclude(said, PARAMS).merge(predictions, on="prediction_id")
    found = summarize(current, predictions, said, concluded(said))
    assert (4, 3, 3 / 4, 2 / 3) == (found["predictions"], found["labels"], found["coverage"], found["positive_share"])
    assert found["median_hours_to_label"] == 2
    assert {
        "outcome": {"labels": 2, "share": pytest.approx(2 / 3), "positive_share": 1 / 2},
        "report": {"labels": 1, "share": pytest.approx(1 / 3), "positive_share": 1 / 1},
    } == found["by_source"]


def test_the_feedback_report_knows_who_always_says_yes() -> None:
    """Three users with twenty checked reports: one always says yes and is right half of the time."""
    rows: list[Event] = []
    for n in range(20):
        rows += [
            (1, f"p{n:02}", "outcome", "feed", n % 2),
            (2, f"p{n:02}", "report", "always yes", 1),
            (3, f"p{n:02}", "report", "careful", n % 2),
            (4, f"p{n:02}", "report", "careful too", n % 2),
        ]
    said = feedback(rows)
    found = describe_feedback(said, conclude(said, PARAMS))["reporters"]
    assert (3, 1) == (found["with_20_checked_reports"], found["always_yes"])
    assert pytest.approx((1 / 2 + 1 / 1) / 2) == found["right_share_quantiles"]["p25"]


def test_the_feedback_report_counts_events_and_sources_by_channel() -> None:
    """Three reports of two users; channels that are silent are listed with 0."""
    rows: list[Event] = [
        (1, "p", "report", "a", 1),
        (2, "q", "report", "a", 1),
        (3, "p", "report", "b", 1),
        (4, "p", "rating", "a", -1),
    ]
    said = feedback(rows)
    found = describe_feedback(said, conclude(said, PARAMS))
    assert {"events": 3, "sources": 2, "top_1pct_share": 2 / 3} == found["by_channel"]["report"]
    assert {"events": 0, "sources": 0, "top_1pct_share": None} == found["by_channel"]["ticket"]
    assert {"n": 1, "mean": -1} == found["ratings"]


def test_reports_about_nothing_at_all_are_written_too() -> None:
    """No prediction and no feedback: nothing is covered, and what cannot be measured is null."""
    said = feedback([])
    labels = conclude(said, PARAMS)
    predictions = pd.DataFrame(
        {"prediction_id": pd.Series(dtype="str"), "served_at": pd.Series(dtype="datetime64[us, UTC]")}
    )
    found = summarize(labels.merge(predictions, on="prediction_id"), predictions, said, concluded(said))
    assert (0, 0, 0.0) == (found["predictions"], found["labels"], found["coverage"])
    silent = describe_feedback(said, labels)
    assert {"n": 0, "mean": None} == silent["ratings"]
    assert {None} == set(silent["reporters"]["right_share_quantiles"].values())


def test_claims_that_do_not_say_who_made_them_are_voters_of_their_own() -> None:
    """Two reports without a source are two votes; two of one person are one."""
    rows: list[Event] = [(1, "p", "report", "", 1), (2, "p", "report", "", 1)]
    nobody = feedback(rows).assign(source_id=pd.Series([None, None], dtype="str"))
    assert [1] == conclude(nobody, PARAMS)["label"].tolist()
    assert [] == conclude(nobody.assign(source_id="ann"), PARAMS)["label"].tolist()


def test_what_voices_alone_would_say_of_predictions_with_an_outcome() -> None:
    """Two reports against the outcome give their own label; one report is too few; without an outcome nothing is asked."""
    rows: list[Event] = [
        (1, "a", "report", "ann", 1),
        (2, "a", "report", "bob", 1),
        (3, "a", "outcome", "feed", 0),
        (1, "b", "report", "ann", 1),
        (2, "b", "outcome", "feed", 1),
        (1, "c", "report", "ann", 1),
        (2, "c", "report", "bob", 1),
        (1, "d", "outcome", "feed", 1),
    ]
    found = concluded(feedback(rows)).without_outcome
    assert [("a", 1)] == list(zip(found["prediction_id"], found["label"], strict=True))
    assert (found["label_confidence"] > PARAMS.min_confidence).all()


def test_with_outcomes_alone_voices_would_say_nothing() -> None:
    """Nobody spoke: the table has its columns and no row."""
    found = concluded(feedback([(1, "a", "outcome", "feed", 1)])).without_outcome
    assert (0, ["prediction_id", "label", "label_confidence"]) == (len(found), found.columns.tolist())
