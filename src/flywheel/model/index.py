"""What is compared with what, as types: `data/vintages/index.json`, which `train` writes and `evaluate` reads."""

from __future__ import annotations

from typing import Literal

from typing_extensions import TypedDict

from flywheel import files, shapes
from flywheel.shapes import DayText

INDEX = files.VINTAGES / "index.json"
Kind = Literal["refresh", "change"]


class Window(TypedDict):
    """A window, and the folders in `data/vintages/` of the two stand-ins. No champion: none could be fitted again."""

    start: DayText
    end: DayText
    candidate: str
    champion: str | None


class LeftOut(TypedDict):
    """A window that is not compared on, and why."""

    start: DayText
    end: DayText
    why: str


class Index(TypedDict):
    """`data/vintages/index.json`: what is compared with what, the latest window first.

    A `refresh` is the champion's recipe on more data, a `change` anything else. `why_as_it_is` says why the champion's recipe
    was not fitted again; then the champion itself is compared, or, for the reason `why_not_compared`, not even that. `as_it_is`
    are the windows that the champion itself has not seen.
    """

    kind: Kind
    recipe: str
    windows: list[Window]
    left_out: list[LeftOut]
    why_as_it_is: str | None
    why_not_compared: str | None
    as_it_is: list[Window]


def read_index() -> Index:
    """What `train` says is to be compared. DataError when the file is missing or has another shape."""
    return shapes.read(INDEX, Index, shapes.DELETE)
