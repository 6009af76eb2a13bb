"""A stage loads only what it uses: its imports are paid before its first line, in each run."""

from __future__ import annotations

import subprocess
import sys

import pytest

SLOW = {"dvc", "evidently", "hydra", "lightgbm", "matplotlib", "pandas", "requests", "rich", "scipy", "sklearn"}


@pytest.mark.parametrize(
    ("module", "used"),
    [
        ("flywheel.params", set()),
        ("flywheel.stages.gate", set()),
        ("flywheel.stages.collect", {"pandas"}),
        ("flywheel.stages.report", {"matplotlib"}),
        ("flywheel.stages.label", {"pandas"}),
    ],
)
def test_a_stage_loads_no_slow_library_that_it_does_not_use(module: str, used: set[str]) -> None:
    """A library that is needed only on some way through is imported there."""
    code = f"import sys, {module}; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert SLOW & set(loaded) <= used
