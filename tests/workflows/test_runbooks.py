"""The runbooks are true: their commands are run, and what they promise is then there."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import pytest

from tests.conftest import LATE_DAYS, ROOT, Clone
from tests.workflows.conftest import Actions

pytestmark = pytest.mark.slow


STAGES = ["collect", "validate", "label", "featurize", "train", "evaluate", "gate", "monitor", "report"]


def commands(name: str) -> list[str]:
    """The bash blocks of a runbook."""
    found = re.findall(r"```bash\n(.*?)```", (ROOT / f"docs/runbooks/{name}.md").read_text(), re.DOTALL)
    assert found
    return found


def follow(clone: Clone, block: str) -> str:
    """What the commands of a block print; the first that fails fails the test."""
    return clone.run("bash", "-euo", "pipefail", "-c", block).stdout


def test_halt(actions: Actions) -> None:
    """The variable is set with the reason, releases and retrains refuse with it, and resume deletes it."""
    first, second = commands("halt")
    follow(actions.work, first)
    assert actions.github.variables == {"FLYWHEEL_HALT": "labels of 3 May are wrong"}
    for command in ("release", "retrain"):
        refused = actions.work.flywheel(command, check=False, **actions.github.variables)
        assert refused.returncode == 4
        assert "labels of 3 May are wrong" in refused.stderr
    follow(actions.work, second)
    assert actions.github.variables == {}


def test_roll_back(actions: Actions) -> None:
    """prod is on the version before, at origin; the tag and an issue have the reason."""
    actions.work.flywheel("release", "--publish")
    take_over = "from flywheel.release.champion import take_over_champion; take_over_champion('parcel-delay')"
    actions.work.run("python", "-c", take_over)
    actions.work.flywheel("run")  # the same model again, which is no better than itself
    actions.push("main")
    actions.work.flywheel("release", "--force", "to have a second version")
    actions.work.git("push", "-q", "--tags", "origin")
    assert actions.sha("parcel-delay#prod#2^{commit}") == actions.sha("parcel-delay@v0.3.0^{commit}")
    [block] = commands("roll-back")
    said = follow(actions.work, block)
    assert re.search(r"prod\s+v0\.2\.0 \(#3", said)
    assert actions.sha("parcel-delay#prod#3^{commit}") == actions.sha("parcel-delay@v0.2.0^{commit}")
    [issue] = actions.github.issues
    assert "alerts doubled since 3 May" in issue["body"]
    actions.work.commit("something else")
    assert "Nothing to release" in actions.work.flywheel("release", "--publish").stdout  # it stays taken back


@pytest.fixture
def alone(tiny_copy: Clone) -> Clone:
    """A clone with a tiny run, in which `make` finds what is installed."""
    tiny_copy.install()
    return tiny_copy


def test_restore_data(alone: Clone) -> None:
    """Whole again after a loss, and after beginning from nothing, with another number of threads: the same bytes of all
    stages, and Git sees no difference. The model is more than a constant.
    """
    assert alone.json("models/candidate/card.json")["trees"] > 5
    alone.env["OMP_NUM_THREADS"] = "2"
    before = alone.hashes()
    for block in commands("restore-data"):
        said = follow(alone, block)
        assert "M " not in said
        assert alone.git("status", "--porcelain") == ""
        assert alone.hashes() == before
        assert (alone.path / "data/labels.parquet").exists()
    ran = [line.split()[0] for line in said.splitlines() if line.endswith(" s)")]
    assert ran == STAGES  # the last block begins from nothing


def test_correct_history(late_copy: Clone) -> None:
    """The days that the report names are collected again, with the reason on record; and a revert takes them back."""
    [block] = commands("correct-history")
    before = late_copy.hashes()
    said = follow(late_copy, block)
    assert re.search(r"rows\t60 changed", said)
    [record] = late_copy.json("data/events/corrections.json")
    assert (LATE_DAYS, "the scanner was offline until noon") == ((record["first"], record["last"]), record["why"])
    assert "data/events/feedback" in (late_copy.path / "difference.md").read_text()
    assert {" M dvc.lock", " M reports/report.md"} <= set(said.splitlines())
    assert "data/late" not in (late_copy.path / "reports/report.md").read_text()
    late_copy.commit("a correction")
    follow(late_copy, "git revert --no-edit HEAD && flywheel restore && flywheel run")
    assert before == late_copy.hashes()
    assert "" == late_copy.git("status", "--porcelain")


def test_forget_a_person(tiny_copy: Clone) -> None:
    """Somebody to whom predictions were served: only data and reports change; once committed, nothing older holds them."""
    tiny_copy.env["PERSON"] = "user 57"
    forgetting, purging = commands("forget-a-person")
    said = follow(tiny_copy, forgetting)
    assert {" M docs/forgotten.yaml", " M dvc.lock", " M reports/quality.json", " M reports/report.md"} == {
        line for line in said.splitlines() if line.startswith(" M ")
    }
    tiny_copy.commit("somebody is forgotten")
    said = follow(tiny_copy, purging)
    assert re.search(r"commit    \w{10}: \d+ files of its data still hold them", said)
    assert re.search(r"cache     [1-9]\d* files deleted", said)
    assert "cache     0 files" in follow(tiny_copy, purging)


def test_rotate_keys(alone: Clone) -> None:
    """Other ids, hence other hashes; the model and its numbers are the same."""
    hashes, measured = alone.hashes(), alone.json("reports/metrics.json")
    [block] = commands("rotate-keys")
    assert "dvc.lock" in follow(alone, block)
    assert alone.hashes()["data/events"] != hashes["data/events"]
    assert alone.json("reports/metrics.json") == measured
    assert alone.hashes()["models/candidate"] == hashes["models/candidate"]
    mixed = alone.flywheel("run", "--force", check=False)
    assert "Two worlds do not mix" in mixed.stdout + mixed.stderr


def test_add_a_cohort(alone: Clone) -> None:
    """Its slices are measured, and the gate judges those that are large enough."""
    before = alone.json("reports/cohorts.json")
    config = alone.path / "conf/config.yaml"
    config.write_text(
        config.read_text().replace("cohort_error: 0.05", "cohort_error: 0.000000001")
    )  # so that none is harmed, and it counts them
    [block] = commands("add-a-cohort")
    follow(alone, block)
    after = alone.json("reports/cohorts.json")
    rows = alone.json("reports/metrics.json")["about"]["window"]["rows"]

    def is_judged(one: Mapping[str, Any]) -> bool:
        return one["rows"] >= 0.02 * rows and min(one["positives"], one["rows"] - one["positives"]) >= 30

    large = [member for member in after["time_of_day"].values() if is_judged(member)]
    n = len(large) + sum(is_judged(member) for group in before.values() for member in group.values())
    [rule] = [rule for rule in alone.json("reports/decision.json")["rules"] if rule["rule"] == "cohorts"]
    assert large
    assert rule["reason"].startswith(f"None of {n} cohorts loses more than 0.02 ")
