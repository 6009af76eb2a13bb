"""The walk of docs/your-data.md: from two CSV files to a model that serves and its first retrain, and all stays green."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.conftest import ROOT, Clone, begin, copied, copy_files, shared, tracked_files

pytestmark = pytest.mark.slow

DOCUMENT = (ROOT / "docs/your-data.md").read_text()
BLOCKS = re.findall(r"```bash\n(.*?)```", DOCUMENT, re.DOTALL)
FIRST_REPORT = 2  # blocks, until there is a report


def commands(blocks: list[str]) -> list[str]:
    """The command lines of some blocks."""
    return [line for block in blocks for line in block.splitlines() if line.strip()]


def walk(place: Path) -> Clone:
    """The whole tree as somebody clones it, with the script of the walk, in which the commands up to the report were run."""
    copy_files(place, tracked_files())
    clone = begin(place)
    clone.install()
    if (
        ROOT / ".mypy_cache"
    ).is_dir():  # which mypy believes of files whose content is the same: then it takes a second
        shutil.copytree(ROOT / ".mypy_cache", place / ".mypy_cache")
    [script] = re.findall(r"```python\n(.*?)```", DOCUMENT, re.DOTALL)
    (place / "tables").mkdir()
    (place / "tables/rain.py").write_text(script)
    clone.stdout = ""
    for line in commands(BLOCKS[:FIRST_REPORT]):
        settled(clone)
        clone.stdout += clone.run("bash", "-euo", "pipefail", "-c", line).stdout
    return clone


@pytest.fixture(scope="session")
def walked(tmp_path_factory: pytest.TempPathFactory) -> Clone:
    """A clone after the walk up to the first report. Tests must not change it."""
    return shared(tmp_path_factory, "walked", walk)


@pytest.fixture
def walked_copy(walked: Clone, tmp_path: Path) -> Iterator[Clone]:
    """A copy of it that a test may change."""
    yield from copied(walked, tmp_path)


def settled(clone: Clone) -> None:
    """Nothing to install: the environment is this tree's, whatever the lock says now."""
    for name in ("uv.lock", "pyproject.toml"):
        os.utime(clone.path / name, (0, 0))


def test_four_commands_make_the_first_report(walked: Clone) -> None:
    """Every stage ran, on rain; what was guessed is said with its reason."""
    assert len(commands(BLOCKS[:FIRST_REPORT])) <= 4
    for said in (
        "rain, by its name",
        "origin: 12h, 24h, 3d",
        "it replays the days",
        "deleted   conf/project/flights.yaml",
    ):
        assert said in walked.stdout
    report = (walked.path / "reports/report.md").read_text()
    assert report.startswith("# rain: ")
    assert "against the base rate" in report
    assert "Not in the data, so not shown: AUC served, errors, latency p50 / p95, ms, mean rating." in report
    metrics = walked.json("reports/metrics.json")
    assert 0.7 < metrics["candidate"]["auc"]["value"] < 0.97
    assert "flights" not in (walked.path / "params.yaml").read_text()


def test_what_was_guessed_of_the_weather(walked: Clone) -> None:
    """Types, ranges, categories, features, cohorts, clock and costs, as a person would say them."""
    said = yaml.safe_load((walked.path / "conf/project/rain.yaml").read_text())
    served = said["contract"]["predictions"]
    assert served["in_origin"] == {"type": "string", "allowed": ["EWR", "JFK", "LGA"]}
    assert served["in_pressure"]["nullable"] is True
    assert served["in_pressure"]["max"] > 1042
    assert said["features"]["categorical"] == ["origin"]
    assert len(said["features"]["numeric"]) == 8
    assert said["evaluate"]["cohorts"] == {"origin": {"column": "origin"}}
    assert said["source"]["options"]["feedback"][0]["values"] == {"yes": 1, "no": 0}
    assert "as_of: 2013-12-01" in (walked.path / "conf/state.yaml").read_text()
    left = walked.flywheel("init", "--check", check=False)
    assert left.returncode == 2
    assert "evaluate" not in left.stderr
    assert "what is a right, a wrong and a missed alert worth to you?" in left.stderr


def test_without_the_example_everything_is_green(walked_copy: Clone) -> None:
    """No word of it but in documents; `make check`, the collection of all tests, and those that look at the project."""
    for name in ("dvc.yaml", "pyproject.toml", "uv.lock", "conf/config.yaml", "params.yaml"):
        assert "flights" not in (walked_copy.path / name).read_text(), name
    walked_copy.git("add", "-A")  # what ruff and the tests look at
    assert walked_copy.git("ls-files", "tables") == ""
    walked_copy.run("make", "check")
    walked_copy.run(
        "pytest", "-m", "project and not slow", "-n", "0"
    )  # collects all; no other opens what the walk has changed


def test_the_rest_of_the_walk(walked_copy: Clone) -> None:
    """The first release, and the first turn: only the new days are collected, and the model that serves is the champion."""
    said = ""
    for line in commands(BLOCKS[FIRST_REPORT:]):
        settled(walked_copy)
        said += walked_copy.run("bash", "-euo", "pipefail", "-c", line).stdout
    assert "rain@v0.1.0" in walked_copy.git("tag").splitlines()
    assert "champion  v0.1.0, from its tag" in said
    assert "collect   28 new days of" in said
    decision = walked_copy.json("reports/decision.json")
    assert (decision["reference"], decision["champion"], decision["as_of"]) == ("champion", "v0.1.0", "2013-12-29")
    assert walked_copy.git("status", "--porcelain") == ""


def test_the_script_is_what_the_bench_runs_too() -> None:
    """One script, one walk: the bench measures the commands that this test runs."""
    assert "docs/your-data.md" in (ROOT / "bench/walk.py").read_text()
