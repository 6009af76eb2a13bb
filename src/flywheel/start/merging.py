"""The merge of a newer engine into a tree: which files are the engine's, and what becomes of each. A file is never lost."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from flywheel import git
from flywheel.errors import DataError

# A project's own, whatever the template does.
STAYS = ("annotations/", "conf/", "data/", "decisions/", "models/", "reports/", "site/", ".flywheel/")
STAYS_FILES = ("params.yaml", "dvc.lock", ".flywheel-template")
# What a project writes anew sooner or later: it takes what the template changed where that fits, else it stays as it is.
PEOPLE = ("docs/forgotten.yaml", "docs/quarantine.yaml", "docs/answers.yaml", "docs/rubric.md")
SOFT = ("README.md", "CHANGELOG.md", "LICENSE", "bench/results.json", *PEOPLE)
FOLLOWS = {"bench/results.json": "README.md"}  # whose numbers the README shows
# Lists of lines without an order: both sides' lines are right.
UNION = (".gitignore", ".dvcignore")
# Made by a tool from another file: where both sides made it anew, the template's is a start, and the tool makes it again.
MADE = ("uv.lock",)
EXAMPLE_DOCUMENT = "docs/example.md"
FILES = ("100644", "100755")


@dataclass(frozen=True)
class Entry:
    """A file of a commit: its mode, and its object in Git."""

    mode: str
    blob: str


Tree = Mapping[str, Entry]


@dataclass(frozen=True)
class Conflict:
    """A file that changed here and in the template in ways that exclude each other."""

    path: str
    why: str
    base: Entry | None
    ours: Entry | None
    theirs: Entry | None
    merged: bytes | None = None  # both sides between Git's markers


@dataclass
class Merged:
    """What a merge changes in this tree, and what it leaves to a person."""

    changes: dict[str, Entry | None] = field(default_factory=dict)
    conflicts: list[Conflict] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)  # soft files that stay although the template's changed
    remade: list[str] = field(default_factory=list)  # made files that the template's stands in for
    example: str = "gone"  # or: upgraded, yours


def read_tree(commit: str) -> dict[str, Entry]:
    """The files of a commit, or of a tree. DataError for a path that no honest tree has."""
    listed = git.run("ls-tree", "-r", "-z", "--full-tree", commit)
    found = {}
    for entry in (one for one in listed.split("\0") if one):
        about, path = entry.split("\t", 1)
        mode, _, blob = about.split()
        if any(part.lower() in ("", ".", "..", ".git") for part in path.split("/")):
            raise DataError(f"{commit[:10]} has a file {path!r}, which Git does not allow. Nothing was taken from it.")
        found[path] = Entry(mode, blob)
    return found


def content(entry: Entry) -> bytes:
    """The bytes of a file."""
    code, out, said = git.ask("cat-file", "blob", entry.blob)
    if code:
        raise DataError(f"git cat-file failed: {said}")
    return out


def packages(*trees: Tree) -> set[str]:
    """The packages beside the engine, in any of some trees."""
    found = {path.split("/")[1] for tree in trees for path in tree if path.startswith("src/") and path.count("/") > 1}
    return found - {"flywheel"}


def is_of_a_project(path: str, names: set[str]) -> bool:
    """Whether a file is a project's: code and tests of a package beside the engine, its conf, or the example's document."""
    parts = path.split("/")
    own = len(parts) > 2 and parts[0] in ("src", "tests") and parts[1] in names
    return own or path.startswith("conf/project/") or path == EXAMPLE_DOCUMENT


def is_engine(path: str, names: set[str]) -> bool:
    """Whether a file of the template belongs to the engine: all that is neither a project's, nor results, nor soft."""
    stays = path.startswith(STAYS) or path in STAYS_FILES or path in SOFT
    return not stays and not is_of_a_project(path, names)


def merge(base: Tree, ours: Tree, theirs: Tree, label: str) -> Merged:
    """Bring what the template changed from `base` to `theirs` into `ours`; conflicts call its side `label`."""
    found = Merged()
    names = packages(base, theirs)
    example = {path for path in {*base, *theirs} if is_of_a_project(path, names)}
    found.example = _example(base, ours, theirs, example)
    for path in sorted({*base, *theirs}, key=lambda path: (path in theirs, path)):  # what goes makes room
        if path in example:
            if found.example == "upgraded":
                _one(path, base, ours, theirs, label, found)
        elif path in SOFT or is_engine(path, names):
            _one(path, base, ours, theirs, label, found)
    for path, leader in FOLLOWS.items():
        if leader in found.kept and path in found.changes:
            del found.changes[path]
            found.kept.append(path)
    return found


def _example(base: Tree, ours: Tree, theirs: Tree, example: set[str]) -> str:
    """What is here of the template's example. It is upgraded as a whole or not at all, and never out from under conf/."""
    had = [path for path in example if path in base]
    if not any(path in ours for path in had):
        return "gone"
    confs = [path for path in had if path.startswith("conf/")]
    whole = all(ours.get(path) == base[path] for path in had) and all(path in theirs for path in confs)
    return "upgraded" if whole else "yours"


def _one(path: str, base: Tree, ours: Tree, theirs: Tree, label: str, found: Merged) -> None:
    was, here, there = base.get(path), ours.get(path), theirs.get(path)
    if there in (was, here):
        return
    if here == was and (there is None or not _in_the_way(path, ours, found)):
        found.changes[path] = there
        return
    why, merged = _why(path, was, here, there), None
    if here is not None and there is not None and {here.mode, there.mode} <= {*FILES}:
        conflicts, merged = _merge_texts(was, here, there, label, path in UNION)
        if conflicts == 0 and merged is not None:
            mode = here.mode if was is not None and there.mode == was.mode else there.mode
            found.changes[path] = Entry(mode, store(merged))
            return
    if path in SOFT:
        found.kept.append(path)
    elif path in MADE and there is not None and here is not None:
        found.changes[path] = there
        found.remade.append(path)
    else:
        found.conflicts.append(Conflict(path, why, was, here, there, merged))


def _in_the_way(path: str, ours: Tree, found: Merged) -> bool:
    """Whether a file here stands where a new one needs a folder, or a folder where it would stand."""
    folders = {path.rsplit("/", n)[0] for n in range(1, path.count("/") + 1)}
    gone = {name for name, entry in found.changes.items() if entry is None}
    return any(folder in ours and folder not in gone for folder in folders) or any(
        name.startswith(f"{path}/") and name not in gone for name in ours
    )


def _why(path: str, was: Entry | None, here: Entry | None, there: Entry | None) -> str:
    if here == was:
        return "new in the template, but something else stands in its place here"
    if here is None:
        return "deleted here, changed in the template"
    if there is None:
        return "changed here, deleted in the template"
    if was is None:
        return "added here and in the template"
    return "changed here and in the template"


def _merge_texts(
    was: Entry | None, here: Entry, there: Entry, label: str, union: bool
) -> tuple[int | None, bytes | None]:
    """Git's merge of three texts, with the number of conflicts in it; None where they are no texts."""
    options = ["--union"] if union else ["--diff3"]
    with tempfile.TemporaryDirectory() as folder:
        places = []
        for name, entry in (("ours", here), ("base", was), ("theirs", there)):
            place = Path(folder) / name
            place.write_bytes(content(entry) if entry is not None else b"")
            places.append(str(place))
        labels = ("-L", "here", "-L", "before", "-L", label)
        code, out, _ = git.ask("merge-file", "-p", "-q", *options, *labels, *places)
    return (None, None) if code > 127 else (code, out)


def store(data: bytes) -> str:
    """Put bytes into Git's objects; nothing refers to them yet."""
    code, out, said = git.ask("hash-object", "-w", "--stdin", sent=data)
    if code:
        raise DataError(f"git hash-object failed: {said}")
    return git.text(out).strip()


def write_tree(head: str, changes: Mapping[str, Entry | None]) -> str:
    """The tree of a commit with some files changed (None: deleted), made in an index of its own."""
    with tempfile.TemporaryDirectory() as folder:
        env = {"GIT_INDEX_FILE": str(Path(folder) / "index")}
        git.run("read-tree", head, env=env)
        gone = [f"0 {'0' * 40}\t{path}\0" for path, entry in changes.items() if entry is None]
        kept = [f"{entry.mode} {entry.blob}\t{path}\0" for path, entry in changes.items() if entry is not None]
        code, _, said = git.ask("update-index", "-z", "--index-info", sent="".join([*gone, *kept]).encode(), env=env)
        if code:
            raise DataError(f"git update-index failed: {said}")
        return git.run("write-tree", env=env).strip()
