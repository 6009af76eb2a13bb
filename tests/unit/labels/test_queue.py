"""The queue: what is planted to be worth a look comes first, with its reason, and the audit stands for all labels."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

from flywheel.labels.conclude import conclude
from flywheel.labels.queue import Known, choose
from flywheel.labels.revisions import known_before
from flywheel.labels.settings import Label, LabelAccuracy, Quarantine, Queue

START = pd.Timestamp("2030-05-01", tz="UTC")
AS_OF = dt.date(2030, 5, 8)
OFF = Quarantine(rest_days=1, one_answer=None, fast=None, regular=None, shared_errors=None, lockstep=None)
LABEL = Label(
    min_confidence=0.75,
    min_votes=1,
    accuracy=LabelAccuracy(outcome=0.99, report=0.8, annotation=0.9),
    prior_by=(),
    prior_weight=20,
    revisit_days=(),
    max_iterations=50,
    quarantine=OFF,
)
QUEUE = Queue(rows=10, days=7, audit_share=0.0, unsure_below=0.9, looks=2, seed=1)
ANN = "a" * 16

Event = tuple[
    str, str, str | None, int
]  # prediction, channel, source, value; a fifth says why it was asked, under rubric 1


def known(
    served: dict[str, str], rows: list[Any], out: tuple[str, ...] = (), judged: tuple[str, ...] = (), day: float = 1.0
) -> Known:
    """What is known of some predictions, each at a place, served on the first day; the claims of the sources in `out` are
    quarantined, and those in `judged` confirmed by a person."""
    said = pd.DataFrame(
        [(*row, None)[:5] for row in rows], columns=["prediction_id", "channel", "source_id", "value", "asked"]
    )
    said = said.assign(
        feedback_id=[f"f{n:04}" for n in range(len(said))],
        received_at=pd.Series([START + pd.Timedelta(days=day)] * len(said), dtype="datetime64[us, UTC]"),
        value=said["value"].astype("float64"),
        rubric=["1" if len(row) == 5 else None for row in rows],
    )
    said = said.astype(
        dict.fromkeys(("prediction_id", "channel", "source_id", "asked", "feedback_id", "rubric"), "str")
    )
    predictions = pd.DataFrame(
        {"prediction_id": pd.Series(list(served), dtype="str"), "served_at": START.as_unit("us")}
    )
    gone = said["source_id"].isin([*out, *judged])
    since = pd.Series(START, said.index).where(gone).astype("datetime64[us, UTC]")
    labels = known_before(conclude(said, predictions, LABEL, AS_OF, since).revisions, pd.Timestamp(AS_OF, tz="UTC"))
    cohorts = pd.DataFrame({"place": pd.Series(list(served.values()), dtype="str")})
    return Known(predictions, cohorts, said, since, said["source_id"].isin(list(out)), labels)


def asked(found: Known, annotator: str | None = None, **changes: Any) -> list[tuple[str, str, str]]:
    """The queue as tuples."""
    rows = choose(found, QUEUE.model_copy(update=changes), LABEL, AS_OF, "1", annotator)
    return list(rows.itertuples(index=False, name=None))


def outcomes(names: list[str]) -> list[Event]:
    """An outcome of each of some predictions."""
    return [(name, "outcome", "feed", k % 2) for k, name in enumerate(names)]


def test_each_reason_is_told_and_the_most_worth_comes_first() -> None:
    """Two against two before one against one; then one who is not quite sure, a claim in quarantine, and a thin place."""
    settled = [f"s{k:02}" for k in range(40)]
    served = dict.fromkeys(["two", "one", "alone", "poison", "silent"], "north") | dict.fromkeys(settled, "south")
    rows: list[Event] = [
        *outcomes(settled),
        *(("two", "report", f"u{k}", k % 2) for k in range(4)),
        *(("one", "report", f"u{k}", k % 2) for k in range(2)),
        ("alone", "report", "u9", 1),
        ("poison", "report", "bad", 1),
    ]
    found = asked(known(served, rows, out=("bad",)))
    assert [("two", "disagreement"), ("poison", "quarantine")] == [
        (name, why) for name, why, _ in found if why in ("disagreement", "quarantine")
    ][:1] + [(name, why) for name, why, _ in found if why == "quarantine"]
    words = {name: why for name, _, why in found}
    assert words["two"].startswith("sources disagree, 2 against 2; what is said of it is 5")
    assert words["one"].startswith("sources disagree, 1 against 1")
    assert words["alone"].startswith("what is said of it is")
    assert words["poison"].startswith("without claims in quarantine it has no label")
    assert words["silent"].startswith("few labels where place is north: ")
    names = [name for name, _, _ in found]
    assert names.index("two") < names.index("one") < names.index("alone")
    assert not {*settled} & {*names}


def test_the_reasons_take_turns() -> None:
    """So a long list of one reason does not crowd out the others."""
    settled = [f"s{k:02}" for k in range(40)]
    fought, silent = [f"d{k}" for k in range(9)], [f"t{k}" for k in range(9)]
    served = dict.fromkeys([*fought, *silent], "north") | dict.fromkeys(settled, "south")
    rows = [*outcomes(settled), *((name, "report", f"u{k}", k % 2) for name in fought for k in range(2))]
    found = asked(known(served, rows), rows=6)
    assert ["disagreement", "uncertainty", "thin cohort"] * 2 == [why for _, why, _ in found]


def test_a_quarantine_that_people_have_judged_is_disputed_no_more() -> None:
    """A confirmed one needs no look; nor does one that says what the label says."""
    settled = [f"s{k:02}" for k in range(40)]
    served = dict.fromkeys(["p", "same"], "south") | dict.fromkeys(settled, "south")
    rows: list[Event] = [*outcomes(settled), ("p", "report", "bad", 1), ("same", "report", "worse", 1)]
    rows += [("same", "report", f"u{k}", 1) for k in range(3)]
    assert {"p"} == {name for name, why, _ in asked(known(served, rows, out=("bad", "worse"))) if why == "quarantine"}
    found = asked(known(served, rows, out=("worse",), judged=("bad",)))
    assert "quarantine" not in {why for _, why, _ in found}


def test_an_outcome_settles_it() -> None:
    """Whatever people say against it; it may only be drawn at random."""
    rows: list[Event] = [("p", "outcome", "feed", 1), ("p", "report", "u1", 0), ("p", "report", "u2", 1)]
    found = known({"p": "north"}, rows)
    assert [] == asked(found)
    assert [("p", "audit", "drawn at random")] == asked(found, audit_share=0.5)


def test_nobody_is_asked_twice_and_no_prediction_more_often_than_said() -> None:
    """Under today's rubric; the audit is drawn from what was not audited yet, whoever else has looked."""
    rows: list[Any] = [(name, "report", f"u{k}", k % 2) for name in ("p", "q") for k in range(2)]
    one = [*rows, ("p", "annotation", ANN, 1, "disagreement")]
    assert ["p", "q"] == sorted(name for name, _, _ in asked(known(dict.fromkeys("pq", "n"), one)))
    assert ["q"] == [name for name, _, _ in asked(known(dict.fromkeys("pq", "n"), one), ANN)]
    two = [*one, ("p", "annotation", "b" * 16, 0, "disagreement")]
    assert ["q"] == [name for name, _, _ in asked(known(dict.fromkeys("pq", "n"), two))]
    sure: list[Any] = [("r", "outcome", "feed", 1)]
    for k, why in enumerate(("uncertainty", "uncertainty")):
        sure.append(("r", "annotation", str(k) * 16, 1, why))
    assert ["r"] == [name for name, _, _ in asked(known({"r": "n"}, sure), audit_share=1.0)]
    sure.append(("r", "annotation", "c" * 16, 1, "audit"))
    assert [] == asked(known({"r": "n"}, sure), audit_share=1.0)


def test_only_what_was_served_lately_is_asked() -> None:
    """The eighth day back is too long ago for a queue of seven."""
    rows: list[Event] = [("p", "report", "u1", 0), ("p", "report", "u2", 1)]
    assert 1 == len(asked(known({"p": "n"}, rows), days=7))
    assert [] == asked(known({"p": "n"}, rows), days=6)


def test_the_audit_is_spread_over_the_queue_and_drawn_from_all_labels() -> None:
    """A fifth of ten rows: near a quarter and three quarters. Another seed draws others."""
    settled = [f"s{k:02}" for k in range(60)]
    fought = [f"d{k}" for k in range(20)]
    served = dict.fromkeys([*fought, *settled], "n")
    rows = [*outcomes(settled), *((name, "report", f"u{k}", k % 2) for name in fought for k in range(2))]
    found = known(served, rows)
    reasons = [why for _, why, _ in asked(found, audit_share=0.2)]
    assert (10, [2, 7]) == (len(reasons), [at for at, why in enumerate(reasons) if why == "audit"])
    drawn = [{name for name, why, _ in asked(found, audit_share=0.5, seed=seed) if why == "audit"} for seed in (1, 2)]
    assert drawn[0] != drawn[1]
    assert drawn[0] | drawn[1] <= {*settled}


def test_the_draw_does_not_look_at_labels() -> None:
    """Over many seeds each label is drawn about as often: 20 of them, ten at a time, 30 times, so 15 times each."""
    settled = [f"s{k:02}" for k in range(20)]
    found = known(dict.fromkeys(settled, "n"), outcomes(settled))
    drawn = pd.Series([name for seed in range(30) for name, _, _ in asked(found, audit_share=1.0, seed=seed)])
    counts = drawn.value_counts().reindex(settled, fill_value=0)
    assert (300, True, True) == (len(drawn), counts.min() > 4, counts.max() < 26)


@settings(max_examples=8, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from("abcdef"), st.sampled_from(["report", "outcome"]), st.sampled_from("uvw"), st.integers(0, 1)
        ),
        min_size=1,
        max_size=20,
    ),
    st.randoms(use_true_random=False),
)
def test_the_same_knowledge_gives_the_same_queue(rows: list[Event], random: Any) -> None:
    """In whatever order the predictions stand; each prediction at most once, and with a reason."""
    unique = list({(one[0], one[1], one[2]): one for one in rows}.values())
    names = list("abcdef")
    first = asked(known(dict.fromkeys(names, "n"), unique), audit_share=0.3)
    random.shuffle(names)
    assert first == asked(known(dict.fromkeys(names, "n"), unique), audit_share=0.3)
    assert len(first) == len({name for name, _, _ in first}) <= QUEUE.rows
    assert all(why for _, _, why in first)


def test_without_anything_there_is_no_queue() -> None:
    """No predictions, no rows."""
    assert [] == asked(known({}, []), audit_share=0.5)
