"""A repository without the example, as docs/your-data.md says how to make one, is green."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from tests.conftest import ROOT, Clone, begin, copy_files, plant_project, tracked_files

pytestmark = pytest.mark.slow


@pytest.fixture
def without_example(tmp_path: Path) -> Clone:
    """The whole tree; then the command of docs/your-data.md deletes the example, and the parcels are the default project."""
    copy_files(tmp_path / "clone", tracked_files())
    clone = begin(tmp_path / "clone")
    document = (ROOT / "docs/your-data.md").read_text()
    for delete in re.findall(r"^git rm .+$", document, re.MULTILINE):
        clone.run(*delete.split())
    plant_project(clone.path)
    readme = clone.path / "README.md"
    lines = readme.read_text().splitlines(keepends=True)
    readme.write_text("".join(line for line in lines if "docs/example.md" not in line and "](reports/" not in line))
    clone.install()
    clone.flywheel("compose")
    clone.commit("without the example")
    return clone


def test_without_the_example_everything_is_green(without_example: Clone) -> None:
    """Nothing but conf/ names the example; `make check`, the collection of all tests, and those that are not slow."""
    assert "flights" not in (without_example.path / "dvc.yaml").read_text()
    assert yaml.safe_load((without_example.path / "params.yaml").read_text())["project"]["name"] == "parcel-delay"
    without_example.run("make", "check")
    without_example.run("pytest", "-m", "not slow", "-n", "0", timeout=900)  # collects the slow ones as well
