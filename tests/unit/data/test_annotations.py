"""Answers of annotators: what is wrong is named with file and row, and what is right arrives on its day, whoever collects."""

from __future__ import annotations

import datetime as dt
import shutil
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from flywheel import files
from flywheel.data import tables
from flywheel.data.annotations import answers, rubric
from flywheel.data.annotations.form import from_csv, harmless, to_csv
from flywheel.data.evidence import read_late
from flywheel.data.personal.vocabulary import shipped
from flywheel.data.privacy import DEMO_KEY
from flywheel.errors import ConfigError, DataError
from flywheel.loop import backfill
from flywheel.stages import validate
from flywheel.stages.collect import CollectParams, main
from tests.planted import SOURCES, PlantedSource, contents, day, feedback, furnish, prediction, settings

ANN, BOB = "a" * 16, "b" * 16
HEADER = "prediction_id,asked,value,annotator,answered_on,comment,rubric,drawn"
RUBRIC = "# Rubric\n\n## Versions\n\n| version | since | what |\n| --- | --- | --- |\n| 1 | a | b |\n| 2 | c | d |\n"


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("FLYWHEEL_HASH_KEY", raising=False)
    monkeypatch.delenv("GIT_AUTHOR_NAME", raising=False)
    furnish(tmp_path)
    Path("docs/rubric.md").write_text(RUBRIC)


def answer(about: str = "p1", **changes: Any) -> str:
    """One good answer as a line of a file, with `changes`."""
    cells = {
        "prediction_id": about,
        "asked": "",
        "value": "1",
        "annotator": ANN,
        "answered_on": "2030-01-02",
        "comment": "",
        "rubric": "1",
        "drawn": answers.drawn(about, DEMO_KEY) if changes.get("asked") == "audit" else "",
    }
    return ",".join((cells | changes).values())


def hand_in(*lines: str, name: str = "ann") -> None:
    """Write a file of answers."""
    Path("annotations").mkdir(exist_ok=True)
    Path(f"annotations/{name}.csv").write_text("\n".join([HEADER, *lines]) + "\n", encoding="utf-8")


def three_days() -> PlantedSource:
    """Three days with one prediction and one outcome each, of a source that cannot count."""
    said = {n: [feedback(f"f{n}", f"p{n}", f"0{n}T12")] for n in (1, 2, 3)}
    return PlantedSource({n: [prediction(f"p{n}", f"0{n}T10")] for n in (1, 2, 3)}, said)


def collect(as_of: int = 4, source: PlantedSource | None = None, **changes: Any) -> str:
    """Run the stage with the clock on a day of the month."""
    SOURCES["planted"] = source or three_days()
    return main(settings(CollectParams, clock={"follow": "replay", "as_of": day(as_of).isoformat()}, **changes))


def stored(number: int) -> pd.DataFrame:
    """The stored feedback of a day."""
    return files.read_parquet(tables.day_path(files.EVENTS, "feedback", day(number)))


def test_an_answer_arrives_at_the_end_of_its_day_with_its_rubric() -> None:
    """Behind what the source gave; so nothing uses it on the day on which somebody was still at work."""
    hand_in(answer(comment="hard to tell", asked="audit"))
    assert "3 new days of 3, 0 duplicates dropped" == collect()
    said = stored(2)
    assert ["outcome", "annotation"] == said["channel"].tolist()
    row = said.iloc[1]
    assert ("p1", 1.0, ANN, "1", "audit", "hard to tell") == tuple(
        row[name] for name in ("prediction_id", "value", "source_id", "rubric", "asked", "text")
    )
    assert pd.Timestamp("2030-01-02T23:59:59.999999Z") == row["received_at"]


def test_a_day_without_answers_has_the_same_bytes_as_without_the_folder() -> None:
    """So a project without annotators, and all its stored days, know nothing of rubrics."""
    collect()
    before = contents(files.EVENTS)
    shutil.rmtree("data")
    hand_in(answer(), answer("p3", value=""))
    collect()
    after = contents(files.EVENTS)
    assert {"feedback/2030-01-02.parquet", "ledger.json"} == {name for name in after if after[name] != before[name]}


def test_what_is_not_answered_and_what_is_later_than_the_clock_waits() -> None:
    """A row without a value is no answer; one of a later day arrives when that day is collected, and the stage says so."""
    hand_in(answer(answered_on="2030-01-03"), answer("p2", value=" "))
    assert "2 new days of 2, 0 duplicates dropped; 1 answer of annotators for later days" == collect(as_of=3)
    assert "1 new days of 3, 0 duplicates dropped" == collect(as_of=4)
    assert "annotation" in set(stored(3)["channel"])


def test_an_answer_for_a_collected_day_is_late_until_a_backfill() -> None:
    """Whether or not the source counts; then the day is what a fresh clone collects, byte for byte."""
    collect()
    before = contents(files.EVENTS)
    hand_in(answer())
    assert "0 new days of 3, 0 duplicates dropped; 1 row came late" == collect()
    assert before == contents(files.EVENTS)
    assert {"feedback": {"rows": 1, "days": {"2030-01-02": 1}}} == read_late()
    params: Any = settings(CollectParams, clock={"follow": "replay", "as_of": "2030-01-04"})
    backfill.prepare(params, [day(2)], "Ann", "answers", lambda _: None)
    assert "0 new days of 3, 0 duplicates dropped" == collect()
    assert {} == read_late()
    files.CORRECTIONS.unlink()
    corrected = contents(files.EVENTS)
    shutil.rmtree("data")
    collect()
    assert corrected == contents(files.EVENTS)


def test_day_by_day_gives_the_same_bytes_as_at_once() -> None:
    """Collected and validated, with answers on one of the days and a contract that knows no rubric."""
    hand_in(answer(), answer("p1", annotator=BOB, value="0", rubric="2"))

    def run(as_of: int) -> None:
        collect(as_of)
        validate.main(settings(validate.ValidateParams, clock={"follow": "replay", "as_of": day(as_of).isoformat()}))

    for number in (2, 3, 4):
        run(number)
    step_by_step = contents(Path("data"))
    shutil.rmtree("data")
    run(4)
    assert step_by_step == contents(Path("data"))
    names = [files.read_names(tables.day_path(files.VALID, "feedback", day(n))) for n in (1, 2, 3)]
    assert [False, True, False] == ["rubric" in one for one in names]
    good = files.read_parquet(tables.day_path(files.VALID, "feedback", day(2)))
    assert ["", "1", "2"] == sorted(good["rubric"].fillna(""))
    assert "rubric" not in files.read_json(files.VALID / "ledger.json")["days"]["2030-01-01"]["feedback"]["null_shares"]


def test_an_annotator_is_known_where_the_contract_has_no_column_for_sources() -> None:
    """With answers come source and text, whatever the contract names."""
    hand_in(answer())
    collect()
    params = settings(validate.ValidateParams, clock={"follow": "replay", "as_of": "2030-01-04"})
    bare = {name: column for name, column in params.contract.feedback.items() if name != "source_id"}
    validate.main(params.model_copy(update={"contract": params.contract.model_copy(update={"feedback": bare})}))
    good = files.read_parquet(tables.day_path(files.VALID, "feedback", day(2)))
    assert ANN in set(good["source_id"])
    assert "source_id" not in files.read_names(tables.day_path(files.VALID, "feedback", day(1)))


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (answer(value="2"), "row 2: value: found '2'; allowed is 0 or 1"),
        (answer(value="yes"), "row 2: value: found 'yes'"),
        (answer(value="=1+1"), "row 2: value: found '=1+1'"),
        (answer(rubric="3"), "row 2: rubric: found '3'; versions of docs/rubric.md: 1, 2."),
        (answer(rubric=""), "row 2: rubric: found nothing"),
        (answer(answered_on="2.1.2030"), "row 2: answered_on: found '2.1.2030'; allowed is the UTC day"),
        (answer(answered_on="20300102"), "row 2: answered_on: found '20300102'"),
        (answer(asked="random"), "row 2: asked: found 'random'"),
        (answer(asked="audit", drawn=""), "row 2: asked: found audit, but the cell drawn does not show"),
        (answer(asked="audit", drawn=answers.drawn("p2", DEMO_KEY)), "row 2: asked: found audit, but the cell drawn"),
        (answer(asked="audit", drawn=answers.drawn("p1", "another")), "row 2: asked: found audit, but the cell drawn"),
        (answer(""), "row 2: prediction_id is empty"),
        (answer("p9"), "row 2: prediction_id: there is no such prediction up to 2030-01-02"),
        (answer("p3"), "row 2: prediction_id: there is no such prediction up to 2030-01-02"),
        (answer("p1", answered_on="2029-12-31"), "row 2: prediction_id: there is no such prediction up to 2029-12-31"),
        (answer(annotator="ann@example.com"), "row 2: annotator: allowed are the 16 digits of a keyed hash"),
        (answer(comment="call ann@example.com"), "row 2: comment: it holds personal data (email)"),
        (answer() + ",more", "row 2: found 9 cells, but the header has 8"),
        ('p1,,1,"open', "row 2: unexpected end of data"),
    ],
)
def test_a_mistake_is_named_with_file_and_row(line: str, said: str) -> None:
    """What was found, what is allowed and what to do; and nobody's address."""
    hand_in(line)
    with pytest.raises(DataError) as error:
        collect()
    assert f"annotations/ann.csv, {said}" in str(error.value)
    assert "example.com" not in str(error.value)


def test_a_prediction_of_a_later_day_is_named_with_that_day() -> None:
    """It is stored, so the message can say when it was served."""
    collect()
    hand_in(answer("p3"))
    with pytest.raises(DataError, match="answered on 2030-01-02, but the prediction was served on 2030-01-03"):
        collect()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"prediction_id,value\np1,1\n", "row 1: the columns annotator, answered_on, rubric are missing"),
        (b"", "annotations/x.csv is empty"),
        ((HEADER + "\n" + answer(comment="caf\u00e9")).encode("latin-1"), "annotations/x.csv, row 2: not UTF-8"),
        ((HEADER + ",value\n").encode(), "row 1: the column value is there twice"),
    ],
)
def test_a_file_of_another_form_is_refused(content: bytes, said: str) -> None:
    """Its name is in the message."""
    Path("annotations").mkdir()
    Path("annotations/x.csv").write_bytes(content)
    with pytest.raises(DataError) as error:
        collect()
    assert said in str(error.value)


def test_a_file_that_nothing_reads_is_not_passed_over_in_silence() -> None:
    """Such as the spreadsheet itself; a note for people is."""
    hand_in(answer())
    Path("annotations/notes.md").write_text("hello")
    collect()
    Path("annotations/ann.xlsx").write_bytes(b"PK")
    with pytest.raises(DataError, match=r"annotations/ann.xlsx: nothing reads it"):
        collect()


def test_all_mistakes_of_all_files_are_told_at_once() -> None:
    """Up to ten of them; the rest is counted."""
    hand_in(*(answer(value="7") for _ in range(7)))
    hand_in(*(answer(value="7") for _ in range(7)), name="bob")
    with pytest.raises(DataError) as error:
        collect()
    assert ("annotations/bob.csv, row 4" in str(error.value), str(error.value).endswith("and 4 more")) == (True, True)


def test_the_same_answer_twice_is_one_and_another_answer_is_refused() -> None:
    """In whatever files; the first of the days holds, and an audit stays one."""
    hand_in(answer(answered_on="2030-01-03"), answer("p2"))
    hand_in(
        answer(asked="audit"), answer("p2", annotator=BOB, value="0"), answer("p2", rubric="2", value="0"), name="bob"
    )
    collect()
    said = pd.concat([stored(2), stored(3)])
    mine = said[said["channel"] == "annotation"]
    assert [("p1", "audit"), ("p2", None), ("p2", None), ("p2", None)] == sorted(
        (
            (row["prediction_id"], row["asked"] if isinstance(row["asked"], str) else None)
            for row in mine.to_dict("records")
        ),
        key=lambda one: one[0],
    )
    assert "annotation" not in set(stored(3)["channel"])
    hand_in(answer(value="0"), name="carl")
    with pytest.raises(DataError) as error:
        collect()
    assert (
        "annotations/carl.csv, row 2: 0, but the same annotator said 1 of this prediction in annotations/bob.csv, row 2"
        in str(error.value)
    )


def test_in_a_part_of_the_source_answers_about_the_rest_are_left_out() -> None:
    """A quick look at some of the predictions is no mistake of the annotators."""
    hand_in(answer("p1"), answer("p2"))
    SOURCES["planted"] = three_days()
    main(settings(CollectParams, clock={"follow": "replay", "as_of": "2030-01-04"}, source={"first_day": "2030-01-02"}))
    said = stored(2)
    assert ["p2"] == said.loc[said["channel"] == "annotation", "prediction_id"].tolist()


def test_files_from_a_spreadsheet_are_read() -> None:
    """With a byte order mark, semicolons, other line ends, blank lines and columns of their own."""
    lines = ["prediction_id;value;annotator;answered_on;rubric;in_place", f"p1; 1 ;{ANN};2030-01-02;1;north", ";;;;;"]
    [one] = answers.read({"x.csv": ("\ufeff" + "\r\n".join(lines)).encode()}, ("1",), shipped(), DEMO_KEY)
    assert ("p1", 1, 2, None) == (one.prediction_id, one.value, one.row, one.asked)
    lines = [lines[0] + ';"kilos, with box"', lines[1] + ";3"]
    assert 1 == len(answers.read({"x.csv": "\n".join(lines).encode()}, ("1",), shipped(), DEMO_KEY))


@given(st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\x00"), min_size=1), min_size=1, max_size=4))
@example(["＝1+1", "'＝1", "\n=1"])
def test_any_text_comes_back_from_a_file_and_none_is_a_formula(texts: list[str]) -> None:
    """What a spreadsheet would run has an apostrophe in front, and loses it when it is read."""
    assert not any(
        harmless(one).startswith(("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")) for one in texts
    )
    columns, rows = from_csv(to_csv(["a", "b"], [{"a": one, "b": "x"} for one in texts]).encode(), "x.csv")
    assert (["a", "b"], texts) == (columns, [cells["a"] for _, cells in rows])


def test_the_rubric_says_which_versions_there_are(tmp_path: Path) -> None:
    """The last one holds; a table that is missing or has a gap is refused with what is allowed."""
    assert ("1", "2") == rubric.versions()
    for text in ("# Rubric\n", RUBRIC.replace("| 2 |", "| 3 |")):
        Path("docs/rubric.md").write_text(text)
        with pytest.raises(ConfigError, match=r"allowed are 1, 2 and so on"):
            rubric.versions()
    Path("docs/rubric.md").unlink()
    hand_in(answer())
    with pytest.raises(ConfigError, match=r"docs/rubric.md is missing"):
        collect()


def test_a_day_is_written_in_one_way() -> None:
    """2030-01-31, and nothing else."""
    assert (dt.date(2030, 1, 31), None, None, None) == tuple(
        map(answers.as_day, ("2030-01-31", "2030-1-31", "9999-01-01", "soon"))
    )
