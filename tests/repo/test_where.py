"""docs/where.md and the recipes of CONTRIBUTING name files, functions, classes and keys that are there."""

from __future__ import annotations

import re

from tests.conftest import ROOT
from tests.documents import missing

WHERE = (ROOT / "docs/where.md").read_text()


def test_every_answer_is_there() -> None:
    """Each question has a file and at least one name, and the file has all of its names."""
    answers = re.findall(r"^\| .+\? \| `[^`]+` \| `[^`]+`(?:, `[^`]+`)* \|$", WHERE, re.MULTILINE)
    assert [line for line in WHERE.splitlines() if "?" in line and line.startswith("|") and line not in answers] == []
    assert len(answers) >= 25
    assert missing(WHERE) == []


def test_every_room_is_asked_about() -> None:
    """A room that nobody can find is missing in the map."""
    rooms = {path.parent.name for path in (ROOT / "src/flywheel").glob("*/__init__.py")} - {"cli", "stages"}
    assert {room for room in rooms if f"src/flywheel/{room}/" not in WHERE} == set()


def test_the_recipes_touch_what_is_there() -> None:
    """Five recipes, whose files and names exist."""
    [recipes] = re.findall(r"^## Recipes\n(.*?)^## ", (ROOT / "CONTRIBUTING.md").read_text(), re.MULTILINE | re.DOTALL)
    assert re.findall(r"^\*\*(.+)\*\*$", recipes, re.MULTILINE) == [
        "A metric",
        "A rule of the gate",
        "An alert",
        "A source",
        "A feature",
    ]
    steps = re.sub(r"\n +", " ", recipes)  # a step is one line
    assert missing(steps) == []


def test_a_name_that_is_gone_is_noticed() -> None:
    """The reader of documents sees methods and keys, and misses what is not defined but only mentioned."""
    assert missing("`src/flywheel/evaluation/settings.py` `Costs.threshold`, `Costs`") == []
    assert missing("`conf/config.yaml` `gate.change.better`") == []
    assert missing(
        "`src/flywheel/evaluation/settings.py` `Costs.nothing`, `wrong`; `conf/config.yaml` `gate.nothing`"
    ) == [
        "src/flywheel/evaluation/settings.py: Costs.nothing",
        "src/flywheel/evaluation/settings.py: wrong",
        "conf/config.yaml: gate.nothing",
    ]
    assert missing("`src/flywheel/nowhere.py`") == ["src/flywheel/nowhere.py"]
