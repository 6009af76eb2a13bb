"""Corrections of history: new versions of collected days, with a record of who wanted them and why.

A correction is first prepared beside `data/`, whole: the new files, and then, in one step, what they are. From that step on it
is carried through, by whichever command comes next if this one is killed. Before it, what was prepared is thrown away. So a day
never has a version that nobody recorded.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import cast

from typing_extensions import TypedDict

from flywheel import files, shapes
from flywheel.data import tombstones
from flywheel.data.collection import LEDGER, open_ledger
from flywheel.data.evidence import CollectedDay, Correction, Late, read_corrections, read_late
from flywheel.data.ledger import digest_of
from flywheel.errors import DataError

PENDING = files.BACKFILL / "pending.json"


class Pending(TypedDict):
    """A correction that is whole, and perhaps not yet in `data/`: its record, and the ledger's new entries."""

    correction: Correction
    days: dict[str, CollectedDay]


def prepare(pending: Pending) -> None:
    """The step from which on the prepared files count: the next call of `finish` carries them through."""
    files.write_json(PENDING, pending)


def finish() -> Correction | None:
    """Carry a prepared correction through, and return it; throw away what was never whole. Safe to kill and repeat.

    DataError when a file of it is neither prepared nor in its place: somebody has changed the day meanwhile.
    """
    pending = shapes.read_if_there(PENDING, Pending, f"Delete {files.BACKFILL} and correct again: flywheel backfill")
    if pending is None:
        shutil.rmtree(files.BACKFILL, ignore_errors=True)
        return None
    correction = pending["correction"]
    for name, changed in correction["days"].items():
        for table, file in changed.items():
            _move(f"{table}/{name}.parquet", file["digests"][1])
    files.write_json(LEDGER, dict(sorted((open_ledger() | pending["days"]).items())))
    recorded = read_corrections()
    if correction not in recorded[-1:]:
        files.write_json(files.CORRECTIONS, [*recorded, correction])
    _drop_late(correction)
    PENDING.unlink()
    shutil.rmtree(files.BACKFILL, ignore_errors=True)
    return correction


def since(before: Path | None) -> dict[Path, str]:
    """The files that were corrected since another version of the record, and the record itself, with their digests.

    Nothing where the record does not go on from that version (`before`; None: there was none), or where it and the ledger do
    not agree: then neither vouches for anything. DataError where people were forgotten, which changes days that were corrected.
    """
    try:
        recorded, ledger = read_corrections(), open_ledger()
        earlier = shapes.read_if_there(before, list[Correction]) if before else None
    except DataError:
        return {}
    n = len(earlier or ())
    if recorded[:n] != (earlier or []):
        return {}
    found = {
        files.EVENTS / table / f"{day}.parquet": file["digests"][1]
        for correction in recorded[n:]
        for day, changed in correction["days"].items()
        for table, file in changed.items()
    }
    noted = {path: dict(ledger.get(path.stem, {})).get(path.parent.name) for path in found}
    others = [path for path in found if noted[path] != found[path]]
    if others and tombstones.read().people and all(digest_of(path) == noted[path] for path in others):
        raise DataError(
            f"{others[0]} was corrected and has changed since, as where somebody is forgotten, and no run has followed. To "
            "verify now would lose the correction, so nothing was changed. Finish the run first: flywheel run"
        )
    return {} if others or not found else found | {files.CORRECTIONS: digest_of(files.CORRECTIONS) or ""}


def agree(paths: Sequence[Path], before: Path | None = None) -> None:
    """Let the ledger say of these files of days what they are now; what is gone is collected again by the next run.

    How many rows the source gave for such a file is in the ledger that was kept with it, `before`.
    """
    ledger = open_ledger()
    earlier = (shapes.read_if_there(before, dict[str, CollectedDay]) if before else None) or {}
    for path in paths:
        digest, entry, table = digest_of(path), ledger.get(path.stem), path.parent.name
        if path.parent.parent == files.EVENTS and digest is not None and entry is not None:
            now = cast("CollectedDay", {**entry, table: digest})
            was = earlier.get(path.stem)
            if was and "rows" in now and "rows" in was and dict(was)[table] == digest:
                now["rows"] = {**now["rows"], table: was["rows"][table]}
            ledger[path.stem] = now
    if LEDGER.exists():
        files.write_json(LEDGER, ledger)


def _move(name: str, digest: str) -> None:
    """Put a prepared file into its place, where it is not there yet."""
    prepared, target = files.BACKFILL / name, files.EVENTS / name
    if digest_of(prepared) == digest:
        os.replace(prepared, target)
    elif digest_of(target) != digest:
        raise DataError(
            f"{target}: a correction of it was cut short, and neither it nor {prepared} is what was to be stored. Delete "
            f"{files.BACKFILL}, restore the days with `dvc checkout --force {files.EVENTS}`, and correct again: flywheel "
            "backfill"
        )


def _drop_late(correction: Correction) -> None:
    """What was late on the corrected days is in them now."""
    days = correction["days"].keys()
    left: dict[str, Late] = {}
    for table, found in read_late().items():
        for day in days & found["days"].keys():
            (files.LATE / table / f"{day}.parquet").unlink(missing_ok=True)
        kept = {day: n for day, n in found["days"].items() if day not in days}
        if kept:
            left[table] = {"rows": sum(kept.values()), "days": kept}
    if files.LATE_LEDGER.exists():
        files.write_json(files.LATE_LEDGER, left)
