"""The house: imports point down, from the command to the rooms to the ground floor, and no two rooms import each other."""

from __future__ import annotations

import ast
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

HOUSE = Path(__file__).parents[2] / "src/flywheel"
ROOMS = {"data", "labels", "features", "model", "evaluation", "monitoring"}
UPPER = {"report", "release", "loop", "github", "cli", "stages"}


def room_of(path: Path) -> str:
    """The room of a file; a module beside the rooms is the ground floor."""
    parts = path.relative_to(HOUSE).parts
    return parts[0] if len(parts) > 1 else "ground"


def imported_rooms(path: Path) -> set[str]:
    """The rooms that a file imports, wherever in the file."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "flywheel":
            names |= {f"{node.module}.{alias.name}".split(".")[1] for alias in node.names}
    return {name if name in ROOMS | UPPER else "ground" for name in names}


def house() -> dict[str, set[str]]:
    """Each room with the others that it imports."""
    found: dict[str, set[str]] = {}
    for path in HOUSE.rglob("*.py"):
        found.setdefault(room_of(path), set()).update(imported_rooms(path) - {room_of(path)})
    return found


def test_no_two_rooms_import_each_other() -> None:
    """There is an order in which each room only needs those before it."""
    assert "ground" == next(iter(TopologicalSorter(house()).static_order()))


@pytest.mark.parametrize("room", sorted(ROOMS))
def test_a_room_knows_nothing_of_what_is_above_it(room: str) -> None:
    """Not the stages, the command, the loop, releases, reports or GitHub."""
    assert set() == house()[room] & UPPER
