"""A stage loads only what it uses: its imports are paid before its first line, in each run."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.conftest import Clone

pytestmark = pytest.mark.slow  # a process for each

SLOW = {
    "dvc",
    "evidently",
    "hydra",
    "lightgbm",
    "matplotlib",
    "pandera",
    "requests",
    "rich",
    "scipy",
    "sklearn",
    "sqlalchemy",
}
MOST = {"pandas"}


def loaded(code: str) -> set[str]:
    """The modules that are there after some lines of code, in a process of their own."""
    command = [sys.executable, "-c", f"import sys\n{code}\nprint(*sys.modules)"]
    return set(subprocess.run(command, capture_output=True, text=True, check=True).stdout.split())


@pytest.mark.parametrize(
    ("module", "used"),
    [
        ("params", set()),
        ("stages.collect", MOST),
        ("stages.validate", MOST | {"pandera"}),
        ("stages.label", MOST),
        ("stages.featurize", MOST),
        ("stages.train", MOST),
        ("stages.evaluate", MOST),
        ("stages.gate", set()),
        ("stages.monitor", MOST),
        ("stages.report", {"matplotlib"}),
    ],
)
def test_a_stage_loads_no_slow_library_that_it_does_not_use(module: str, used: set[str]) -> None:
    """A library that is needed only on some way through is imported there."""
    assert (SLOW | MOST) & loaded(f"import flywheel.{module}") <= used


def test_lightgbm_comes_without_scikit_learn() -> None:
    """Whose import takes twice as long as its own; whoever needs it afterwards still finds it."""
    found = loaded("from flywheel.model import boosting\nboosting.lightgbm()")
    assert "lightgbm" in found
    assert "sklearn" not in found
    assert {"lightgbm", "sklearn"} <= loaded("from flywheel.model import boosting\nboosting.lightgbm()\nimport sklearn")


def test_monitoring_runs_without_what_it_does_not_use(tiny_copy: Clone) -> None:
    """The distances of the configuration need neither Evidently, which takes seconds to import, nor SciPy's statistics."""
    code = "\n".join(
        (
            "import sys",
            "from flywheel.params import load",
            "from flywheel.stages.monitor import MonitorParams, main",
            "main(load(MonitorParams))",
            "print(*sys.modules)",
        )
    )
    found = set(tiny_copy.run(sys.executable, "-c", code).stdout.split())
    assert "lightgbm" in found
    assert {"evidently", "sklearn", "scipy.stats"} & found == set()
