"""Where the two tables come from: what a source must be able to do, and how the one named in `conf/` is opened."""

from __future__ import annotations

import datetime as dt
from typing import Protocol

import pandas as pd

from flywheel.data.settings import Source as SourceParams
from flywheel.project import load_function


class Source(Protocol):
    """Two tables by day of arrival. A day that was given once is always given the same."""

    @property
    def first_day(self) -> dt.date:
        """The first UTC day on which something arrived."""

    @property
    def last_day(self) -> dt.date:
        """The last UTC day that is complete."""

    def predictions(self, day: dt.date) -> pd.DataFrame:
        """The predictions served on a UTC day, with raw user ids."""

    def feedback(self, day: dt.date) -> pd.DataFrame:
        """The feedback received on a UTC day, with raw source ids and raw text."""


def open_source(params: SourceParams) -> Source:
    """Open the source that `source.factory` names, such as `flights.replay:open_source`. ConfigError when there is none."""
    factory = load_function(params.factory, "source.factory")
    source: Source = factory(params.options)
    return source
