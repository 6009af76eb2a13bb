"""conf/ and params.yaml agree, and no key is dead."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import pytest

from flywheel.loop.compose import as_text, compose
from flywheel.loop.settings import AllParams
from flywheel.model.recipe import Fit
from flywheel.params import Params

ROOT = Path(__file__).parents[2]
STAGES = {f"{path.stem.title()}Params" for path in (ROOT / "src/flywheel/stages").glob("*.py")} | {"TriggerParams"}
Classes = set[type[Params]]


@pytest.fixture(autouse=True)
def _in_the_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)


def leaves(values: object, prefix: str = "") -> list[str]:
    """The dotted keys of nested mappings."""
    if not isinstance(values, dict):
        return [prefix]
    return [leaf for key, value in values.items() for leaf in leaves(value, f"{prefix}.{key}" if prefix else str(key))]


def test_the_committed_params_are_the_composition() -> None:
    """params.yaml is what conf/ says: `dvc repro` alone would run the same."""
    assert as_text(compose()) == Path("params.yaml").read_text()


def classes_in(annotation: object) -> Classes:
    """The classes of settings that the type of a field is made of: of `dict[str, Cohort]`, Cohort."""
    if isinstance(annotation, type) and issubclass(annotation, Params):
        return {annotation}
    return set().union(*(classes_in(part) for part in get_args(annotation)))


def all_classes(params: type[Params]) -> Classes:
    """A class of settings and those of its fields, at every depth."""
    fields = (classes_in(field.annotation) for field in params.model_fields.values())
    return {params}.union(*(all_classes(one) for found in fields for one in found))


class Reads(ast.NodeVisitor):
    """Which fields of which classes of settings a module reads, as far as the annotations of its functions tell.

    Checks of the values do not count: a key that only its own check looks at decides nothing.
    """

    def __init__(self, known: Classes) -> None:
        self.known = {one.__name__: one for one in known}
        self.names: dict[str, Classes] = {}
        self.held: dict[str, Classes] = {}  # by the attributes of this module's own classes
        self.found: set[tuple[str, str]] = set()

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        self.known |= {one.asname: self.known[one.name] for one in node.names if one.asname and one.name in self.known}

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        self.names["self"] = self.named(ast.Name(node.name))
        for one in node.body:
            if isinstance(one, ast.AnnAssign) and isinstance(one.target, ast.Name):
                self.held[one.target.id] = self.named(one.annotation)
        self.generic_visit(node)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        if any("validator" in ast.unparse(decorator) for decorator in node.decorator_list):
            return
        for argument in [*node.args.args, *node.args.kwonlyargs]:
            if argument.annotation is not None:
                self.names[argument.arg] = self.named(argument.annotation)
        self.generic_visit(node)

    def visit_Assign(self, node: ast.Assign) -> None:
        self.bind(node.targets, node.value)
        self.generic_visit(node)

    def visit_For(self, node: ast.For) -> None:
        self.bind([node.target], node.iter)
        self.generic_visit(node)

    def visit_comprehension(self, node: ast.comprehension) -> None:
        self.bind([node.target], node.iter)
        self.generic_visit(node)

    def generic_visit(self, node: ast.AST) -> None:
        for generator in getattr(node, "generators", []):  # what a comprehension runs over is written last
            self.visit(generator)
        super().generic_visit(node)

    def visit_Attribute(self, node: ast.Attribute) -> None:
        self.types(node)
        self.generic_visit(node)

    def bind(self, targets: list[ast.expr], value: ast.expr) -> None:
        """Every name on the left may be of every class that is found on the right."""
        found = self.types(value)
        for name in (part for target in targets for part in ast.walk(target) if isinstance(part, ast.Name)):
            self.names[name.id] = found

    def named(self, node: ast.AST) -> Classes:
        """The classes of settings whose names stand in an expression; `TrainParams` is a part of `AllParams`."""
        names = (part.id for part in ast.walk(node) if isinstance(part, ast.Name))
        whole = (AllParams.__name__ if name in STAGES else name for name in names)
        return {self.known[name] for name in whole if name in self.known}

    def types(self, node: ast.expr) -> Classes:
        """The classes that the value of an expression may be of, or hold."""
        if isinstance(node, ast.Name):
            return self.names.get(node.id, set())
        if isinstance(node, ast.Attribute):
            owners = {one for one in self.types(node.value) if node.attr in one.model_fields}
            if not owners:
                return self.held.get(node.attr, set())
            self.found |= {(one.__name__, node.attr) for one in owners}
            return set().union(*(classes_in(one.model_fields[node.attr].annotation) for one in owners))
        if isinstance(node, ast.Call):  # `load(AllParams)`, `enumerate(history)`, `cohorts.items()`
            of = [self.types(node.func.value)] if isinstance(node.func, ast.Attribute) else []
            found = self.named(node).union(*of, *(self.types(one) for one in node.args))
            if isinstance(node.func, ast.Name) and node.func.id == "getattr":
                self.found |= {(one.__name__, name) for one in found for name in one.model_fields}
            return found
        if isinstance(node, ast.Subscript):
            return self.types(node.value)
        parts = node.values if isinstance(node, ast.Dict) else node.elts if isinstance(node, ast.Tuple) else []
        return set().union(*(self.types(one) for one in parts))


def read_fields(folder: Path, known: Classes) -> set[tuple[str, str]]:
    """All fields that the modules of a folder read, each with the name of its class."""

    def reads(path: Path) -> Iterator[tuple[str, str]]:
        reads = Reads(known)
        reads.visit(ast.parse(path.read_text()))
        yield from reads.found

    return {one for path in folder.rglob("*.py") for one in reads(path)}


def test_every_key_is_read_by_code() -> None:
    """A key that no code reads is an option that does nothing. (A key that no class declares is refused by compose.)"""
    known = all_classes(AllParams)
    declared = {(one.__name__, name) for one in known - {AllParams} for name in one.model_fields}
    assert len(declared) > 80
    # size=tiny takes what a project declares for it: conf/ reads that key, and no code.
    assert "${source.tiny." in (ROOT / "conf/size/tiny.yaml").read_text()
    # A recipe holds sections of params, and is no section itself.
    assert declared - read_fields(ROOT / "src/flywheel", known | {Fit}) == {
        ("Source", "tiny"),
        ("SourcePart", "first_day"),
        ("SourcePart", "share"),
    }


def is_explained(lines: list[str], at: int) -> bool:
    """Whether a comment stands above a key, above a sibling that it is listed with, or above the group that it is in."""
    indent = len(lines[at]) - len(lines[at].lstrip())
    for above in range(at - 1, -1, -1):
        line = lines[above]
        if not line.strip():
            return False
        if line.lstrip().startswith("# "):
            return True
        if len(line) - len(line.lstrip()) < indent:
            return is_explained(lines, above)
    return False


CONF = sorted(path.relative_to(ROOT / "conf").as_posix() for path in (ROOT / "conf").rglob("*.yaml"))


@pytest.mark.parametrize("path", [path for path in CONF if not path.startswith("size/")])  # a size repeats keys
def test_every_key_of_conf_is_explained(path: str) -> None:
    """A comment says what each key is, when to change it, and what that costs."""
    lines = (ROOT / "conf" / path).read_text().splitlines()
    keys = [at for at, line in enumerate(lines) if re.match(r"\s*[\w ]+:", line) and not line.startswith("defaults")]
    silent = [lines[at].strip() for at in keys if lines[at].startswith(" ") and not is_explained(lines, at)]
    assert [] == silent


def test_tiny_changes_only_the_size() -> None:
    """size=tiny names only keys that full has, so that a tiny run is the same pipeline."""
    full, tiny = set(leaves(compose())), set(leaves(compose(["size=tiny"])))
    assert full == tiny
