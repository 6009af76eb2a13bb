"""The rules of the repository as files: `.github/rulesets/`, compared with what GitHub has."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flywheel.errors import DataError
from flywheel.github.client import GitHub

FOLDER = Path(".github/rulesets")
KEYS = ("name", "target", "enforcement", "conditions", "rules", "bypass_actors")


@dataclass(frozen=True)
class Step:
    """One ruleset: what to do with it (`make`, `change` or `keep`), its id at GitHub, and what differs."""

    name: str
    action: str
    number: int | None
    wanted: dict[str, Any]
    differences: list[str]


def wanted(folder: Path = FOLDER) -> dict[str, dict[str, Any]]:
    """The rulesets in a folder, by name. DataError if there are none, or if a file is not a ruleset."""
    found = {}
    for path in sorted(folder.glob("*.json")):
        try:
            one = json.loads(path.read_text(encoding="utf-8"))
            found[str(one["name"])] = {key: one[key] for key in KEYS if key in one}
        except (ValueError, KeyError, TypeError) as error:
            raise DataError(f"{path} is not a ruleset ({error!r}): it must be JSON with a name and rules.") from None
    if not found:
        raise DataError(f"{folder} has no ruleset. Restore it from Git.")
    return found


def plan(hub: GitHub, rulesets: dict[str, dict[str, Any]]) -> list[Step]:
    """What to do so that GitHub has these rulesets. Others that people made there are left alone."""
    there = {
        one["name"]: one["id"] for one in hub.pages("/rulesets") if one.get("source_type", "Repository") == "Repository"
    }
    steps = []
    for name, one in rulesets.items():
        if name not in there:
            steps.append(Step(name, "make", None, one, []))
            continue
        found = differences(one, hub.get(f"/rulesets/{there[name]}"))
        steps.append(Step(name, "change" if found else "keep", there[name], one, found))
    return steps


def apply(hub: GitHub, steps: list[Step]) -> None:
    """Make and change what the plan says."""
    for step in steps:
        if step.action == "make":
            hub.post("/rulesets", step.wanted)
        elif step.action == "change":
            hub.put(f"/rulesets/{step.number}", step.wanted)


def differences(mine: Any, theirs: Any, place: str = "") -> list[str]:
    """Where GitHub's ruleset differs from ours; what only GitHub has (its defaults, its ids) is no difference."""
    if isinstance(mine, dict) and isinstance(theirs, dict):
        return [
            line
            for key, value in mine.items()
            for line in differences(value, theirs.get(key), f"{place}.{key}" if place else key)
        ]
    if isinstance(mine, list) and isinstance(theirs, list):
        ours, other = (sorted(one, key=_order) for one in (mine, theirs))
        if len(ours) != len(other):
            return [f"{place}: {len(other)} entries there, {len(ours)} wanted"]
        return [
            line
            for i, (a, b) in enumerate(zip(ours, other, strict=True))
            for line in differences(a, b, f"{place}[{i}]")
        ]
    return [] if mine == theirs else [f"{place}: {json.dumps(theirs)} there, {json.dumps(mine)} wanted"]


def _order(one: Any) -> str:
    """Rules are sorted by type and contexts by name, because GitHub may return them in another order."""
    if isinstance(one, dict):
        return str(one.get("type") or one.get("context") or json.dumps(one, sort_keys=True))
    return str(one)


def unowned(codeowners: str) -> list[str]:
    """The patterns of a CODEOWNERS file that name nobody."""
    lines = [line.split("#")[0].split() for line in codeowners.splitlines()]
    return [line[0] for line in lines if len(line) == 1]
