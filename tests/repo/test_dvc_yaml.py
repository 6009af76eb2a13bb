"""dvc.yaml says what the stages do: proved from their imports and their classes."""

import ast
import inspect
import re
from importlib import import_module, util
from pathlib import Path

import pytest
import yaml

from flywheel.params import sections

ROOT = Path(__file__).parents[2]
STAGES = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]
PARAMS = yaml.safe_load((ROOT / "params.yaml").read_text())
PROJECT = "${project.code}"  # what the stages that load the project's code depend on


def source_of(module: str) -> Path | None:
    """The file in src/ of a module; None for a module of another library."""
    if not (ROOT / "src" / module.split(".", maxsplit=1)[0]).exists():
        return None
    try:
        spec = util.find_spec(module)
    except ModuleNotFoundError:
        return None
    return Path(spec.origin) if spec and spec.origin else None


def imported(path: Path) -> set[str]:
    """The modules in src/ that a file imports, wherever in the file."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and source_of(node.module):
            for alias in node.names:
                name = f"{node.module}.{alias.name}"
                found.add(name if source_of(name) else node.module)
    return {name for name in found if source_of(name)}


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


def project_modules(stage: str) -> set[str]:
    """The project's modules that a stage loads by a name in the configuration."""
    wanted = {"collect": PARAMS["source"]["factory"], "featurize": PARAMS["project"]["derive"]}
    name = wanted.get(stage) or ""
    return {name.split(":")[0]} if ":" in name else set()


@pytest.mark.parametrize("stage", STAGES)
def test_code_dependencies_are_exactly_the_imports(stage: str) -> None:
    """A stage reruns when code that it uses changes, and only then."""
    declared = {dep for dep in STAGES[stage]["deps"] if dep.startswith("src/")}
    assert closure({f"flywheel.stages.{stage}"}) == declared


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_depends_on_the_project_where_it_loads_its_code(stage: str) -> None:
    """The project's own modules are in its folder, and what they use of the loop the stage depends on anyway."""
    declared = set(STAGES[stage]["deps"])
    assert (PROJECT in declared) == (stage in ("collect", "featurize"))
    needed = closure(project_modules(stage)) - declared
    assert [path for path in needed if not path.startswith(f"{PARAMS['project']['code']}/")] == []


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
    """The order of the file is the order of the pipeline; only the champion and what people say come from outside."""
    made: set[str] = {
        "annotations",
        "models/champion",
        "docs/forgotten.yaml",
        "docs/quarantine.yaml",
        "docs/answers.yaml",
    }
    for stage in STAGES.values():
        needed = {dep for dep in stage["deps"] if not dep.startswith("src/") and dep != PROJECT}
        assert needed <= made
        outs = stage.get("outs", []) + stage.get("metrics", [])
        made |= {next(iter(out)) if isinstance(out, dict) else out for out in outs}


def test_the_loop_knows_no_project() -> None:
    """Nothing in flywheel imports a project, and no module outside stages/ imports a stage."""
    for path in (ROOT / "src/flywheel").rglob("*.py"):
        names = imported(path)
        assert {name for name in names if not name.startswith("flywheel")} == set(), path
        if path.parent.name != "stages":
            assert not {name for name in names if name.startswith("flywheel.stages")}, path


def test_dvc_yaml_names_no_project() -> None:
    """It is the same file for every project: the folder of its code and its name come from params.yaml."""
    text = (ROOT / "dvc.yaml").read_text()
    assert set(re.findall(r"src/(\w+)", text)) == {"flywheel"}
    assert set(re.findall(r"python -m (\w+)", text)) == {"flywheel"}
    assert "conf/" not in text
    assert list(yaml.safe_load(text)["artifacts"]) == ["${project.name}"]
