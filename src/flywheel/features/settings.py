"""Settings of the features: the section features."""

from __future__ import annotations

import re
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


class History(Params):
    key: Names  # none: the rate over all predictions
    windows: Annotated[tuple[Annotated[str, AfterValidator(_check_window)], ...], Field(strict=False, min_length=1)]


class Features(Params):
    numeric: Names
    categorical: Names
    calendar: Calendar
    history: Annotated[tuple[History, ...], Field(strict=False)]
