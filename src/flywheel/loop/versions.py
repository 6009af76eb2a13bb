"""Two versions of the data, by commit, tag or branch, or as it is here: found through `dvc.lock`, read from DVC's cache."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from flywheel import files, git
from flywheel.errors import DataError
from flywheel.loop import objects, pipeline
from flywheel.release.commits import Commit
from flywheel.release.derivation import LOCK, locked_stages

if TYPE_CHECKING:  # table libraries load slowly
    from flywheel.monitoring.versions import Table

# Each table: the folder of its day files, or its file; and what names a row.
TABLES: Mapping[Path, tuple[str, ...]] = {
    files.EVENTS / "predictions": ("prediction_id",),
    files.EVENTS / "feedback": ("feedback_id",),
    files.VALID / "predictions": ("prediction_id",),
    files.VALID / "feedback": ("feedback_id",),
    files.LABELS: ("prediction_id", "revised_at"),
    files.FEATURES: ("prediction_id",),
}
OUTPUTS = (files.EVENTS, files.VALID, files.LABELS, files.FEATURES)
HERE = "the working tree"


@dataclass(frozen=True)
class Version:
    """A version of the data: the hash of each Parquet file, by its path, and the cache that has it (None: it is here)."""

    name: str
    hashes: Mapping[str, str]
    cache: Path | None

    def place(self, path: str) -> Path:
        """Where the bytes of a file are. DataError when the cache lacks them."""
        if self.cache is None:
            return Path(path)
        md5 = self.hashes[path]
        found = self.cache / "files/md5" / md5[:2] / md5[2:]
        if not found.is_file():
            raise lacking(path, self.name)
        return found


def differences(before: str, after: str | None) -> tuple[str, str, list[Table]]:
    """The names of two versions, and each table that differs between them. `after` None: the tree."""
    cache = pipeline.cache()
    old, new = at_commit(before, cache), here() if after is None else at_commit(after, cache)
    found = [between(old, new, place, key) for place, key in TABLES.items()]
    return old.name, new.name, [one for one in found if one is not None]


def at_commit(ref: str, cache: Path) -> Version:
    """The data of a commit, as its `dvc.lock` names it. DataError when there is no such commit, or the cache lacks a list."""
    code, out, _ = git.ask("rev-parse", "--verify", "--quiet", "--end-of-options", f"{ref}^{{commit}}")
    if code:
        raise DataError(f"there is no commit, tag or branch {ref!r} here. Look with: git log --all --oneline")
    sha = git.text(out).strip()
    stages = locked_stages(Commit(sha).yaml(LOCK))
    made = {out["path"]: out["md5"] for stage in stages.values() for out in stage.get("outs", [])}
    name = ref if sha.startswith(ref) else f"{ref} ({sha[:10]})"
    hashes: dict[str, str] = {}
    for output in OUTPUTS:
        path = output.as_posix()
        if path not in made:
            raise DataError(
                f"{LOCK} of {name} does not name {path}: its run did not come so far. Choose another commit."
            )
        if not made[path].endswith(".dir"):
            hashes[path] = made[path]
            continue
        listed = objects.listing(cache, made[path])
        if listed is None:
            raise lacking(path, name)
        hashes |= {f"{path}/{file}": md5 for file, md5 in listed.items() if file.endswith(".parquet")}
    return Version(name, hashes, cache)


def here() -> Version:
    """The data as it is here. DataError where there is none."""
    found = [path for output in OUTPUTS for path in ([output] if output.is_file() else output.rglob("*.parquet"))]
    if not found:
        raise DataError("there is no data here. Bring it with `flywheel restore`, or make it with `flywheel run`.")
    return Version(HERE, {path.as_posix(): objects.md5(path) for path in found}, None)


def between(old: Version, new: Version, place: Path, key: tuple[str, ...]) -> Table | None:
    """What differs in one table; None if nothing does, or only the notes in the footers of its files."""
    import pandas as pd

    from flywheel.data.tables import together
    from flywheel.monitoring.versions import compare

    was, now = (
        {path: md5 for path, md5 in one.hashes.items() if Path(path) == place or Path(path).parent == place}
        for one in (old, new)
    )
    came, gone = now.keys() - was.keys(), was.keys() - now.keys()
    changed = {
        path
        for path in was.keys() & now.keys()
        if was[path] != now[path] and not files.read_table(old.place(path)).equals(files.read_table(new.place(path)))
    }
    if not (came or gone or changed):
        return None
    parts = [
        [files.read_table(version.place(path)) for path in sorted(paths)]
        for version, paths in ((old, gone | changed), (new, came | changed))
    ]
    before, after = (together(part) if part else pd.DataFrame() for part in parts)
    days = tuple([Path(path).stem for path in paths] for paths in (came, gone, changed))
    return compare(
        place.as_posix(),
        (days[0], days[1], days[2]),
        before,
        after,
        key,
    )


def lacking(path: str, name: str) -> DataError:
    """What to say when the cache does not have something."""
    return DataError(
        f"the cache lacks {path} of {name}. Fetch it from the DVC remote with `dvc fetch --all-commits`; or check that version "
        "out in another clone, and `flywheel restore` or run it there."
    )
