"""The champion follows what serves: it is taken over where the candidate was compared with another model."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from flywheel.model.card import read_champion
from flywheel.model.contract import read_champion_contract
from flywheel.release import serve
from flywheel.release.champion import follow_production, read_serving, released_as, take_over_champion
from tests.unit.release.conftest import CONTRACT, NAME, commit, compose, edit, git, retrain, write_model

pytestmark = pytest.mark.usefixtures("repository")


def champion_version() -> str | None:
    card = read_champion()
    return card["version"] if card else None


def test_where_nothing_serves_the_champion_stays() -> None:
    """Nothing is read, and nothing written."""
    assert read_serving(NAME) is None
    assert take_over_champion(NAME) is None
    assert follow_production(NAME) is None
    assert released_as(NAME) is None
    assert git("status", "--porcelain") == ""


@pytest.mark.parametrize("has_one", [True, False])
def test_what_serves_replaces_another_champion(has_one: bool) -> None:
    """Also where there was none."""
    serve.release(NAME, compose)
    write_model("models/candidate", "newer\n", None)
    if not has_one:
        for path in list(Path("models/champion").iterdir()):
            path.unlink()
    assert follow_production(NAME) == "v0.2.0"
    assert champion_version() == "v0.2.0"
    assert Path("models/champion/model.txt").read_text() == "new\n"


def test_a_champion_that_serves_is_not_taken_over_again() -> None:
    """Whatever the candidate is: a file that is written again would look like a change to a person."""
    serve.release(NAME, compose)
    write_model("models/candidate", "newer\n", None)
    write_model("models/champion", "as it is\n", "v0.2.0")
    assert follow_production(NAME) is None
    assert Path("models/champion/model.txt").read_text() == "as it is\n"


def test_a_candidate_that_serves_keeps_the_champion_that_it_beat() -> None:
    """It does the same also when its card says other things."""
    serve.release(NAME, compose)
    edit("models/candidate/card.json", lambda card: card.update(positive_share=0.1))
    assert follow_production(NAME) is None
    assert champion_version() == "v0.1.0"


def test_a_candidate_that_was_released_before_is_known_by_its_newest_version() -> None:
    """On another commit than its own: there it is the release itself, which may have to be finished."""
    serve.release(NAME, compose)
    assert released_as(NAME) is None
    commit("nothing new")
    assert released_as(NAME) == "v0.2.0"
    git("tag", "-a", f"{NAME}@v0.3.0", "-m", "x")
    commit("nothing new again")
    assert released_as(NAME) == "v0.3.0"
    retrain(trees="newer\n")
    assert released_as(NAME) is None


def test_the_version_is_on_the_card_that_is_read_and_not_in_the_commit() -> None:
    """The candidate's card has none: its release gave it one."""
    serve.release(NAME, compose)
    serving = read_serving(NAME)
    assert serving is not None
    assert serving.version == json.loads(serving.texts["card.json"])["version"] == "v0.2.0"
    assert [*serving.texts] == ["model.txt", "calibration.json", "contract.json", "card.md", "card.json"]
    assert json.loads(Path("models/candidate/card.json").read_text())["version"] is None


def test_the_contract_comes_with_the_champion() -> None:
    """As its commit has it, not as the tree's candidate has it now."""
    serve.release(NAME, compose)
    write_model("models/candidate", "newer\n", None, CONTRACT | {"version": "7.0"})
    assert take_over_champion(NAME) == "v0.2.0"
    assert json.loads(Path("models/champion/contract.json").read_text()) == CONTRACT


def test_a_champion_from_before_there_were_contracts_is_taken_over_without_one() -> None:
    """Also by a rollback; the contract of the champion that it replaces does not stay."""
    write_model("models/candidate", "older\n", None, contract=None)
    commit("an older model")
    git("tag", "-a", f"{NAME}@v0.2.0", "-m", "v0.2.0: gate: pass, as of 2030-02-01")
    retrain(trees="newer\n")
    commit("a newer one")
    git("tag", "-a", f"{NAME}@v0.3.0", "-m", "v0.3.0: gate: pass, as of 2030-02-01")
    git("tag", "-a", f"{NAME}#prod#1", "-m", "v0.3.0 to prod: gate: pass, as of 2030-02-01")
    assert take_over_champion(NAME) == "v0.3.0"
    assert Path("models/champion/contract.json").exists()
    serve.rollback(NAME, "v0.2.0", "too new")
    assert take_over_champion(NAME) == "v0.2.0"
    assert not Path("models/champion/contract.json").exists()
    assert read_champion_contract() == {"numeric": ["size"], "categorical": {}}
