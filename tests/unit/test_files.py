"""Files: a write is whole or not at all, and an error about a file says how to fix it."""

from __future__ import annotations

import datetime as dt
import errno
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from flywheel import files
from flywheel.data.ledger import digest, fingerprint
from flywheel.errors import DataError
from flywheel.features.days import read_features

TARGET = Path("reports/found.json")
TABLE = Path("data/table.parquet")


@pytest.fixture(autouse=True)
def in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every test writes below its own folder."""
    monkeypatch.chdir(tmp_path)


def leftovers() -> list[str]:
    """What is left of temporary files."""
    return sorted(path.name for path in files.TMP.rglob("*"))


def frame() -> pd.DataFrame:
    return pd.DataFrame({"prediction_id": ["a", "b"], "score": [0.25, None]})


def test_a_write_makes_its_folder_and_leaves_nothing_else() -> None:
    """The text is in the file; no temporary file stays."""
    files.write_text(TARGET, "naïve\n")
    assert ("naïve\n".encode(), []) == (TARGET.read_bytes(), leftovers())


def test_bytes_are_written_as_they_are() -> None:
    """No line ending and no encoding is touched."""
    files.write_bytes(TARGET, b"\x00\r\n\xff")
    assert TARGET.read_bytes() == b"\x00\r\n\xff"


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt, OSError])
def test_a_failure_in_the_middle_of_a_write_keeps_the_old_file(error: type[BaseException]) -> None:
    """Whatever goes wrong after the first half, the old file is whole and no temporary one stays."""
    files.write_text(TARGET, "old")

    def half(path: Path) -> None:
        path.write_text("ne")
        raise error("in the middle")

    with pytest.raises((error, DataError)):
        files.write_atomically(TARGET, half)
    assert ("old", []) == (TARGET.read_text(), leftovers())


def test_the_target_is_whole_until_the_write_is_done() -> None:
    """While the new content is being written, a reader sees the old one."""
    files.write_text(TARGET, "old")
    seen: list[str] = []

    def slowly(path: Path) -> None:
        path.write_text("ne")
        seen.append(TARGET.read_text())
        path.write_text("new")

    files.write_atomically(TARGET, slowly)
    assert (["old"], "new") == (seen, TARGET.read_text())


def test_a_write_that_the_system_refuses_is_a_data_error_that_names_the_target() -> None:
    """A folder stands where the file should be."""
    TARGET.mkdir(parents=True)
    with pytest.raises(DataError, match=r"^reports/found\.json could not be written: Is a directory"):
        files.write_text(TARGET, "new")


def test_a_folder_for_temporary_files_that_cannot_be_made_is_a_data_error() -> None:
    """A file stands where `.flywheel/` should be."""
    files.LOCAL.write_text("in the way")
    with pytest.raises(DataError, match=r"^reports/found\.json could not be written"):
        files.write_text(TARGET, "new")


FULL_DISK = """
import resource
import sys
from pathlib import Path
import numpy as np
import pandas as pd
from flywheel import files
from flywheel.errors import DataError

writes = {
    "text": lambda size: files.write_text(Path("found.txt"), "x" * size),
    "parquet": lambda size: files.write_parquet(
        Path("found.parquet"), pd.DataFrame({"x": np.random.default_rng(1).random(size // 8)})
    ),
}
write = writes[sys.argv[1]]
write(800)
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
try:
    write(800_000)
except DataError as error:
    print(error)
"""


@pytest.mark.parametrize(("kind", "name"), [("text", "found.txt"), ("parquet", "found.parquet")])
def test_a_full_disk_is_a_data_error_and_keeps_the_old_file(kind: str, name: str, tmp_path: Path) -> None:
    """No file may grow beyond 20 kB: the second write says so, and the first one stays as it was."""
    done = subprocess.run(
        [sys.executable, "-c", FULL_DISK, kind], cwd=tmp_path, capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.startswith(f"{name} could not be written: ")
    assert "Free some space" in done.stdout
    assert (800 if kind == "text" else 100) == (
        len(Path(name).read_text()) if kind == "text" else len(files.read_parquet(Path(name)))
    )
    assert leftovers() == []


@pytest.mark.parametrize(
    ("value", "text"),
    [
        pytest.param(0.12345678, "0.123457", id="rounded to six digits"),
        pytest.param(1 / 3 + 1e-12, "0.333333", id="the last bits do not show"),
        pytest.param(-1e-9, "0.0", id="no negative zero after rounding"),
        pytest.param(-0.0, "0.0", id="no negative zero"),
        pytest.param(float("nan"), "null", id="NaN is null"),
        pytest.param(None, "null", id="None is null"),
        pytest.param(2, "2", id="a whole number stays one"),
        pytest.param(True, "true", id="a truth value stays one"),
        pytest.param(np.float64(0.5), "0.5", id="a number of NumPy"),
        pytest.param(np.float32(0.1), "0.1", id="a short number of NumPy"),
        pytest.param(np.float64("nan"), "null", id="NaN of NumPy"),
        pytest.param(np.int64(3), "3", id="a whole number of NumPy"),
        pytest.param(np.bool_(False), "false", id="a truth value of NumPy"),
        pytest.param("Zürich", '"Zürich"', id="text is readable"),
    ],
)
def test_json_of_a_value(value: object, text: str) -> None:
    """The same value gives the same text on every machine."""
    files.write_json(TARGET, value)
    assert text + "\n" == TARGET.read_text(encoding="utf-8")


def test_json_is_rounded_at_every_depth() -> None:
    """In mappings, lists and tuples alike; keys become text."""
    files.write_json(TARGET, {"a": [0.1234567, {"b": (-0.0, float("nan"))}], 3: 1}, digits=2)
    assert {"a": [0.12, {"b": [0.0, None]}], "3": 1} == files.read_json(TARGET)


def test_json_keeps_the_order_of_keys() -> None:
    """A reviewer reads them as they were written."""
    files.write_json(TARGET, {"verdict": "pass", "about": {}})
    assert ["verdict", "about"] == list(files.read_json(TARGET))


@pytest.mark.parametrize("content", [b"", b"{", b'{"a": 1', b"\xff\xfe"])
def test_broken_json_is_a_data_error_that_names_the_file(content: bytes) -> None:
    """Empty, cut off, or not text at all."""
    files.write_bytes(TARGET, content)
    with pytest.raises(DataError, match=r"^reports/found\.json is not JSON"):
        files.read_json(TARGET)


def test_missing_json_is_a_data_error_that_says_how_to_make_it() -> None:
    """The file was never made."""
    with pytest.raises(DataError, match=r"^reports/found\.json is missing\. Make it with: flywheel run$"):
        files.read_json(TARGET)


def test_parquet_comes_back_as_it_went() -> None:
    """Types, nulls and order; the index is not kept."""
    files.write_parquet(TABLE, frame().set_index(pd.Index([7, 3])))
    pd.testing.assert_frame_equal(frame(), files.read_parquet(TABLE), check_dtype=False)


def test_parquet_of_the_same_frame_is_the_same_bytes() -> None:
    """Nothing of the time or the machine is in a file."""
    files.write_parquet(TABLE, frame(), {"fingerprint": "abc"})
    first = TABLE.read_bytes()
    files.write_parquet(TABLE, frame(), {"fingerprint": "abc"})
    assert first == TABLE.read_bytes()


def test_only_the_columns_asked_for_are_read() -> None:
    """In the order asked for."""
    files.write_parquet(TABLE, frame().assign(extra=1))
    assert ["score", "prediction_id"] == list(files.read_parquet(TABLE, ["score", "prediction_id"]).columns)


def test_metadata_comes_back_from_the_footer() -> None:
    """A small note in the file itself."""
    files.write_parquet(TABLE, frame(), {"fingerprint": "abc"})
    assert {"fingerprint": "abc"} == files.read_metadata(TABLE)


def test_a_file_without_metadata_has_none() -> None:
    """No note is an empty note."""
    files.write_parquet(TABLE, frame())
    assert {} == files.read_metadata(TABLE)


@pytest.mark.parametrize("read", [files.read_parquet, files.read_table, files.read_metadata])
@pytest.mark.parametrize("kept", [0.0, 0.5, 0.99])
def test_a_truncated_parquet_file_is_a_data_error_that_names_it(read: object, kept: float) -> None:
    """Nothing, a half, or all but the last bytes of the file."""
    files.write_parquet(TABLE, pd.DataFrame({"x": range(1000)}), {"fingerprint": "abc"})
    content = TABLE.read_bytes()
    TABLE.write_bytes(content[: int(len(content) * kept)])
    with pytest.raises(DataError, match=r"^data/table\.parquet cannot be read as Parquet"):
        read(TABLE)  # type: ignore[operator]


def test_a_parquet_file_with_broken_pages_is_a_data_error_that_names_it() -> None:
    """The footer is whole, the data before it is not."""
    files.write_parquet(TABLE, pd.DataFrame({"x": np.random.default_rng(1).random(1000)}))
    content = bytearray(TABLE.read_bytes())
    content[4:4000] = bytes(3996)
    TABLE.write_bytes(content)
    with pytest.raises(DataError, match=r"^data/table\.parquet cannot be read as Parquet"):
        files.read_parquet(TABLE)


@pytest.mark.parametrize("read", [files.read_parquet, files.read_metadata])
def test_a_missing_parquet_file_is_a_data_error_that_names_it(read: object) -> None:
    """The file was never made."""
    with pytest.raises(DataError, match=r"^data/table\.parquet is missing"):
        read(TABLE)  # type: ignore[operator]


def test_features_are_read_by_day_up_to_the_end() -> None:
    """The end itself is not read; a day without a file is no error."""
    for day in ("2013-03-01", "2013-03-03", "2013-03-04"):
        files.write_parquet(files.FEATURES / f"{day}.parquet", pd.DataFrame({"day": [day]}))
    found = read_features(dt.date(2013, 3, 1), dt.date(2013, 3, 4))
    assert ["2013-03-01", "2013-03-03"] == found["day"].tolist()


def test_no_features_in_a_window_are_a_data_error_that_names_it() -> None:
    """The clock stands outside of the data."""
    with pytest.raises(DataError, match=r"^data/features has no day from 2013-03-01 to 2013-03-04"):
        read_features(dt.date(2013, 3, 1), dt.date(2013, 3, 4))


def test_a_folder_is_replaced_as_a_whole() -> None:
    """What was there and is not written again is gone."""
    files.write_folder(Path("models/candidate"), {"old.txt": "old", "card.json": "1"})
    files.write_folder(Path("models/candidate"), {"card.json": "2"})
    found = {path.name: path.read_text() for path in Path("models/candidate").iterdir()}
    assert ({"card.json": "2"}, []) == (found, leftovers())


def test_a_folder_that_cannot_be_written_keeps_the_old_one_and_leaves_nothing_else() -> None:
    """The second of two files cannot be encoded: the first one must not stay behind, nor replace the old one."""
    files.write_folder(Path("models/candidate"), {"card.json": "old"})
    with pytest.raises(UnicodeEncodeError):
        files.write_folder(Path("models/candidate"), {"card.json": "new", "model.txt": "\ud800"})
    assert ("old", []) == (Path("models/candidate/card.json").read_text(), leftovers())


def test_an_emptied_folder_is_there_and_holds_nothing() -> None:
    """Even if it was not there before."""
    files.write_text(Path("reports/curves/candidate/roc.json"), "[]")
    for folder in (Path("reports/curves"), Path("reports/new")):
        files.empty_folder(folder)
    assert [[], []] == [list(Path(name).iterdir()) for name in ("reports/curves", "reports/new")]


def test_a_digest_is_the_same_in_any_order_and_changes_with_names_and_bytes() -> None:
    """It stands for what the files are, not for how they were listed."""
    one, two = Path("one.txt"), Path("two.txt")
    one.write_text("a")
    two.write_text("b")
    first = digest([one, two])
    assert first == digest([two, one])
    two.write_text("c")
    other_bytes = digest([one, two])
    two.write_text("b")
    other_name = digest([one, two.rename("three.txt")])
    assert len({first, other_bytes, other_name}) == 3


PIPELINE = """
stages:
  label:
    deps: [src/flywheel/labels.py, data/valid]
"""


def fingerprints_before_and_after(path: str, content: str) -> tuple[str, str]:
    """The fingerprint of the stage `label`, and the one after a file has changed."""
    for name, text in {"dvc.yaml": PIPELINE, "src/flywheel/labels.py": "a = 1", "data/valid/x": "1"}.items():
        files.write_text(Path(name), text)
    before = fingerprint("label", {"min_votes": 2}, "upstream")
    files.write_text(Path(path), content)
    return before, fingerprint("label", {"min_votes": 2}, "upstream")


def test_a_fingerprint_changes_with_the_code_of_its_stage() -> None:
    """Another line of code may give another output."""
    before, after = fingerprints_before_and_after("src/flywheel/labels.py", "a = 2")
    assert before != after


@pytest.mark.parametrize("path", ["src/flywheel/gate.py", "data/valid/x"])
def test_a_fingerprint_does_not_change_with_anything_else(path: str) -> None:
    """Code of other stages is not its business, and data is told by its days."""
    before, after = fingerprints_before_and_after(path, "2")
    assert before == after


def test_a_fingerprint_changes_with_settings_and_with_what_it_builds_on() -> None:
    """Three different ones."""
    fingerprints_before_and_after("dvc.yaml", PIPELINE)
    found = {
        fingerprint("label", {"min_votes": 2}, "upstream"),
        fingerprint("label", {"min_votes": 3}, "upstream"),
        fingerprint("label", {"min_votes": 2}, "another"),
    }
    assert len(found) == 3


@pytest.mark.parametrize("value", [float("inf"), float("-inf")])
def test_a_number_that_json_does_not_have_is_refused(
    value: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`Infinity` is not JSON: other readers would fail on the file. Nothing is written."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match="JSON"):
        files.write_json(Path("x.json"), {"a": [value]})
    assert not Path("x.json").exists()


@pytest.mark.parametrize("text", ["NaN", '{"auc": NaN}', "[1, Infinity]", "-Infinity"])
def test_a_number_that_is_no_json_is_refused_with_the_name_of_the_file(text: str) -> None:
    """Python would read it, and a rule that compares with it would decide nothing."""
    TARGET.parent.mkdir(parents=True)
    TARGET.write_text(text)
    with pytest.raises(DataError, match=r"^reports/found\.json is not JSON \(it holds -?(NaN|Infinity)\)"):
        files.read_json(TARGET)


def test_a_folder_in_place_of_a_file_is_no_traceback() -> None:
    """The message names it and says what to do."""
    TARGET.mkdir(parents=True)
    with pytest.raises(DataError, match=r"^reports/found\.json: Is a directory\. Put a file where a folder stands"):
        files.read_json(TARGET)


def test_a_tree_that_cannot_be_written_is_a_data_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a read-only disk; what was there is unchanged."""
    files.write_text(TARGET, "old")

    def refuse(*_: object) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr(os, "replace", refuse)
    with pytest.raises(DataError, match=r"could not be written: Read-only file system\. Give yourself the right"):
        files.write_text(TARGET, "new")
    assert TARGET.read_text() == "old"
