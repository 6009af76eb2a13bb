"""Rows sorted into days: none lost, none doubled, in their order, whatever fits into memory."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flywheel import files
from flywheel.data.sources.spool import Spool

FIRST = dt.date(2030, 1, 1)


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def spooled(parts: list[list[int | None]], limit: int) -> tuple[Spool, dict[int, list[int]]]:
    """A spool of rows, each with the number of its day or None, and its rows by day: each row is known by its place."""
    spool, place = Spool(limit), 0
    for part in parts:
        table = pa.table({"place": pa.array(range(place, place + len(part)), "int64")})
        days = np.array([None if n is None else FIRST + dt.timedelta(days=n) for n in part], dtype="datetime64[D]")
        spool.add(table, days)
        place += len(part)
    found = {day: spool.of(day) for day in spool.rows}
    return spool, {(day - FIRST).days: rows["place"].tolist() for day, rows in found.items() if rows is not None}


def expected(parts: list[list[int | None]]) -> dict[int, list[int]]:
    """The same by a loop: a row without a day goes with the one before it, else with the first that has one."""
    rows = [day for part in parts for day in part]
    known = [day for day in rows if day is not None]
    found: dict[int, list[int]] = {}
    at = known[0] if known else 0
    for place, day in enumerate(rows):
        at = at if day is None else day
        if known:
            found.setdefault(at, []).append(place)
    return found


@given(
    st.lists(st.lists(st.one_of(st.none(), st.integers(0, 4)), max_size=8), max_size=6),
    st.sampled_from([0, 100, 10**9]),
)
@settings(max_examples=150, deadline=None, derandomize=True)
def test_each_row_is_in_its_day_once_and_in_order(parts: list[list[int | None]], limit: int) -> None:
    """In memory and on disk alike."""
    spool, found = spooled(parts, limit)
    assert expected(parts) == found
    assert {day: len(rows) for day, rows in found.items()} == {(day - FIRST).days: n for day, n in spool.rows.items()}


def test_a_day_that_goes_to_disk_again_and_again_keeps_all_of_its_rows() -> None:
    """Two parts go together, then one alone, then two: no file takes the place of another."""
    parts: list[list[int | None]] = [[0] * 4, [0] * 9, [0] * 13, [0] * 4, [0] * 9]
    assert expected(parts) == spooled(parts, limit=100)[1]


def test_rows_of_which_none_has_a_day_are_counted_not_lost() -> None:
    """The source then says which time could not be understood."""
    spool = Spool()
    spool.add(pa.table({"served_at": ["soon", "later"]}), np.array(["NaT", "NaT"], dtype="datetime64[D]"))
    assert (2, "soon", {}) == (spool.waiting, spool.example, dict(spool.rows))


def test_what_waits_on_disk_is_gone_with_the_spool() -> None:
    """No rows of people stay behind in a temporary folder."""
    spool, _ = spooled([[0, 1], [0, 1]], limit=0)
    assert list(files.TMP.rglob("*.arrow"))
    del spool
    assert list(files.TMP.rglob("*.arrow")) == []


def test_a_column_that_changes_its_type_half_way_becomes_text() -> None:
    """What came as a number and as a word is told apart by the contract, not lost."""
    spool = Spool()
    for values in ([1, 2], ["three"]):
        spool.add(pa.table({"x": values}), np.array([FIRST] * len(values), dtype="datetime64[D]"))
    rows = spool.of(FIRST)
    assert rows is not None
    assert ["1", "2", "three"] == [str(one) for one in rows["x"]]
