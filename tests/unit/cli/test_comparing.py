"""The command `flywheel cost` shows what was measured of these models, and says what was not."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from flywheel import cli, files
from flywheel.model import artifact
from flywheel.model.card import identity
from tests.planted import PROJECT, engine_params, learn, world

AGAIN = "Measure it with: flywheel run --verify"


def run(*arguments: str) -> int:
    """The exit code of a command that is run in this process."""
    sys.argv = ["flywheel", *arguments]
    try:
        cli.main()
    except SystemExit as ended:
        return int(ended.code or 0)
    return 0


@pytest.fixture(autouse=True)
def _measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A tree with a candidate, a champion and all that was measured of them."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", list(sys.argv))
    monkeypatch.delenv("GITHUB_STEP_SUMMARY", raising=False)
    Path("dvc.yaml").write_text("stages: {}\n")
    Path("params.yaml").write_text(yaml.safe_dump(engine_params() | PROJECT))
    features, labels = world(range(1, 16), 40)
    artifact.save(learn(features, labels), files.CANDIDATE)
    artifact.save(learn(features[:200], labels[:200]), files.CHAMPION)
    files.write_json(files.COST, cost())
    files.write_json(files.LATENCY, timed())
    files.write_json(files.FITTED, fitted())


def cost(**changes: Any) -> dict[str, Any]:
    mine, other = identity(files.CANDIDATE), identity(files.CHAMPION)
    found = {
        "max_ratio": 3.0,
        "candidate": {"identity": mine, "bytes": 9000, "trees": 20},
        "champion": {"identity": other, "bytes": 6000, "trees": 10},
        "why_not_measured": None,
        "slower": [],
    }
    return found | changes


def timed(**changes: Any) -> dict[str, Any]:
    latency = {
        "one row": {"candidate_ms": 3.6, "champion_ms": 1.8, "ratios": [2.1, 1.9, 2.0]},
        "10,000 rows": {"candidate_ms": 36.0, "champion_ms": None, "ratios": []},
    }
    return {"candidate": identity(files.CANDIDATE), "champion": identity(files.CHAMPION), "latency": latency} | changes


def fitted(**changes: Any) -> dict[str, Any]:
    found = {"seconds": 2.5, "made": 3, "spared": 0, "together": 7200.0, "peak_mib": 321}
    return found | {"candidate": identity(files.CANDIDATE)} | changes


def test_all_that_was_measured_is_one_table(capsys: pytest.CaptureFixture[str]) -> None:
    """A line each; the prices are those of the rate in conf, five hundredths an hour."""
    assert 0 == run("cost")
    said = capsys.readouterr().out.splitlines()
    assert [
        "bytes\t9,000\t6,000\t1.50",
        "trees\t20\t10\t2.00",
        "one row, ms\t3.60\t1.80\t1.90 to 2.10",
        "10,000 rows, ms\t36.00\t–\t–",
        "price of a million predictions, one by one\t0.05\t0.025\t–",
        "price of a million predictions, 10,000 at once\t5e-05\t–\t–",
        "fit, s\t2.5\t–\t–",
        "3 fits of this training, s\t7200.0\t–\t–",
        "price of them\t0.1\t–\t–",
        "peak memory of training, MiB\t321\t–\t–",
        "Prices are at 0.05 an hour.",
    ] == said


def test_as_markdown_it_is_a_table_too(capsys: pytest.CaptureFixture[str]) -> None:
    """The summary of a job shows it."""
    assert 0 == run("cost", "--markdown")
    said = capsys.readouterr().out
    assert said.startswith("|  | candidate | champion | ratio |\n| --- | ---: | ---: | ---: |\n| bytes | 9,000 |")
    assert said.endswith("\n\nPrices are at 0.05 an hour.\n\n")


def test_a_fit_that_the_memo_spared_is_not_a_fit_of_no_time(capsys: pytest.CaptureFixture[str]) -> None:
    """It says so, and that the price is not that of a training."""
    files.write_json(files.FITTED, fitted(seconds=None, made=1, spared=2))
    run("cost")
    said = capsys.readouterr().out
    assert "fit, s\tspared by the memo\t–\t–\n1 fit of this training, s\t7200.0" in said
    assert "fits that the memo spared\t2 of 3\t–\t–\n" in said
    assert f"so the price is not that of a whole training. {AGAIN}" in said


@pytest.mark.parametrize("path", [files.LATENCY, files.FITTED])
def test_what_was_not_measured_here_is_not_shown_and_how_to_measure_it_is(
    path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """As in a clone whose reports came with Git: the sizes are shown all the same."""
    path.unlink()
    assert 0 == run("cost")
    said = capsys.readouterr().out
    assert said.startswith("bytes\t9,000")
    assert f"not measured here. {AGAIN}" in said or f"its fit was not measured. {AGAIN}" in said
    assert ("one row" in said, "fit, s" in said) == (path != files.LATENCY, path != files.FITTED)


@pytest.mark.parametrize(
    ("path", "found"),
    [
        (files.LATENCY, lambda: timed(candidate="other")),
        (files.LATENCY, lambda: timed(champion=None)),
        (files.FITTED, lambda: fitted(candidate="other")),
    ],
)
def test_what_was_measured_of_other_models_is_not_shown(
    path: Path, found: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    """A run that had nothing to do leaves the files of the run before it."""
    files.write_json(path, found())
    assert 0 == run("cost")
    said = capsys.readouterr().out
    assert ("one row" in said, "fit, s" in said) == (path != files.LATENCY, path != files.FITTED)
    assert "here are other models" in said or "here is another candidate (other)" in said


def test_a_report_about_another_candidate_is_one_message(capsys: pytest.CaptureFixture[str]) -> None:
    """The tree then holds a model that no evaluation has followed."""
    files.write_json(files.COST, cost(candidate={"identity": "other", "bytes": 1, "trees": 1}))
    assert 3 == run("cost")
    assert "flywheel: reports/cost.json is about another model than models/candidate." in capsys.readouterr().err


@pytest.mark.parametrize("path", [files.COST, files.LATENCY, files.FITTED])
def test_a_damaged_file_is_one_message(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It names the file."""
    path.write_text('{"candidate": 5}')
    assert 3 == run("cost")
    assert capsys.readouterr().err.startswith(f"flywheel: {path}: ")
