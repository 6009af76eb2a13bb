"""Reading JSON with a shape: each file that one part of the loop writes for another has a type, and is checked against it.

A shape is a `TypedDict`, so that what is read stays plain dictionaries and lists. Keys that a shape does not name are kept.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Hashable, Iterable
from functools import cache
from pathlib import Path
from typing import Annotated, Any, TypeVar, cast

from pydantic import AfterValidator, TypeAdapter, ValidationError, WithJsonSchema

from flywheel import files
from flywheel.errors import DataError

T = TypeVar("T")
RESTORE = "Restore it from Git, or make it again with: flywheel run"
DELETE = "Delete it and make it again with: flywheel run"


def day_text(text: str) -> str:
    """A validator for a day as it is written in JSON."""
    try:
        if dt.date.fromisoformat(text).isoformat() == text:
            return text
    except ValueError:
        pass
    raise ValueError("it should be a day, such as 2030-01-31")


DayText = Annotated[str, AfterValidator(day_text), WithJsonSchema({"type": "string", "format": "date"})]


def read(path: Path, shape: type[T], remedy: str = RESTORE) -> T:
    """What is in a JSON file. DataError when it is missing, is not JSON, or has another shape; `remedy` says what to do."""
    return check(files.read_json(path), shape, str(path), remedy)


def read_if_there(path: Path, shape: type[T], remedy: str = RESTORE) -> T | None:
    """Like `read`; None if there is no file."""
    return read(path, shape, remedy) if path.exists() else None


def check(value: Any, shape: type[T], place: str, remedy: str = RESTORE) -> T:
    """The value itself, if it has the shape. DataError names the file, the key, what was found and what is expected."""
    try:
        _adapter(cast("Hashable", shape)).validate_python(value, strict=True)
    except ValidationError as error:
        problem = error.errors()[0]
        key = ".".join(str(part) for part in problem["loc"] if part != "[key]")
        at = f"{key}: " if key else ""
        if problem["type"] == "missing":
            said = "the key is missing"
        else:
            expected = problem["msg"].removeprefix("Value error, ").replace("Input should", "it should")
            said = f"found {_short(problem['input'])}; {expected}"
        raise DataError(f"{place}: {at}{said}. {remedy}") from None
    return cast("T", value)


def having(names: Iterable[str]) -> Callable[[dict[str, Any]], dict[str, Any]]:
    """A validator for a mapping that must have these keys, and may have others."""
    wanted = tuple(names)

    def has_all(value: dict[str, Any]) -> dict[str, Any]:
        missing = [name for name in wanted if name not in value]
        if missing:
            raise ValueError(f"it should have the keys {', '.join(missing)}")
        return value

    return has_all


def of_length(n: int) -> Callable[[list[Any]], list[Any]]:
    """A validator for a list with a fixed number of entries."""

    def has_length(value: list[Any]) -> list[Any]:
        if len(value) != n:
            raise ValueError(f"it should have {n} entries")
        return value

    return has_length


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:59]}…"


@cache
def _adapter(shape: Hashable) -> TypeAdapter[Any]:
    return TypeAdapter(cast("Any", shape))
