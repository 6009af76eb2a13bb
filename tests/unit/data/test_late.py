"""Rows that come after their day was collected are kept beside the data, and change none of it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from flywheel import files
from flywheel.data import tables
from flywheel.data.collection import LEDGER
from flywheel.data.evidence import read_late
from flywheel.errors import DataError
from flywheel.stages.collect import CollectParams, main
from tests.planted import SOURCES, CountingSource, PlantedSource, contents, day, feedback, prediction, settings


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("FLYWHEEL_HASH_KEY", raising=False)


def three_days(*late: dict[str, Any], kind: type[PlantedSource] = CountingSource) -> PlantedSource:
    """Three days with one prediction and one outcome each; feedback that came late for the first."""
    said = {n: [feedback(f"f{n}", f"p{n}", f"0{n}T12")] for n in (1, 2, 3)}
    return kind({n: [prediction(f"p{n}", f"0{n}T10")] for n in (1, 2, 3)}, said | {1: [*said[1], *late]})


LATE = feedback("f9", "p1", "01T15", channel="report", source_id="ann", text="call ann@example.com")


def collect(given: PlantedSource, as_of: int, **changes: Any) -> str:
    """Run the stage with the clock on a day of the month."""
    SOURCES["planted"] = given
    return main(settings(CollectParams, clock={"follow": "replay", "as_of": day(as_of).isoformat()}, **changes))


def late_ids(number: int) -> list[str]:
    """The ids of the late feedback of a day."""
    return files.read_parquet(tables.day_path(files.LATE, "feedback", day(number)))["feedback_id"].tolist()


def test_the_ledger_notes_how_many_rows_a_source_that_counts_gave() -> None:
    """As it gave them: a row that came twice is counted twice."""
    source = three_days(feedback("f1", "p1", "01T12"))
    collect(source, as_of=3)
    assert {"predictions": 1, "feedback": 2} == files.read_json(LEDGER)["2030-01-01"]["rows"]


def test_a_source_that_does_not_count_has_no_late_rows() -> None:
    """Nothing is known of them, so no day is asked for again; the folder is there all the same."""
    collect(three_days(kind=PlantedSource), as_of=3)
    source = three_days(LATE, kind=PlantedSource)
    assert "1 new days of 3, 0 duplicates dropped" == collect(source, as_of=4)
    assert ("rows" in files.read_json(LEDGER)["2030-01-01"], {}, ["ledger.json"]) == (
        False,
        read_late(),
        list(contents(files.LATE)),
    )


def test_late_rows_are_kept_beside_the_data_without_personal_data() -> None:
    """One report came for the first day: its author is hashed, its text scrubbed, and no byte of the first day changes."""
    collect(three_days(), as_of=3)
    before = contents(files.EVENTS)
    source = three_days(LATE)
    assert "1 new days of 3, 0 duplicates dropped; 1 row came late" == collect(source, as_of=4)
    assert [("feedback", 1)] == [asked for asked in source.asked if asked[1] < 3]
    after = contents(files.EVENTS)
    assert {name: after[name] for name in before if name != "ledger.json"} == {
        name: content for name, content in before.items() if name != "ledger.json"
    }
    [row] = files.read_parquet(tables.day_path(files.LATE, "feedback", day(1))).to_dict("records")
    assert ("f9", "call [email]", False) == (row["feedback_id"], row["text"], row["source_id"] == "ann")
    assert {"feedback": {"rows": 1, "days": {"2030-01-01": 1}}} == read_late()


def test_late_rows_are_those_of_now() -> None:
    """A second one comes, then both are taken back: the file has two rows, and then it is gone."""
    collect(three_days(), as_of=3)
    collect(three_days(LATE), as_of=3)
    collect(three_days(LATE, LATE | {"feedback_id": "f8"}), as_of=3)
    assert ["f9", "f8"] == late_ids(1)
    assert "0 new days of 2, 0 duplicates dropped" == collect(three_days(), as_of=3)
    assert ({}, ["ledger.json"]) == (read_late(), list(contents(files.LATE)))


@pytest.mark.parametrize(
    ("said", "ids"),
    [
        pytest.param([], [], id="fewer"),
        pytest.param([feedback("f8", "p1", "01T13")], [], id="another one"),
        pytest.param([feedback("f1", "p1", "01T12"), feedback("f1", "p1", "01T12")], [], id="the same one twice"),
        pytest.param(
            [feedback("f8", "p1", "01T13"), feedback("f9", "p1", "01T13")], ["f8", "f9"], id="more, and others"
        ),
    ],
)
def test_only_rows_that_were_not_there_and_make_it_more_are_late(said: list[dict[str, Any]], ids: list[str]) -> None:
    """What is gone or other than before is for a person to judge: nothing is guessed."""
    collect(three_days(), as_of=3)
    source = three_days()
    source.rows["feedback"] = {**source.rows["feedback"], 1: said}
    collect(source, as_of=3)
    assert ids == (late_ids(1) if ids else [])
    assert len(ids) == sum(one["rows"] for one in read_late().values())


def test_rows_without_ids_are_told_apart_by_what_they_say() -> None:
    """Where feedback has no id of its own, a late row is one that says something else."""
    source = three_days()
    collect(without_ids(source), as_of=3)
    source.rows["feedback"] = {**source.rows["feedback"], 1: [*source.rows["feedback"][1], LATE]}
    collect(source, as_of=3)
    [row] = files.read_parquet(tables.day_path(files.LATE, "feedback", day(1))).to_dict("records")
    assert "report" == row["channel"]


def without_ids(source: PlantedSource) -> PlantedSource:
    """The source, whose feedback has no ids from now on."""
    plain = source._table
    source._table = lambda name, asked: plain(name, asked).drop(columns="feedback_id", errors="ignore")  # type: ignore[method-assign]
    return source


def test_days_of_a_ledger_without_numbers_have_no_late_rows() -> None:
    """As an earlier version wrote it: the ledger is read, and nothing is known of its days."""
    collect(three_days(), as_of=3)
    ledger = files.read_json(LEDGER)
    del ledger["2030-01-01"]["rows"]
    files.write_json(LEDGER, ledger)
    assert "0 new days of 2, 0 duplicates dropped" == collect(three_days(LATE), as_of=3)


@pytest.mark.parametrize("part", [{"share": 0.99}, {"first_day": "2030-01-02"}], ids=repr)
def test_late_rows_of_a_part_of_a_source_are_seen(part: dict[str, Any]) -> None:
    """One came for the second day; feedback about a prediction that is not in the part is no late row of it."""
    collect(three_days(), as_of=4, source=part)
    source = three_days()
    second = [*source.rows["feedback"][2], feedback("f8", "p1", "02T13"), feedback("f9", "p2", "02T15")]
    source.rows["feedback"] = {**source.rows["feedback"], 2: second}
    assert f"; {n_late(part)} came late" in collect(source, as_of=4, source=part)


def n_late(part: dict[str, Any]) -> str:
    """What came late: p1 is not in a part that begins on the second day."""
    return "1 row" if "first_day" in part else "2 rows"


def test_what_a_part_leaves_out_is_not_taken_for_late() -> None:
    """Feedback about a prediction before the first day was there from the beginning: no day is asked for again."""
    part = {"first_day": "2030-01-02"}
    source = three_days()
    source.rows["feedback"] = {
        **source.rows["feedback"],
        2: [*source.rows["feedback"][2], feedback("f8", "p1", "02T13")],
    }
    collect(source, as_of=4, source=part)
    assert {"predictions": 1, "feedback": 2} == files.read_json(LEDGER)["2030-01-02"]["rows"]
    source.asked.clear()
    assert "came late" not in collect(source, as_of=4, source=part)
    assert [] == source.asked


@pytest.mark.parametrize("rows", [{"predictions": 1}, {"predictions": "1", "feedback": 1}, 3], ids=repr)
def test_numbers_of_another_shape_are_named(rows: Any) -> None:
    """The ledger, the day, and what was found."""
    collect(three_days(), as_of=3)
    ledger = files.read_json(LEDGER)
    ledger["2030-01-01"]["rows"] = rows
    files.write_json(LEDGER, ledger)
    with pytest.raises(DataError, match=rf"^{LEDGER}: 2030-01-01: rows"):
        collect(three_days(), as_of=3)


class ForetoldSource(CountingSource):
    """The same, which notes the days that it was told to expect."""

    def expect(self, days: Sequence[dt.date]) -> None:
        self.told = [*getattr(self, "told", []), [one.day for one in days]]


def test_a_source_is_told_once_of_all_days_with_late_rows() -> None:
    """After the new days: so it can read what is late in one go."""
    collect(three_days(), as_of=3)
    source = three_days(LATE, kind=ForetoldSource)
    second = [*source.rows["predictions"][2], prediction("p8", "02T11")]
    source.rows["predictions"] = {**source.rows["predictions"], 2: second}
    collect(source, as_of=4)
    assert [[3], [1, 2]] == vars(source)["told"]


def test_late_predictions_are_late_too() -> None:
    """Both tables are compared."""
    collect(three_days(), as_of=3)
    source = three_days(LATE)
    source.rows["predictions"] = {
        **source.rows["predictions"],
        2: [prediction("p2", "02T10"), prediction("p8", "02T11")],
    }
    collect(source, as_of=3)
    assert {"predictions": {"2030-01-02": 1}, "feedback": {"2030-01-01": 1}} == {
        table: one["days"] for table, one in read_late().items()
    }
    found: pd.DataFrame = files.read_parquet(tables.day_path(files.LATE, "predictions", day(2)))
    assert ["p8"] == found["prediction_id"].tolist()
