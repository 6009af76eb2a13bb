"""What a text claims, whose voice it is, and how far that is believed."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Sequence
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flywheel.errors import ConfigError
from flywheel.labels.conclude import Concluded, conclude
from flywheel.labels.quarantine import out_since
from flywheel.labels.settings import Label, LabelAccuracy, Quarantine, Texts
from flywheel.labels.summary import agreement, trust
from flywheel.labels.texts.said import NOTHING, said, with_texts
from flywheel.params import parse

TEXTS = Texts(
    accuracy=0.75,
    says_1={"en": ("late", "was ... cancelled", "no show"), "de": ("verspätet",), "zh": ("晚点",)},
    says_0={"en": ("on time", "too early to be late"), "zh": ("准点",)},
    negations={"en": ("not", "never", "no", "wasn't"), "de": ("nicht",), "zh": ("没有", "没")},
)
PARAMS = Label(
    min_confidence=0.8,
    min_votes=1,
    accuracy=LabelAccuracy(outcome=0.99, report=0.85, annotation=0.93),
    prior_by=(),
    prior_weight=20,
    revisit_days=(1, 7),
    max_iterations=50,
    quarantine=Quarantine(rest_days=1, one_answer=None, fast=None, regular=None, shared_errors=None, lockstep=None),
    texts=TEXTS,
)
START = dt.date(2030, 5, 1)
SAID = ["prediction_id", "label", "label_confidence", "label_source", "n_votes", "known_at", "revised_at"]

# Days since START, prediction, channel, source; a number is a claim, and words are a text.
Event = tuple[float, str, str, str | None, int | str]


def moment(days: float) -> pd.Timestamp:
    return pd.Timestamp(START, tz="UTC") + pd.Timedelta(days=days)


def feedback(rows: Sequence[Event]) -> pd.DataFrame:
    is_text = [isinstance(row[4], str) for row in rows]
    return pd.DataFrame(
        {
            "feedback_id": pd.Series([f"f{n:05}" for n in range(len(rows))], dtype="str"),
            "prediction_id": pd.Series([row[1] for row in rows], dtype="str"),
            "received_at": pd.Series([moment(row[0]) for row in rows], dtype="datetime64[us, UTC]"),
            "channel": pd.Series([row[2] for row in rows], dtype="str"),
            "source_id": pd.Series([row[3] for row in rows], dtype="str"),
            "value": pd.Series(
                [None if no else row[4] for row, no in zip(rows, is_text, strict=True)], dtype="float64"
            ),
            "text": pd.Series([row[4] if yes else None for row, yes in zip(rows, is_text, strict=True)], dtype="str"),
        }
    )


def concluded(
    rows: Sequence[Event], days: int, params: Label = PARAMS, quarantine: pd.DataFrame | None = None
) -> Concluded:
    claims = with_texts(feedback(rows), params.texts)
    names = sorted({row[1] for row in rows})
    served = pd.DataFrame({"prediction_id": pd.Series(names, dtype="str"), "served_at": moment(0)})
    out = None if quarantine is None else out_since(claims, quarantine)
    return conclude(claims, served, params, START + dt.timedelta(days=days), out)


def outcomes(n: int, ones: int, day: float = 0.2) -> list[Event]:
    return [(day, f"o{k:04}", "outcome", "feed", int(k < ones)) for k in range(n)]


def last(found: Concluded, name: str) -> dict[str, Any]:
    mine = found.revisions[found.revisions["prediction_id"] == name]
    rows = mine[mine["superseded_at"].isna()].to_dict(orient="records")
    return rows[0] if rows else {}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("It was late.", 1),
        ("It was not late.", 0),
        ("It wasn’t really LATE!", 0),
        ("It was never cancelled", 0),
        ("It was cancelled", 1),
        ("Not on time", 1),
        ("Never not late", NOTHING),
        ("Not good. Late again.", 1),
        ("No, it was late", 1),
        ("I had no idea that it was late", 1),
        ("Was it late?", NOTHING),
        ("Was it late? It was on time.", 0),
        ("Late, not on time", 1),
        ("On time at first, then late", NOTHING),
        ("Too early to be late", 0),
        ("A no show", 1),
        ("Not [name]. late", 1),
        ("on, time", NOTHING),
        ("Er war verspätet", 1),
        ("Er war nicht verspätet", 0),
        ("航班晚点了", 1),
        ("航班没有晚点", 0),
        ("航班晚点了吗？准点。", 0),
        ("\0late\0", 1),
        ("chocolate", NOTHING),
        ("", NOTHING),
        ("🙂" * 50, NOTHING),
    ],
)
def test_a_text_says_what_its_phrases_say(text: str, value: int) -> None:
    """Negations turn it round, inside their own sentence; questions and contradictions say nothing."""
    assert said([text], TEXTS).tolist() == [value]


@pytest.mark.parametrize(
    "text",
    [
        "late " * 200_000,
        "not " * 250_000,
        "was " * 250_000,
        "." * 1_000_000,
        "a" * 1_000_000,
        "é̈" * 400_000,
        "\0" * 1_000_000,
        "was a " * 170_000,
        "(" * 1_000_000,
        "晚点没" * 330_000,
    ],
)
def test_a_megabyte_of_anything_is_read_in_less_than_a_second(text: str) -> None:
    """No phrase, however it is written, makes reading take long."""
    texts = TEXTS.model_copy(
        update={"says_1": {"en": ("was ... a* ... cancelled", "a* a* a*", "late", "l* ... l* ... e*")}}
    )
    began = time.perf_counter()
    said([text], texts)
    assert time.perf_counter() - began < 1


@given(st.text(max_size=300))
def test_any_text_says_one_of_three_things(text: str) -> None:
    """Whatever is written."""
    assert said([text], TEXTS).tolist()[0] in (0, 1, NOTHING)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"says_1": {}, "says_0": {}}, "there is no phrase in says_1 or says_0"),
        ({"says_1": {"en": []}, "says_0": {"en": []}}, "there is no phrase in says_1 or says_0"),
        ({"says_0": {"en": ["Late"]}}, "'late' is in both says_1 and says_0"),
        ({"says_1": {"en": [1]}}, r"says_1\.en\.0: found 1"),
        ({"says_1": {"en": "late"}}, r"says_1\.en: found 'late'"),
        ({"says_1": {"en": ["(a+)+$"]}}, "should be plain words"),
        ({"says_1": {"en": ["late\0"]}}, "should be plain words"),
        ({"says_1": {"en": ["a ... b ... c ... d"]}}, "should be plain words"),
        ({"says_1": {"en": ["x" * 1_000_000]}}, "should be plain words"),
        ({"negations": {"en": ["not at all"]}}, "should be one plain word"),
        ({"negations": {"en": [False]}}, r"negations\.en\.0: found False"),
        ({"accuracy": 0.5}, "accuracy"),
    ],
)
def test_wrong_phrases_are_refused_by_what_is_wrong(change: dict[str, Any], message: str) -> None:
    """In conf, before anything is read: a message, not a traceback."""
    values = TEXTS.model_dump(mode="json")
    with pytest.raises(ConfigError, match=message):
        parse(Texts, values | change)


def test_a_ticket_that_claims_is_a_label_where_texts_were_right() -> None:
    """Outcomes confirm 30 texts, none is refuted: the next one settles a label, and the label says so."""
    rows = [*outcomes(300, 90), *((0.4, f"o{k:04}", "ticket", f"u{k}", "late") for k in range(30))]
    found = last(concluded([*rows, (1.5, "p", "ticket", "ann", "It was late.")], 2), "p")
    assert (found["label"], found["label_source"], found["n_votes"]) == (1, "text", 1)
    assert found["known_at"] == moment(1.5)


def test_texts_that_outcomes_refute_are_not_believed() -> None:
    """Half of them wrong, written about what is 1 as often as what is 0 deserves: no label follows."""
    rows = [*outcomes(300, 90), *((0.4, f"o{k:04}", "ticket", f"u{k}", "late") for k in range(60, 160))]
    assert last(concluded([*rows, (1.5, "p", "ticket", "ann", "late")], 2), "p") == {}


def test_that_people_write_at_all_counts_as_a_sign() -> None:
    """All texts say 1, so the coins tell nothing. That they were written about what is 1 alone does."""
    about_ones = [*outcomes(300, 90), *((0.4, f"o{k:04}", "ticket", None, "late") for k in range(60))]
    about_all = [*outcomes(300, 90), *((0.4, f"o{k:04}", "ticket", None, "late") for k in range(0, 300, 5))]
    asked: list[Event] = [(1.5, "p", "ticket", "ann", "late")]
    speaks = [concluded([*rows, *asked], 2).trust.speaks for rows in (about_ones, about_all)]
    assert speaks[0][-1] > 1.5  # type: ignore[index]
    assert abs(speaks[1][-1]) < 0.2  # type: ignore[index]


def test_what_texts_were_right_about_counts_from_the_next_morning_on() -> None:
    """Texts are believed as of the morning of their day, like all voices."""
    params = PARAMS.model_copy(update={"revisit_days": ()})
    rows = [*outcomes(300, 90), *((0.4, f"o{k:04}", "ticket", f"u{k}", "late") for k in range(30))]
    found = concluded([*rows, (0.9, "p", "ticket", "ann", "late"), (1.1, "q", "ticket", "bob", "late")], 2, params)
    assert last(found, "p") == {}
    assert last(found, "q")["label"] == 1


def test_who_reports_and_writes_is_heard_once() -> None:
    """In either order, and whatever else is there, labels are those without the text."""
    report: Event = (1.5, "p", "report", "ann", 1)
    alone = concluded([report], 3).revisions[SAID]
    assert concluded([report, (1.6, "p", "ticket", "ann", "late")], 3).revisions[SAID].equals(alone)
    after = concluded([(1.4, "p", "ticket", "ann", "late"), report], 3).revisions[SAID]
    assert after.drop(columns="known_at").iloc[-1].tolist() == alone.drop(columns="known_at").iloc[-1].tolist()
    assert after["n_votes"].tolist()[-1] == 1
    assert concluded([(1.4, "p", "ticket", "bob", "late"), report], 3).revisions["n_votes"].tolist()[-1] == 2


def test_a_text_is_taken_back_once() -> None:
    """Ann writes, reports, reports again; then Bob writes: one vote of hers, and the text of Bob."""
    rows: list[Event] = [
        (1.1, "p", "ticket", "ann", "late"),
        (1.2, "p", "report", "ann", 0),
        (1.3, "p", "report", "ann", 1),
        (1.4, "p", "ticket", "bob", "late"),
    ]
    at_once = PARAMS.model_copy(update={"revisit_days": ()})  # what is summed up on the day is not summed up again
    plain = last(concluded(rows[2:], 2, at_once), "p")
    found = last(concluded(rows, 2, at_once), "p")
    assert (found["n_votes"], found["label_confidence"]) == (2, plain["label_confidence"])
    apart = [(day + 0.5 * n, *rest) for n, (day, *rest) in enumerate(rows)]  # on days of their own
    assert concluded(apart, 5).revisions["n_votes"].tolist()[-1] == 2  # type: ignore[arg-type]


def test_thirty_who_write_the_same_are_one_voice() -> None:
    """A crowd of tickets weighs as much as one of them, and the newest is what counts."""
    one = concluded([(1.1, "p", "ticket", "u0", "late"), (1.2, "p", "report", "ann", 1)], 2)
    rows: list[Event] = [(1.1 + k / 1e4, "p", "ticket", f"u{k}", "late") for k in range(30)]
    many = concluded([*rows, (1.2, "p", "report", "ann", 1)], 2)
    assert last(many, "p")["n_votes"] == last(one, "p")["n_votes"] == 2
    assert last(many, "p")["label_confidence"] == last(one, "p")["label_confidence"]


def test_whose_reports_are_in_quarantine_is_not_believed_in_writing() -> None:
    """The text of a bot counts as little as its reports; that of another does."""
    held = pd.DataFrame(
        {
            "source_id": pd.Series(["bot"], dtype="str"),
            "channel": pd.Series(["report"], dtype="str"),
            "first": [moment(0)],
            "until": pd.Series([pd.NaT], dtype="datetime64[us, UTC]"),
            "known_at": [moment(1)],
        }
    )
    rows = [*outcomes(300, 90), *((0.4, f"o{k:04}", "ticket", f"u{k}", "late") for k in range(30))]
    rows += [(1.5, "p", "ticket", "bot", "late"), (1.5, "q", "ticket", "ann", "late")]
    found = concluded(rows, 2, quarantine=held)
    assert last(found, "p") == {}
    assert last(found, "q")["label_source"] == "text"


def test_the_report_says_how_often_texts_are_right() -> None:
    """`agreement` and `trust` of reports/labels.json have them where they speak, and only there."""
    rows = [*outcomes(10, 5), *((0.4, f"o{k:04}", "ticket", f"u{k}", "late") for k in range(3, 7))]
    claims = with_texts(feedback(rows), TEXTS)
    assert agreement(claims)["with_outcome"]["text"] == {"votes": 4, "share": 0.5}
    found = concluded(rows, 2)
    current = found.revisions[found.revisions["superseded_at"].isna()]
    assert trust(current, found)["voices"]["text"]["sources"] == 1
    silent = concluded(rows, 2, PARAMS.model_copy(update={"texts": None}))
    assert "text" not in trust(current, silent)["voices"]


def test_without_phrases_texts_change_nothing() -> None:
    """The same labels as if nobody had written."""
    rows = [*outcomes(30, 9), (1.5, "p", "report", "ann", 1), (1.6, "p", "ticket", "bob", "late")]
    silent = PARAMS.model_copy(update={"texts": None})
    assert concluded(rows, 3, silent).revisions.equals(concluded(rows[:-1], 3, silent).revisions)


events = st.lists(
    st.tuples(
        st.integers(0, 39).map(lambda hour: hour / 4),
        st.sampled_from(["p", "q", "r"]),
        st.sampled_from(
            [("report", 0), ("report", 1), ("annotation", 1), ("outcome", 1)]
            + [("ticket", w) for w in ("late", "on time")] * 2
        ),
        st.sampled_from(["a", "b", None]),
    ).map(lambda row: (row[0], row[1], row[2][0], row[3], row[2][1])),
    max_size=30,
)


@pytest.mark.slow
@given(rows=events, day=st.integers(1, 10))
def test_what_was_known_on_a_morning_never_changes_afterwards_with_texts(rows: list[Event], day: int) -> None:
    """Ten days at once say of each morning what was concluded on it; nobody is counted twice, and no sum goes wrong."""
    past = [row for row in rows if row[0] < day]
    everything = concluded(rows, 11).revisions
    held = (everything["revised_at"] < moment(day)) & ~(everything["superseded_at"] < moment(day))
    then = concluded(past, day).revisions
    then = then[then["superseded_at"].isna()]
    assert then[SAID].to_dict(orient="records") == everything.loc[held, SAID].to_dict(orient="records")
    voters = {name: {(r[2] if r[2] == "annotation" else "", r[3]) for r in rows if r[1] == name} for name in "pqr"}
    unnamed = {name: sum(r[1] == name and r[3] is None for r in rows) for name in "pqr"}
    for row in everything.to_dict(orient="records"):
        name = str(row["prediction_id"])
        assert 0 <= int(row["n_votes"]) <= len(voters[name]) + unnamed[name]
