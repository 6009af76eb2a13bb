"""`flywheel thanks`: which days a version learned from, and lines of JSON for those who were right."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any

import pytest

from flywheel.cli.releasing import thanks
from flywheel.errors import ConfigError
from flywheel.loop.thanks import release_of
from flywheel.release.settings import ThanksParams
from tests.planted import feedback, prediction, settings, write_valid
from tests.unit.release.conftest import NAME, commit, edit, git

pytestmark = pytest.mark.usefixtures("repository")
WINDOW = {"training_window": ["2030-01-02", "2030-01-10"], "labels_known_before": "2030-01-10"}


def released(version: str = "v0.2.0") -> None:
    """A tag on a commit whose card names the window; afterwards the tree has another candidate."""
    edit("models/candidate/card.json", lambda card: card.update(WINDOW))
    commit("learned")
    git("tag", "-a", f"{NAME}@{version}", "-m", "gate: pass")
    edit("models/candidate/card.json", lambda card: card.update(training_window=["2031-01-01", "2031-01-02"]))
    commit("another")


def test_the_window_is_that_of_the_commit_of_the_tag() -> None:
    """Not of what is in the tree."""
    released()
    found = release_of(NAME, "v0.2.0")
    assert (dt.date(2030, 1, 2), dt.date(2030, 1, 10)) == (found["start"], found["end"])


def test_the_champion_in_the_tree_is_known_without_its_tag() -> None:
    """As in a clone without tags; any other version is refused, with those that there are."""
    edit("models/champion/card.json", lambda card: card.update(WINDOW, version="v0.1.0"))
    assert dt.date(2030, 1, 10) == release_of(NAME, "v0.1.0")["known_before"]
    released()
    with pytest.raises(ConfigError, match=r"found 'v0\.3\.0'; released versions: v0\.2\.0, v0\.1\.0"):
        release_of(NAME, "v0.3.0")
    with pytest.raises(ConfigError, match="found ''"):
        release_of(NAME, "")


def test_who_was_right_gets_a_line_and_nobody_else(capsys: pytest.CaptureFixture[str]) -> None:
    """Two say the same, one says otherwise; with a clock before the model was made nothing is said."""
    released()
    said = [
        feedback(f"f{user}", "p", "07T00", channel="report", source_id=user, value=value)
        for user, value in (("eve", 0.0), ("bob", 1.0), ("ann", 1.0))
    ]
    write_valid({5: [prediction("p", "05T12")], 7: []}, {5: [], 7: said})
    write_clock("2030-02-01")
    thanks("v0.2.0")
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [("ann", "v0.2.0", 1), ("bob", "v0.2.0", 1)] == [
        (one["user"], one["version"], one["claims"]) for one in lines
    ]
    write_clock("2030-01-09")
    with pytest.raises(
        ConfigError, match="knew labels up to 2030-01-10, and the clock of this tree stands at 2030-01-09"
    ):
        thanks("v0.2.0")


def write_clock(day: str) -> None:
    """Into the tree's params, with the engine's label settings."""

    def change(params: dict[str, Any]) -> None:
        params["clock"].update(as_of=day, follow="today")
        params["label"] = settings(ThanksParams).label.model_dump(mode="json")

    edit("params.yaml", change)
