"""Where a released model comes from: what its commit and tags say, what they do not, and the commands that make it again."""

from __future__ import annotations

import datetime as dt
import shlex
from pathlib import Path

import pytest

from flywheel.errors import ConfigError
from flywheel.evaluation.evidence import read_decision
from flywheel.release import serve
from flywheel.release.acceptance import accept
from flywheel.release.champion import take_over_champion
from flywheel.release.provenance import explain
from tests.unit.release.conftest import (
    EVENTS,
    FEATURES,
    LOSS,
    NAME,
    UNCLEAR,
    commit,
    compose,
    edit,
    git,
    retrain,
    run_pipeline,
    write,
)

pytestmark = pytest.mark.usefixtures("repository")
TODAY = dt.datetime.now(dt.UTC).date()  # tags carry the day on which they are made


def told(version: str | None = None) -> dict[str, str]:
    return dict(explain(NAME, version).rows)


def tagged(said: str = "v0.2.0: gate: pass, as of 2030-02-01") -> None:
    """A release of the commit that is checked out, by hand: it need not be whole."""
    git("tag", "-a", f"{NAME}@v0.2.0", "-m", said)


def test_it_says_what_the_commit_and_its_tag_say() -> None:
    """Planted: days, libraries, recipe, data, and who released it; each is found."""
    extra = {"libraries": {"lightgbm": "4.7.1"}, "training_window": ["2029-02-03", "2030-01-05"]}
    edit("models/candidate/card.json", lambda card: card.update(extra))
    write("uv.lock", "pinned\n")
    sha = commit("Merge pull request #8: rounder")
    tagged()
    found = told("v0.2.0")
    assert found["model"] == f"{NAME} v0.2.0, {read_decision()['candidate']}"
    assert found["released by"] == f"flywheel on {TODAY}"
    assert found["code"] == f"{sha}: Merge pull request #8: rounder"
    assert found["trained as of"] == "2030-02-01, with labels known before 2030-01-01"
    assert found["training window"] == "2029-02-03 to 2030-01-05"
    assert found["libraries"] == "lightgbm 4.7.1; uv.lock 9ab51bdecd21b5d920fc3692a24cef36"
    assert found["contract"] == "1.0"
    assert found["recipe: train"] == "rate: 1.0, stop: {days: 2, rounds: 5}, trees: 3"
    assert (EVENTS, FEATURES) == (found["data: data/events"], found["data: data/features"])
    assert found["decision"] == "pass as of 2030-02-01, against v0.1.0"
    assert found["accepted"] == "no acceptance"
    assert "not known" not in found


def test_it_is_about_the_version_and_not_about_the_tree() -> None:
    """By default the one that serves, also after a rollback; whatever has been committed since."""
    serve.release(NAME, compose)
    first = git("rev-parse", "HEAD")
    before = explain(NAME)
    take_over_champion(NAME)
    retrain(LOSS, "other\n", "v0.2.0")
    commit()
    serve.release(NAME, compose, "it must be")
    assert told()["model"].startswith(f"{NAME} v0.3.0")
    assert told()["forced"] == "it must be"
    serve.rollback(NAME, None, "it must not")
    assert before == explain(NAME) == explain(NAME, "v0.2.0")
    assert told()["code"].startswith(first)


def test_who_accepted_is_said() -> None:
    """With the reason, and the day up to which it held."""
    retrain(UNCLEAR)
    accept(read_decision(), "cheaper", "Ada", TODAY)
    commit()
    serve.release(NAME, compose)
    assert told()["accepted"] == f"by Ada, up to {TODAY + dt.timedelta(days=30)}: cheaper"
    assert told()["decision"] == "inconclusive as of 2030-02-01, against v0.1.0"


def test_the_commands_name_the_commit_and_the_overrides_of_its_run() -> None:
    """As a shell reads them, whatever is in an override; they run what the commit has, not what the tree has now."""
    overrides = ["size=tiny", "project.note='a b; rm $HOME'"]
    text = Path("params.yaml").read_text()
    note = '# Overrides: ["size=tiny", "project.note=\'a b; rm $HOME\'"]\n'
    write("params.yaml", note + text)
    sha = commit()
    tagged()
    write("params.yaml", text)
    commit()
    made = explain(NAME, "v0.2.0").commands
    assert made[0] == f"git worktree add --detach ../{NAME}-v0.2.0 {sha}"
    assert made[1:3] == [f"cd ../{NAME}-v0.2.0", "make setup"]
    assert [".venv/bin/flywheel", "run", *overrides] == shlex.split(made[3])
    assert made[4] == f"git diff --exit-code {sha} -- models/candidate dvc.lock"


@pytest.mark.parametrize(
    ("path", "row"),
    [
        ("dvc.lock", "data"),
        ("params.yaml", "recipe"),
        ("dvc.yaml", "data"),
        ("reports/decision.json", "not known"),
        ("reports/metrics.json", "not known"),
    ],
)
@pytest.mark.parametrize("text", ["[", "[]", None], ids=["broken", "another shape", "gone"])
def test_what_cannot_be_read_is_a_row_that_says_so(path: str, row: str, text: str | None) -> None:
    """A release of an older version is explained as far as it can be."""
    write(path, text) if text else Path(path).unlink()
    commit()
    tagged()
    found = told("v0.2.0")
    assert found["training window"] == "2029-01-01 to 2030-01-01"
    if (path, text) != ("params.yaml", "[]"):  # it holds no section, so there is none to show
        assert path.removeprefix("reports/") in found[row]
    assert "recipe: train" not in found or path != "params.yaml"


def test_a_version_that_is_not_there_is_refused() -> None:
    """With those that are, and what the champion of the tree is where no tag made it."""
    with pytest.raises(
        ConfigError, match=r"^nothing serves yet; released versions: none\. The champion in this tree is v0\.1\.0"
    ):
        explain(NAME)
    serve.release(NAME, compose)
    with pytest.raises(ConfigError, match=r"^found 'v9\.9\.9'; released versions: v0\.2\.0\."):
        explain(NAME, "v9.9.9")


def test_a_lightweight_tag_says_nothing() -> None:
    """Nobody released it."""
    run_pipeline()
    git("tag", f"{NAME}@v0.2.0")
    assert told("v0.2.0")["released by"] == "its tag is not annotated, so it says nothing"
