"""Keys of conf/ that a newer template has: found with their comments, and put into a text in the same place."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from flywheel.errors import ConfigError
from flywheel.params import from_yaml

Path = tuple[str, ...]


@dataclass(frozen=True)
class Place:
    """Where a key stands in a text: its first line, comments above it included, its own line, and the line after its value."""

    first: int
    line: int
    end: int
    indent: int
    holds: bool  # whether its value is a mapping with a key a line, into which another key can be put


@dataclass(frozen=True)
class News:
    """What a newer template says in a file of conf/, compared with what an older one and this tree say."""

    new: tuple[Path, ...]
    gone: tuple[Path, ...]
    changed: tuple[tuple[Path, Any, Any], ...]  # the default then and now, where this tree says something else


def news(base: str, ours: str, theirs: str, name: str) -> News:
    """Keys that are new and not here, keys that are gone and still here, and defaults that changed. `name` is the file's."""
    then, here, now = (_values(text, name) for text in (base, ours, theirs))
    new = tuple(_first(now, lambda path: _get(then, path) is _NONE and _get(here, path) is _NONE))
    gone = tuple(_first(then, lambda path: _get(now, path) is _NONE and _get(here, path) is not _NONE))
    leaves = [path for path in _leaves(now) if _NONE is not _get(then, path) and _NONE is not _get(here, path)]
    changed = tuple(
        (path, _get(then, path), _get(now, path))
        for path in leaves
        if _get(then, path) != _get(now, path) != _get(here, path)
    )
    return News(new, gone, changed)


def put(text: str, theirs: str, key: Path) -> str | None:
    """A text with one more key, as another text has it, after the key that it follows there; None where that cannot be done.

    Comments, and all else in the text, stay.
    """
    there, here = places(theirs), places(text)
    if key not in there:
        return None
    depth = next(n for n in range(len(key), -1, -1) if n == 0 or key[:n] in here)
    if depth == len(key) or (depth and not here[key[:depth]].holds):
        return None
    parent, child = key[:depth], key[: depth + 1]
    siblings = [path for path in there if path[:-1] == parent]
    at = siblings.index(child)
    before = next((path for path in reversed(siblings[:at]) if path in here), None)
    after = next((path for path in siblings[at:] if path in here), None)
    inside = [place for path, place in here.items() if path[:-1] == parent]
    lines, said = _lines(text), _lines(theirs)
    indent = inside[0].indent if inside else there[child].indent
    if before is not None:
        where = here[before].end
    elif after is not None:
        where = here[after].first
    else:
        where = max((place.end for place in inside), default=len(lines))
    block = [_shifted(line, indent - there[child].indent) for line in _block(said, there, key, depth)]
    if child != key or (there[child].first and not said[there[child].first - 1].strip()):
        block = [*([""] if depth == 0 and where else []), *block]
    done = "\n".join([*lines[:where], *block, *lines[where:]]) + "\n"
    return done if _is_put(text, theirs, key, done) else None


def excerpt(theirs: str, keys: tuple[Path, ...]) -> str:
    """Some keys of a text with their comments, below the keys that they stand under, ready to be pasted."""
    text = ""
    for key in keys:
        shown = next((key[:n] for n in range(len(key), 0, -1) if key[:n] in places(theirs)), key[:1])
        text = put(text, theirs, shown) or text
    return text


def places(text: str) -> dict[Path, Place]:
    """The keys of a text that have a line of their own, in order."""
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    return dict(_places(root, _lines(text), ()))


def _lines(text: str) -> list[str]:
    """The lines of a text as they are; what ends them on other systems stays with them."""
    return text.removesuffix("\n").split("\n") if text else []


def _places(node: yaml.Node | None, lines: list[str], above: Path) -> Iterator[tuple[Path, Place]]:
    if not isinstance(node, yaml.MappingNode) or node.flow_style:
        return
    for key, value in node.value:
        line = key.start_mark.line
        first = line
        while first and lines[first - 1].startswith(" " * key.start_mark.column + "#"):
            first -= 1
        if line == node.start_mark.line and not above:
            first = line  # comments above the first key of a file are about the file
        path = (*above, str(key.value))
        holds = isinstance(value, yaml.MappingNode) and not value.flow_style
        yield path, Place(first, line, _end(value, line), key.start_mark.column, holds)
        yield from _places(value, lines, path)


def _end(node: yaml.Node, least: int) -> int:
    """The line after a value. A block's own end is no help: it reaches over the comments that follow."""
    if isinstance(node, yaml.CollectionNode) and not node.flow_style and node.value:
        last = node.value[-1]
        return _end(last[1] if isinstance(last, tuple) else last, max(least, node.start_mark.line))
    mark = node.end_mark
    return max(least, mark.line - 1 if mark.column == 0 and mark.line > node.start_mark.line else mark.line) + 1


def _block(lines: list[str], there: Mapping[Path, Place], key: Path, depth: int) -> list[str]:
    """The lines of a key, below the lines of the keys that it stands under, from a depth on."""
    above = [lines[there[key[:n]].line] for n in range(depth + 1, len(key))]
    return [*above, *lines[there[key].first : there[key].end]]


def _shifted(line: str, by: int) -> str:
    return line if by == 0 or not line.strip() else " " * by + line if by > 0 else line[min(-by, _depth(line)) :]


def _depth(line: str) -> int:
    return len(line) - len(line.lstrip())


def _is_put(before: str, theirs: str, key: Path, after: str) -> bool:
    """Whether a text says what it said before, the key besides, and nothing else."""
    try:
        values, found = _values(before, ""), _values(after, "")
    except ConfigError:
        return False
    at = values
    for part in key[:-1]:
        at = at.setdefault(part, {})
        if not isinstance(at, dict):
            return False
    at[key[-1]] = _get(_values(theirs, ""), key)
    return values == found


class _Nothing:
    """What a key says that is not there."""


_NONE = _Nothing()


def _get(values: Any, path: Path) -> Any:
    for part in path:
        if not isinstance(values, dict) or part not in values:
            return _NONE
        values = values[part]
    return values


def _first(values: dict[str, Any], chosen: Callable[[Path], bool], above: Path = ()) -> Iterator[Path]:
    """The keys for which something holds, without those below them."""
    for key, value in values.items():
        path = (*above, key)
        if chosen(path):
            yield path
        elif isinstance(value, dict):
            yield from _first(value, chosen, path)


def _leaves(values: dict[str, Any], above: Path = ()) -> Iterator[Path]:
    for key, value in values.items():
        if isinstance(value, dict) and value:
            yield from _leaves(value, (*above, key))
        else:
            yield (*above, key)


def _values(text: str, name: str) -> dict[str, Any]:
    try:
        found = from_yaml(text)
    except yaml.YAMLError as error:
        raise ConfigError(f"{name} is not YAML ({' '.join(str(error).split())}). Correct it, then run again.") from None
    if not isinstance(found, dict | None):
        raise ConfigError(f"{name} holds no keys. Correct it, then run again.")
    return _named(found or {})


def _named(values: dict[Any, Any]) -> dict[str, Any]:
    return {str(key): _named(value) if isinstance(value, dict) else value for key, value in values.items()}
