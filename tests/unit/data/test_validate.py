"""Stage `validate`: a few rows in, the good ones and the rejected ones with their rule out."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flywheel import files
from flywheel.data import tables
from flywheel.data.quality import silence, volume_flags
from flywheel.data.settings import Contract
from flywheel.errors import DataError
from flywheel.stages.validate import ValidateParams, main
from tests.planted import ON_DISK, PROJECT, at, contents, day, feedback, furnish, prediction, settings, write_events
from tests.planted import table as planted_table

Rows = list[dict[str, Any]]


@pytest.fixture(autouse=True)
def _in_a_new_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    furnish(tmp_path)
    monkeypatch.chdir(tmp_path)


def validate(as_of: int = 10, **changes: Any) -> str:
    """Run the stage with a limit that lets everything through, unless `changes` says otherwise."""
    limits = {"max_rejected_share": 1.0} | changes.pop("validate", {})
    clock = {"as_of": day(as_of).isoformat()}
    return main(settings(ValidateParams, clock=clock, validate=limits, **changes))


def good(table: str) -> list[str]:
    """The ids of the good rows of all days."""
    return tables.read_days(files.VALID, table, None, [tables.ID[table]])[tables.ID[table]].tolist()


def rejected(table: str) -> dict[str, str]:
    """The rule that each rejected row of all days broke, by its id."""
    found = [files.read_parquet(path) for path in sorted((files.REJECTED / table).glob("*.parquet"))]
    return {row[tables.ID[table]]: row["rule"] for part in found for row in part.to_dict("records")}


def test_good_rows_are_kept_as_they_are() -> None:
    """A prediction and its outcome pass the contract with every value."""
    write_events({1: [prediction("p1", "01T10")]}, {1: [feedback("f1", "p1", "01T12")]})
    validate()
    assert prediction("p1", "01T10") == plain(tables.read_days(files.VALID, "predictions"))[0]
    assert feedback("f1", "p1", "01T12") == plain(tables.read_days(files.VALID, "feedback"))[0]
    assert {} == contents(files.REJECTED)


def plain(frame: pd.DataFrame) -> Rows:
    """Rows as dictionaries, with None where there is nothing."""
    return [{key: None if pd.isna(value) else value for key, value in row.items()} for row in frame.to_dict("records")]


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({"score": "high"}, "score: not of type number"),
        ({"latency_ms": "slow"}, "latency_ms: not of type number"),
        ({"in_size": "many"}, "in_size: not of type integer"),
        ({"in_size": 2.5}, "in_size: not of type integer"),
        ({"served_at": "yesterday"}, "served_at: not of type datetime"),
        ({"user_id": None}, "user_id: null"),
        ({"latency_ms": None}, "latency_ms: null"),
        ({"served_at": None}, "served_at: null"),
        ({"prediction_id": None}, "prediction_id: null"),
        ({"score": 1.01}, "score: above 1"),
        ({"score": -0.01}, "score: below 0"),
        ({"in_size": 0}, "in_size: below 1"),
        ({"in_size": 10}, "in_size: above 9"),
        ({"in_place": "east"}, "in_place: not an allowed value"),
        ({"error": "timeout"}, "score: present despite an error"),
        ({"served_at": at("02T10")}, "served_at: not on the day of its file"),
        ({"score": 2.0, "in_place": "east"}, "score: above 1; in_place: not an allowed value"),
    ],
)
def test_a_prediction_that_breaks_a_rule_is_rejected_with_it(changes: dict[str, Any], rule: str) -> None:
    """The bad row goes, with the rule it broke and no other; the good row next to it stays."""
    write_events({1: [prediction("good", "01T10"), prediction("bad", "01T11") | changes]}, {})
    validate()
    assert ["good"] == good("predictions")
    assert [rule] == list(rejected("predictions").values())


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({"value": "yes"}, "value: not of type number"),
        ({"received_at": "later"}, "received_at: not of type datetime"),
        ({"source_id": None}, "source_id: null"),
        ({"channel": "letter"}, "channel: not an allowed value"),
        ({"prediction_id": "p9"}, "prediction_id: no such prediction"),
        ({"prediction_id": "bad"}, "prediction_id: no such prediction"),
        ({"received_at": at("01T09:59")}, "received_at: before its prediction"),
        ({"received_at": at("02T12")}, "received_at: not on the day of its file"),
        ({"value": None}, "value: not allowed for outcome"),
        ({"value": -1.0}, "value: not allowed for outcome"),
        ({"channel": "report", "value": -1.0}, "value: not allowed for report"),
        ({"channel": "annotation", "value": -1.0}, "value: not allowed for annotation"),
        ({"channel": "rating", "value": 0.0}, "value: not allowed for rating"),
        ({"channel": "ticket", "value": 1.0}, "value: not null for ticket"),
    ],
)
def test_feedback_that_breaks_a_rule_is_rejected_with_it(changes: dict[str, Any], rule: str) -> None:
    """The bad row goes, with the rule it broke and no other; the good row next to it stays."""
    write_events(
        {1: [prediction("p1", "01T10"), prediction("bad", "01T10", score=7.0)]},
        {1: [feedback("good", "p1", "01T12"), feedback("f", "p1", "01T13") | changes]},
    )
    validate()
    assert ["good"] == good("feedback")
    assert [rule] == list(rejected("feedback").values())


def test_a_score_may_be_null_and_feedback_may_come_at_the_same_moment() -> None:
    """The edges of the rules are inside: scores of 0 and 1, a failed answer, nothing served, an outcome at once."""
    write_events(
        {
            1: [
                prediction("p1", "01T10", score=0.0),
                prediction("p2", "01T10", score=1.0),
                prediction("p3", "01T10", score=None, error="timeout"),
                prediction("p4", "01T00"),
                prediction("p5", "01T10", in_size=None),
                prediction("p6", "01T10", score=None),
            ]
        },
        {1: [feedback("f1", "p1", "01T10")]},
    )
    validate()
    assert ({}, {}) == (rejected("predictions"), rejected("feedback"))


@pytest.mark.parametrize(
    "text", [["2030-01-01T10:00:00+00:00", "2030-01-01T10:00:00.250+00:00"], ["2030-01-01T10:00Z", "2030-01-01 11:00Z"]]
)
def test_moments_written_as_text_are_understood(text: list[str]) -> None:
    """ISO 8601 in its usual spellings is a moment, with and without fractions of a second."""
    write_events({1: [prediction(f"p{n}", "01T10") | {"served_at": one} for n, one in enumerate(text)]}, {})
    validate()
    assert {} == rejected("predictions")


def test_an_id_that_comes_twice_on_a_day_is_kept_once() -> None:
    """The second of two rows with one id is rejected, in both tables."""
    write_events(
        {1: [prediction("p1", "01T10", score=0.1), prediction("p1", "01T11", score=0.9)]},
        {1: [feedback("f1", "p1", "01T12"), feedback("f1", "p1", "01T13")]},
    )
    validate()
    assert ([0.1], ["f1"]) == (tables.read_days(files.VALID, "predictions")["score"].tolist(), good("feedback"))
    assert {"p1": "prediction_id: came before"} == rejected("predictions")
    assert {"f1": "feedback_id: came before"} == rejected("feedback")


@pytest.mark.parametrize("clocks", [[10], [2, 10]])
def test_an_id_that_comes_again_on_a_later_day_is_kept_once(clocks: list[int]) -> None:
    """The same, over two days, whether both are checked in one run or in two."""
    write_events(
        {1: [prediction("p1", "01T10")], 2: [prediction("p1", "02T10"), prediction("p2", "02T10")]},
        {1: [feedback("f1", "p1", "01T12")], 2: [feedback("f1", "p1", "02T12")]},
    )
    for as_of in clocks:
        validate(as_of)
    assert (["p1", "p2"], ["f1"]) == (good("predictions"), good("feedback"))
    assert {"p1": "prediction_id: came before"} == rejected("predictions")
    assert {"f1": "feedback_id: came before"} == rejected("feedback")


@pytest.mark.parametrize("clocks", [[10], [2, 10]])
def test_a_row_that_is_sent_again_after_it_was_rejected_is_good(clocks: list[int]) -> None:
    """A corrected row is new, whether its bad version was checked in the same run or in an earlier one."""
    write_events({1: [prediction("p1", "01T10", score=7.0)], 2: [prediction("p1", "02T10")]}, {})
    for as_of in clocks:
        validate(as_of)
    assert ["p1"] == good("predictions")


@pytest.mark.parametrize("clocks", [[10], [2, 10]])
def test_a_rejected_row_reads_the_same_whatever_other_days_are_like(clocks: list[int]) -> None:
    """A 3 is a 3, even if gaps or words in another day's sizes give that day's column another type."""
    write_events(
        {1: [prediction("p1", "01T10", score=7.0, in_size=3)], 2: [prediction(f"p{n}", "02T10") for n in (2, 3)]}, {}
    )
    path = tables.day_path(files.EVENTS, "predictions", day(2))
    files.write_parquet(path, files.read_parquet(path).assign(in_size=[3.0, None]))
    for as_of in clocks:
        validate(as_of)
    assert ["3"] == files.read_parquet(files.REJECTED / "predictions/2030-01-01.parquet")["in_size"].tolist()


@pytest.mark.parametrize("clocks", [[10], [2, 10]])
def test_feedback_about_a_prediction_of_an_earlier_day_is_good(clocks: list[int]) -> None:
    """Late feedback finds its prediction, whether it was checked in the same run or in an earlier one."""
    write_events({1: [prediction("p1", "01T10")]}, {2: [feedback("f1", "p1", "02T12")]})
    for as_of in clocks:
        validate(as_of)
    assert ["f1"] == good("feedback")


@pytest.mark.parametrize("clocks", [[10], [2, 10]])
def test_feedback_of_a_day_before_its_prediction_is_rejected_for_one_reason(clocks: list[int]) -> None:
    """Nobody knows the prediction of tomorrow, whether tomorrow is checked in the same run or in a later one."""
    write_events({2: [prediction("p1", "02T10")]}, {1: [feedback("f1", "p1", "01T12")]})
    for as_of in clocks:
        validate(as_of)
    assert {"f1": "prediction_id: no such prediction"} == rejected("feedback")


def test_a_column_that_is_text_on_one_day_only_costs_that_day_its_bad_rows_alone() -> None:
    """Numbers on the first day and words on the second: the rows with words are rejected, all others stay."""
    write_events(
        {
            1: [prediction("p1", "01T10", latency_ms=40.0)],
            2: [prediction("p2", "02T10", latency_ms="slow"), prediction("p3", "02T11", latency_ms="50")],
            3: [prediction("p4", "03T10", latency_ms=60.0)],
        },
        {},
    )
    validate()
    found = tables.read_days(files.VALID, "predictions")
    assert {"p1": 40.0, "p3": 50.0, "p4": 60.0} == dict(zip(found["prediction_id"], found["latency_ms"], strict=True))
    assert ["p2"] == list(rejected("predictions"))


def test_a_rejected_row_is_kept_as_it_came() -> None:
    """The word that was no number can be read in the rejected row."""
    write_events({1: [prediction("p1", "01T10", latency_ms="slow", in_place="east")]}, {})
    validate()
    row = files.read_parquet(files.REJECTED / "predictions/2030-01-01.parquet").iloc[0]
    assert ("slow", "east") == (row["latency_ms"], row["in_place"])


@pytest.mark.parametrize(
    ("table", "column"), [("predictions", "latency_ms"), ("predictions", "in_place"), ("feedback", "channel")]
)
def test_a_missing_column_stops_the_run_and_is_named_with_its_file(table: str, column: str) -> None:
    """The second day lacks a column of the contract; the message says which and where."""
    write_events({n: [prediction(f"p{n}", f"0{n}T10")] for n in (1, 2)}, {})
    path = tables.day_path(files.EVENTS, table, day(2))
    files.write_parquet(path, files.read_parquet(path).drop(columns=column))
    with pytest.raises(DataError, match=rf"{path}: required columns are missing: {column}\. Found: "):
        validate()


@pytest.mark.parametrize("clocks", [[4], [2, 3, 4]])
def test_a_column_that_may_be_null_reads_as_null_on_days_before_it_was_there(clocks: list[int]) -> None:
    """A new input does not ask anybody to delete old days: they are good, their rejected rows readable, and nulls counted."""
    write_events(
        {n: [prediction(f"p{n}", f"0{n}T10"), prediction(f"bad{n}", f"0{n}T10", score=7.0)] for n in (1, 2, 3)}, {}
    )
    for n in (1, 2):
        path = tables.day_path(files.EVENTS, "predictions", day(n))
        files.write_parquet(path, files.read_parquet(path).drop(columns=["in_size", "error"]))
    for as_of in clocks:
        validate(as_of)
    found = tables.read_days(files.VALID, "predictions").set_index("prediction_id")["in_size"]
    assert {"p1": None, "p2": None, "p3": 3.0} == {name: None if pd.isna(x) else x for name, x in found.items()}
    assert {f"bad{n}": "score: above 1" for n in (1, 2, 3)} == rejected("predictions")
    nulls = [one["predictions"]["null_shares"].get("in_size") for one in files.read_json(files.QUALITY)["days"]]
    assert [1.0, 1.0, None] == nulls


def test_each_day_that_arrived_is_opened_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows, duplicates in the footer and rejected rows come from one reading of the file."""
    opened: list[str] = []

    class Counting(pq.ParquetFile):  # type: ignore[misc]
        def __init__(self, source: Any, *arguments: Any, **options: Any) -> None:
            opened.append(str(source))
            super().__init__(source, *arguments, **options)

    write_events({n: [prediction(f"p{n}", f"0{n}T10", score=7.0)] for n in (1, 2)}, {2: [feedback("f", "p1", "02T11")]})
    monkeypatch.setattr(pq, "ParquetFile", Counting)
    monkeypatch.setattr(pq, "read_schema", lambda source, *_: pq.ParquetFile(source).schema_arrow)
    validate()
    came = [str(tables.day_path(files.EVENTS, table, day(n))) for table in tables.TABLES for n in (1, 2)]
    assert sorted(came) == sorted(path for path in opened if path.startswith(str(files.EVENTS)))


def test_a_column_that_the_contract_does_not_name_is_left_out() -> None:
    """What nobody declared does not reach the later stages."""
    write_events({1: [prediction("p1", "01T10", in_colour="x")]}, {})
    validate()
    assert set(prediction("p1", "01T10")) == set(tables.read_days(files.VALID, "predictions"))


def test_a_day_of_good_rows_that_was_changed_or_lost_is_checked_again() -> None:
    """Half of a file, and no file: the next run makes both as they were."""
    write_events({n: [prediction(f"p{n}", f"0{n}T10")] for n in (1, 2, 3)}, {})
    validate(as_of=4)
    before = contents(files.VALID)
    path = tables.day_path(files.VALID, "predictions", day(2))
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    tables.day_path(files.VALID, "feedback", day(3)).unlink()
    validate(as_of=4)
    assert before == contents(files.VALID)


def collect_again(table: str, number: int, rows: Rows) -> None:
    """Put other rows into a day that was collected, as deleting it and collecting it again does."""
    path = tables.day_path(files.EVENTS, table, day(number))
    files.write_parquet(path, planted_table(table, rows), {"duplicates": "0"})


def test_a_day_that_was_collected_again_is_checked_again_with_all_later_days() -> None:
    """The second day now has the id that the third day had first: what full validation says, incremental says too."""
    write_events({n: [prediction(f"p{n}", f"0{n}T10")] for n in (1, 2, 3)}, {3: [feedback("f3", "p2", "03T12")]})
    validate(as_of=4)
    collect_again("predictions", 2, [prediction("p3", "02T11"), prediction("late", "02T12", score=7.0)])
    assert "2 good rows, 3 rejected, days checked: 2" == validate(as_of=4)
    assert (["p1", "p3"], []) == (good("predictions"), good("feedback"))
    assert {"late": "score: above 1", "p3": "prediction_id: came before"} == rejected("predictions")
    step_by_step = results()
    for folder in (files.VALID, files.REJECTED):
        shutil.rmtree(folder)
    validate(as_of=4)
    assert results() == step_by_step


def test_rejected_rows_of_a_day_that_came_again_without_them_are_gone() -> None:
    """The corrected day has nothing to reject, and the folder is empty."""
    write_events({1: [prediction("p1", "01T10", score=7.0)], 2: []}, {})
    validate(as_of=3)
    collect_again("predictions", 1, [prediction("p1", "01T10")])
    validate(as_of=3)
    assert (["p1"], {}) == (good("predictions"), contents(files.REJECTED))


def test_rejected_rows_that_were_lost_are_made_again() -> None:
    """They are an output like the good ones: kept with a reason, and never vanished."""
    write_events({n: [prediction(f"p{n}", f"0{n}T10", score=7.0)] for n in (1, 2)}, {})
    validate(as_of=3)
    before = contents(files.REJECTED)
    tables.day_path(files.REJECTED, "predictions", day(1)).unlink()
    validate(as_of=3)
    assert before == contents(files.REJECTED)


@pytest.mark.parametrize("name", ["notes.parquet", "2013-13-45.parquet", "20300101.parquet"])
@pytest.mark.parametrize(
    "folder", [files.EVENTS / "feedback", files.VALID / "predictions", files.REJECTED / "feedback"]
)
def test_a_file_that_is_no_days_is_named_and_nothing_is_written(folder: Path, name: str) -> None:
    """A stray Parquet file stops the run with a sentence, before anything is emptied or written."""
    write_events({n: [prediction(f"p{n}", f"0{n}T10")] for n in (1, 2)}, {})
    validate(as_of=2)
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(b"notes")
    before = contents(Path("data"))
    with pytest.raises(DataError, match=rf"^{folder / name} is not the file of a day; .* 2013-03-01\.parquet"):
        validate(as_of=3)
    assert before == contents(Path("data"))


def test_nothing_is_emptied_before_the_days_are_read() -> None:
    """A new contract checks all days again; where one cannot be read, what was there stays."""
    write_events({n: [prediction(f"p{n}", f"0{n}T10")] for n in (1, 2)}, {})
    validate()
    before = contents(Path("data"))
    with pytest.raises(DataError, match="in_colour"):
        validate(contract={"predictions": {"in_colour": {"type": "string"}}})
    assert before == contents(Path("data"))


def test_a_truncated_file_stops_the_run_and_is_named() -> None:
    """Half of a Parquet file of what arrived is told from an empty day."""
    write_events({n: [prediction(f"p{n}", f"0{n}T10")] for n in (1, 2)}, {})
    validate(as_of=2)
    path = tables.day_path(files.EVENTS, "predictions", day(2))
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(DataError, match=rf"{path} cannot be read as Parquet"):
        validate(as_of=3)


def test_too_many_rejected_rows_stop_the_run_and_are_kept() -> None:
    """Two of four rows are bad where a quarter is allowed: the run stops, and what it found is on disk."""
    rows = [prediction(f"p{n}", "01T10", score=0.5 if n < 2 else 7.0) for n in range(4)]
    write_events({1: rows}, {})
    with pytest.raises(DataError, match=r"50\.0% of the rows .* allowed is 25\.0% \(validate\.max_rejected_share\)"):
        validate(validate={"max_rejected_share": 0.25})
    assert {"p2": "score: above 1", "p3": "score: above 1"} == rejected("predictions")
    assert {"score: above 1": 2} == files.read_json(files.QUALITY)["total"]["rules"]


def test_a_run_that_stops_says_which_rules_were_broken_most_with_an_example() -> None:
    """Four rules were broken: the three that most rows broke, the latest example of each, and where the rest is."""
    bad = [{"score": 7.0}, {"score": 8.0}, {"score": 9.0}, {"in_place": "east"}, {"in_place": None}, {"in_place": None}]
    rows = [prediction(f"p{n}", "01T10") | changes for n, changes in enumerate(bad)]
    write_events({1: rows, 2: [prediction("late", "02T10", score=1.5)]}, {2: [feedback("f1", "p9", "02T12")]})
    with pytest.raises(DataError) as caught:
        validate(validate={"max_rejected_share": 0.25})
    assert (
        "Broken most often: predictions, score: above 1 (4 rows, such as '1.5' in late on 2030-01-02); predictions, "
        "in_place: null (2 rows, such as null in p4 on 2030-01-01); feedback, prediction_id: no such prediction (1 rows, "
        "such as 'p9' in f1 on 2030-01-02). All are in data/rejected"
    ) in str(caught.value)
    worst = files.read_json(files.QUALITY)["recent"]["worst"]
    assert ["score: above 1", "in_place: null", "prediction_id: no such prediction"] == [one["rule"] for one in worst]
    expected = {"table": "predictions", "rule": "score: above 1", "rows": 4, "day": "2030-01-02"}
    assert expected | {"example": {"id": "late", "value": "'1.5'"}} == worst[0]


def test_only_the_recent_days_say_what_was_broken_most() -> None:
    """What was wrong long ago does not explain why the run stops today."""
    write_events({1: [prediction("old", "01T10", in_size=99)], 2: [prediction("new", "02T10", score=7.0)]}, {})
    validate(validate={"recent_days": 1})
    assert ["score: above 1"] == [one["rule"] for one in files.read_json(files.QUALITY)["recent"]["worst"]]


@pytest.mark.parametrize(
    ("table", "column", "changes", "expected"),
    [
        ("predictions", "user_id", {"user_id": "Ann"}, "(hidden)"),
        ("feedback", "source_id", {"source_id": "Ann"}, "(hidden)"),
        ("feedback", "text", {"text": "I am Ann"}, "(hidden)"),
        ("predictions", "in_place", {"in_place": "write to ann@example.com"}, "'write to [email]'"),
        ("predictions", "in_place", {"in_place": "x" * 41}, f"'{'x' * 39}…'"),
        ("predictions", "in_place", {"in_place": "x" * 40}, f"'{'x' * 40}'"),
    ],
)
def test_an_example_shows_nothing_personal_and_is_short(
    table: str, column: str, changes: dict[str, Any], expected: str
) -> None:
    """Reports are in Git: who people are and what they wrote stays out of them."""
    write_events(
        {1: [prediction("p1", "01T10") | (changes if table == "predictions" else {})]},
        {1: [feedback("f1", "p1", "01T12") | (changes if table == "feedback" else {})]},
    )
    validate(contract={table: {column: {"allowed": ["nobody"]}}})
    found = {one["rule"]: one["example"]["value"] for one in files.read_json(files.QUALITY)["recent"]["worst"]}
    assert expected == found[f"{column}: not an allowed value"]
    assert "Ann" not in files.QUALITY.read_text()


def test_a_run_that_stopped_for_bad_rows_stops_again() -> None:
    """Running once more does not make bad days good."""
    write_events({1: [prediction("p1", "01T10", score=7.0)]}, {})
    for _ in range(2):
        with pytest.raises(DataError, match=r"100\.0%"):
            validate(validate={"max_rejected_share": 0.25})


def test_a_share_of_rejected_rows_at_the_limit_passes() -> None:
    """Only more than the limit is too much."""
    write_events({1: [prediction(f"p{n}", "01T10", score=0.5 if n else 7.0) for n in range(4)]}, {})
    assert "3 good rows, 1 rejected, days checked: 1" == validate(validate={"max_rejected_share": 0.25})


def test_old_bad_days_do_not_stop_the_run() -> None:
    """The limit is for the recent days: a bad first day is forgiven when the last two are good."""
    write_events({n: [prediction(f"p{n}", f"0{n}T10", score=7.0 if n == 1 else 0.5)] for n in (1, 2, 3)}, {})
    assert "2 good rows, 1 rejected, days checked: 3" == validate(
        validate={"max_rejected_share": 0.25, "recent_days": 2}
    )


def test_quality_counts_rows_rejected_duplicates_rules_and_nulls() -> None:
    """Every count of a small day, by hand: 1 of 4 predictions is bad, 1 of 4 sizes is null."""
    rows = [prediction("p1", "01T10"), prediction("p2", "01T10", in_size=None), prediction("p3", "01T10")]
    write_events({1: [*rows, prediction("p4", "01T10", score=7.0)]}, {1: [feedback("f1", "p1", "01T12")]})
    path = tables.day_path(files.EVENTS, "predictions", day(1))
    files.write_parquet(path, files.read_parquet(path), {"duplicates": "3", "personal": '{"email": 2}'})
    validate()
    found = files.read_json(files.QUALITY)
    counts = {"rows": 5, "rejected": 1, "rejected_share": 1 / 5, "duplicates": 3, "rules": {"score: above 1": 1}}
    counts |= {"personal": {"email": 2}}
    assert counts | {"days": {"n": 1, "first": "2030-01-01", "last": "2030-01-01"}} == found["total"]
    expected = {
        "rows": 4,
        "rejected": 1,
        "duplicates": 3,
        "personal": {"email": 2},
        "rules": {"score: above 1": 1},
        "null_shares": {"error": 4 / 4, "in_size": 1 / 4},
        "volume": "too early to tell",
    }
    assert expected == found["days"][0]["predictions"]


VOLUMES = {
    "usual": ([100] * 7 + [100], "usual"),
    "ten times the volume": ([100] * 7 + [1000], "high"),
    "just twice the volume": ([100] * 7 + [200], "usual"),
    "a little more than twice": ([100] * 7 + [201], "high"),
    "less than half": ([100] * 7 + [49], "low"),
    "just half": ([100] * 7 + [50], "usual"),
    "an empty day": ([100] * 7 + [0], "empty"),
    "too early": ([100] * 6 + [1000], "too early to tell"),
    "an empty first day": ([0], "empty"),
    "one odd day before does not move the median": ([100] * 6 + [10_000] + [201], "high"),
    "what is long ago does not count": ([1000] * 10 + [100] * 10 + [100], "usual"),
}


@pytest.mark.parametrize("case", VOLUMES)
def test_the_volume_of_the_last_day_is_compared_with_the_median_before_it(case: str) -> None:
    """The limits are half and twice the median of the ten days before, once there are seven."""
    rows, expected = VOLUMES[case]
    params = settings(ValidateParams, validate={"trailing_days": 10, "low_volume": 0.5, "high_volume": 2.0}).validate_
    index = [f"day {n}" for n in range(len(rows))]
    assert expected == volume_flags(pd.Series(rows, index), params)[index[-1]]


def test_a_trailing_window_of_less_than_a_week_is_a_setting_that_works() -> None:
    """The settings allow `trailing_days: 3`; then three days are enough to compare with."""
    params = settings(ValidateParams, validate={"trailing_days": 3}).validate_
    assert "high" == volume_flags(pd.Series([100, 100, 100, 1000]), params)[3]


def test_a_day_of_ten_times_the_volume_is_flagged_and_passes() -> None:
    """Many good rows are no reason to stop: the report says so, and all rows are good."""
    days = {n: [prediction(f"p{n}-{i}", f"0{n}T10") for i in range(20 if n == 8 else 2)] for n in range(1, 9)}
    write_events(days, {})
    assert "34 good rows, 0 rejected, days checked: 8" == validate()
    unusual = [one for one in files.read_json(files.QUALITY)["unusual_volume"] if one["table"] == "predictions"]
    assert [{"day": "2030-01-08", "table": "predictions", "rows": 20, "volume": "high"}] == unusual


@pytest.mark.parametrize("clocks", [[10], [2, 3, 10]])
def test_an_empty_day_is_flagged_and_passes(clocks: list[int]) -> None:
    """Nothing arrived on the second day, in neither table, whether it is checked alone or with others."""
    write_events({1: [prediction("p1", "01T10")], 2: [], 3: [prediction("p3", "03T10")]}, {})
    for as_of in clocks:
        validate(as_of)
    assert [1, 0, 1] == [
        len(files.read_parquet(tables.day_path(files.VALID, "predictions", day(n)))) for n in (1, 2, 3)
    ]
    flagged = {(one["table"], one["day"]) for one in files.read_json(files.QUALITY)["unusual_volume"]}
    assert {("predictions", "2030-01-02"), *(("feedback", f"2030-01-0{n}") for n in (1, 2, 3))} == flagged


def test_days_from_the_clock_on_are_not_looked_at() -> None:
    """A day that was collected but lies after the clock waits."""
    write_events({n: [prediction(f"p{n}", f"0{n}T10")] for n in (1, 2, 3)}, {})
    validate(as_of=3)
    assert ["p1", "p2"] == good("predictions")


SILENCES = {  # days with rows of the month, the clock, and what is silent then: days, usual days, and whether it is
    "every day, and yesterday": ([1, 2, 3, 4], 5, (0, 0, False)),
    "one day without, which an odd day may be": ([1, 2, 3, 4], 6, (1, 0, False)),
    "two days without": ([1, 2, 3, 4], 7, (2, 0, True)),
    "never on weekends, on Monday": ([1, 2, 3, 4, 7, 8, 9, 10, 11], 14, (2, 2, False)),
    "twice the usual gap": ([1, 2, 3, 4, 7, 8, 9, 10, 11], 16, (4, 2, False)),
    "more than twice the usual gap": ([1, 2, 3, 4, 7, 8, 9, 10, 11], 17, (5, 2, True)),
    "once": ([1], 30, (28, None, False)),
    "a long gap of long ago is forgotten": ([1, *range(20, 27)], 30, (3, 0, True)),
    "every tenth day": ([1, 11, 21], 31, (9, 9, False)),
}


@pytest.mark.parametrize("case", SILENCES)
def test_a_feed_is_silent_when_it_has_been_for_longer_than_usual(case: str) -> None:
    """The usual silence is the longest between the last seven days on which the feed spoke."""
    spoke, clock, expected = SILENCES[case]
    found = silence([day(n) for n in spoke], day(clock), look_back=7)
    assert (day(spoke[-1]).isoformat(), *expected) == tuple(found.values())


def test_a_feed_that_never_spoke_is_not_silent() -> None:
    """Nothing is known of what is usual for it."""
    assert {"last_day": None, "days": None, "usual_days": None, "is_silent": False} == silence([], day(9), 5)


def test_quality_says_which_feed_is_silent() -> None:
    """Outcomes ended on the fourth day, reports go on, ratings never came, and a rejected row is not heard."""
    write_events(
        {n: [prediction(f"p{n}", f"0{n}T10")] for n in range(1, 9)},
        {
            n: [
                feedback(f"r{n}", f"p{n}", f"0{n}T12", channel="report"),
                feedback(f"o{n}", f"p{n}", f"0{n}T12", value=0.0 if n <= 4 else 7.0),
            ]
            for n in range(1, 9)
        },
    )
    validate(as_of=9)
    found = files.read_json(files.QUALITY)["silence"]
    spoken = {"last_day": "2030-01-08", "days": 0, "usual_days": 0, "is_silent": False}
    ended = {"last_day": "2030-01-04", "days": 4, "usual_days": 0, "is_silent": True}
    assert {"predictions": spoken, "feedback": spoken, "outcome": ended, "report": spoken} == found


def test_a_source_that_ended_is_silent_when_the_clock_has_gone_on() -> None:
    """The days since the last one that is there count, though there is no file of any of them."""
    write_events({n: [prediction(f"p{n}", f"0{n}T10")] for n in (1, 2, 3)}, {})
    validate(as_of=9)
    assert {"last_day": "2030-01-03", "days": 5, "usual_days": 0, "is_silent": True} == files.read_json(files.QUALITY)[
        "silence"
    ]["predictions"]


def test_a_later_run_checks_new_days_only() -> None:
    """With one day more, one day is checked."""
    write_events({n: [prediction(f"p{n}", f"0{n}T10")] for n in (1, 2, 3)}, {})
    validate(as_of=3)
    assert "3 good rows, 0 rejected, days checked: 1" == validate(as_of=4)


def test_a_changed_contract_checks_all_days_again() -> None:
    """A row that an older contract rejected is good under the new one, and no longer among the rejected."""
    write_events({n: [prediction(f"p{n}", f"0{n}T10", in_size=9 + n)] for n in (0 + 1, 2)}, {})
    assert "0 good rows, 2 rejected, days checked: 2" == validate()
    wider = {"predictions": {"in_size": {"max": 99}}}
    assert "2 good rows, 0 rejected, days checked: 2" == validate(contract=wider)
    assert {} == contents(files.REJECTED)


def results() -> dict[str, bytes]:
    """Everything that the stage wrote."""
    found = {
        f"{folder}/{name}": content
        for folder in (files.VALID, files.REJECTED)
        for name, content in contents(folder).items()
    }
    return found | {"quality": files.QUALITY.read_bytes()}


@contextlib.contextmanager
def new_folder() -> Iterator[None]:
    """Another empty folder to run in, for each of many examples."""
    with tempfile.TemporaryDirectory() as folder:
        furnish(Path(folder))
        with contextlib.chdir(folder):
            yield


BAD_PREDICTION: tuple[dict[str, Any], ...] = (
    {},
    {},
    {"score": 7.0},
    {"score": None},
    {"score": None, "error": "timeout"},
    {"in_place": "east"},
    {"in_place": None},
    {"in_size": None},
    {"in_size": 0},
    {"in_size": "many"},
    {"user_id": None},
    {"served_at": None},
)
BAD_FEEDBACK: tuple[dict[str, Any], ...] = (
    {},
    {},
    {"value": 5.0},
    {"value": None},
    {"channel": "letter"},
    {"channel": "ticket", "value": None},
    {"source_id": None},
    {"received_at": None},
)


@st.composite
def two_tables(draw: st.DrawFn) -> tuple[dict[int, Rows], dict[int, Rows]]:
    """A few rows on each of three days, many of them bad, with ids that may come again and references that may be wrong."""
    one = st.tuples(st.integers(0, 6), st.integers(0, 6), st.sampled_from([*BAD_PREDICTION]))
    two = st.tuples(st.integers(0, 6), st.integers(0, 6), st.sampled_from([*BAD_FEEDBACK]))
    predictions, said = {}, {}
    for n in (1, 2, 3):
        predictions[n] = [
            prediction(f"p{name}", f"0{n}T0{hour}") | changes for name, hour, changes in draw(st.lists(one, max_size=5))
        ]
        said[n] = [
            feedback(f"f{name}", f"p{about}", f"0{n}T0{about}") | changes
            for name, about, changes in draw(st.lists(two, max_size=5))
        ]
    return predictions, said


@pytest.mark.slow
@ON_DISK
@given(two_tables())
def test_no_row_is_lost_or_doubled(both: tuple[dict[int, Rows], dict[int, Rows]]) -> None:
    """On each day, what came in is what was good and what was rejected, and the counts say the same."""
    with new_folder():
        write_events(*both)
        validate()
        quality = files.read_json(files.QUALITY)
        for table in tables.TABLES:
            for n, counted in zip((1, 2, 3), quality["days"], strict=True):
                came, kept, thrown = (
                    Counter(files.read_parquet(path)[tables.ID[table]].tolist()) if path.exists() else Counter()
                    for path in (
                        tables.day_path(folder, table, day(n)) for folder in (files.EVENTS, files.VALID, files.REJECTED)
                    )
                )
                assert came == kept + thrown
                assert (came.total(), thrown.total()) == (counted[table]["rows"], counted[table]["rejected"])


@pytest.mark.slow
@ON_DISK
@given(two_tables())
def test_good_rows_keep_the_promises_of_the_contract(both: tuple[dict[int, Rows], dict[int, Rows]]) -> None:
    """Whatever came in: ids are unique, scores lie in [0, 1], and all feedback follows a prediction that is there."""
    with new_folder():
        write_events(*both)
        validate()
        predictions, said = (tables.read_days(files.VALID, table) for table in tables.TABLES)
        assert (True, True) == (predictions["prediction_id"].is_unique, said["feedback_id"].is_unique)
        assert predictions["score"].dropna().between(0, 1).all()
        joined = said.merge(predictions, on="prediction_id", how="left")
        assert (joined["received_at"] >= joined["served_at"]).all()


@pytest.mark.slow
@ON_DISK
@given(two_tables())
def test_day_by_day_gives_the_same_bytes_as_at_once(both: tuple[dict[int, Rows], dict[int, Rows]]) -> None:
    """Two runs with a moving clock and one run to the same clock write the same files."""
    with new_folder():
        write_events(*both)
        for as_of in (2, 4):
            validate(as_of)
        step_by_step = results()
    with new_folder():
        write_events(*both)
        validate(as_of=4)
        assert results() == step_by_step


def test_an_optional_column_that_no_table_has_reads_as_null() -> None:
    """A contract without score, error, source and text is a whole contract; nothing is rejected for want of them."""
    optional = {
        "predictions": {"user_id", "model_version", "score", "latency_ms", "error"},
        "feedback": {"source_id", "text"},
    }
    contract = {
        table: {name: one for name, one in PROJECT["contract"][table].items() if name not in left_out}
        for table, left_out in optional.items()
    }
    write_events({1: [prediction("p1", "01T10")]}, {1: [feedback("f1", "p1", "01T12")]})
    params = settings(ValidateParams, clock={"as_of": "2030-01-10"}).model_copy(
        update={"contract": Contract(**contract)}
    )
    assert main(params).startswith("2 good rows, 0 rejected")
    for table, names in optional.items():
        found = tables.read_days(files.VALID, table)
        assert names == {name for name in names if found[name].isna().all()}
        assert not set(names) & set(files.read_names(tables.day_path(files.VALID, table, day(1))))
