"""Which days must be made again: digests of what each day was made from, and of what came out.

A stage that works day by day keeps a ledger next to its output. A day is done as long as the ledger agrees with three things:
the fingerprint (code, settings, and whatever else decides all days), the day's inputs, and its outputs. Where a day depends on
all days before it (an id may come only once), every day from the first one with changed inputs on is made again: `to_do`.
Where the inputs of a day hold all that it depends on (history looks back only so far), that day alone: `changed`. If only a
day's output was damaged or lost, that day alone is made again.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from typing_extensions import TypedDict

from flywheel import shapes
from flywheel.data.evidence import Entry
from flywheel.errors import DataError
from flywheel.files import PIPELINE
from flywheel.params import from_yaml

E = TypeVar("E")


class Ledger(TypedDict):
    """A ledger, whatever a stage says of its days. `fingerprint` stands for the code and settings that they were made by."""

    fingerprint: str
    days: dict[str, Any]


def open_days(path: Path, entry: type[E], mark: str) -> dict[str, E]:
    """What the ledger at `path` says of each day, by its name; nothing if there is none, or if its fingerprint is another.

    DataError if it, or one of its days, has another shape.
    """
    if not path.exists():
        return {}
    kept = shapes.read(path, Ledger)
    return checked_days(path, kept["days"], entry) if kept["fingerprint"] == mark else {}


def checked_days(path: Path, days: Mapping[str, Any], entry: type[E]) -> dict[str, E]:
    """The days of the ledger at `path`. DataError if a name is no day's, or an entry has another shape."""
    for name in days:
        try:
            dt.date.fromisoformat(name)
        except ValueError:
            raise DataError(
                f"{path}: found the day {name!r}; days are written like 2013-03-01. Delete this file and run again: "
                "flywheel run"
            ) from None
    return {name: shapes.check(found, entry, f"{path}: {name}") for name, found in days.items()}


def to_do(
    days: Sequence[dt.date],
    ledger: Mapping[str, Entry],
    inputs: Mapping[dt.date, str],
    outputs: Callable[[dt.date], str],
) -> list[dt.date]:
    """Those of `days` (in order) that must be made: from the first whose inputs changed on, and each whose output did.

    `inputs` and `outputs` give the digests of a day as it is now; `ledger` has them as they were. A day that the ledger
    knows and that is gone counts as changed, because later days were made with it.
    """
    known = {dt.date.fromisoformat(name): entry for name, entry in ledger.items()}
    others = [
        day for day in {*days, *known} if day not in known or day not in inputs or known[day]["inputs"] != inputs[day]
    ]
    first = min(others, default=dt.date.max)
    return [day for day in days if day >= first or known[day]["outputs"] != outputs(day)]


def changed(
    days: Sequence[dt.date],
    ledger: Mapping[str, Entry],
    inputs: Mapping[dt.date, str],
    outputs: Callable[[dt.date], str],
) -> list[dt.date]:
    """Those of `days` (in order) whose inputs or output changed, where the inputs hold all that a day depends on."""
    known = {day: ledger.get(day.isoformat()) for day in days}
    return [
        day
        for day, entry in known.items()
        if entry is None or entry["inputs"] != inputs[day] or entry["outputs"] != outputs(day)
    ]


def digest(paths: Iterable[Path]) -> str:
    """SHA-256 over the names and bytes of files, in the order of their names."""
    total = hashlib.sha256()
    for path in sorted(paths):
        total.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return total.hexdigest()


def digest_at(paths: Iterable[Path]) -> str:
    """A short SHA-256 over the paths and bytes of files; a missing file counts too."""
    found = {path.as_posix(): digest_of(path) for path in paths}
    return hashlib.sha256(json.dumps(found, sort_keys=True).encode()).hexdigest()[:16]


def digest_of(path: Path) -> str | None:
    """A short SHA-256 of a file's bytes; None if there is no file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()[:16] if path.exists() else None


def fingerprint(stage: str, settings: Any, *upstream: object) -> str:
    """What decides a stage's output apart from the days: its code (as in `dvc.yaml`), its settings, and what it builds on."""
    pipeline = from_yaml(PIPELINE.read_bytes())
    code: list[Path] = []
    for dep in pipeline["stages"][stage]["deps"]:
        path = Path(dep)
        if path.parts[0] == "src":
            code += sorted(path.rglob("*.py")) if path.is_dir() else [path]
    text = json.dumps([digest(code), settings, *upstream], sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
