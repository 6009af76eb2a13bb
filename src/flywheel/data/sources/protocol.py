"""What a source must be able to do."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Protocol, runtime_checkable

import pandas as pd

OF_ROWS = "of_rows"  # the attribute by which rows say how many they were chosen from, where some were left out


class Source(Protocol):
    """Two tables by day of arrival. A day that was given once is always given the same."""

    @property
    def first_day(self) -> dt.date:
        """The first UTC day on which something arrived."""

    @property
    def last_day(self) -> dt.date:
        """The last UTC day that is complete: with its predictions. Feedback that came later waits until they are there."""

    def predictions(self, day: dt.date) -> pd.DataFrame:
        """The predictions served on a UTC day, with raw user ids."""

    def feedback(self, day: dt.date) -> pd.DataFrame:
        """The feedback received on a UTC day, with raw source ids and raw text."""


@runtime_checkable
class Foretold(Protocol):
    """A source that reads less when it knows which days are wanted."""

    def expect(self, days: Sequence[dt.date]) -> None:
        """Only these days will be asked for from now on: others need not be read. A later call holds instead of this."""


@runtime_checkable
class Counted(Protocol):
    """A source that can say, without giving the rows, how many arrived on each day: so rows that come late are seen."""

    def counts(self, table: str) -> Mapping[dt.date, int]:
        """How many rows of a table arrived on each day that has any, as the source has them now."""


@runtime_checkable
class LeavesOut(Protocol):
    """A source that cannot give some rows on any day, and says so: nothing vanishes in silence."""

    @property
    def left_out(self) -> Mapping[str, int]:
        """How many rows it never gives, by where they are; nothing if there are none."""
