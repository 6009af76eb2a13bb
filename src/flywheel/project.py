"""The loop knows no project; it finds the project's own functions by their names in `conf/`, and their files."""

from __future__ import annotations

import ast
import importlib
import importlib.util
from pathlib import Path
from typing import Any

from flywheel.errors import ConfigError

SOURCES = Path("src")


def load_function(name: str, key: str) -> Any:
    """The function behind `package.module:function`. ConfigError names the key in `conf/` if there is none."""
    module, _, function = name.partition(":")
    try:
        return getattr(importlib.import_module(module), function)
    except ModuleNotFoundError as error:
        raise ConfigError(
            f"{key}: no module '{error.name}'; found {name!r}, allowed is package.module:function."
        ) from None
    except AttributeError:
        raise ConfigError(f"{key}: '{module}' has no function '{function}'; found {name!r}.") from None


def own_files(name: str | None, key: str, code: str) -> list[Path]:
    """The project's own files behind `package.module:function`: the module, and what it imports, directly or not; sorted.

    `dvc.yaml` is the same for every project: the stages that run a project's code depend on the folder `code`. So it is a
    ConfigError when one of the files is elsewhere in `src/`: nobody would see it change.
    """
    found: dict[str, Path] = {}
    todo = [name.partition(":")[0]] if name else []
    while todo:
        module = todo.pop()
        path = _own_file(module)
        if module in found or path is None:
            continue
        found[module] = path
        todo += [*_parents(module), *_imports(module, path)]
    for path in found.values():
        if not path.is_relative_to(Path(code).resolve()):
            raise ConfigError(
                f"{key}: {name!r} needs {path}, which is not in project.code ({code}); a change there would go unnoticed. "
                f"Move it to {code}/, or set project.code to the folder that holds all of the project's code."
            )
    return sorted(found.values())


def _own_file(module: str) -> Path | None:
    """The file of a module in `src/` that is not the loop's own; None for all others."""
    package = module.partition(".")[0]
    if package == "flywheel" or not (SOURCES / package).is_dir():
        return None
    try:
        spec = importlib.util.find_spec(module)
    except ModuleNotFoundError:  # a name in a module, or a module that is not there: loading it says so
        return None
    return Path(spec.origin).resolve() if spec is not None and spec.origin is not None else None


def _parents(module: str) -> list[str]:
    """The packages that a module is in: they are run before it."""
    parts = module.split(".")
    return [".".join(parts[:depth]) for depth in range(1, len(parts))]


def _imports(module: str, path: Path) -> list[str]:
    """The modules that a file may import, wherever in the file. Not all of the names need to be modules."""
    found: list[str] = []
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                base = importlib.util.resolve_name("." * node.level + base, package)
            found += [base, *(f"{base}.{alias.name}" for alias in node.names)]
    return found
