"""What users write, as types: `reports/voices.json`, which `label` writes. No text of anybody is in it."""

from __future__ import annotations

from typing import Literal

from typing_extensions import TypedDict

from flywheel import files, shapes
from flywheel.labels.shares import Estimate
from flywheel.labels.texts.phrases import Risen
from flywheel.shapes import DayText

Trend = Literal["more", "less", "not shown", "too few"]


class TopicSaid(TypedDict):
    """A topic over all days: `change` is its share of the recent texts less that of those before."""

    topic: str
    about: str
    input: str | None
    texts: int
    users: int | None
    share: Estimate
    sentiment: Estimate | None
    recent_texts: int
    before_texts: int
    change: Estimate
    trend: Trend


class WeekSaid(TypedDict):
    """A week: `days` says how many days of it the data has. `shares` are of its texts, by topic; Student's and Wilson's
    intervals, which take texts as independent."""

    week: DayText
    days: int
    texts: int
    users: int | None
    sentiment: Estimate | None
    shares: dict[str, Estimate]
    by_topic: dict[str, int]


class Period(TypedDict):
    """Some days, the end not included, and how many texts came in them."""

    start: DayText
    end: DayText
    days: int
    texts: int


class VoicesHeard(TypedDict):
    """`reports/voices.json`. `users` are null where a table does not say who wrote."""

    texts: int
    users: int | None
    cut: int
    max_chars: int
    min_texts: int
    without_feeling: int
    confidence: float
    sentiment: Estimate | None
    start: DayText
    end: DayText
    recent: Period
    before: Period
    topics: list[TopicSaid]
    weeks: list[WeekSaid]
    rising: Risen


def read_voices() -> VoicesHeard:
    """What `label` wrote about the texts of users. DataError when the file is missing or has another shape."""
    return shapes.read(files.VOICES_REPORT, VoicesHeard)
