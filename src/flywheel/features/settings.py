"""Settings of the features: the section features."""

from __future__ import annotations

from typing import Annotated, Literal
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, Field

from flywheel.params import Names, Params


def _check_time_zone(value: str) -> str:
    try:
        ZoneInfo(value)
    except (KeyError, ValueError, OSError):
        raise ValueError("must be a time zone such as America/New_York") from None
    return value


class Calendar(Params):
    timezone: Annotated[str, AfterValidator(_check_time_zone)]
    parts: Annotated[tuple[Literal["hour", "weekday", "month"], ...], Field(strict=False)]


class History(Params):
    key: Annotated[Names, Field(min_length=1)]
    windows: Annotated[tuple[Annotated[str, Field(pattern=r"^[1-9]\d*[hd]$")], ...], Field(strict=False, min_length=1)]


class Features(Params):
    numeric: Names
    categorical: Names
    calendar: Calendar
    history: Annotated[tuple[History, ...], Field(strict=False)]
