"""What differs between two versions of the same data: days, rows, columns and distributions. Pure functions.

Only days that differ are looked at. The rows of all of them together, before and after, are the two samples.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from flywheel.monitoring.distances import jensen_shannon, wasserstein

# Each row has another value, so there is no distribution; and who people are and what they write is not compared.
NAMES = ("prediction_id", "feedback_id", "user_id", "source_id", "text")


@dataclass(frozen=True)
class Rows:
    """How many rows are new, gone, or say something else under the same name."""

    came: int
    gone: int
    other: int

    @property
    def total(self) -> int:
        """All of them."""
        return self.came + self.gone + self.other


@dataclass(frozen=True)
class Column:
    """A column whose distribution moved: how far, and its share of nulls before and after. No distance where it is empty."""

    name: str
    distance: float | None
    nulls: tuple[float, float]


@dataclass(frozen=True)
class Table:
    """What differs in one table. `days` that came, went and changed; columns that came and went; those that moved."""

    name: str
    came: tuple[str, ...]
    gone: tuple[str, ...]
    changed: tuple[str, ...]
    rows: Rows
    n_rows: tuple[int, int]
    new_columns: tuple[str, ...]
    lost_columns: tuple[str, ...]
    moved: tuple[Column, ...]


def row_changes(before: pd.DataFrame, after: pd.DataFrame, key: Sequence[str]) -> Rows:
    """The rows that differ, in the columns that both versions have. Where one has no key, a row is named by all it says."""
    common = [name for name in before.columns if name in after.columns]
    if not common:
        return Rows(len(after), len(before), 0)
    pairs = {name: _comparable(before[name], after[name]) for name in common}
    named = list(key) if set(key) <= set(common) else common
    was, now = (_told(pd.DataFrame({name: pair[at] for name, pair in pairs.items()}), named) for at in (0, 1))
    kept = now.index.intersection(was.index)
    return Rows(len(now) - len(kept), len(was) - len(kept), int((was.loc[kept] != now.loc[kept]).sum()))


def column_changes(before: pd.DataFrame, after: pd.DataFrame) -> list[Column]:
    """The columns of both versions whose distribution or share of nulls differs, the farthest first."""
    found = []
    for name in before.columns:
        if name in NAMES or name not in after.columns:
            continue
        samples = _comparable(before[name], after[name])
        nulls = tuple(float(one.isna().mean()) if len(one) else 0.0 for one in samples)
        there = [one.dropna() for one in samples]
        is_empty = any(one.empty for one in there)
        distance = None if is_empty else _distance(*there)
        if nulls[0] != nulls[1] or distance:
            found.append(Column(name, distance, (nulls[0], nulls[1])))
    return sorted(found, key=lambda one: (-(one.distance or 0.0), one.name))


def compare(
    name: str,
    days: tuple[Iterable[str], Iterable[str], Iterable[str]],
    before: pd.DataFrame,
    after: pd.DataFrame,
    key: Sequence[str],
) -> Table:
    """One table in two versions. `days` came, went and changed; the frames have the rows of these days, before and after."""
    came, gone, changed = (tuple(sorted(one)) for one in days)
    return Table(
        name,
        came,
        gone,
        changed,
        row_changes(before, after, key),
        (len(before), len(after)),
        _only_in(after, before),
        _only_in(before, after),
        tuple(column_changes(before, after)),
    )


def _only_in(one: pd.DataFrame, other: pd.DataFrame) -> tuple[str, ...]:
    """The columns that only one version has; none where the other has no day at all, hence no columns."""
    return tuple(name for name in one.columns if name not in other.columns) if len(other.columns) else ()


def _told(frame: pd.DataFrame, key: Sequence[str]) -> pd.Series:
    """What each row says, in short, by its name in short; of rows with one name, the first."""
    said = pd.util.hash_pandas_object(frame, index=False)
    said.index = pd.Index(pd.util.hash_pandas_object(frame[list(key)], index=False))
    return said[~said.index.duplicated()]


def _comparable(before: pd.Series, after: pd.Series) -> tuple[pd.Series, pd.Series]:
    """Two samples of numbers where both are numbers or moments, else of texts."""
    pair = [_numbers(one) for one in (before, after)]
    if pair[0] is not None and pair[1] is not None:
        return pair[0], pair[1]
    return before.astype("str"), after.astype("str")


def _numbers(values: pd.Series) -> pd.Series | None:
    """Numbers, and moments in seconds; what is infinite counts as missing. None where these are texts."""
    if pd.api.types.is_datetime64_any_dtype(values.dtype):
        seconds: pd.Series[Any] = values.dt.as_unit("us").astype("int64") / 1e6
        return seconds.where(values.notna())
    if pd.api.types.is_numeric_dtype(values.dtype) or values.isna().all():
        return values.astype("float64").replace([np.inf, -np.inf], np.nan)
    return None


def _distance(before: pd.Series, after: pd.Series) -> float:
    if pd.api.types.is_numeric_dtype(before.dtype):
        return wasserstein(before.to_numpy("float64"), after.to_numpy("float64"))
    return jensen_shannon(before, after)
