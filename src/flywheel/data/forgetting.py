"""Taking people out of the days that are stored: a correction of its own kind, of which the record is `docs/forgotten.yaml`.

The files without them are first made beside `data/`, then, in one step, counted as ready, then moved into their places. If this
is killed before that step, it begins again; after it, whichever command comes next carries it through. What is moved is what a
fresh clone collects, so nothing else is noted in `data/`.
"""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from typing_extensions import TypedDict

from flywheel import files, shapes
from flywheel.data import tables
from flywheel.data.collection import LEDGER, open_ledger
from flywheel.data.evidence import CollectedDay
from flywheel.data.ledger import digest_of
from flywheel.data.tombstones import WHO, People
from flywheel.errors import DataError

PENDING = files.FORGET / "pending.json"
COLUMN = dict(zip(tables.TABLES, WHO, strict=True))


class Pending(TypedDict):
    """Files that are ready, by their place in `data/events/`, with their digests; and the ledger's new entries."""

    files: dict[str, str]
    days: dict[str, CollectedDay]


@dataclass(frozen=True)
class Taken:
    """What was taken out of the stored days: rows of feedback, ids of predictions, and how many files changed."""

    rows: int = 0
    ids: int = 0
    files: int = 0


def forget(people: People) -> Taken:
    """Take people out of all stored days. Files without them are not touched. Nothing to do is nothing done."""
    if not people:
        return Taken()
    ledger, moved, days, rows, ids = open_ledger(), dict[str, str](), dict[str, CollectedDay](), 0, 0
    for name, entry in ledger.items():
        now = entry
        for table, column in COLUMN.items():
            place = f"{table}/{name}.parquet"
            path = files.EVENTS / place
            if not path.exists() or column not in files.read_names(path):
                continue
            if not people.among(files.read_table(path, [column])[column]).any():
                continue
            left = people.without(files.read_table(path))
            files.write_table(files.FORGET / place, left.table, files.read_metadata(path) | left.notes)
            moved[place] = digest_of(files.FORGET / place) or ""
            now = cast("CollectedDay", {**now, table: moved[place]})
            rows, ids = rows + left.rows, ids + left.ids
        if now != entry:
            days[name] = now
    if moved:
        files.write_json(PENDING, {"files": moved, "days": days})
        finish()
    return Taken(rows, ids, len(moved))


def finish() -> bool:
    """Carry through what is ready, and return whether anything was; throw away what was never whole. Safe to kill and repeat.

    DataError when a file is neither ready nor in its place: somebody has changed the day meanwhile.
    """
    pending = shapes.read_if_there(PENDING, Pending, f"Delete {files.FORGET} and run again: flywheel run")
    if pending is not None:
        for place, digest in pending["files"].items():
            _move(files.FORGET / place, files.EVENTS / place, digest)
        files.write_json(LEDGER, dict(sorted((open_ledger() | pending["days"]).items())))
        PENDING.unlink()
    shutil.rmtree(files.FORGET, ignore_errors=True)
    return pending is not None


def _move(ready: Path, target: Path, digest: str) -> None:
    if digest_of(ready) == digest:
        os.replace(ready, target)
    elif digest_of(target) != digest:
        raise DataError(
            f"{target}: somebody was being forgotten, and neither it nor {ready} is what was to be stored. Delete "
            f"{files.FORGET}, restore the days with `dvc checkout --force {files.EVENTS}`, and run again: flywheel run"
        )


def in_words(taken: Taken) -> str:
    """What was taken out, for the line that a run prints."""
    rows, ids = (f"{n:,} {word if n == 1 else f'{word}s'}" for n, word in ((taken.rows, "row"), (taken.ids, "id")))
    return f"{rows} and {ids} of people who were forgotten left {taken.files} {'file' if taken.files == 1 else 'files'}"


def remaining(people: People) -> list[Path]:
    """The files in `data/` that still have an id of one of them, in order."""
    found = []
    for path in sorted(Path("data").rglob("*.parquet")):
        names = [name for name in WHO if name in files.read_names(path)]
        table = files.read_table(path, names) if names else None
        if table is not None and any(people.among(table[name]).any() for name in names):
            found.append(path)
    return found
