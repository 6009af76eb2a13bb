"""Files in Git that name people: `annotations/*.csv` and `docs/quarantine.yaml`, without those who were forgotten.

Lines that do not name them stay byte for byte.
"""

from __future__ import annotations

import csv
from collections.abc import Container, Hashable, Iterable
from dataclasses import dataclass
from io import StringIO
from pathlib import Path

import yaml

from flywheel import files
from flywheel.data import tombstones
from flywheel.data.annotations.form import delimiter_of, lines_of
from flywheel.data.collection import hash_key
from flywheel.data.settings import Collect
from flywheel.data.tombstones import People
from flywheel.errors import DataError
from flywheel.labels import verdicts
from flywheel.params import LOADER, PARAMS_FILE, Params, load

ANNOTATIONS = Path("annotations")
WHO = ("annotator", "source_id")  # columns by which a row is somebody's
MARK = "\ufeff"  # what some spreadsheets put before a text in UTF-8
ABOUT = "user_id"  # a column that says whom a row is about: the row stays


class Keyed(Params):
    """`params.yaml` as far as it says where the hash key is."""

    collect: Collect


@dataclass(frozen=True)
class Cleaned:
    """A file as it is without some people, and how many of its rows or entries named them."""

    path: Path
    text: str
    n: int


def finish() -> list[Path]:
    """Take all who were forgotten out of the files of Git, and return the files that named them.

    There are such files after a forgetting that was cut short, and where a branch brings them back. Without the key nobody
    can tell, and nothing is done: stage collect then says what it needs.
    """
    stones = tombstones.read()
    if not stones.people or not PARAMS_FILE.exists():
        return []
    key = hash_key(load(Keyed).collect)
    if key is None or stones.key_check != tombstones.key_check(key):
        return []
    cleaned = clean(People(frozenset(one.person for one in stones.people), key))
    write(cleaned)
    return [one.path for one in cleaned]


def clean(people: People) -> list[Cleaned]:
    """What changes in the files of Git; nothing is written. DataError when a file cannot be understood."""
    found = [clean_rows(path, people) for path in sorted(ANNOTATIONS.glob("*.csv"))]
    if verdicts.FILE.exists():
        found.append(clean_verdicts(verdicts.FILE, people))
    return [one for one in found if one.n]


def write(cleaned: Iterable[Cleaned]) -> None:
    """Write these files, each in one step."""
    for one in cleaned:
        files.write_bytes(one.path, one.text.encode())


def clean_rows(path: Path, people: People) -> Cleaned:
    """A CSV file without the rows that are theirs; where a row is about one of them, that cell becomes empty.

    It is read as stage collect reads answers, so that no file is an answer there and not understood here.
    """
    text = _text(path)
    mark = MARK if text.startswith(MARK) else ""
    lines = lines_of(text.removeprefix(MARK))
    delimiter = delimiter_of(lines)
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    kept: list[str] = []
    header: list[str] | None = None
    at = n = 0
    try:
        for row in reader:
            raw, at = "".join(lines[at : reader.line_num]), reader.line_num
            if header is None:
                header = [name.strip() for name in row]
            else:
                theirs = {
                    place: name
                    for place, (name, cell) in enumerate(zip(header, row, strict=False))
                    if name in (*WHO, ABOUT) and _has(people, cell)
                }
                if set(theirs.values()) & set(WHO):
                    n += 1
                    continue
                if theirs:
                    n, raw = n + 1, _without_cells(row, theirs, raw, delimiter)
            kept.append(raw)
    except csv.Error as error:
        raise DataError(
            f"{path}: line {reader.line_num} is not CSV ({error}). Correct it, then forget again."
        ) from None
    return Cleaned(path, mark + "".join(kept), n)


def clean_verdicts(path: Path, people: People) -> Cleaned:
    """What people say of sources in quarantine, without the entries about them."""
    text = _text(path)
    try:
        node = yaml.compose(text, LOADER)
    except (yaml.YAMLError, ValueError) as error:
        raise DataError(f"{path} is not YAML: {' '.join(str(error).split())}. Correct it, then forget again.") from None
    entries = _sources(node)
    theirs = [(key, value) for key, value in entries if people.has(key.value)]
    if not theirs:
        return Cleaned(path, text, 0)
    if len(theirs) == len(entries):
        first = _line_of(node, "sources")
        spans, instead = [(first, _end(text, entries[-1][1]))], "sources: {}\n"
    else:
        spans, instead = [(key.start_mark.line, _end(text, value)) for key, value in theirs], ""
    if len({key.start_mark.line for key, _ in entries}) < len(entries):
        raise DataError(f"{path}: several entries are on one line. Put each on lines of its own, then forget again.")
    lines = text.splitlines(keepends=True)
    kept = [line for at, line in enumerate(lines) if not any(first <= at < end for first, end in spans)]
    if instead:
        kept.insert(spans[0][0], instead)
    return Cleaned(path, "".join(kept), len(theirs))


def naming(names: Iterable[str], tracked: Iterable[str]) -> list[str]:
    """Those of some files in whose bytes one of some hashes stands, in order."""
    wanted = [name.encode() for name in names]
    found = []
    for name in sorted(tracked):
        path = Path(name)
        if path.is_file() and any(one in path.read_bytes() for one in wanted):
            found.append(name)
    return found


def _has(people: People, name: Hashable | None) -> bool:
    return isinstance(name, str) and bool(name.strip()) and people.has(name.strip())


def _without_cells(row: list[str], places: Container[int], raw: str, delimiter: str) -> str:
    """A row with some empty cells, written anew, with the end of line that it had."""
    out = StringIO()
    cells = ["" if place in places else cell for place, cell in enumerate(row)]
    csv.writer(out, delimiter=delimiter, lineterminator=raw[len(raw.rstrip("\r\n")) :]).writerow(cells)
    return out.getvalue()


def _sources(node: yaml.Node | None) -> list[tuple[yaml.Node, yaml.Node]]:
    """The entries under `sources`."""
    for key, value in node.value if isinstance(node, yaml.MappingNode) else ():
        if key.value == "sources" and isinstance(value, yaml.MappingNode):
            return list(value.value)
    return []


def _line_of(node: yaml.Node | None, name: str) -> int:
    pairs = node.value if isinstance(node, yaml.MappingNode) else []
    return next((int(key.start_mark.line) for key, _ in pairs if key.value == name), 0)


def _end(text: str, value: yaml.Node) -> int:
    """The line after an entry. Comments and empty lines behind it stay."""
    lines = text.splitlines()
    is_block = isinstance(value, yaml.MappingNode) and not value.flow_style
    last = value.end_mark.line + (0 if is_block else 1)  # a block ends where the next thing begins
    if value.end_mark.index >= len(text):
        last = len(lines)
    while last > value.start_mark.line + 1 and (
        not lines[last - 1].strip() or lines[last - 1].lstrip().startswith("#")
    ):
        last -= 1
    return last


def _text(path: Path) -> str:
    try:
        return path.read_bytes().decode()
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is not UTF-8 ({error}). Save it as UTF-8, then forget again.") from None
