"""How two tables belong together: what names each row of the predictions, and which column of the feedback names them."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa

from flywheel.data.sources import mapping
from flywheel.errors import ConfigError
from flywheel.start.guess import CATEGORY_VALUES, NAMES, named, plain
from flywheel.start.profile import IDS, NUMERIC, Profile

JOINED = 0.3  # the share of either table from which a column is believed to name the rows of the other
CLOSE = 0.05  # so near are the shares of two columns that do not say which of them names a prediction
EARLIER = 0.1  # so many more labels before their prediction say that a column does not name it
IDS_OF_ANY_TABLE = ("id", "key", "uuid", "rowid")  # a name that each table has for its own rows says nothing
NEARLY_ALL = (
    0.9  # of the feedback: a column that so much of it has right may be meant, though another is in more predictions
)
OFTEN = 20  # a column whose values come so often, and of which the predictions have few, counts or groups something
FEW_REPEATS = 0.01  # a column may be the id though so many rows have a value that came before


def id_said(given: str | None) -> tuple[str | None, str | None]:
    """What --id says: the id of the predictions and, behind =, the column of the feedback that names one."""
    mine, is_both, theirs = (given or "").partition("=")
    return (mine.strip(), theirs.strip()) if is_both else (given, None)


def find_id(table: Profile, served_at: str, other: Profile | None, given: str | None) -> list[str]:
    """The column, or the columns together, that name each row of a table. ConfigError when nothing does."""
    if given is not None:
        names = [name.strip() for name in given.split("+")]
        missing = [name for name in names if name not in table.columns]
        if missing:
            raise ConfigError(
                f"--id: {table.where.path} has no column {missing[0]!r}; found: {', '.join(table.columns)}."
            )
        return names
    unique = [one.name for one in table.columns.values() if one.is_unique and one.may_be_id and not one.numbers_rows]
    if unique:
        return [unique[0] if len(unique) == 1 else _likeliest_id(table, unique, other)]
    said = named("prediction_id", list(table.columns))
    if said is not None and other is not None and _is_joined(table, said, other):
        return [said]  # rows may repeat it: how many do is among the guesses
    if other is not None:
        check_repeats(table, other)
    keys = [
        one.name
        for one in table.columns.values()
        if one.kind in ("text", "integer") and 1 < one.n_values <= CATEGORY_VALUES and not one.numbers_rows
    ]
    for ids in ([served_at], *([key, served_at] for key in keys)):
        if names_each_row(table, ids):
            return ids
    numbered = next((one.name for one in table.columns.values() if one.numbers_rows), None)
    if numbered is not None:  # better than nothing: the same rows have the same numbers while the file only grows
        return [numbered]
    raise ConfigError(
        f"{table.where.path} has no column that names each row once. Add one, or say which columns do together: "
        f"--id '{(keys or list(table.columns))[0]}+{served_at}'"
    )


def _likeliest_id(table: Profile, unique: Sequence[str], other: Profile | None) -> str:
    """Of several columns that name each row, the one that the feedback names, as far as that can be told.

    Each table may number its rows from 1 on, and then they seem to name each other: any other column goes before these.
    """
    if other is None:
        return named("prediction_id", unique) or unique[0]
    found = {name: [one for one in joins(table, [name], other) if one.is_likely] for name in unique}
    strong = [name for name, some in found.items() if any(not is_of_any_table(one.column) for one in some)]
    left = strong or [name for name, some in found.items() if some] or unique
    known = named("prediction_id", left)
    if known is not None and not is_of_any_table(known):
        return known
    same = [name for name in left if not is_of_any_table(name) and any(one.column == name for one in found[name])]
    return next(iter(same), None) or known or left[0]


def is_of_any_table(name: str) -> bool:
    """Whether any table may have a column of this name for its own rows."""
    return plain(name) in IDS_OF_ANY_TABLE


def check_repeats(table: Profile, other: Profile) -> None:
    """ConfigError when the feedback names a column that would be the id, had a few rows not the same value."""
    for one in table.columns.values():
        is_near = one.may_be_id and not one.nulls and 0 < one.repeats <= FEW_REPEATS * table.rows
        if is_near and _is_joined(table, one.name, other):
            raise ConfigError(
                f"{one.name} of {table.where.path} is named by {other.where.path}, but {in_repeats(one.repeats, table.rows)}. "
                f"An id names one row. Correct the table, or go on with: --id {shlex.quote(one.name)}"
            )


def in_repeats(repeats: int, rows: int) -> str:
    """How many rows repeat an id, and what becomes of them."""
    return (
        f"{repeats:,} of {rows:,} rows repeat a value that came before: validate rejects them, and the first row stays"
    )


def check_pointed(table: Profile, ids: list[str], other: Profile) -> None:
    """ConfigError when a column of the feedback would name predictions, were 12 not written as 12.0 in one of the tables."""
    mine = table.columns[ids[0]]
    if len(ids) > 1 or not mine.may_be_id:
        return
    whole = [one for one in other.columns.values() if one.may_be_id and one.kind in NUMERIC]
    pointed = [one.name for one in whole if one.has_points != mine.has_points]
    pointed = sorted(pointed, key=lambda name: name != ids[0])
    numbers = set(pd.to_numeric(table.sample(ids, ids)[ids[0]], errors="coerce").dropna())
    for name in pointed:
        named_by = pd.to_numeric(other.sample([name], [name])[name], errors="coerce").dropna()
        if named_by.isin(numbers).mean() >= JOINED:
            where, column = (table.where.path, ids[0]) if mine.has_points else (other.where.path, name)
            raise ConfigError(
                f"{column} of {where} is written as numbers with a point, such as 12.0, and the other table has 12: as texts "
                f"they are not the same, so no row of {other.where.path} names one of {table.where.path}. A gap in the column "
                f"may have made it so. Write {column} as whole numbers (in pandas: .astype('Int64')), and run again."
            )


def _is_joined(table: Profile, name: str, other: Profile) -> bool:
    return any(one.is_likely for one in joins(table, [name], other))


@dataclass(frozen=True)
class Join:
    """How well a column of the feedback names predictions: which share of the feedback does, and of which share is spoken."""

    column: str
    of_feedback: float
    of_predictions: float
    often: float = 1.0  # how often each of its values comes

    @property
    def is_likely(self) -> bool:
        """Whether it is hardly by chance. One of the tables may have other days than the other."""
        return self.of_predictions >= JOINED or (self.of_feedback >= JOINED and self.often <= OFTEN)

    @property
    def total(self) -> float:
        """Both shares: the more, the likelier it is."""
        return self.of_feedback + self.of_predictions

    @property
    def text(self) -> str:
        """The numbers, for a person."""
        return f"{self.of_feedback:.0%} of its rows name a prediction, {self.of_predictions:.0%} of the predictions are named"


def joins(table: Profile, ids: list[str], other: Profile) -> list[Join]:
    """How well each column of the feedback that may hold ids names rows of the predictions; the best first."""
    is_numbered = len(ids) == 1 and table.columns[ids[0]].numbers_rows  # a person has said so
    free = [one.name for one in other.columns.values() if one.may_be_id and (is_numbered or not one.numbers_rows)]
    share = min(1.0, IDS / max(table.rows, other.rows, 1))
    [mine] = table.hashes([ids], share)
    theirs = other.hashes([[name] for name in free], share)
    found = [
        Join(name, float(np.isin(said, mine).mean()) if len(said) else 0.0,
             float(np.isin(mine, said).mean()) if len(mine) else 0.0,
             len(said) / max(len(np.unique(said)), 1))
        for name, said in zip(free, theirs, strict=True)
    ]  # fmt: skip
    return sorted(found, key=lambda one: one.total, reverse=True)


def likeliest(found: Sequence[Join], ids: list[str], early: Callable[[str], float]) -> list[Join]:
    """The joins between which nothing decides, the likeliest first; one where something does.

    Numbers from 1 on name rows of any table, so shares say little, least of all those of a column that any table has: a name
    does, or that with the other column many labels were known before their prediction was served. `early` is their share with
    a column.
    """
    best = found[0]
    same = [one for one in found if [one.column] == ids and not is_of_any_table(one.column) and one.is_likely]
    known = [one for one in NAMES["prediction_id"] if one not in IDS_OF_ANY_TABLE]
    named_so = [one for one in found if plain(one.column) in known and one.is_likely]

    def is_close(one: Join) -> bool:
        may_be_meant = one.is_likely and one.of_feedback >= NEARLY_ALL and one.of_predictions >= JOINED
        return one.total >= best.total - CLOSE or (is_of_any_table(best.column) and may_be_meant)

    close = same or (named_so if len(named_so) == 1 else [one for one in found if is_close(one)])
    if len(close) < 2 or not close[0].is_likely:
        return close[:1]
    shares = {one.column: early(one.column) for one in close}
    return [one for one in close if shares[one.column] <= min(shares.values()) + EARLIER]


def names_each_row(table: Profile, ids: list[str]) -> bool:
    """Whether some columns together name each row once; the first rows may say no already."""
    if table.head.duplicated(ids).any():
        return False
    [found] = table.hashes([ids])
    return len(found) == table.rows == len(np.unique(found))


def as_ids(frame: pd.DataFrame, ids: list[str]) -> pd.Series:
    """The ids of rows as the source will put them together."""
    texts = mapping.joined(pa.Table.from_pandas(frame[ids], preserve_index=False), tuple(ids)).to_pandas()
    return pd.Series(texts.array, index=frame.index)
