"""What a day's output was made from, and what it is: digests by which a stage finds the days that it must make again."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from flywheel.files import PIPELINE

if TYPE_CHECKING:  # the libraries of tables load slowly, and the commands use only paths and JSON
    pass


def digest(paths: Iterable[Path]) -> str:
    """SHA-256 over the names and bytes of files, in the order of their names."""
    total = hashlib.sha256()
    for path in sorted(paths):
        total.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return total.hexdigest()


def digest_of(path: Path) -> str | None:
    """A short SHA-256 of a file's bytes; None where there is no file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()[:16] if path.exists() else None


def fingerprint(stage: str, settings: Any, *upstream: str) -> str:
    """What decides a stage's output besides the days: its code (as `dvc.yaml` lists it), settings, and what it builds on."""
    pipeline = yaml.safe_load(PIPELINE.read_text(encoding="utf-8"))
    code: list[Path] = []
    for dep in pipeline["stages"][stage]["deps"]:
        path = Path(dep)
        if path.parts[0] == "src":
            code += sorted(path.rglob("*.py")) if path.is_dir() else [path]
    text = json.dumps([digest(code), settings, *upstream], sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
