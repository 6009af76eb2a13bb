"""dvc.yaml says what the stages do: proved from their imports and their classes."""

import ast
import inspect
from importlib import import_module, util
from pathlib import Path

import pytest
import yaml

from flywheel.params import sections

ROOT = Path(__file__).parents[2]
STAGES = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]
PARAMS = yaml.safe_load((ROOT / "params.yaml").read_text())


def source_of(module: str) -> Path | None:
    """The file of one of our modules."""
    if not module.startswith(("flywheel", "flights")):
        return None
    spec = util.find_spec(module)
    return Path(spec.origin) if spec and spec.origin else None


def imported(path: Path) -> set[str]:
    """Our modules that a file imports, wherever in the file."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                name = f"{node.module}.{alias.name}"
                is_module = node.module.split(".")[0] in ("flywheel", "flights") and _is_module(name)
                found.add(name if is_module else node.module)
    return {name for name in found if source_of(name)}


def _is_module(name: str) -> bool:
    try:
        return util.find_spec(name) is not None
    except ModuleNotFoundError:
        return False


def closure(modules: set[str]) -> set[str]:
    """All files that some modules import, directly or not, relative to the root; an empty package file is left out."""
    todo, seen = set(modules), set()
    while todo:
        module = todo.pop()
        seen.add(module)
        path = source_of(module)
        assert path is not None
        todo |= imported(path) - seen
    files = {source_of(module) for module in seen}
    return {path.relative_to(ROOT).as_posix() for path in files if path and len(path.read_text().splitlines()) > 1}


def loaded_by_name(stage: str) -> set[str]:
    """The project's modules that a stage loads by a name in the configuration."""
    wanted = {"collect": PARAMS["source"]["factory"], "featurize": PARAMS["project"]["derive"]}
    return {wanted[stage].split(":")[0]} if wanted.get(stage) else set()


@pytest.mark.parametrize("stage", STAGES)
def test_code_dependencies_are_exactly_the_imports(stage: str) -> None:
    """A stage reruns when code that it uses changes, and only then."""
    declared = {dep for dep in STAGES[stage]["deps"] if dep.startswith("src/")}
    assert closure({f"flywheel.stages.{stage}"} | loaded_by_name(stage)) == declared


@pytest.mark.parametrize("stage", STAGES)
def test_params_are_exactly_the_sections_of_the_class(stage: str) -> None:
    """A stage reruns when a section that it reads changes, and only then."""
    params_class = getattr(import_module(f"flywheel.stages.{stage}"), f"{stage.title()}Params")
    assert sections(params_class) == STAGES[stage]["params"]


@pytest.mark.parametrize("stage", STAGES)
def test_one_name_everywhere(stage: str) -> None:
    """Stage NAME is stages/NAME.py, takes NAMEParams and is run by the command that its docstring gives."""
    module = import_module(f"flywheel.stages.{stage}")
    annotation = inspect.signature(module.main).parameters["params"].annotation
    assert f"{stage.title()}Params" == annotation
    assert STAGES[stage]["cmd"] == f"python -m flywheel.stages.{stage}"
    assert STAGES[stage]["cmd"] in module.__doc__


def test_every_data_dependency_is_an_output_of_an_earlier_stage() -> None:
    """The order of the file is the order of the pipeline; only the champion comes from outside."""
    made: set[str] = {"models/champion"}
    for stage in STAGES.values():
        needed = {dep for dep in stage["deps"] if not dep.startswith("src/")}
        assert needed <= made
        outs = stage.get("outs", []) + stage.get("metrics", [])
        made |= {next(iter(out)) if isinstance(out, dict) else out for out in outs}


def test_the_loop_knows_no_project() -> None:
    """Nothing in flywheel imports flights, and no module outside stages/ imports a stage."""
    for path in (ROOT / "src/flywheel").rglob("*.py"):
        names = imported(path)
        assert not {name for name in names if name.startswith("flights")}, path
        if path.parent.name != "stages":
            assert not {name for name in names if name.startswith("flywheel.stages")}, path
