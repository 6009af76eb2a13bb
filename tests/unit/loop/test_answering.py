"""The queue goes out and comes back, as a sheet or through Label Studio; nobody's name stays, and nothing is overwritten."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from flywheel import files
from flywheel.data import tombstones
from flywheel.data.annotations.form import from_csv
from flywheel.data.annotations.label_studio import tasks
from flywheel.data.privacy import DEMO_KEY, hash_ids
from flywheel.data.tombstones import Tombstone, tombstone
from flywheel.errors import ConfigError, DataError
from flywheel.labels.evidence import read_labels_made
from flywheel.loop.answering import AnswerParams, Taken, take
from flywheel.loop.queue import QueueParams, hashed_annotator, rows_of, write, write_tasks
from flywheel.stages import collect, label, validate
from tests.planted import SOURCES, PlantedSource, day, feedback, furnish, prediction, settings

RUBRIC = "# Rubric\n\n## Versions\n\n| version | since | what |\n| --- | --- | --- |\n| 1 | a | b |\n"
DAYS, ROWS = 9, 10
TRUTH = {f"p{n}-{k}": float((n + k) % 3 == 0) for n in range(1, DAYS + 1) for k in range(ROWS)}


@pytest.fixture(autouse=True)
def _in_a_furnished_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("FLYWHEEL_HASH_KEY", raising=False)
    furnish(tmp_path)
    Path("docs/rubric.md").write_text(RUBRIC)


def source(also: Sequence[dict[str, Any]] = ()) -> PlantedSource:
    """Ten predictions a day: seven have an outcome, of two others two users say the opposite, of the last nobody speaks; `also`
    is said on the third day."""
    served, said = {}, {}
    for n in range(1, DAYS + 1):
        place = {True: "north", False: "south"}
        served[n] = [
            prediction(f"p{n}-{k}", f"{n:02}T10", in_place=place[k > 6], in_size=k + 1 if k < 9 else None)
            for k in range(ROWS)
        ]
        said[n] = [feedback(f"f{n}-{k}", f"p{n}-{k}", f"{n:02}T12", value=TRUTH[f"p{n}-{k}"]) for k in range(7)]
        said[n] += [
            feedback(f"r{n}-{k}-{u}", f"p{n}-{k}", f"{n:02}T13", channel="report", source_id=f"u{u}", value=float(u))
            for k in (7, 8)
            for u in (0, 1)
        ]
    said[3] += also
    return PlantedSource(served, said)


def run(as_of: int, also: Sequence[dict[str, Any]] = (), **changes: Any) -> str:
    """The first three stages; returns what the first one says."""
    SOURCES["planted"] = source(also)
    clock = {"follow": "replay", "as_of": day(as_of).isoformat()}
    said = collect.main(settings(collect.CollectParams, clock=clock))
    validate.main(settings(validate.ValidateParams, clock=clock))
    label.main(settings(label.LabelParams, clock=clock, **changes))
    return said


def queued(
    as_of: int, annotator: str | None = None, label: Mapping[str, Any] | None = None, **changes: Any
) -> list[dict[str, object]]:
    """The rows of a queue."""
    queue = {"rows": 20, "days": 28, "audit_share": 0.4} | changes
    clock = {"follow": "replay", "as_of": day(as_of).isoformat()}
    return rows_of(settings(QueueParams, clock=clock, queue=queue, label=label or {}), annotator)


def brought(given: str, name: str = "week-1", as_of: int = 7, **changes: Any) -> Taken:
    """What `flywheel import-annotations` does."""
    params = settings(AnswerParams, clock={"follow": "replay", "as_of": day(as_of).isoformat()})
    return take(Path(given), name, params, **changes)


def filled(rows: list[dict[str, object]], who: str, on: int) -> list[dict[str, object]]:
    """Rows with the true answers."""
    return [
        row | {"value": f"{TRUTH[str(row['prediction_id'])]:.0f}", "annotator": who, "answered_on": f"{day(on)}"}
        for row in rows
    ]


def exported(path: str, who: object, moment: str, **changes: Any) -> None:
    """What Label Studio exports of the tasks in a file, answered truly; the shape is that of its documentation."""
    found = []
    for number, task in enumerate(json.loads(Path(path).read_text()), 1):
        value = {"choices": [f"{TRUTH[task['data']['prediction_id']]:.0f}"]}
        said = {
            "id": "a",
            "from_name": "value",
            "to_name": "prediction",
            "type": "choices",
            "origin": "manual",
            "value": value,
        }
        note = said | {"from_name": "comment", "type": "textarea", "value": {"text": ["ask john@example.com"]}}
        done = {"id": number, "result": [said, note], "was_cancelled": False, "ground_truth": False, "lead_time": 4.2}
        done |= {"created_at": "2030-01-01T00:00:00Z", "updated_at": moment, "completed_by": who} | changes
        skipped = {"id": 99, "result": [], "was_cancelled": True, "completed_by": who, "updated_at": moment}
        found.append(
            {"id": number, "data": task["data"], "annotations": [skipped, done], "predictions": [], "project": 3}
        )
    Path("export.json").write_text(json.dumps(found))


def test_the_sheet_has_what_annotators_need_and_nobodys_name() -> None:
    """Inputs and reasons, cells to fill, today's rubric; no user, no score, no label. The same bytes each time."""
    run(7)
    rows = queued(7)
    write(rows)
    first = files.QUEUE.read_bytes()
    write(queued(7))
    assert first == files.QUEUE.read_bytes()
    assert [
        "prediction_id",
        "served_at",
        "asked",
        "why",
        "in_place",
        "in_size",
        "value",
        "annotator",
        "answered_on",
    ] == list(rows[0])[:9]
    assert {"1"} == {row["rubric"] for row in rows}
    assert {"disagreement", "uncertainty", "thin cohort", "audit"} == {row["asked"] for row in rows}
    assert b"user of" not in first
    assert {"", *range(1, 10)} >= {row["in_size"] for row in rows}


def test_what_texts_claim_is_part_of_what_is_known() -> None:
    """A ticket contradicts a report, as the labels count it: so a person is asked."""
    texts = {"texts": {"accuracy": 0.7, "says_0": {"en": ["fine"]}, "says_1": {}, "negations": {}}}
    said = [
        feedback("r", "p3-9", "03T13", channel="report", source_id="u7", value=1.0),
        feedback("t", "p3-9", "03T14", channel="ticket", source_id="u8", value=None, text="it was fine"),
    ]

    def reasons(**changes: Any) -> str:
        rows = queued(7, label=changes, audit_share=0.0)
        return next(str(row["why"]) for row in rows if row["prediction_id"] == "p3-9")

    run(7, said, label=texts)
    assert "sources disagree, 1 against 1" in reasons(**texts)
    assert "sources disagree" not in reasons()


def test_answers_in_the_queue_are_never_overwritten() -> None:
    """Not one cell of one row; and neither is a file that is something else."""
    run(7)
    rows = queued(7)
    write([rows[0] | {"comment": "later"}, *rows[1:]])
    before = files.QUEUE.read_bytes()
    with pytest.raises(DataError, match=r"1 row of annotations/queue.csv is filled in"):
        write(rows)
    assert before == files.QUEUE.read_bytes()
    files.QUEUE.write_text("my notes\n")
    with pytest.raises(DataError, match=r"is no queue, so nothing was changed"):
        write(rows)


def test_round_trip_of_a_sheet() -> None:
    """Queue, filled, collected on the next days: the answers are labels, the annotator is believed, and the report counts."""
    run(7)
    before = files.read_parquet(files.LABELS)
    rows = filled(queued(7, hashed_annotator("ann@example.com", settings(QueueParams).collect)), "", 7)
    write([row | {"annotator": "ann@example.com"} for row in rows], Path("back.csv"))
    taken = brought("back.csv")
    assert (20, 1, []) == (taken.answers, taken.annotators, taken.late)
    assert b"example.com" not in taken.path.read_bytes()
    assert "1 new days of 7, 0 duplicates dropped" == run(8)
    made = read_labels_made()
    believed = made["trust"]["voices"]["annotation"]
    assert (1, True) == (believed["sources"], (believed["sensitivity"]["p50"] or 0) > 0.9)
    [ann] = made["annotators"]["busiest"]
    assert f"{hash_ids(pd.Series(['ann@example.com']), DEMO_KEY)[0]}, rubric 1" == ann["source"]
    assert (20, True) == (ann["annotations"], ann["with_outcome"] >= 8)
    asked = [row for row in rows if row["asked"] != "audit"]
    labels = files.read_parquet(files.LABELS).set_index("prediction_id")
    labels = labels[labels["superseded_at"].isna()]
    assert "annotation" in set(labels.loc[[row["prediction_id"] for row in asked], "label_source"])
    assert len(labels) > before["prediction_id"].nunique() + ROWS - 3
    assert all(labels.loc[str(row["prediction_id"]), "label"] == TRUTH[str(row["prediction_id"])] for row in asked)
    answers = made["answers"]
    assert (20, 20, 8, 1.0) == (
        answers["annotations"],
        answers["from_queue"],
        answers["audit"]["labels"],
        (answers["audit"]["right"] or {"value": 0})["value"],
    )
    assert not {row["prediction_id"] for row in queued(8, ann["source"][:16])} & {row["prediction_id"] for row in rows}


@pytest.mark.parametrize("who", [10, {"id": 10, "email": "ann@example.com", "first_name": "Ann"}])
def test_round_trip_through_label_studio(who: object) -> None:
    """Tasks out, its export in: answers of the day of the last change, comments scrubbed, skipped ones left out, ids hashed."""
    run(7)
    write_tasks(queued(7), Path("tasks.json"))
    [first, *_] = json.loads(Path("tasks.json").read_text())
    assert ({"data"}, {"place", "size"}) == (set(first), set(first["data"]["inputs"]))
    exported("tasks.json", who, "2030-01-07T23:30:00-02:00")
    taken = brought("export.json", as_of=9)
    assert 20 == taken.answers
    columns, rows = from_csv(taken.path.read_bytes(), "x")
    assert ["prediction_id", "asked", "value", "annotator", "answered_on", "comment", "rubric", "drawn"] == columns
    assert ({"2030-01-08"}, {"ask [email]"}) == ({c["answered_on"] for _, c in rows}, {c["comment"] for _, c in rows})
    assert {"audit"} < {c["asked"] for _, c in rows}
    raw = "label studio 10" if who == 10 else "ann@example.com"
    assert {hash_ids(pd.Series([raw]), DEMO_KEY)[0]} == {c["annotator"] for _, c in rows}
    assert b"example" not in taken.path.read_bytes()
    assert "2 new days of 8, 0 duplicates dropped" == run(9)
    assert 20 == read_labels_made()["annotators"]["annotations"]
    assert 0 == read_labels_made()["answers"]["audit"]["predictions"] - 8


def test_who_was_forgotten_gets_no_sheet_and_brings_in_no_answer() -> None:
    """Their hash would be committed again, and the next run would take the rows out."""
    run(7)
    rows = filled(queued(7)[:1], "ann", 7)
    write(rows, Path("back.csv"))
    hashed = hash_ids(pd.Series(["ann"]), DEMO_KEY)[0]
    stone = Tombstone(person=tombstone(hashed, DEMO_KEY), as_of=day(7))
    tombstones.add(tombstones.read(), stone, DEMO_KEY)
    with pytest.raises(DataError, match="this annotator was forgotten"):
        queued(7, hashed)
    with pytest.raises(DataError, match=r"back\.csv, row 2: this annotator was forgotten"):
        brought("back.csv")
    assert 20 == len(queued(7, "b" * 16))


def test_who_says_audit_where_the_queue_drew_nothing_is_refused() -> None:
    """Else an annotator could choose what the audit finds; the mark of one prediction is no mark of another."""
    run(7)
    rows = filled(queued(7), "ann", 7)
    [drew, *_], [other, *_] = (
        [row for row in rows if (row["asked"] == "audit") == is_audit] for is_audit in (True, False)
    )
    write([other | {"asked": "audit", "drawn": drew["drawn"]}], Path("back.csv"))
    with pytest.raises(DataError, match=r"back\.csv, row 2: asked: found audit, but the cell drawn does not show"):
        brought("back.csv")
    write([drew, other], Path("both.csv"))
    assert 2 == brought("both.csv").answers


def test_answers_for_collected_days_are_told_and_the_day_can_be_given() -> None:
    """A backfill brings them in; or they arrive on the day of handing them in."""
    run(7)
    write(filled(queued(7)[:3], "ann", 6), Path("back.csv"))
    assert [day(6)] == brought("back.csv").late
    taken = brought("back.csv", "week-2", answered_on="2030-01-07")
    assert [] == taken.late


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"completed_by": None}, "task 1: annotator: allowed are the 16 digits"),
        (
            {"result": [{"from_name": "value", "type": "choices", "value": {"choices": ["late"]}}]},
            "task 1: value: found 'late'",
        ),
        (
            {"result": [{"from_name": "value", "type": "choices", "value": {"choices": ["0", "1"]}}]},
            "task 1: value: found '0, 1'",
        ),
        ({"updated_at": "soon"}, "task 1: answered_on: found 'soon'"),
    ],
)
def test_a_mistake_in_an_export_is_named_with_its_task(change: dict[str, Any], said: str) -> None:
    """And nothing is written."""
    run(7)
    write_tasks(queued(7)[:2], Path("tasks.json"))
    exported("tasks.json", 10, "2030-01-07T10:00:00Z", **change)
    with pytest.raises(DataError) as error:
        brought("export.json")
    assert f"export.json, {said}" in str(error.value)
    assert not Path("annotations").exists()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"{}", "found no list of tasks"),
        (b"[1]", "task 1: found no data with a prediction_id"),
        (
            b'[{"data": {"prediction_id": "p1-1"}, "value": "1"}]',
            "task 1: found no data with a prediction_id, or no annotations",
        ),
        (b"[", "export.json is not JSON"),
        (b'["\xff"]', "export.json: not UTF-8"),
        (b"[" * 100_000, "export.json is not JSON"),
        (b"[]", "no row has a value, so nobody answered yet"),
    ],
)
def test_what_is_no_export_is_refused(content: bytes, said: str) -> None:
    """With what to export instead."""
    run(3)
    Path("export.json").write_bytes(content)
    with pytest.raises(DataError, match=said):
        brought("export.json")


def test_without_data_it_says_so_instead_of_blaming_the_ids() -> None:
    """As in a fresh clone; nothing is written."""
    write(filled([{"prediction_id": "p1-0", "asked": "", "rubric": "1"}], "ann", 7), Path("back.csv"))
    with pytest.raises(DataError, match=r"no prediction in data/events to compare .* flywheel run$"):
        brought("back.csv")
    assert [] == list(Path("annotations").glob("*.csv"))


def test_a_contradiction_and_a_wrong_name_are_refused() -> None:
    """Also against what is handed in already; a file that is there stays as it is, and the same once more is no change."""
    run(7)
    rows = filled(queued(7)[:3], "ann", 7)
    write(rows, Path("back.csv"))
    first = brought("back.csv").path.read_bytes()
    assert first == brought("back.csv").path.read_bytes()
    other = [row | {"value": "1" if row["value"] == "0" else "0"} for row in rows]
    write(other, Path("other.csv"))
    with pytest.raises(DataError, match=r"other.csv, row 2: ., but the same annotator said"):
        brought("other.csv", "week-2")
    with pytest.raises(DataError, match=r"annotations/week-1.csv is there already"):
        brought("other.csv")
    for name in ("Ann Smith", "queue", "../x"):
        with pytest.raises(ConfigError, match=r"--name"):
            brought("back.csv", name)
    with pytest.raises(ConfigError, match=r"--answered-on"):
        brought("back.csv", "week-3", answered_on="soon")
    with pytest.raises(DataError, match=r"nowhere.csv is not there"):
        brought("nowhere.csv", "week-3")
    Path("bare.csv").write_text("prediction_id,value\np1-1,1\n")
    with pytest.raises(DataError, match=r"annotator, answered_on, rubric are missing"):
        brought("bare.csv", "week-3")


def test_tasks_do_not_replace_another_file() -> None:
    """It may be an export with answers."""
    Path("tasks.json").write_text("[]")
    with pytest.raises(DataError, match=r"tasks.json is there already"):
        write_tasks(
            [{"prediction_id": "p", "served_at": "", "asked": "audit", "why": "", "rubric": "1", "drawn": "x"}],
            Path("tasks.json"),
        )


def test_a_task_has_the_inputs_as_one_value() -> None:
    """Which the table of the labeling interface shows."""
    row = {
        "prediction_id": "p",
        "served_at": "s",
        "asked": "audit",
        "why": "w",
        "rubric": "1",
        "drawn": "d",
        "in_size": 3,
        "value": "",
    }
    data = {name: row[name] for name in row if name not in ("in_size", "value")} | {"inputs": {"size": 3}}
    assert [{"data": data}] == tasks([row])
