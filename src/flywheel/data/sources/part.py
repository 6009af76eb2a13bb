"""A part of a source: it begins on a later day, or only a share of its predictions is there. For quick looks."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Protocol, runtime_checkable

import pandas as pd

from flywheel.data import tables
from flywheel.data.sources.protocol import OF_ROWS, Counted, Foretold, LeavesOut, Source
from flywheel.errors import ConfigError


@runtime_checkable
class StartsLater(Protocol):
    """A source that can leave earlier days out by itself, which is quicker than reading them to know what they hold."""

    def starting(self, first_day: dt.date) -> Source:
        """The same source, in which nothing was served before a day, and nobody speaks of what was."""


class Part:
    """The predictions of a source from `first_day` on, and of these a share, with the feedback about them.

    Feedback about a prediction that was left out is left out too, so that both tables fit together. What refers to no
    prediction at all stays: it is a mistake of the source, and the contract says so.

    A part can count (`Counted`) where its source can. Only the ids say what belongs to the part, so it counts the whole of each
    day, and the rows that it gives say how many they were chosen from: these two numbers can be compared.
    """

    counts: Callable[[str], Mapping[dt.date, int]]  # only where the source can count

    def __init__(self, source: Source, first_day: dt.date | None, share: float) -> None:
        """Nothing is read yet. ConfigError when the source ends before `first_day`."""
        if first_day is not None and first_day > source.last_day:
            raise ConfigError(
                f"source.first_day: found {first_day}; the source ends on {source.last_day}. "
                "Choose a day up to then, or null for all days."
            )
        start = max(first_day or source.first_day, source.first_day)
        if isinstance(source, StartsLater) and start > source.first_day:
            source = source.starting(start)
        self._source, self._share = source, share
        self.left_out = source.left_out if isinstance(source, LeavesOut) else {}
        self._earlier_ids: set[object] | None = None
        if isinstance(source, Counted):
            self.counts = partial(self._counts, source)
        self.first_day = max(start, source.first_day)
        self.last_day = source.last_day

    def expect(self, days: Sequence[dt.date]) -> None:
        """Only these days will be asked for; to know which feedback to leave out, those before the part are read too, once."""
        if isinstance(self._source, Foretold):
            before = tables.day_range(self._source.first_day, self.first_day) if self._earlier_ids is None else []
            self._source.expect(sorted({*before, *days}))

    def predictions(self, day: dt.date) -> pd.DataFrame:
        """The predictions served on a UTC day that belong to the part."""
        given = self._source.predictions(day)
        rows = self._shared(given)
        return chosen(rows if day >= self.first_day else rows.iloc[:0], len(given))

    def feedback(self, day: dt.date) -> pd.DataFrame:
        """The feedback received on a UTC day about predictions that belong to the part."""
        given = self._source.feedback(day)
        rows = self._shared(given)
        if "prediction_id" in rows:
            rows = rows[~rows["prediction_id"].isin(self._earlier())].reset_index(drop=True)
        return chosen(rows, len(given))

    def _counts(self, source: Counted, table: str) -> Mapping[dt.date, int]:
        """How many rows of a table the whole source has on each day, from the first one of the part on."""
        return {day: n for day, n in source.counts(table).items() if day >= self.first_day}

    def _shared(self, rows: pd.DataFrame) -> pd.DataFrame:
        if self._share == 1 or "prediction_id" not in rows:
            return rows
        return rows[is_in_share(rows["prediction_id"], self._share)].reset_index(drop=True)

    def _earlier(self) -> set[object]:
        """The ids of the predictions before the first day. They are read once, when the first feedback is asked for."""
        if self._earlier_ids is None:
            days = tables.day_range(self._source.first_day, self.first_day)
            served = [self._source.predictions(day) for day in days]
            self._earlier_ids = {name for rows in served if "prediction_id" in rows for name in rows["prediction_id"]}
        return self._earlier_ids


def chosen(rows: pd.DataFrame, n: int) -> pd.DataFrame:
    """The rows, which now say how many they were chosen from."""
    rows = rows.copy(deep=False)
    rows.attrs[OF_ROWS] = n
    return rows


def is_in_share(ids: pd.Series, share: float) -> pd.Series:
    """Which ids are in a share: a hash of the id decides, so it is the same share every time, and part of a larger one."""
    limit = share * 2**32
    return ids.map(lambda one: int(hashlib.sha256(str(one).encode()).hexdigest()[:8], 16) < limit).astype("bool")
