"""Tables in files, as they are found in the wild."""

from __future__ import annotations

import bz2
import datetime as dt
import gzip
import io
import json
import lzma
import re
import socket
import traceback
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import fsspec
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flywheel import files
from flywheel.data import addresses
from flywheel.data.collection import complete_days
from flywheel.data.settings import Source as SourceParams
from flywheel.data.sources import Counted, mapping, remote, retrying
from flywheel.data.sources import files as source
from flywheel.data.sources.files import Files, open_source
from flywheel.data.sources.spool import Spool
from flywheel.errors import ConfigError, DataError, FlywheelError, RemoteError
from flywheel.params import parse
from flywheel.start.profile import profile
from tests.loopback import Mood, served
from tests.peak import run as peak_of
from tests.planted import day

CSV = "id,at,size\na,2030-01-01 10:00,1\nb,2030-01-02 11:00,2\nc,2030-01-02 09:00,\n"
COLUMNS = {"prediction_id": "id", "served_at": "at", "in_size": "size"}


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def opened(
    path: str = "p.csv", columns: Mapping[str, Any] = COLUMNS, more: Mapping[str, Any] | None = None, **options: Any
) -> Files:
    """A source of one table of predictions."""
    return open_source({"predictions": {"path": path, "columns": columns, **options}, **(more or {})})


def write(name: str, content: str | bytes = CSV) -> str:
    """A file with some content."""
    Path(name).parent.mkdir(parents=True, exist_ok=True)
    Path(name).write_bytes(content if isinstance(content, bytes) else content.encode())
    return name


def ids(found: Files, n: int) -> list[str]:
    """The ids of a day's predictions, in their order."""
    return [str(one) for one in found.predictions(day(n))["prediction_id"]]


def test_the_source_counts_what_it_gives() -> None:
    """Rows by day of both tables, so that rows which come late are seen; rows that come twice count twice."""
    write("p.csv")
    write("f.csv", "id,at,said\na,2030-01-02 12:00,1\na,2030-01-02 12:00,1\nb,2030-01-03 09:00,0\n")
    columns = {"prediction_id": "id", "received_at": "at", "value": "said"}
    found = opened(more={"feedback": [{"path": "f.csv", "channel": "report", "columns": columns}]})
    assert isinstance(found, Counted)
    assert {day(1): 1, day(2): 2} == dict(found.counts("predictions"))
    assert {day(2): 2, day(3): 1} == dict(found.counts("feedback"))
    assert 2 == len(found.feedback(day(2)))


def frame() -> pd.DataFrame:
    """The same three rows as a table with types."""
    at = pd.to_datetime(["2030-01-01 10:00", "2030-01-02 11:00", "2030-01-02 09:00"])
    return pd.DataFrame({"id": ["a", "b", "c"], "at": at, "size": [1, 2, None], "other": 0})


def as_parquet(name: str) -> None:
    frame().to_parquet(name)


def as_lines(name: str) -> None:
    rows = frame().assign(at=["2030-01-01 10:00", "2030-01-02 11:00", "2030-01-02 09:00"]).to_dict("records")
    write(name, "\n".join(json.dumps({k: None if pd.isna(v) else v for k, v in row.items()}) for row in rows) + "\n\n")


def zipped(**members: str) -> bytes:
    """A zip with some files."""
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as whole:
        for name, content in members.items():
            whole.writestr(name.replace("__", "/"), content)
    return held.getvalue()


PACK: dict[str, Callable[[bytes], bytes]] = {
    "gz": gzip.compress,
    "bz2": bz2.compress,
    "xz": lzma.compress,
    "zst": lambda content: pa.compress(content, "zstd", asbytes=True),
    "zip": lambda content: zipped(**{"t__p.csv": content.decode(), "t__": "", "t__.DS_Store": "x"}),
}


def as_packed(name: str) -> None:
    write(name, PACK[name.rsplit(".", 1)[-1]](CSV.encode()))


@pytest.mark.parametrize(
    ("name", "make"),
    [
        ("p.csv", write),
        ("p.parquet", as_parquet),
        ("p.jsonl", as_lines),
        *((f"p.csv.{ending}", as_packed) for ending in PACK),
    ],
)
def test_one_table_in_any_format(name: str, make: Any) -> None:
    """The same days, rows and order; columns that are not named are not read."""
    make(name)
    found = opened(name)
    assert (day(1), day(2), ["a"], ["b", "c"]) == (found.first_day, found.last_day, ids(found, 1), ids(found, 2))
    assert {"prediction_id", "served_at", "in_size"} == set(found.predictions(day(2)))
    assert [2.0, None] == [None if pd.isna(one) else float(one) for one in found.predictions(day(2))["in_size"]]
    assert (0, 0) == (len(found.predictions(day(3))), len(found.feedback(day(1))))


def test_what_is_there_under_its_very_name_is_no_glob() -> None:
    """A file, and a folder, with letters of a glob in their names; beside them lies what such a glob would find."""
    write("p [2030].csv")
    write("p 2.csv", "id,at,size\nx,2030-01-02T00:00:00Z,1\n")
    Path("t[12]*").mkdir()
    write("t[12]*/p.csv")
    Path("t1").mkdir()
    write("t1/p.csv", "id,at,size\nx,2030-01-02T00:00:00Z,1\n")
    for path in ("p [2030].csv", "t[12]*", "t[12]*/p.csv"):
        assert ["b", "c"] == ids(opened(path), 2), path
    assert ["x"] == ids(opened("p [2].csv"), 2)


def test_a_folder_and_a_glob_are_read_in_the_order_of_names() -> None:
    """Hidden files are not tables."""
    head, *rows = CSV.splitlines(keepends=True)
    write("t/2.csv", head + rows[2])
    write("t/1.csv", head + rows[0] + rows[1])
    write("t/.DS_Store", "x")
    write("t/_SUCCESS", "")
    for path in ("t", "t/*.csv"):
        assert ["b", "c"] == ids(opened(path), 2)


def test_an_address_of_another_file_system() -> None:
    """Whatever fsspec knows; here its memory."""
    with fsspec.open("memory://tables/p.csv", "w") as file:
        file.write(CSV)
    assert ["b", "c"] == ids(opened("memory://tables/p.csv"), 2)


def test_files_are_read_once_a_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not once a day: asking for many days costs no more reading."""
    write("p.csv")
    reads = []
    batches = source.batches
    monkeypatch.setattr(source, "batches", lambda *said: reads.append(1) or batches(*said))  # type: ignore[func-returns-value]
    found = opened()
    for n in range(1, 9):
        ids(found, n)
    assert (day(1), [1]) == (found.first_day, reads)


def test_other_days_can_be_expected_later() -> None:
    """They were not kept the first time, so they are read again, and not taken for empty."""
    write("p.csv", CSV + "d,2030-01-03 10:00,4\ne,2030-01-04 10:00,5\n")
    found = opened()
    found.expect([day(4)])
    assert ["e"] == ids(found, 4)
    found.expect([day(2), day(3)])
    assert (["b", "c"], ["d"]) == (ids(found, 2), ids(found, 3))


@pytest.mark.parametrize("is_read", [True, False])
def test_rows_of_days_that_nobody_wants_are_not_kept(is_read: bool) -> None:
    """Whether they are read before that is said or after; all days are known, and any can still be asked for."""
    write("p.csv", CSV + "d,2030-01-03 10:00,4\ne,2030-01-04 10:00,5\n")
    found = opened()
    if is_read:
        assert day(4) == found.last_day
    found.expect([day(2), day(3)])
    kept = found._read()[0]
    assert ([[], ["b", "c"], ["d"], []], 5) == ([[*_ids(kept, n)] for n in range(1, 5)], kept.rows.total())
    assert (day(1), day(4)) == (found.first_day, found.last_day)
    assert (["e"], ["b", "c"]) == (ids(found, 4), ids(found, 2))


def _ids(kept: Spool, n: int) -> list[str]:
    return [name for part in kept.parts(day(n)) for name in part["prediction_id"].to_pylist()]


def test_a_csv_of_another_country() -> None:
    """Latin letters in one byte, semicolons, decimal commas, a mark at the beginning, and a newline in quotes."""
    text = 'id;at;size;say\nä;01.01.2030 10:00;1,5;"two\nlines"\nb;01.01.2030 11:00;2.5;x\n'
    columns = {**COLUMNS, "in_say": "say"}
    options = {"delimiter": ";", "decimal": ",", "time": "%d.%m.%Y %H:%M", "timezone": "Europe/Berlin"}
    for encoding in ("latin-1", "utf-8-sig"):
        write("p.csv", text.encode(encoding))
        rows = opened(columns=columns, encoding="latin-1" if encoding == "latin-1" else "utf-8", **options).predictions(
            day(1)
        )
        assert (["ä", "b"], ["1.5", "2.5"]) == (rows["prediction_id"].tolist(), rows["in_size"].tolist())
        assert ["two\nlines", "x"] == rows["in_say"].tolist()
        assert dt.datetime(2030, 1, 1, 9, tzinfo=dt.UTC) == rows["served_at"].iloc[0].to_pydatetime()


def test_a_code_that_looks_like_a_number_keeps_its_zeros() -> None:
    """A CSV has no types: the contract says what a value must be."""
    write("p.csv", "id,at,size\n007,2030-01-01,01\n")
    assert [("007", "01")] == list(
        opened().predictions(day(1))[["prediction_id", "in_size"]].itertuples(index=False, name=None)
    )


def test_a_large_file_waits_on_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """With hardly any memory the days are the same."""
    rows = [f"p{n},2030-01-{1 + n % 9:02d} 10:00,{n}" for n in range(400)]
    write("p.csv", "id,at,size\n" + "\n".join(rows) + "\n")
    monkeypatch.setattr(source, "BLOCK", 512)
    plenty = opened()
    expected = [plenty.predictions(day(n)) for n in range(1, 10)]
    monkeypatch.setattr(source, "Spool", lambda: Spool(limit=1))
    little = opened()
    little.expect([day(n) for n in range(1, 10)])
    for n, rows_of_day in enumerate(expected, 1):
        pd.testing.assert_frame_equal(rows_of_day, little.predictions(day(n)))
    assert 400 == sum(map(len, expected))


COUNT = """
import datetime as dt, sys
from flywheel.data.sources import files, spool
files.Spool = lambda: spool.Spool(limit=2**22)
files.BLOCK = 2**20
columns = {"prediction_id": "id", "served_at": "at", "in_size": "size"}
found = files.open_source({"predictions": {"path": sys.argv[1], "columns": columns}})
n = sum(len(found.predictions(dt.date(2030, 1, 1) + dt.timedelta(days=one))) for one in range(40))
print(n)
"""


@pytest.mark.slow
def test_memory_does_not_grow_with_a_csv() -> None:
    """Four times the rows of the same number a day: what does not fit waits on disk."""
    peaks = []
    for n in (50_000, 200_000):
        at = (pd.Timestamp("2030-01-01") + pd.to_timedelta(np.arange(n) * 40 * 86400 // 200_000, unit="s")).astype(str)
        rows = pd.DataFrame({"id": np.arange(n).astype(str), "at": at, "size": np.arange(n) % 9})
        rows.assign(id=rows["id"] + "x" * 400).to_csv(f"{n}.csv", index=False)
        count, peak = peak_of(COUNT, f"{n}.csv")
        assert n == count
        peaks.append(peak)
    assert peaks[1] - peaks[0] < 40, peaks  # MiB; the larger file has 60 more


def test_feedback_of_several_kinds() -> None:
    """Outcomes in the table of predictions, and reports in a table of their own."""
    write("p.csv", "id,at,late,known\na,2030-01-01 10:00,yes,2030-01-02 08:00\nb,2030-01-01 11:00,,\n")
    write("r.csv", "about,when,who,says\nb,2030-01-02 07:00,7,LATE\n")
    found = opened(
        columns={"prediction_id": "id", "served_at": "at"},
        more={
            "outcome": {"value": "late", "known_at": "known", "values": {"yes": 1, "no": 0}},
            "feedback": [
                {
                    "path": "r.csv",
                    "columns": {"prediction_id": "about", "received_at": "when", "source_id": "who", "value": "says"},
                    "channel": "report",
                    "values": {"late": 1, "fine": 0},
                }
            ],
        },
    )
    rows = found.feedback(day(2))
    assert [("a", "outcome", 1.0), ("b", "report", 1.0)] == [
        tuple(row) for row in rows[["prediction_id", "channel", "value"]].itertuples(index=False)
    ]
    assert (day(1), day(1)) == (found.first_day, found.last_day)


def test_the_data_ends_with_the_last_predictions_and_later_feedback_waits() -> None:
    """Outcomes come hours later: their day is collected once its own predictions are there, never half."""
    write("p.csv")
    write("f.csv", "id,at,said\na,2030-01-01 23:00,1\nc,2030-01-03 02:00,1\n")
    columns = {"prediction_id": "id", "received_at": "at", "value": "said"}
    more = {"feedback": [{"path": "f.csv", "channel": "outcome", "columns": columns}]}
    assert [day(1), day(2)] == complete_days(opened(more=more), day(9))
    write("p.csv", CSV + "d,2030-01-03 10:00,4\n")
    found = opened(more=more)
    assert [day(1), day(2), day(3)] == complete_days(found, day(9))
    assert (["d"], 1) == (ids(found, 3), len(found.feedback(day(3))))


def test_feedback_without_any_predictions_is_no_data() -> None:
    """There is nothing that it could be about."""
    write("p.csv", "id,at,size\n")
    write("f.csv", "id,at,said\na,2030-01-01 23:00,1\n")
    columns = {"prediction_id": "id", "received_at": "at", "value": "said"}
    with pytest.raises(DataError, match=r"p\.csv has no row"):
        _ = opened(more={"feedback": [{"path": "f.csv", "channel": "outcome", "columns": columns}]}).last_day


def deep(n: int) -> str:
    """A list in a list in a list, in the second line."""
    return '{"id": "a", "at": "2030-01-01", "size": 1}\n{"id": "b", "size": ' + "[" * n + "]" * n + "}\n"


def twice(name: str) -> None:
    """A table with a column of the same name again."""
    found = pa.Table.from_pandas(frame(), preserve_index=False)
    pq.write_table(found.append_column("size", found["other"]), name)


def broken(name: str) -> str:
    """Half of a Parquet file, as if it was still being written."""
    as_parquet(name)
    return write(name, Path(name).read_bytes()[:-20])


@pytest.mark.parametrize(
    ("make", "path", "said"),
    [
        (lambda: None, "p.csv", "p.csv: there is no such file. Correct path"),
        (lambda: write("p.csv", "id,when\na,2030-01-01\n"), "p.csv", "has no column 'at', 'size'; found: id, when"),
        (lambda: write("p.csv", ""), "p.csv", "p.csv is not the CSV that it should be"),
        (lambda: write("p.csv", "id,at,size\n"), "p.csv", "p.csv has no row"),
        (
            lambda: write("p.csv", "id,at,size\na,soon,1\n"),
            "p.csv",
            "no time of 1 rows can be understood, such as 'soon'",
        ),
        (lambda: write("p.csv", "id,at,size\na,2030-01-01\n"), "p.csv", "Set delimiter"),
        (lambda: write("p.csv", CSV.encode() + b"\xe4,2030-01-01,1\n"), "p.csv", "Set encoding"),
        (lambda: broken("p.parquet"), "p.parquet", "is not a whole Parquet file.*still being written"),
        (lambda: write("p.jsonl", '{"id": "a"\n'), "p.jsonl", "line 1 is not a JSON object"),
        (lambda: write("p.jsonl", deep(100_000)), "p.jsonl", "in line 2, lists or objects are nested too deeply"),
        (lambda: twice("p.parquet"), "p.parquet", "p.parquet: two columns have the name 'size'. Give each its own"),
        (lambda: write("p.csv", "id,at,size,size\na,2030-01-01,1,2\n"), "p.csv", "two columns have the name 'size'"),
        (lambda: (write("t/1.csv"), write("t/notes.doc", "x")), "t", "notes.doc is not a table; allowed endings"),
        (lambda: Path("t").mkdir(), "t", "there is no such file"),
    ],
)
def test_what_cannot_be_read_is_named_with_what_to_do(make: Any, path: str, said: str) -> None:
    """One sentence, with the file in it."""
    make()
    with pytest.raises(DataError, match=said):
        _ = opened(path).first_day


def test_an_address_of_an_unknown_kind_is_refused() -> None:
    """With the name of what is unknown."""
    with pytest.raises(ConfigError, match="gopher"):
        _ = opened("gopher://p.csv").first_day


@pytest.mark.parametrize(
    ("options", "said"), [({"format": "xls"}, "format: found 'xls'"), ({"delimiter": "::"}, "delimiter")]
)
def test_a_wrong_option_names_its_key(options: dict[str, Any], said: str) -> None:
    """And says where to correct it."""
    with pytest.raises(ConfigError, match=f"predictions.{said}.*source.options"):
        opened(**options)


PLAIN = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=3)
NESTED = st.recursive(
    PLAIN,
    lambda one: st.lists(one, max_size=2) | st.dictionaries(st.sampled_from("abc"), one, max_size=2),
    max_leaves=4,
)


@given(st.lists(NESTED, min_size=1, max_size=6), st.integers(1, 6))
@settings(max_examples=200, deadline=None, derandomize=True)
def test_a_value_of_json_depends_on_its_row_alone(values: list[Any], size: int) -> None:
    """Not on the rows that are read with it: a new one must not change what an old one says."""
    write("p.jsonl", "\n".join(json.dumps({"id": n, "v": value}) for n, value in enumerate(values)))
    where = source.Where(path="p.jsonl")

    def read(n: int) -> list[Any]:
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(source, "BATCH", n)
            return [one for part in source.batches(where, ["v"]) for one in mapping.texts(part["v"]).to_pylist()]

    alone = read(1)
    assert alone == read(size) == read(len(values))
    for value, found in zip(values, alone, strict=True):
        assert json.loads(found) == value if isinstance(value, (dict, list)) else (found is None) == (value is None)


def test_a_new_key_in_one_row_changes_no_other() -> None:
    """What is stored of the days before stays what it was: else each of them would seem corrected."""
    old = '{"id": "a", "at": "2030-01-01", "size": {"n": 1, "m": [2, {"x": null}]}}\n'
    write("p.jsonl", old)
    before = opened("p.jsonl").predictions(day(1))
    write("p.jsonl", old + '{"id": "b", "at": "2030-01-02", "size": {"new": 1, "m": []}}\n')
    pd.testing.assert_frame_equal(before, opened("p.jsonl").predictions(day(1)))
    assert ['{"m": [2, {"x": null}], "n": 1}'] == before["in_size"].tolist()


def test_a_new_key_of_a_parquet_file_changes_no_old_row() -> None:
    """There each row has all keys: those that it says nothing of are left out."""
    rows = [{"n": 1, "m": {"x": None, "y": "ä"}}, {"n": None, "m": None}]
    for more in ({}, {"new": None}):
        values = pa.array([{**row, **more} for row in rows])
        assert ['{"m": {"y": "ä"}, "n": 1}', "{}"] == mapping.texts(pa.chunked_array([values])).to_pylist()


@pytest.mark.parametrize(
    ("address", "secrets"),
    [
        ("http://ann:hunter2@host/p.csv", ["hunter2"]),
        ("https://ann:hun@ter2@host/p.csv", ["hun@ter2", "ter2", "hun"]),
        ("https://ghp_hunter2@host/p.csv", ["ghp_hunter2"]),
        ("s3://key:hunter2@bucket/p.csv", ["hunter2"]),
        ("https://host/p.csv?x=1&token=hunter%2F2", ["hunter%2F2", "hunter/2"]),
        ("https://host/p.csv?X-Amz-Signature=hunter2&X-Amz-Date=1", ["hunter2"]),
        ("https://host/p.csv?sv=1&sig=hunter2", ["hunter2"]),
        ("simplecache::https://ann:hunter2@host/p.csv", ["hunter2"]),
        ("sftp://ann@host/p.csv", []),
        ("http://host:8080/a@b/p.csv?version=3", []),
        ("http://host:8080?mail=a@b", []),
        ("s3://bucket/ann@host.csv", []),
        ("s3://bucket/10:00@noon.csv", []),
        ("tables/*.csv", []),
    ],
)
def test_an_address_with_a_secret_is_refused_and_not_shown(address: str, secrets: list[str]) -> None:
    """Conf, params.yaml and dvc.lock are for everybody."""
    assert set(secrets) <= set(addresses.secrets_of(address))
    if not secrets:
        assert not addresses.holds_secret(address)
        return
    options = {"predictions": {"path": address, "columns": COLUMNS}}
    for refused in (lambda: open_source(options), lambda: parse(SourceParams, {**ANY_SOURCE, "options": options})):
        with pytest.raises(
            ConfigError, match=r"predictions\.path: found an address with a password.*path_env"
        ) as caught:
            refused()
        assert not [one for one in secrets if one in str(caught.value)]


ANY_SOURCE = {"factory": "files", "first_day": None, "share": 1.0, "tiny": {"first_day": None, "share": 1.0}}


def test_an_address_with_a_secret_may_be_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is wrong there is said without it."""
    columns = {"path_env": "TABLE", "columns": COLUMNS}
    with served(CSV.encode()) as server:
        monkeypatch.setenv("TABLE", f"{server.address}/hunter2/p.csv?token=hunter2")
        assert ["b", "c"] == ids(open_source({"predictions": columns}), 2)
        assert "/hunter2/p.csv?token=hunter2" == server.asked[-1]
        for wrong in ({**columns, "columns": {**COLUMNS, "in_size": "gone"}}, {**columns, "delimiter": ";"}):
            with pytest.raises(DataError, match=r"\*\*\*/p\.csv\?token=\*\*\*") as caught:
                _ = open_source({"predictions": wrong}).first_day
            assert "hunter2" not in "".join(traceback.format_exception(caught.value))
    monkeypatch.delenv("TABLE")
    with pytest.raises(ConfigError, match="path_env: TABLE is empty or unset"):
        _ = open_source({"predictions": columns}).first_day
    with pytest.raises(ConfigError, match="path: either path or path_env"):
        open_source({"predictions": {"columns": COLUMNS}})


def ends_with(content: bytes, mood: Mood) -> tuple[str, int]:
    """How the reading of a table on a server ends: with the ids of a day, or in which words; and how often it was asked."""
    with served(content, mood) as server, pytest.MonkeyPatch.context() as patched:
        patched.setattr(retrying, "PAUSE_S", 0.01)
        try:
            said = " ".join(ids(opened(f"{server.address}/p.csv"), 2))
        except FlywheelError as error:
            said = f"{type(error).__name__} {error.exit_code}: {error}".replace(server.address, "")
        return said, len(server.asked)


def cut_until(n: int) -> Mood:
    return lambda number: (200, 30 if 1 < number < n else None)


@pytest.mark.parametrize(
    "mood",
    [
        lambda number: (200, None),
        lambda number: (503 if number < 4 else 200, None),
        lambda number: (503 if number % 2 else 200, None),
        cut_until(5),
    ],
)
def test_a_server_that_is_unwell_for_a_moment_is_asked_again(mood: Mood) -> None:
    """Each row is there once, also where the connection was cut in the middle of them."""
    assert "b c" == ends_with(CSV.encode(), mood)[0]
    assert [] == [*files.TMP.iterdir()]


@pytest.mark.parametrize(
    ("mood", "said"),
    [
        (lambda number: (500, None), r"RemoteError 5: /p\.csv does not answer.*\(HTTP 500\); it was asked 6 times"),
        (lambda number: (429, None), r"RemoteError 5: .*\(HTTP 429\); it was asked 6 times"),
        (cut_until(99), r"RemoteError 5: /p\.csv does not answer, or went away \(.*; it was asked 6 times"),
        (lambda number: (401, None), r"ConfigError 2: /p\.csv may not be read with these credentials \(HTTP 401\)"),
        (lambda number: (403, None), r"ConfigError 2: /p\.csv may not be read with these credentials \(HTTP 403\)"),
        (lambda number: (403 if number > 1 else 200, None), r"ConfigError 2: .*\(HTTP 403\)"),
        (lambda number: (404, None), r"Mistaken 3: /p\.csv: there is no such file"),
        (lambda number: (400, None), r"DataError 3: /p\.csv cannot be read \(HTTP 400\)"),
    ],
)
def test_a_server_that_does_not_give_a_table_is_told_so(mood: Mood, said: str) -> None:
    """What will not pass is asked for once or twice; what may, until nobody believes in it."""
    found, asked = ends_with(CSV.encode(), mood)
    assert re.match(said, found), found
    assert asked <= (8 if "6 times" in said else 3)


@pytest.mark.parametrize(
    ("later", "pause", "asked"),
    [
        (None, 0.01, 6),
        ("0", 0.01, 6),
        ("soon", 0.01, 6),
        ("30", 30, 6),
        ("60", 60, 6),
        ("61", None, 1),
        ("3600", None, 1),
    ],
)
def test_a_server_is_left_alone_for_as_long_as_it_says(
    later: str | None, pause: float | None, asked: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Up to a minute the run waits; beyond, it ends, and says how long."""
    pauses: list[float] = []
    monkeypatch.setattr("tenacity.nap.time.sleep", pauses.append)
    monkeypatch.setattr(retrying, "PAUSE_S", 0.01)
    with served(CSV.encode(), lambda number: (429, None), later) as server:
        with pytest.raises(RemoteError) as caught:
            _ = opened(f"{server.address}/p.csv").first_day
        assert asked == len(server.asked)
    assert [pause] * (asked > 1) == pauses[:1]
    wants = f"wants to be left alone for {later} seconds. Run again then"
    assert (wants if pause is None else "it was asked 6 times") in str(caught.value)


def test_a_moment_to_come_back_at_is_by_the_clock_of_the_server() -> None:
    """Ours may be wrong; one that is over asks for nothing."""
    error = OfALibrary()
    for date, wish in (("08:00:00", 90.0), ("08:02:00", 0.0)):
        headers = {"date": f"Tue, 01 Jan 2030 {date} GMT", "retry-after": "Tue, 01 Jan 2030 08:01:30 GMT"}
        vars(error)["response"] = {"ResponseMetadata": {"HTTPStatusCode": 503, "HTTPHeaders": headers}}
        assert wish == remote.wish_of(error)


def test_a_server_that_is_not_there_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody listens on its port."""
    monkeypatch.setattr(retrying, "PAUSE_S", 0.01)
    with served(CSV.encode()) as server:
        pass
    with pytest.raises(RemoteError, match=r"does not answer, or went away .*asked 6 times"):
        _ = opened(f"{server.address}/p.csv").first_day


def test_a_server_that_falls_silent_is_not_waited_for_all_day(monkeypatch: pytest.MonkeyPatch) -> None:
    """It accepts the connection, and that is all."""
    monkeypatch.setattr(retrying, "PAUSE_S", 0.01)
    monkeypatch.setattr(remote, "SILENT_S", 0.05)
    with (
        socket.create_server(("127.0.0.1", 0)) as silent,
        pytest.raises(RemoteError, match=r"does not answer, or went away .*asked 6 times"),
    ):
        _ = opened(f"http://127.0.0.1:{silent.getsockname()[1]}/p.csv").first_day


class OfALibrary(Exception):
    """As the libraries of stores have it: no OSError."""

    __module__ = "botocore.exceptions"


@pytest.mark.parametrize(
    ("error", "status", "passes"),
    [
        (OfALibrary("Could not connect"), None, True),
        (TimeoutError(), None, True),
        (ConnectionResetError(104, "reset"), None, True),
        (ValueError("no"), None, False),
        (OSError(28, "No space left on device"), None, False),
        (PermissionError(13, "denied"), None, False),
        (DataError("no"), None, False),
    ],
)
def test_what_may_pass_is_told_by_its_library(error: Exception, status: int | None, passes: bool) -> None:
    """A full disk here, a mistake in the bytes or of the code is not the server's."""
    assert (status, passes) == (remote.status_of(error), remote.may_pass(error))


@pytest.mark.parametrize("status", [403, 503])
def test_the_status_is_found_where_the_libraries_have_it(status: int) -> None:
    """Amazon's has it in a dictionary, Google's is a code, Azure's a status_code."""
    for attributes in (
        {"response": {"ResponseMetadata": {"HTTPStatusCode": status}}},
        {"code": str(status)},
        {"status_code": status},
        {"status": status},
    ):
        error = OfALibrary("no")
        vars(error).update(attributes)
        assert (status, status == 503) == (remote.status_of(error), remote.may_pass(error))


@pytest.mark.parametrize("ending", PACK)
@pytest.mark.parametrize("is_cut", [True, False])
def test_a_packed_file_that_is_cut_or_none_is_told_by_name(ending: str, is_cut: bool) -> None:
    """Half of one, as if it was still being copied; or a plain text under a wrong name. Also to whoever looks at it first."""
    whole = PACK[ending]((CSV * 5000).encode())
    write(f"p.csv.{ending}", whole[: len(whole) // 2] if is_cut else CSV)
    for look in (lambda path: opened(path).first_day, profile):
        with pytest.raises(DataError, match=rf"p\.csv\.{ending} cannot be (unpacked|read)"):
            look(f"p.csv.{ending}")


@pytest.mark.parametrize(
    ("members", "said"),
    [({"a.csv": CSV, "b.csv": CSV}, r"found: a\.csv, b\.csv\. Unpack it"), ({"t__": ""}, "found: nothing")],
)
def test_a_zip_of_several_files_is_refused(members: dict[str, str], said: str) -> None:
    """One of them alone would be read, and nobody would know of the others."""
    write("p.csv.zip", zipped(**members))
    for look in (lambda path: opened(path).first_day, profile):
        with pytest.raises(DataError, match=rf"p\.csv\.zip must hold one file; {said}"):
            look("p.csv.zip")


def test_who_looks_first_at_an_odd_table_is_told_too() -> None:
    """As a sentence, and never by a traceback."""
    write("p.jsonl", deep(100_000))
    with pytest.raises(DataError, match=r"p\.jsonl: in line 2, lists or objects are nested too deeply"):
        profile("p.jsonl")
    twice("p.parquet")
    with pytest.raises(DataError, match=r"p\.parquet: two columns have the name 'size'"):
        profile("p.parquet")


def test_half_a_letter_in_json_is_kept_as_its_code() -> None:
    """JSON may hold it, and no file can: the row is there, and other rows and names with it."""
    write("p.jsonl", r'{"id": "a\ud800", "at": "2030-01-02", "s\udc00": ["\ud800", "ä"]}' + "\n")
    columns = {"prediction_id": "id", "served_at": "at", "in_size": r"s\udc00"}
    [row] = opened("p.jsonl", columns).predictions(day(2)).to_dict("records")
    assert (r"a\ud800", r'["\ud800", "ä"]') == (row["prediction_id"], row["in_size"])
    assert r"s\udc00" in profile("p.jsonl").columns


def test_numbers_of_half_the_length_are_numbers() -> None:
    """Few of Arrow's functions know them."""
    at = pd.to_datetime(["2030-01-02 10:00"] * 3)
    rows = {"id": np.array([1, 2, 3], "float16"), "at": at, "size": np.array([1.5, 2, np.nan], "float16")}
    pq.write_table(pa.table({name: pa.array(one, from_pandas=True) for name, one in rows.items()}), "p.parquet")
    found = opened("p.parquet")
    assert (["1", "2", "3"], [1.5, 2.0]) == (ids(found, 2), found.predictions(day(2))["in_size"].dropna().tolist())
    assert "number" == profile("p.parquet").columns["size"].kind


def test_numbers_and_days_beyond_all_limits_are_kept() -> None:
    """Each is in its row, for the contract to reject: the other rows are what they were, also in another time zone."""
    at = ["2030-01-01", "9999-12-31", "2030-01-02"]
    rows = [{"id": n, "at": one, "size": n} for n, one in zip((1, 2**65, 3), at, strict=True)]
    write("p.jsonl", "\n".join(map(json.dumps, rows)))
    for zone in ("UTC", "America/New_York"):
        found = opened("p.jsonl", timezone=zone, more={"outcome": {"value": "size", "known_after": "48h"}})
        assert (day(1), day(2)) == (found.first_day, found.last_day)
        assert (["1", str(2**65)], ["3"]) == (ids(found, 1), ids(found, 2))
        assert [1.0, float(2**65)] == pd.to_numeric(found.predictions(day(1))["in_size"]).tolist()
        assert 2 == len(found.feedback(day(3)))


@pytest.mark.parametrize("ending", ["csv", "parquet", "jsonl"])
def test_folders_with_a_name_and_a_value_are_a_column(ending: str) -> None:
    """As Hive and Spark write them; what is above the path of the table says nothing of it."""
    make = {"csv": write, "parquet": as_parquet, "jsonl": as_lines}[ending]
    for place in ("north", "s%20west", source.NO_VALUE):
        Path(f"id=7/t/place={place}").mkdir(parents=True)
        make(f"id=7/t/place={place}/p.{ending}")
    columns = {**COLUMNS, "prediction_id": ["id", "place"], "in_place": "place"}
    for path in ("id=7/t", f"id=7/t/*/p.{ending}"):
        rows = opened(path, columns).predictions(day(1))
        assert {("a|north", "north"), ("a|s west", "s west")} == {
            tuple(row) for row in rows[["prediction_id", "in_place"]].dropna().itertuples(index=False)
        }
        assert 3 == len(rows)
        found = profile(path)
        assert ({"north": 3, "s west": 3}, 3) == (found.columns["place"].counts, found.columns["place"].nulls)
    assert ["a"] == ids(opened(f"id=7/t/place=north/p.{ending}"), 1)
