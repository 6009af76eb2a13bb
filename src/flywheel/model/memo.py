"""A memo of fits: what was fitted once on the same rows in the same way is not fitted again.

It saves time and never decides a byte: an entry is found by a digest of all that the fit depends on, rows included, is compared
with it in full, and is dropped when its text is not the one that was written. It is kept in `.flywheel/`, never in Git.
`FLYWHEEL_MEMO=off` goes without, as every run that verifies does.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import threading
from collections.abc import Callable, Mapping
from typing import Any

from typing_extensions import TypedDict

from flywheel import files, shapes
from flywheel.errors import DataError

FOLDER = files.LOCAL / "fits"
SWITCH, OFF = "FLYWHEEL_MEMO", "off"
MOST = 60  # entries, each of about a megabyte: two years of weeks need no more than the last of them


class Entry(TypedDict):
    """An entry: what the fit depends on, its text, and the digest of the text."""

    key: dict[str, Any]
    text: str
    sha256: str


class Memo:
    """The memo of one run; it counts what it spared, and what was broken and is made again."""

    def __init__(self) -> None:
        """Begin with nothing counted."""
        self.is_on = os.environ.get(SWITCH, "").lower() != OFF
        self.spared = 0
        self.broken = 0
        self.counting = threading.Lock()  # fits are made several at once

    def get(self, key: Mapping[str, Any], make: Callable[[], str]) -> str:
        """The text that was kept under `key`, or what `make` makes, which is kept."""
        if not self.is_on:
            return make()
        path = FOLDER / f"{_digest(json.dumps(key, sort_keys=True))}.json"
        if path.exists():
            try:
                kept = shapes.read(path, Entry)
                if kept["key"] == key and kept["sha256"] == _digest(kept["text"]):
                    with contextlib.suppress(OSError):  # gone since, or somebody else's
                        os.utime(path)
                    self._count("spared")
                    return kept["text"]
                self._count("broken")
            except DataError:  # half of it, or gone since
                self._count("broken")
        text = make()
        with contextlib.suppress(DataError, OSError):  # a disk that takes no more costs time, not the run
            files.write_text(path, json.dumps({"key": dict(key), "text": text, "sha256": _digest(text)}))  # unrounded
            _drop_oldest()
        return text

    def _count(self, what: str) -> None:
        with self.counting:
            setattr(self, what, getattr(self, what) + 1)

    def told(self) -> str:
        """What a person should know of it, as the end of a sentence; empty if there is nothing."""
        entries = f"{self.broken} {'entry' if self.broken == 1 else 'entries'} of {FOLDER}/"
        return f"; {entries} did not hold and had to be made again" if self.broken else ""


def _drop_oldest() -> None:
    def used(path: Any) -> float:
        with contextlib.suppress(OSError):
            return float(path.stat().st_mtime)
        return 0.0

    for path in sorted(FOLDER.glob("*.json"), key=used)[:-MOST]:
        path.unlink(missing_ok=True)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
