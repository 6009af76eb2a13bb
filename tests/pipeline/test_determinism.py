"""The same inputs give the same bytes, however often and in however many steps."""

from __future__ import annotations

import fcntl
from collections.abc import Callable

import pytest

from tests.conftest import AS_OF, Clone

pytestmark = pytest.mark.slow


def test_several_ticks_give_the_same_hashes_as_one_run(tiny: Clone, new_clone: Callable[[str], Clone]) -> None:
    """Incremental equals full: data, labels, features, models and reports. A tick does not even write a past day again,
    and ends what was killed after it had moved the clock, so that no verdict is skipped.
    """
    stepwise = new_clone("stepwise")
    stepwise.move_clock("2031-04-07")
    stepwise.flywheel("run")
    before = written(stepwise)
    stepwise.move_clock(AS_OF)  # as a tick does it before it is killed
    said = stepwise.flywheel("tick", "--days", "7").stdout
    assert f"{AS_OF}: its run did not finish" in said
    assert "featurize 5 new days of" in said
    after = written(stepwise)
    assert {name: after[name] for name in before} == before
    assert len(after) - len(before) == 5
    assert stepwise.json("reports/decision.json")["as_of"] == AS_OF
    assert f"as_of: {AS_OF}" in (stepwise.path / "conf/state.yaml").read_text()
    assert stepwise.hashes() == tiny.hashes()


def written(clone: Clone) -> dict[str, int]:
    """When each day of features was written."""
    return {path.name: path.stat().st_mtime_ns for path in (clone.path / "data/features").glob("*.parquet")}


def test_a_second_run_does_nothing(tiny_copy: Clone) -> None:
    """What is up to date is left alone, and said so."""
    out = tiny_copy.flywheel("run").stdout
    assert "everything was up to date" in out
    assert "collect" not in out
    assert tiny_copy.git("status", "--porcelain") == ""


def up_to_featurize(clone: Clone) -> str:
    """What is printed when conf/ is composed, and the stages up to the features are run."""
    clone.flywheel("compose")
    return clone.run("dvc", "repro", "featurize").stdout


def test_a_changed_feature_recomputes_all_days(tiny_copy: Clone) -> None:
    """The fingerprint of code and configuration forces a full recompute of the features, and of nothing before them."""
    conf = tiny_copy.path / "conf/project/parcels.yaml"
    conf.write_text(conf.read_text().replace("parts: [hour, weekday]", "parts: [hour]"))
    out = up_to_featurize(tiny_copy)
    assert "featurize 42 new days of 42" in out
    assert out.count("Running stage") == 1


def test_a_changed_label_rule_recomputes_the_features_too(tiny_copy: Clone) -> None:
    """History features rest on the labels: what they rest on is part of the fingerprint."""
    conf = tiny_copy.path / "conf/config.yaml"
    conf.write_text(conf.read_text().replace("min_votes: 1", "min_votes: 2"))
    assert "featurize 42 new days of 42" in up_to_featurize(tiny_copy)


def test_two_commands_at_once_do_not_mix(tiny_copy: Clone) -> None:
    """The second one ends at once, before it changes anything: exit code 3 and one sentence."""
    (tiny_copy.path / ".flywheel").mkdir(exist_ok=True)
    with (tiny_copy.path / ".flywheel/lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for command in (["run", "clock.as_of=2031-04-14"], ["tick"], ["compose", "size=full"]):
            refused = tiny_copy.flywheel(*command, check=False)
            assert (refused.returncode, refused.stdout) == (3, "")
            assert "another flywheel command is running" in refused.stderr
    assert tiny_copy.git("status", "--porcelain") == ""


def test_at_the_end_of_the_data_a_tick_says_so_and_changes_nothing(tiny_copy: Clone) -> None:
    """A polite sentence, exit code 0; the last days are taken where fewer are left than asked for."""
    tiny_copy.move_clock("2031-04-30")
    decision = tiny_copy.path / "reports/decision.json"
    decision.write_text(decision.read_text().replace('"as_of": "2031-04-12"', '"as_of": "2031-04-30"'))
    before = tiny_copy.git("status", "--porcelain")
    assert "the end of the data" in tiny_copy.flywheel("tick").stdout
    assert {*before.splitlines(), "M params.yaml", " M params.yaml"} >= set(
        tiny_copy.git("status", "--porcelain").splitlines()
    )


def test_a_changed_source_brings_nothing_in_again(tiny_copy: Clone) -> None:
    """DVC sees that the project's code has changed; arrived days stay as they are, and so does all that rests on them."""
    code = tiny_copy.path / "src/parcels/source.py"
    code.write_text(code.read_text() + "# changed\n")
    out = tiny_copy.flywheel("run").stdout
    assert "collect   0 new days of 42" in out
    assert "featurize 0 new days of 42" in out
    assert "train" not in out.split("verdict")[0]


def test_a_changed_derived_feature_is_computed_again_by_dvc_alone(tiny_copy: Clone) -> None:
    """`dvc repro`, without `flywheel`, notices as well; nothing is brought in or checked again."""
    code = tiny_copy.path / "src/parcels/features.py"
    code.write_text(code.read_text() + "# changed\n")
    out = tiny_copy.run("dvc", "repro", "featurize").stdout
    assert "collect   0 new days of 42" in out
    assert "featurize 42 new days of 42" in out
    assert "Running stage 'validate'" not in out
