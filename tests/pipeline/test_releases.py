"""A release on real results: tagged by the command, whole in the audit, and taken over by the next tick.

What is refused, and why, is tested in tests/unit/release on small repositories.
"""

from __future__ import annotations

import pytest

from tests.conftest import Clone

pytestmark = pytest.mark.slow


def test_a_release_is_two_tags_and_a_tick_takes_it_over(losing_copy: Clone) -> None:
    """Every link holds; the next tick compares with that model under that version; an edit after the run is refused."""
    assert losing_copy.json("reports/decision.json")["verdict"] != "pass"
    refused = losing_copy.flywheel("release", check=False)
    assert refused.returncode == 4
    assert "Traceback" not in refused.stderr
    said = losing_copy.flywheel(
        "release", "--force", "größer 日本", LC_ALL="C", PYTHONUTF8="0", PYTHONCOERCECLOCALE="0"
    ).stdout
    name, version = said.split()[0].split("@")
    assert set(losing_copy.git("tag").splitlines()) == {f"{name}@{version}", f"{name}#prod#1"}
    assert "forced: größer 日本" in losing_copy.git("tag", "-n9")
    assert "BROKEN" not in losing_copy.flywheel("audit").stdout
    trees = (losing_copy.path / "models/candidate/model.txt").read_bytes()

    said = losing_copy.flywheel("tick", "--days", "1").stdout
    assert f"champion  {version}, from its tag" in said
    assert "featurize 1 new days of" in said
    assert (losing_copy.path / "models/champion/model.txt").read_bytes() == trees
    assert losing_copy.json("models/champion/card.json")["version"] == version
    assert losing_copy.json("reports/decision.json")["champion"] == version
    assert version in losing_copy.flywheel("status").stdout

    losing_copy.commit("the next turn")
    with (losing_copy.path / "src/flywheel/stages/train.py").open("a") as code:
        code.write("# changed after the run\n")
    losing_copy.commit("an edit")
    refused = losing_copy.flywheel("release", "--force", "x", check=False)
    assert refused.returncode == 3
    assert "src/flywheel/stages/train.py is not what train read" in refused.stderr
