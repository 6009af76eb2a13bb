"""Settings of the features: the section features."""

from __future__ import annotations

import re
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, Field

from flywheel.params import MAX_DAYS, Names, Params


def _check_time_zone(value: str) -> str:
    try:
        ZoneInfo(value)
    except (KeyError, ValueError, OSError):
        raise ValueError("must be a time zone such as America/New_York") from None
    return value


class Calendar(Params):
    timezone: Annotated[str, AfterValidator(_check_time_zone)]
    parts: Annotated[tuple[Literal["hour", "weekday", "month"], ...], Field(strict=False)]


def _check_window(value: str) -> str:
    if re.fullmatch(r"[1-9]\d{0,8}[hd]", value):
        days = int(value[:-1]) / (1 if value.endswith("d") else 24)
        if days <= MAX_DAYS:
            return value
    raise ValueError(f"must be a number of hours or days such as 3h or 7d, at most {MAX_DAYS}d")


class History(Params):
    key: Annotated[Names, Field(min_length=1)]
    windows: Annotated[tuple[Annotated[str, AfterValidator(_check_window)], ...], Field(strict=False, min_length=1)]


class Features(Params):
    numeric: Names
    categorical: Names
    calendar: Calendar
    history: Annotated[tuple[History, ...], Field(strict=False)]
