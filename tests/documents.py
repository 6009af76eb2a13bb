"""What documents name: files, and functions, classes and keys in them. Each must be there."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from tests.conftest import ROOT

PATH = re.compile(r"(?:[\w.-]+/)*[\w.-]+\.(?:py|yaml|yml|json|md|toml)|(?:[\w.-]+/)+|Makefile")
NAME = re.compile(r"[A-Za-z_][\w ]*(?:\.[\w -]+)*")


def tree_paths(tree: str) -> list[str]:
    """The paths of an annotated tree: names with a dot or a slash in its first column, indented ones below their folder."""
    found, folder = [], ""
    for line in tree.splitlines():
        names = [name for name in re.split(r"  +", line.strip())[0].split(" ") if re.search(r"[./]", name)]
        is_inside = line.startswith("  ")
        found += [folder + name if is_inside else name for name in names]
        if not is_inside and names:
            folder = names[0]
    return found


def missing(text: str) -> list[str]:
    """What a document names and the repository lacks.

    A path in backticks must exist; each name in backticks after it, on the same line, must be in that file.
    """
    absent = []
    for line in text.splitlines():
        path: Path | None = None
        for token in re.findall(r"`([^`]+)`", line):
            if PATH.fullmatch(token):
                path = ROOT / token
                if not path.exists():
                    absent.append(token)
                    path = None
            elif path is not None and NAME.fullmatch(token) and not _holds(path, token):
                absent.append(f"{path.relative_to(ROOT)}: {token}")
    return absent


def _holds(path: Path, name: str) -> bool:
    if path.suffix == ".py":
        return name in set(_names(ast.parse(path.read_text())))
    if path.suffix not in {".yaml", ".yml", ".json"}:
        return False
    found: Any = yaml.safe_load(path.read_text())  # JSON is YAML
    for part in name.split("."):
        found = found.get(part) if isinstance(found, dict) else None
        if found is None:
            return False
    return True


def _names(node: ast.Module | ast.ClassDef, prefix: str = "") -> Iterator[str]:
    """The functions, classes and variables that a module or a class defines; those of a class as `Class.name`."""
    for one in node.body:
        if isinstance(one, (ast.FunctionDef, ast.ClassDef)):
            yield prefix + one.name
        if isinstance(one, ast.ClassDef):
            yield from _names(one, f"{prefix}{one.name}.")
        targets = one.targets if isinstance(one, ast.Assign) else [one.target] if isinstance(one, ast.AnnAssign) else []
        yield from (prefix + target.id for target in targets if isinstance(target, ast.Name))
