"""Releases, rollbacks and ticks: what the tags say, and what is refused."""

from __future__ import annotations

import json

import pytest

from tests.conftest import Clone

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("two")]


def plant_a_win(clone: Clone) -> None:
    """Evidence of a candidate that is better in everything, committed with the decision that follows from it."""
    metrics = clone.json("reports/metrics.json")
    reference = "champion" if "champion" in metrics else "served"
    for metric, difference in metrics["difference"][reference].items():
        sign = -1 if metric in ("log_loss", "brier", "ece") else 1
        difference.update({"value": 0.2 * sign, "low": 0.2 * sign - 0.1, "high": 0.2 * sign + 0.1})
    metrics["candidate"]["ece"]["value"] = 0.01
    (clone.path / "reports/metrics.json").write_text(json.dumps(metrics))
    (clone.path / "reports/cohorts.json").write_text(
        json.dumps({"all": {"all": {"rows": 9999, "difference": metrics["difference"]}}})
    )
    clone.run("python", "-m", "flywheel.stages.gate")
    clone.commit("a planted win")


def test_a_release_is_two_tags_and_a_tick_takes_it_over(tiny_copy: Clone) -> None:
    """The version and prod are on the commit that trained; the next tick compares with that model under that version."""
    plant_a_win(tiny_copy)
    said = tiny_copy.flywheel("release").stdout
    assert "serves as flight-disruption#prod#1" in said
    version = said.split()[0].split("@")[1]
    tags = set(tiny_copy.git("tag").splitlines())
    assert tags == {f"flight-disruption@{version}", "flight-disruption#prod#1"}
    head = tiny_copy.git("rev-parse", "HEAD")
    assert {tiny_copy.git("rev-list", "-n1", tag) for tag in tags} == {head}
    trees = (tiny_copy.path / "models/candidate/model.txt").read_bytes()

    said = tiny_copy.flywheel("tick", "--days", "1").stdout
    assert f"champion  {version}, from its tag" in said
    assert (tiny_copy.path / "models/champion/model.txt").read_bytes() == trees
    assert tiny_copy.json("models/champion/card.json")["version"] == version
    assert tiny_copy.json("reports/decision.json")["champion"] == version
    assert version in tiny_copy.flywheel("status").stdout


def test_what_the_gate_does_not_pass_is_not_released(tiny_copy: Clone) -> None:
    """Exit code 4, every open rule with its reason, and no tag."""
    assert tiny_copy.json("reports/decision.json")["verdict"] == "fail"
    refused = tiny_copy.flywheel("release", check=False)
    assert refused.returncode == 4
    assert "better log loss" in refused.stderr
    assert "Traceback" not in refused.stderr
    assert tiny_copy.git("tag") == ""


def test_a_forced_release_carries_its_reason(tiny_copy: Clone) -> None:
    """Who reads the tag reads why."""
    tiny_copy.flywheel("release", "--force", "the feed was down")
    message = tiny_copy.git("tag", "-n9")
    assert "gate: fail" in message
    assert "forced: the feed was down" in message


def test_an_empty_reason_is_no_reason(tiny_copy: Clone) -> None:
    """--force "" and --why " " are refused."""
    assert tiny_copy.flywheel("release", "--force", " ", check=False).returncode == 2
    tiny_copy.flywheel("release", "--force", "first")
    refused = tiny_copy.flywheel("rollback", "--to", "v0.9.0", "--why", " ", check=False)
    assert refused.returncode == 2


def test_a_dirty_tree_is_not_released(tiny_copy: Clone) -> None:
    """The tag would name a commit that is not what was measured."""
    plant_a_win(tiny_copy)
    (tiny_copy.path / "conf/config.yaml").write_text("# changed\n")
    refused = tiny_copy.flywheel("release", check=False)
    assert refused.returncode == 3
    assert "conf/config.yaml" in refused.stderr
    assert tiny_copy.git("tag") == ""


def test_a_decision_that_the_evidence_does_not_bear_out_is_not_released(tiny_copy: Clone) -> None:
    """Writing "pass" into decision.json is not enough."""
    path = tiny_copy.path / "reports/decision.json"
    path.write_text(path.read_text().replace('"verdict": "fail"', '"verdict": "pass"'))
    tiny_copy.commit("a forged decision")
    refused = tiny_copy.flywheel("release", check=False)
    assert refused.returncode == 3
    assert "not what the evidence" in refused.stderr


def test_another_model_than_the_measured_one_is_not_released(tiny_copy: Clone) -> None:
    """The decision names the model that it is about."""
    plant_a_win(tiny_copy)
    path = tiny_copy.path / "models/candidate/model.txt"
    path.write_text(path.read_text() + "\n")
    tiny_copy.commit("another model")
    refused = tiny_copy.flywheel("release", check=False)
    assert refused.returncode == 3
    assert "another model" in refused.stderr


def test_rollback_moves_prod_back_and_says_why(tiny_copy: Clone) -> None:
    """The older version serves again under a new prod number; the refusals say what is allowed."""
    plant_a_win(tiny_copy)
    first = tiny_copy.flywheel("release").stdout.split()[0].split("@")[1]
    again = tiny_copy.flywheel("release", check=False)
    assert again.returncode == 3
    assert "released already" in again.stderr
    tiny_copy.commit("the next one")
    tiny_copy.run(
        "python",
        "-c",
        "from flywheel.release.champion import take_over_champion; take_over_champion('flight-disruption')",
    )
    tiny_copy.run("dvc", "repro", "-q")
    plant_a_win(tiny_copy)
    second = tiny_copy.flywheel("release").stdout.split()[0].split("@")[1]
    assert second != first

    unknown = tiny_copy.flywheel("rollback", "--to", "v9.9.9", "--why", "x", check=False)
    assert unknown.returncode == 2
    assert first in unknown.stderr
    serving = tiny_copy.flywheel("rollback", "--to", second, "--why", "x", check=False)
    assert "serves already" in serving.stderr
    tiny_copy.flywheel("rollback", "--to", first, "--why", "alerts doubled")
    assert "alerts doubled" in tiny_copy.git("tag", "-n9", "-l", "flight-disruption#prod#3")
    assert f"{first} (#3" in tiny_copy.flywheel("status").stdout


def test_a_candidate_compared_with_another_champion_is_not_released(tiny_copy: Clone) -> None:
    """After a release, a decision against the champion before it is out of date."""
    plant_a_win(tiny_copy)
    tiny_copy.flywheel("release")
    tiny_copy.commit("nothing new")
    refused = tiny_copy.flywheel("release", check=False)
    assert refused.returncode == 3
    assert "flywheel tick" in refused.stderr


def test_the_gate_enforces_when_asked(tiny_copy: Clone) -> None:
    """Exit code 0 for any verdict, 4 with --enforce for all but a pass."""
    assert tiny_copy.flywheel("gate").returncode == 0
    assert tiny_copy.flywheel("gate", "--enforce", check=False).returncode == 4
    plant_a_win(tiny_copy)
    assert tiny_copy.flywheel("gate", "--enforce").returncode == 0
