"""Rows sorted into days as they come, with bounded memory: what does not fit waits on disk until its day is asked for."""

from __future__ import annotations

import datetime as dt
import shutil
import weakref
from collections import Counter, defaultdict
from collections.abc import Iterable
from pathlib import Path
from tempfile import mkdtemp

import numpy as np
import pandas as pd
import pyarrow as pa

from flywheel import files
from flywheel.data import tables
from flywheel.data.sources import mapping

LIMIT = 256 * 2**20  # bytes of rows in memory; more of them go to disk


class Spool:
    """The rows of one table by UTC day of arrival, in the order in which they came."""

    def __init__(self, limit: int = LIMIT) -> None:
        """Nothing is kept yet."""
        self.rows: Counter[dt.date] = Counter()
        self._limit, self._bytes = limit, 0
        self._parts: defaultdict[dt.date, list[pa.Table | Path]] = defaultdict(list)
        self._last: dt.date | None = None
        self._waiting: list[pa.Table] = []  # rows before the first known day
        self._folder: Path | None = None
        self._days: set[dt.date] | None = None

    def keep(self, days: Iterable[dt.date]) -> None:
        """Keep the rows of these days alone: those that are here, and those that come. All are counted."""
        self._days = set(days)
        for day in self._parts.keys() - self._days:
            for part in self._parts.pop(day):
                if isinstance(part, Path):
                    part.unlink(missing_ok=True)

    def add(self, table: pa.Table, day: np.ndarray) -> None:
        """Keep some rows. Those whose day is not known (NaT) stay with the rows before them, else with those behind them."""
        known = pd.Series(day.astype("datetime64[s]")).ffill()
        if self._last is not None:
            known = known.fillna(pd.Timestamp(self._last))
        if not len(known):
            return
        if known.isna().all():
            self._waiting.append(table)
            return
        code = known.bfill().to_numpy().astype("datetime64[D]").astype("int64")
        if self._waiting:
            table = together([*self._waiting, table])
            code = np.concatenate([np.full(len(table) - len(code), code[0]), code])
            self._waiting = []
        self._last = _day(code[-1])
        for one, n in zip(*np.unique(code, return_counts=True), strict=True):
            self.rows[_day(one)] += int(n)
        if self._days is not None:  # copied: a slice would hold on to the rows around it
            is_wanted = np.isin(code, np.array(sorted(self._days), dtype="datetime64[D]").astype("int64"))
            table, code = table.filter(pa.array(is_wanted)), code[is_wanted]
            if not len(code):
                return
        order = np.argsort(code, kind="stable")
        if (np.diff(code) < 0).any():
            table, code = table.take(order), code[order]
        starts = np.flatnonzero(np.diff(code, prepend=code[0] - 1))
        for start, end in zip(starts, [*starts[1:], len(code)], strict=True):
            self._parts[_day(code[start])].append(table.slice(start, end - start))
        self._bytes += table.nbytes
        if self._bytes > self._limit:
            self._to_disk()

    @property
    def waiting(self) -> int:
        """How many rows have no day, because no row of the table has one."""
        return sum(len(table) for table in self._waiting)

    @property
    def example(self) -> str:
        """The time of one of them, as it came."""
        table = self._waiting[0]
        at = next(name for name in tables.ARRIVED_AT.values() if name in table.column_names)
        return str(table[at][0].as_py())

    def of(self, day: dt.date) -> pd.DataFrame | None:
        """The rows of a day, in the order in which they came; None where there are none."""
        parts = self.parts(day)
        return tables.together(parts).reset_index(drop=True) if parts else None

    def parts(self, day: dt.date) -> list[pa.Table]:
        """The same as they came, a table for each time."""
        return [_read(part) if isinstance(part, Path) else part for part in self._parts.get(day, [])]

    def _to_disk(self) -> None:
        if self._folder is None:
            files.TMP.mkdir(parents=True, exist_ok=True)
            self._folder = Path(mkdtemp(prefix=f"{files.mine()}spool-", dir=files.TMP))
            weakref.finalize(self, shutil.rmtree, self._folder, ignore_errors=True)
        for day, parts in self._parts.items():
            held = [part for part in parts if not isinstance(part, Path)]
            if not held:
                continue
            path = self._folder / f"{day}-{len(parts) - len(held)}.arrow"  # by how many files the day has already
            table = together(held)
            with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
                writer.write_table(table)
            parts[:] = [part for part in parts if isinstance(part, Path)] + [path]
        self._bytes = 0


def together(parts: list[pa.Table]) -> pa.Table:
    """Rows of one table as one; a column whose type differs from part to part becomes text."""
    names = parts[0].column_names
    for name in names:
        kinds = {part.schema.field(name).type for part in parts}
        if len(kinds - {pa.null()}) > 1 and not _are_one_kind([part[name] for part in parts]):
            parts = [part.set_column(part.column_names.index(name), name, mapping.texts(part[name])) for part in parts]
    return pa.concat_tables(parts, promote_options="permissive")


def _are_one_kind(parts: list[pa.ChunkedArray]) -> bool:
    """Whether parts of a column are numbers that a float holds as they are."""
    try:
        return all(pa.types.is_integer(one.type) or pa.types.is_floating(one.type) for one in parts) and bool(
            pa.concat_tables([pa.table({"": one}) for one in parts], promote_options="permissive")
        )
    except pa.ArrowInvalid:
        return False


def _read(path: Path) -> pa.Table:
    with pa.OSFile(str(path), "rb") as source:
        return pa.ipc.open_file(source).read_all()


def _day(code: int) -> dt.date:
    return dt.date(1970, 1, 1) + dt.timedelta(days=int(code))
