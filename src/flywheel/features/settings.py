"""Settings of the features: the section features."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from flywheel.params import MAX_DAYS, Names, Params, TimeZone


class Calendar(Params):
    timezone: TimeZone
    parts: Annotated[tuple[Literal["hour", "weekday", "month"], ...], Field(strict=False)]


def _check_window(value: str) -> str:
    if re.fullmatch(r"[1-9]\d{0,8}[hd]", value):
        days = int(value[:-1]) / (1 if value.endswith("d") else 24)
        if days <= MAX_DAYS:
            return value
    raise ValueError(f"must be a number of hours or days such as 3h or 7d, at most {MAX_DAYS}d")


def column_names(key: Sequence[str], window: str) -> tuple[str, str]:
    """The names of the rate and the count column of a history, for a key and a window."""
    stem = "_".join(key) or "all"
    return f"{stem}_rate_{window}", f"{stem}_count_{window}"


class History(Params):
    key: Names  # none: the rate over all predictions
    windows: Annotated[tuple[Annotated[str, AfterValidator(_check_window)], ...], Field(strict=False, min_length=1)]


class Features(Params):
    numeric: Names
    categorical: Names
    calendar: Calendar
    history: Annotated[tuple[History, ...], Field(strict=False)]

    @property
    def columns(self) -> list[str]:
        """The names of all features but the project's own, which only its function knows."""
        parts = [f"served_{part}" for part in self.calendar.parts]
        counted = [name for one in self.history for window in one.windows for name in column_names(one.key, window)]
        return [*self.numeric, *self.categorical, *parts, *counted]
