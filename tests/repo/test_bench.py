"""The benchmark measures any project, and its floor is plain and does the work of the pipeline."""

from __future__ import annotations

import ast
import copy
import importlib.util
import json
import shutil
from types import ModuleType
from typing import Any

import pytest

from tests.conftest import ROOT, Clone

SCRIPTS = sorted((ROOT / "bench").glob("*.py"))
CURVES = ("curves/candidate/roc", "curves/candidate/reliability", "curves/candidate/scores", "curves/decision")
REPORTS = {
    "metrics": {
        "candidate": {"auc": {"value": 0.7}, "log_loss": {"value": 0.55, "low": 0.5}, "ece": {"value": None}},
        "served": {"auc": {"value": 0.6}},
    },
    "drift": {"by_column": [{"column": "wind", "distance": 0.2}, {"column": "origin", "distance": 0.1}]},
    "slices": {"slices": [{"slice": "wind any", "rows": 9}]},
} | {name: {} for name in ("labels", "feedback", "cohorts", "behaviour", "robustness", "monitor", *CURVES)}
FLOOR = REPORTS | {
    "drift": {"by_column": {"origin": {"distance": 0.1}, "wind": {"distance": 0.2}}},
    "slices": {"slices": {"wind any": {"rows": 9}}},
}
# All that the floor does again, in one process and without DVC.
STAGES = """
import importlib
from flywheel.loop.compose import composed, write
from flywheel.params import load
write(composed([]))
for stage in STAGES:
    module = importlib.import_module(f"flywheel.stages.{stage}")
    module.main(load(getattr(module, f"{stage.title()}Params")))
"""


@pytest.fixture(scope="module")
def bench() -> ModuleType:
    """bench/bench.py as a module."""
    spec = importlib.util.spec_from_file_location("bench", ROOT / "bench/bench.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def imported(text: str) -> set[str]:
    """The top-level packages that a script imports."""
    found = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            found |= {name.name.split(".")[0] for name in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module.split(".")[0])
    return found


def test_the_floor_is_plain() -> None:
    """The scripts of the floor import libraries and each other, no module of this project."""
    floor = [path for path in SCRIPTS if path.stem.startswith("floor")]
    assert len(floor) == 7
    projects = {path.name for path in (ROOT / "src").iterdir()}
    for path in floor:
        assert imported(path.read_text()) & projects == set(), path.name


def test_the_benchmark_knows_no_example() -> None:
    """bench.py, and what it runs in a tree, names the engine alone; the example may be gone."""
    text = (ROOT / "bench/bench.py").read_text()
    assert imported(text) & {"flywheel", "flights"} == set()
    assert [name for name in ("flight", "2013", "2014") if name in text] == []


def test_a_floor_with_the_same_numbers_agrees(bench: ModuleType) -> None:
    """Items of a list are found by what they are about; nulls are no numbers."""
    assert bench.agreement(FLOOR, REPORTS) == {"numbers": 7, "of": 7, "largest_difference": 0.0, "differ": []}


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        (("metrics", "candidate", "auc", "value"), 0.7002, "metrics.candidate.auc.value: 0.7002, in the reports 0.7"),
        (("drift", "by_column", "wind", "distance"), 0.3, "drift.by_column.wind.distance: 0.3, in the reports 0.2"),
        (("metrics", "candidate", "log_loss"), {}, "metrics.candidate.log_loss.value: the floor has none"),
        (("cohorts", "origin"), {"rows": 5}, "cohorts.origin.rows: the floor has 5, the reports have none"),
    ],
)
def test_a_floor_that_does_other_work_is_found(bench: ModuleType, path: tuple[str, ...], value: Any, said: str) -> None:
    """Another number, a missing one that counts, and one that the run does not have are each named."""
    floor = copy.deepcopy(FLOOR)
    place = floor
    for name in path[:-1]:
        place = place[name]
    place[path[-1]] = value
    assert said in bench.agreement(floor, REPORTS)["differ"]


def test_a_rounded_number_agrees(bench: ModuleType) -> None:
    """The reports are rounded, the floor is not."""
    floor = copy.deepcopy(FLOOR)
    floor["metrics"]["served"]["auc"]["value"] = 0.6000004
    assert bench.agreement(floor, REPORTS)["differ"] == []


@pytest.mark.slow
def test_the_floor_does_the_work_of_the_pipeline(bench: ModuleType, tiny_copy: Clone) -> None:
    """On a small run it has the numbers of the reports: all metrics, cohorts and behaviours, every column's drift."""
    floor, reports = both(bench, tiny_copy)
    assert bench.agreement(floor, reports)["differ"] == []
    assert {one["column"] for one in reports["drift"]["by_column"]} == set(floor["drift"]["by_column"])
    for name in ("cohorts", "behaviour"):
        assert floor[name].keys() == reports[name].keys()
    for name in ("metrics", "cohorts", "robustness", *CURVES):
        wanted = {path for path, _ in bench.numbers(reports[name], name) if ".about." not in path}
        assert wanted <= {path for path, _ in bench.numbers(floor[name], name)}
    written = {path.stem for path in (tiny_copy.path / "reports").glob("*.json")}
    assert written - set(bench.REPORTS) <= set(bench.NOT_IN_THE_FLOOR)


def both(bench: ModuleType, clone: Clone) -> tuple[Any, Any]:
    """The numbers of the floor on what was run in a clone, and its reports."""
    clone.run("python", str(ROOT / "bench/floor.py"), "floor.json")
    return clone.json("floor.json"), {name: clone.json(f"reports/{name}.json") for name in bench.REPORTS}


@pytest.mark.slow
def test_the_floor_knows_the_champions(bench: ModuleType, tiny_copy: Clone) -> None:
    """Without one, and with one whose card names no recipe, on two windows, so with slices; with one of the same recipe, of
    which a younger model stands in, and which is measured itself beside that.
    """
    tiny_copy.move_clock("2031-04-28")  # two days more than a window: a refresh as of its start is not the champion
    champion, candidate = (tiny_copy.path / f"models/{name}" for name in ("champion", "candidate"))
    younger = shutil.copytree(candidate, tiny_copy.path / "younger")
    card = json.loads((champion / "card.json").read_text())
    del card["recipe"]
    (champion / "card.json").write_text(json.dumps(card))
    found = {}
    for name in ("without a recipe", "none", "the same recipe"):
        if name != "without a recipe":
            shutil.rmtree(champion, ignore_errors=True)
        if name == "the same recipe":
            shutil.copytree(younger, champion)
        first = ("collect", "validate", "label", "featurize") if name == "without a recipe" else ()
        tiny_copy.run("python", "-c", f"STAGES = {(*first, 'train', 'evaluate', 'monitor')}{STAGES}")
        floor, reports = both(bench, tiny_copy)
        assert bench.agreement(floor, reports)["differ"] == [], name
        wanted = {path for path, _ in bench.numbers(reports["metrics"], "metrics") if ".about." not in path}
        assert wanted <= {path for path, _ in bench.numbers(floor["metrics"], "metrics")}, name
        assert {one["slice"] for one in reports["slices"]["slices"]} == set(floor["slices"]["slices"]), name
        found[name] = reports
    for name in ("without a recipe", "none"):
        assert len(found[name]["metrics"]["windows"]) == 2
        assert found[name]["slices"]["slices"]
    assert found["the same recipe"]["metrics"]["about"]["kind"] == "refresh"
    assert found["the same recipe"]["metrics"]["as_it_is"]
    said = {name: one["metrics"]["about"]["why_as_it_is"] for name, one in found.items()}
    assert {"without a recipe": False, "none": True, "the same recipe": True} == {k: v is None for k, v in said.items()}


@pytest.mark.slow
def test_the_span_and_the_seconds_of_the_source_are_measured(bench: ModuleType, tiny_copy: Clone) -> None:
    """Whatever the project: by the source that its conf names."""
    first, last, as_of = bench.source_of(tiny_copy.path)
    assert first < as_of <= last
    assert bench.read_source(tiny_copy.path) > 0
