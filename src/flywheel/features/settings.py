"""Settings of the features: the section features."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from flywheel.params import MAX_DAYS, Names, Params, TimeZone

# Columns that stand beside the features at some time: what is known of a row, and what a model says of it.
RESERVED = (
    "prediction_id",
    "served_at",
    "served_score",
    "label",
    "label_confidence",
    "label_weight",
    "known_at",
    "until",
    "champion_score",
)


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


def is_feature_of_the_loop(name: str) -> bool:
    """Whether the loop calls a feature of its own so, or a column beside them: a part of the calendar, or a history."""
    return name in RESERVED or re.fullmatch(r"served_(hour|weekday|month)|.+_(rate|count)_\d+[hd]", name) is not None


class Features(Params):
    numeric: Names
    categorical: Names
    calendar: Calendar
    history: Annotated[tuple[History, ...], Field(strict=False)]

    @model_validator(mode="after")
    def _check_names(self) -> Features:
        twice = sorted(name for name, n in Counter([*self.columns, *RESERVED]).items() if n > 1)
        if twice:
            raise ValueError(
                f"features: found {', '.join(twice)}, each of which is there twice, or is a name of the loop's own "
                f"({', '.join(RESERVED)}). Give the input another name, such as {twice[0]}_2, also under contract and "
                "source.options, as in_…, and wherever else its name is"
            )
        return self

    @property
    def columns(self) -> list[str]:
        """The names of all features but the project's own, which only its function knows."""
        parts = [f"served_{part}" for part in self.calendar.parts]
        counted = [name for one in self.history for window in one.windows for name in column_names(one.key, window)]
        return [*self.numeric, *self.categorical, *parts, *counted]
