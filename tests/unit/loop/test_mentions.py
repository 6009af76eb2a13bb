"""Files in Git lose the rows and entries of whoever was forgotten, and not a byte of anybody else's."""

from __future__ import annotations

import csv
import datetime as dt
import io
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from flywheel import files
from flywheel.data import tombstones
from flywheel.data.privacy import DEMO_KEY, hash_id
from flywheel.data.tombstones import People, Tombstone, tombstone
from flywheel.errors import DataError
from flywheel.labels import verdicts
from flywheel.loop import mentions, pipeline
from tests.planted import ON_DISK

ANN, BOB = hash_id("ann", DEMO_KEY), hash_id("bob", DEMO_KEY)
PEOPLE = People(frozenset([tombstone(ANN, DEMO_KEY)]), DEMO_KEY)
ROWS = Path("annotations/march.csv")


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("FLYWHEEL_HASH_KEY", raising=False)
    for folder in ("annotations", "docs", "conf"):
        Path(folder).mkdir()


def cleaned(content: str) -> str:
    """A CSV file without Ann."""
    ROWS.write_bytes(content.encode())
    mentions.write(mentions.clean(PEOPLE))
    return ROWS.read_bytes().decode()


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (f"prediction_id,annotator\np1,{ANN}\np2,{BOB}\n", f"prediction_id,annotator\np2,{BOB}\n"),
        ("annotator,value\nann,1\nbob,0\n", "annotator,value\nbob,0\n"),
        ("\ufeffannotator,value\r\nann,1\r\nbob,0\r\n", "\ufeffannotator,value\r\nbob,0\r\n"),
        ('source_id,text\nann,"two\nlines"\nbob,"three\n\nlines"', 'source_id,text\nbob,"three\n\nlines"'),
        (f'id,user_id,why\n7,{ANN},"a, b"\n8,{BOB},c\n', f'id,user_id,why\n7,,"a, b"\n8,{BOB},c\n'),
        ("annotator\nbob\nann", "annotator\nbob\n"),
        ("annotator,value\n ann ,1\n", "annotator,value\n"),
        ("value,text\n1,ann\n", "value,text\n1,ann\n"),
        (f"annotator;value\n{ANN};1\n{BOB};0\n", f"annotator;value\n{BOB};0\n"),
        (f"\ufeffvalue\tannotator\r\n1\t{ANN}\r\n", "\ufeffvalue\tannotator\r\n"),
        (f'\ufeff"annotator","value"\n"{ANN}",1\n', '\ufeff"annotator","value"\n'),
        (f"annotator,value\r{ANN},1\r{BOB},0\r", f"annotator,value\r{BOB},0\r"),
        (f"id;user_id;why\n7;{ANN};a, b\n", "id;user_id;why\n7;;a, b\n"),
        (f"annotator,value,annotator\n{ANN},1,{BOB}\n", "annotator,value,annotator\n"),
        ("", ""),
    ],
)
def test_their_rows_go_by_hash_or_name_and_other_lines_stay(before: str, after: str) -> None:
    """Whatever the ends of lines, the marks and the quotes are."""
    assert after == cleaned(before)


cells = st.text(st.characters(codec="utf-8", exclude_characters="\r\0"), max_size=8)


@ON_DISK
@given(rows=st.lists(st.tuples(st.sampled_from([ANN, "ann", BOB, "bob", ""]), cells, cells), max_size=8))
def test_a_file_keeps_every_byte_of_all_others(rows: list[tuple[str, str, str]]) -> None:
    """What is left is the file that would have been written without them."""

    def written(some: list[tuple[str, str, str]]) -> str:
        out = io.StringIO()
        csv.writer(out, lineterminator="\n").writerows([("annotator", "value", "text"), *some])
        return out.getvalue()

    assert written([row for row in rows if row[0] not in (ANN, "ann")]) == cleaned(written(rows))


def test_a_file_that_is_no_csv_is_named_and_nothing_is_changed() -> None:
    """So is one that is not UTF-8."""
    ROWS.write_bytes(b"annotator\n\xff\n")
    with pytest.raises(DataError, match=r"annotations/march\.csv is not UTF-8"):
        mentions.clean(PEOPLE)
    ROWS.write_text("annotator,text\nann," + "x" * 200_000 + "\n")
    with pytest.raises(DataError, match=r"annotations/march\.csv: line 2 is not CSV"):
        mentions.clean(PEOPLE)


def entry(name: str) -> str:
    said = "decision: release\n    reason: |\n      an office\n\n      of two\n    by: us\n\n"
    return f'  # seen in March\n  "{name}":\n    {said}'


def test_what_was_said_of_them_in_quarantine_goes_and_comments_stay() -> None:
    """The entries of others are as they were, byte for byte."""
    top = "# What people say.\nsources:\n"
    verdicts.FILE.write_text(top + entry(BOB) + entry(ANN) + entry("c" * 16) + "# the end\n")
    [one] = mentions.clean(PEOPLE)
    mentions.write([one])
    assert (1, [BOB, "c" * 16]) == (one.n, list(verdicts.read()))
    text = verdicts.FILE.read_text()
    assert top + entry(BOB) in text
    assert text.endswith(entry("c" * 16) + "# the end\n")
    assert ANN not in text


@pytest.mark.parametrize("tail", ["", "\n", "# the end\n"])
def test_where_they_were_the_only_ones_the_file_says_that_there_is_nobody(tail: str) -> None:
    """An empty key would be no file that can be read."""
    verdicts.FILE.write_text(f"# Who.\nsources:\n{entry(ANN).rstrip()}{chr(10) if tail else ''}{tail}")
    mentions.write(mentions.clean(PEOPLE))
    assert {} == verdicts.read()
    assert verdicts.FILE.read_text().startswith("# Who.\nsources: {}\n")
    assert verdicts.FILE.read_text().endswith(tail)


@pytest.mark.parametrize("text", ["sources: {}\n", "", "sources: [", f"sources: {{{ANN}: 1, {BOB}: 1}}\n"])
def test_a_file_without_them_stays_and_one_that_cannot_be_cut_is_named(text: str) -> None:
    """Cut by lines, an entry must have lines of its own."""
    verdicts.FILE.write_text(text)
    if "[" in text or ANN in text:
        with pytest.raises(DataError, match=r"docs/quarantine\.yaml"):
            mentions.clean(PEOPLE)
    else:
        assert [] == mentions.clean(PEOPLE)
    assert text == verdicts.FILE.read_text()


def test_a_run_finishes_what_a_forgetting_that_was_killed_had_left(capsys: pytest.CaptureFixture[str]) -> None:
    """The tombstone alone decides; without the key nothing is changed."""
    ROWS.write_text("annotator\nann\nbob\n")
    one = Tombstone(person=tombstone(ANN, DEMO_KEY), as_of=dt.date(2030, 1, 4))
    tombstones.add(tombstones.read(), one, DEMO_KEY)
    collect = {"hash_key_env": "FLYWHEEL_HASH_KEY", "allow_demo_key": False}
    Path("params.yaml").write_text(yaml.safe_dump({"collect": collect}))
    pipeline.finish_correction()
    assert "annotator\nann\nbob\n" == ROWS.read_text()
    Path("params.yaml").write_text(yaml.safe_dump({"collect": collect | {"allow_demo_key": True}}))
    pipeline.finish_correction()
    assert "annotator\nbob\n" == ROWS.read_text()
    assert "annotations/march.csv named people who were forgotten" in capsys.readouterr().out
    pipeline.finish_correction()
    assert "" == capsys.readouterr().out
    assert not files.FORGET.exists()


def test_what_else_names_them_is_found() -> None:
    """In any file of Git, whatever it is."""
    Path("docs/notes.md").write_text(f"we called {ANN} today")
    Path("docs/other.md").write_bytes(b"\xff")
    assert ["docs/notes.md"] == mentions.naming([ANN], ["docs/notes.md", "docs/other.md", "docs/gone.md"])
