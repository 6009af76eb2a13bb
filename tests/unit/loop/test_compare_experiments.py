"""The commits that `dvc exp` keeps, read as they are: what cannot be compared is a line that says why."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from flywheel import cli, files
from flywheel.evaluation.experiments import Experiment
from flywheel.git import BOT
from flywheel.loop.experiments import experiments
from flywheel.model import artifact
from flywheel.stages.gate import GateParams
from flywheel.stages.gate import main as decide
from tests.planted import PROJECT, engine_params, learn, settings, world, write_features
from tests.unit.evaluation.test_evaluate import evaluate, models, plant, plant_models

NAME = PROJECT["project"]["name"]


def git(*arguments: str) -> str:
    """What Git prints in the current folder."""
    return subprocess.run(["git", *arguments], capture_output=True, text=True, check=True).stdout.strip()


def commit() -> str:
    git("add", "--all")
    git("commit", "--quiet", "--allow-empty", "--message", "a change")
    return git("rev-parse", "HEAD")


def measure() -> None:
    """What `evaluate` and `gate` do in a run."""
    evaluate()
    decide(settings(GateParams))


def keep(name: str, change: Callable[[], object], base: str | None = None) -> None:
    """An experiment as DVC keeps it: a commit that is not on the branch, under a ref named by the commit it began from."""
    began = git("rev-parse", "HEAD")
    change()
    made = commit()
    at = base or began
    git("update-ref", f"refs/exps/{at[:2]}/{at[2:]}/{name}", made)
    git("reset", "--quiet", "--hard", began)


def set_params(**sections: Any) -> None:
    found = yaml.safe_load(Path("params.yaml").read_text())
    Path("params.yaml").write_text(yaml.safe_dump(found | {name: found[name] | one for name, one in sections.items()}))


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A commit with a measured candidate, and an experiment from it with another model."""
    folder = tmp_path_factory.mktemp("template")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for name, value in BOT.items():
            patch.setenv(name, value)
        git("init", "--quiet", "--initial-branch", "main")
        Path(".gitignore").write_text("/data/\n/.flywheel/\n")
        Path("dvc.yaml").write_text("stages: {}\n")
        Path("params.yaml").write_text(yaml.safe_dump(engine_params() | PROJECT))
        plant()
        measure()
        commit()

        def fewer_rows() -> None:
            plant_models(models()["champion"], models()["champion"])
            measure()
            set_params(model={"num_leaves": 7})

        keep("fewer-rows", fewer_rows)
    return folder


@pytest.fixture(autouse=True)
def _in_a_copy(template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(template, tmp_path / "copy")
    monkeypatch.chdir(tmp_path / "copy")
    monkeypatch.setattr(sys, "argv", list(sys.argv))
    monkeypatch.delenv("GITHUB_STEP_SUMMARY", raising=False)
    for name, value in BOT.items():
        monkeypatch.setenv(name, value)


def found(last: int = 10) -> dict[str, Experiment]:
    return {one.name: one for one in experiments(last, NAME)[0]}


def test_head_and_an_experiment_are_read_from_their_commits_and_timed() -> None:
    """The tree is left as it is; each has the numbers of its own reports and model."""
    shutil.rmtree(files.REPORTS)  # nothing is read from the tree
    here = found()
    assert ["HEAD", "fewer-rows"] == list(here)
    assert ("", "model.num_leaves=7") == (here["HEAD"].changed, here["fewer-rows"].changed)
    for name, ref in (("HEAD", "HEAD"), ("fewer-rows", git("for-each-ref", "--format=%(refname)", "refs/exps"))):
        one, metrics = here[name], json.loads(git("show", f"{ref}:reports/metrics.json"))
        assert one.found is not None
        assert metrics["candidate"]["log_loss"]["value"] == one.found.log_loss
        sizes = [
            int(git("cat-file", "-s", f"{ref}:models/candidate/{file}")) for file in ("model.txt", "calibration.json")
        ]
        assert sum(sizes) == one.bytes
        assert one.latency_ms is not None
        assert 0 < one.latency_ms < 1000
    assert here["HEAD"].bytes != here["fewer-rows"].bytes


def test_the_last_ones_are_shown_the_latest_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """HEAD is a line of its own."""
    for at, name in enumerate(("third", "first", "second")):
        monkeypatch.setenv("GIT_COMMITTER_DATE", f"2090-01-0{at + 1}T00:00:00Z")
        keep(name, lambda: set_params(model={"num_leaves": 9}))
    assert ["HEAD", "second", "first"] == list(found(2))


def broken(path: Path) -> Callable[[], object]:
    return lambda: path.write_text('{"about": 5}')


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (broken(files.METRICS), "reports/metrics.json: .*Another version of flywheel made it"),
        (broken(files.COHORTS), "reports/cohorts.json: "),
        (files.DECISION.unlink, "reports/decision.json is not in "),
        (lambda: shutil.rmtree(files.REPORTS), "reports/metrics.json is not in "),
        (lambda: shutil.rmtree(files.CANDIDATE), "models/candidate/model.txt is not in "),
        (lambda: artifact.save(models()["champion"], files.CANDIDATE), "is about another model: its run did not"),
        (lambda: set_params(project={"name": "other"}), "it is of another project, other"),
        (lambda: Path("params.yaml").write_text("5\n"), "params.yaml of .* holds no sections"),
        (lambda: Path("params.yaml").write_text("a: [\n"), "params.yaml of .* is not YAML"),
        (Path("params.yaml").unlink, "params.yaml is not in "),
    ],
)
def test_what_cannot_be_compared_says_why(change: Callable[[], object], why: str) -> None:
    """The others are compared all the same."""
    keep("odd", change)
    here = found()
    assert here["odd"].found is None
    assert here["odd"].why is not None
    assert re.search(why, here["odd"].why)
    assert here["fewer-rows"].found is not None


def test_a_damaged_model_is_no_crash() -> None:
    """LightGBM would read past the end of it; what its reports say is shown, and it has no latency."""
    card = files.CANDIDATE / "card.json"
    keep("torn", lambda: card.write_text(card.read_text().replace('"model.txt": "', '"model.txt": "0')))
    one = found()["torn"]
    assert one.found is not None
    assert one.latency_ms is None
    assert str(one.why).startswith("models/candidate/model.txt does not match its digest")


def test_a_model_whose_features_are_not_here_has_no_latency_and_says_so() -> None:
    """Its other numbers are shown."""
    features, labels = world(range(1, 16), 40)
    later, _ = world(range(1, 31), 10, seed=2)

    def weighed() -> None:
        write_features(later.assign(weight=later["size"]))
        model = learn(features.assign(weight=features["size"]), labels)
        assert model.contract is not None
        plant_models(replace(model, contract={**model.contract, "version": "2.0"}), models()["champion"])
        measure()

    keep("weighed", weighed)
    write_features(later)
    here = found()
    assert here["weighed"].found is not None
    assert (None, "no latency: it needs features that no longer exist: weight") == (
        here["weighed"].latency_ms,
        here["weighed"].why,
    )
    assert here["HEAD"].latency_ms is not None


def test_without_features_nothing_is_timed_and_that_is_said_once() -> None:
    """As in a fresh clone."""
    shutil.rmtree(files.FEATURES)
    some, left = experiments(10, NAME)
    assert {None} == {one.latency_ms for one in some} == {one.why for one in some}
    assert "no model was timed: there are no features here. Bring them with: flywheel restore" in str(left)


def test_a_base_that_is_gone_leaves_the_changes_unknown() -> None:
    """As after a fetch of experiments without their branch."""
    keep("orphan", lambda: None, base="ab" * 20)
    assert "unknown: ababababab is not here" == found()["orphan"].changed


def test_an_experiment_that_failed_is_a_line() -> None:
    """DVC keeps those of its queue in the log of a ref of its own; nothing else of DVC there is an experiment."""
    head = git("rev-parse", "HEAD")
    git(
        "update-ref", "--create-reflog", "-m", f"commit: dvc-exp:{head}:{head}:too-few", "refs/exps/celery/failed", head
    )
    git("update-ref", "refs/exps/exec/EXEC_HEAD", head)
    here = found()
    assert ["HEAD", "fewer-rows", "too-few"] == list(here)
    assert "it failed; see: dvc queue logs too-few" == here["too-few"].why


def test_a_name_of_what_is_no_commit_is_a_line_and_spoils_no_other() -> None:
    """One names a folder, one an object that is not here."""
    head = git("rev-parse", "HEAD")
    git("update-ref", f"refs/exps/{head[:2]}/{head[2:]}/a-folder", git("rev-parse", "HEAD^{tree}"))
    lost = Path(f".git/refs/exps/{head[:2]}/{head[2:]}/lost")
    lost.parent.mkdir(parents=True, exist_ok=True)
    lost.write_text("1" * 40 + "\n")
    here = found()
    assert {"HEAD", "fewer-rows", "a-folder", "lost"} == set(here)
    assert here["lost"].why == f"what it names, {'1' * 10}, is no commit that is here"
    assert here["a-folder"].why
    assert not here["fewer-rows"].why


def run(*arguments: str) -> int:
    """The exit code of a command that is run in this process."""
    sys.argv = ["flywheel", *arguments]
    try:
        cli.main()
    except SystemExit as ended:
        return int(ended.code or 0)
    return 0


def test_the_command_prints_a_table_and_what_it_does_not_say(capsys: pytest.CaptureFixture[str]) -> None:
    """A line each, with a star for the front; then the reasons."""
    keep("odd", files.DECISION.unlink)
    assert 0 == run("compare-experiments")
    lines = capsys.readouterr().out.splitlines()
    names = {line.split("\t")[1]: line.split("\t") for line in lines[:3]}
    assert {"HEAD", "fewer-rows", "odd"} == set(names)
    assert "★" in {line[0] for line in names.values()}
    assert ["", "odd", "–", *["–"] * 8] == names["odd"]
    assert any(line.startswith("odd: reports/decision.json is not in ") for line in lines[3:])
    assert lines[-1].startswith("★: on the Pareto front")


def test_the_page_has_its_picture_beside_it(capsys: pytest.CaptureFixture[str]) -> None:
    """In any folder; another kind of file is refused before anything is read."""
    assert 0 == run("compare-experiments", "--output", "out/page.md", "--last", "1")
    text = Path("out/page.md").read_text()
    assert "| fewer-rows | model.num_leaves=7 |" in text
    assert "![Log loss against size and latency](page.png)" in text
    assert Path("out/page.png").read_bytes().startswith(b"\x89PNG")
    assert 2 == run("compare-experiments", "--output", "page.txt")
    assert "--output: found 'page.txt'; allowed is" in capsys.readouterr().err


def test_without_experiments_it_says_how_to_make_some(capsys: pytest.CaptureFixture[str]) -> None:
    """It is no error."""
    git("update-ref", "-d", git("for-each-ref", "--format=%(refname)", "refs/exps"))
    assert 0 == run("compare-experiments")
    assert (
        "There is no experiment here. Make some with: dvc exp run -S model.num_leaves=15,31 --queue, then: dvc queue start\n"
        == capsys.readouterr().out
    )
