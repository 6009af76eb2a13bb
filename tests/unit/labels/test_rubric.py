"""A new version of the rubric is a new source as to reliability, and the same voter."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd

from flywheel.labels.annotators import describe_annotators
from flywheel.labels.claims import NEVER, Claims, read
from flywheel.labels.conclude import Concluded, conclude
from flywheel.labels.settings import Label, LabelAccuracy, Quarantine

START = pd.Timestamp("2030-05-01", tz="UTC")
OFF = Quarantine(rest_days=1, one_answer=None, fast=None, regular=None, shared_errors=None, lockstep=None)
PARAMS = Label(
    min_confidence=0.75,
    min_votes=1,
    accuracy=LabelAccuracy(outcome=0.99, report=0.8, annotation=0.9),
    prior_by=(),
    prior_weight=20,
    revisit_days=(),
    max_iterations=50,
    quarantine=OFF,
)

Event = tuple[float, str, str, str | None, int, str | None]  # days, prediction, channel, source, value, rubric


def table(rows: list[Event]) -> pd.DataFrame:
    """Events as the table of feedback."""
    columns = ["days", "prediction_id", "channel", "source_id", "value", "rubric"]
    said = pd.DataFrame(rows, columns=columns)
    moments = START + pd.to_timedelta(said["days"].astype("float64"), unit="D")
    texts = {
        name: pd.Series(list(said[name]), dtype="str") for name in ("prediction_id", "channel", "source_id", "rubric")
    }
    ids = pd.Series([f"f{n:04}" for n in range(len(rows))], dtype="str")
    received = moments.astype("datetime64[us, UTC]")
    return pd.DataFrame(
        {"feedback_id": ids, "received_at": received, "value": said["value"].astype("float64"), **texts}
    )


def concluded(rows: list[Event], days: int = 30) -> tuple[Concluded, pd.DataFrame]:
    """What follows after some days, and the predictions."""
    names = sorted({row[1] for row in rows})
    served = pd.DataFrame({"prediction_id": pd.Series(names, dtype="str"), "served_at": START.as_unit("us")})
    end = (START + pd.Timedelta(days=days)).date()
    return conclude(table(rows), served, PARAMS, end), served


def wrong(rubric: str | None, n: int = 40) -> list[Event]:
    """An annotator who contradicts as many outcomes, and nine who do not: a newcomer is believed as people usually are."""
    outcomes: list[Event] = [(0.5, f"o{k:03}", "outcome", "feed", k % 2, None) for k in range(n)]
    others: list[Event] = [
        (1.0, f"o{k:03}", "annotation", f"other {who}", k % 2, rubric) for k in range(n) for who in range(9)
    ]
    return outcomes + others + [(1.5, f"o{k:03}", "annotation", "ann", 1 - k % 2, rubric) for k in range(n)]


def trust_in(claims: Claims, found: Concluded, rubric: str | None) -> float:
    """How far the annotator is believed of what is 1, under a version."""
    under = claims.sources["rubric"]
    at = np.flatnonzero(under.isna() if rubric is None else under == rubric)
    [place] = [one for one in at if claims.sources["source_id"][one] == "ann"]
    return float(found.trust.sensitivity[place])


def test_under_a_new_version_the_record_begins_anew() -> None:
    """Who was always wrong under the first is believed under the second as newcomers are."""
    found, _ = concluded([*wrong("1"), (3.0, "p", "annotation", "ann", 1, "2")])
    assert trust_in(found.claims, found, "1") < 0.5
    assert trust_in(found.claims, found, "2") > 0.8
    label = found.revisions.set_index("prediction_id").loc["p"]
    assert (1, "annotation") == (label["label"], label["label_source"])
    same, _ = concluded([*wrong("1"), (3.0, "p", "annotation", "ann", 1, "1")])
    assert "p" not in set(same.revisions["prediction_id"])


def test_an_annotation_without_a_rubric_is_another_source_too() -> None:
    """A table from elsewhere is complete without one."""
    found, _ = concluded([*wrong(None), (3.0, "p", "annotation", "ann", 1, "1")])
    assert trust_in(found.claims, found, None) < 0.5 < trust_in(found.claims, found, "1")


def test_the_same_annotator_has_one_vote() -> None:
    """An answer under the new version replaces the one under the old: it is the same person."""
    claims = read(table([(1, "p", "annotation", "ann", 0, "1"), (2, "p", "annotation", "ann", 1, "2")]))
    assert [False, True] == (claims.until == NEVER).tolist()
    assert 2 == len(claims.sources)
    found, _ = concluded([(1, "p", "annotation", "ann", 0, "1"), (2, "p", "annotation", "ann", 1, "2")])
    assert [1, 1] == found.revisions["n_votes"].tolist()
    assert 1 == found.revisions["label"].iloc[-1]


def test_annotators_without_a_name_are_told_apart_by_their_rubric() -> None:
    """Trust in all of them is one for each version, and each claim is a voter of its own."""
    claims = read(table([(1, "p", "annotation", None, 0, "1"), (2, "p", "annotation", None, 1, "2")]))
    assert (2, [True, True]) == (len(claims.sources), (claims.until == NEVER).tolist())


def test_without_a_rubric_all_is_as_without_the_column() -> None:
    """The same sources in the same order, so no label of a project without rubrics changes; reports have none."""
    rows: list[Event] = [*wrong(None), (2, "p", "report", "ann", 1, None), (2, "p", "report", None, 1, None)]
    plain, other = read(table(rows).drop(columns="rubric")), read(table(rows))
    assert (plain.source.tolist(), plain.until.tolist()) == (other.source.tolist(), other.until.tolist())
    pd.testing.assert_frame_equal(plain.sources, other.sources)
    ruled = table(rows).assign(rubric=lambda rows: rows["rubric"].where(rows["channel"] != "report", "1"))
    assert plain.source.tolist() == read(ruled).source.tolist()


def test_annotators_are_listed_by_version_and_do_not_confirm_themselves() -> None:
    """What somebody said under the first version says nothing of what he says under the second."""
    rows: list[Event] = [(1, f"p{k}", "annotation", "ann", 1, "1") for k in range(30)]
    rows += [(1, f"q{k}", "annotation", "ann", 1, "2") for k in range(30)]
    rows += [(2, f"p{k}", "report", "ann", 1, None) for k in range(30)]
    found, served = concluded(rows)
    listed = describe_annotators(found, served, PARAMS, dt.date(2030, 5, 31))["busiest"]
    assert [("ann, rubric 1", 30, 0), ("ann, rubric 2", 30, 0)] == [
        (one["source"], one["annotations"], one["known"]) for one in listed
    ]
