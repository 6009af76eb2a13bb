"""What DVC holds, hashed: a cache, or `data/`, that others may have written is not believed by its names.

DVC trusts a cache object by its file name while the file is read-only, and a file of the workspace by size and time. Both
come from elsewhere where CI restores a cache, so both are read here, byte for byte.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from collections.abc import Mapping
from pathlib import Path

from flywheel import files
from flywheel.data.ledger import digest_of
from flywheel.errors import DataError

OBJECT = re.compile(r"[0-9a-f]{2}/[0-9a-f]{30}(\.dir)?")


def clean_cache(cache: Path) -> int:
    """Drop every object that is not what its name says; returns how many there were.

    DVC's memory of earlier runs (`runs/`) goes too: an entry there is believed without any hash, and a run makes it again.
    """
    shutil.rmtree(cache / "runs", ignore_errors=True)
    wrong = [path for path in sorted(cache.glob("**/??/*")) if is_object(path) and not is_whole(path)]
    for path in wrong:
        _drop(path)
    return len(wrong)


def is_object(path: Path) -> bool:
    """Whether DVC would look here for an object: the name is a hash, its first two digits the folder."""
    return OBJECT.fullmatch(f"{path.parent.name}/{path.name}") is not None


def is_whole(path: Path) -> bool:
    """Whether an object of the cache is a file with the hash that it is named by."""
    name = path.parent.name + path.name.removesuffix(".dir")
    return path.is_file() and not path.is_symlink() and md5(path) == name


def md5(path: Path) -> str:
    """The hash by which DVC names a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


def place(cache: Path, name: str) -> Path:
    """Where the cache keeps what has this hash."""
    return cache / "files/md5" / name[:2] / name[2:]


def has(cache: Path, path: Path) -> bool:
    """Whether the cache holds what a file here says, as after a run."""
    return path.is_file() and place(cache, md5(path)).is_file()


def listing(cache: Path, name: str) -> dict[str, str] | None:
    """The files of a folder with their hashes, as the object `name` lists them; None where the cache lacks it."""
    path = place(cache, name)
    if not path.is_file():
        return None
    return {entry["relpath"]: entry["md5"] for entry in json.loads(path.read_text(encoding="utf-8"))}


def tree_hash(folder: Path) -> str:
    """The hash that DVC gives a folder: that of the sorted list of its files with their hashes."""
    found = sorted((path.relative_to(folder).as_posix(), path) for path in folder.rglob("*") if path.is_file())
    entries = [{"md5": md5(path), "relpath": name} for name, path in found]
    text = json.dumps(entries, sort_keys=True)
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest() + ".dir"


def clean_workspace(outputs: list[tuple[Path, str]], cache: Path, corrected: Mapping[Path, str]) -> list[Path]:
    """Drop what `dvc.lock` names and is here with other bytes; returns the paths.

    `outputs` are paths with their hashes. What stages make is dropped whole, and made again. Of the days that arrived only the
    files that are wrong are dropped, for the cache's or a new collection: a day that the lock does not know yet may be nowhere
    else. `corrected` has the digests of files that a correction made new versions of since the lock: those are right as they
    are, and the cache has only what was before. DataError, and nothing dropped, when the days are not what the lock says and
    the cache lacks the list of them, so that nobody can tell which.
    """
    for path, expected in outputs:
        if path == files.EVENTS and path.exists() and listing(cache, expected) is None and not _holds(path, expected):
            raise DataError(
                f"{path} is not what dvc.lock says, and the cache does not hold the list of its files, so nobody can tell "
                "which days to believe. Fetch them with `flywheel restore`, or collect all of them again: make clean, if "
                "the source can be read again."
            )
    dropped: list[Path] = []
    for path, expected in outputs:
        for one, was in _checked(path, expected, cache).items():
            if not one.exists() or (_is(one, corrected[one]) if one in corrected else _holds(one, was)):
                continue
            _drop(one)
            dropped.append(one)
            kept = place(cache, was)
            if kept.is_file() and not was.endswith(".dir") and one not in corrected:
                shutil.copyfile(kept, one)
    return dropped


def _checked(path: Path, expected: str, cache: Path) -> dict[Path, str]:
    """What is compared of an output, with its hashes: all at once, or of the days that arrived each file."""
    if path != files.EVENTS:
        return {path: expected}
    listed = listing(cache, expected) or {}
    return {
        path / name: was
        for name, was in sorted(listed.items())
        if name.endswith(".parquet") or name == files.CORRECTIONS.name  # what was corrected, and why, is nowhere else
    }


def _holds(path: Path, expected: str) -> bool:
    if path.is_symlink() or path.is_dir() != expected.endswith(".dir"):
        return False
    return (tree_hash(path) if path.is_dir() else md5(path)) == expected


def _is(path: Path, digest: str) -> bool:
    return path.is_file() and not path.is_symlink() and digest_of(path) == digest


def _drop(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()
