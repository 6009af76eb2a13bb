"""Rulesets as files: the plan says what differs, applying it makes the plan empty, and other rulesets stay."""

from __future__ import annotations

import copy
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from flywheel.errors import DataError
from flywheel.github.client import GitHub as Client
from flywheel.github.rulesets import apply, differences, plan, unowned, wanted
from tests.conftest import ROOT
from tests.workflows.server import REPOSITORY, GitHub

OURS = wanted(ROOT / ".github/rulesets")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[GitHub]:
    subprocess.run(["git", "init", "-q", "--bare", str(tmp_path / "origin")], check=True)
    with GitHub(tmp_path / "origin") as found:
        yield found


def steps(server: GitHub) -> dict[str, tuple[str, list[str]]]:
    return {one.name: (one.action, one.differences) for one in plan(Client(REPOSITORY, "app", server.address), OURS)}


def do(server: GitHub) -> None:
    client = Client(REPOSITORY, "app", server.address)
    apply(client, plan(client, OURS))


def test_a_plan_changes_nothing_and_applying_it_twice_changes_nothing_more(server: GitHub) -> None:
    """First all are made, then all are kept."""
    assert steps(server) == {name: ("make", []) for name in OURS}
    assert server.rulesets == []
    do(server)
    assert steps(server) == {name: ("keep", []) for name in OURS}
    made = copy.deepcopy(server.rulesets)
    do(server)
    assert server.rulesets == made


def test_a_ruleset_that_was_changed_there_is_named_and_put_back(server: GitHub) -> None:
    """And one that people made there is left alone."""
    do(server)
    theirs = {"id": 1, "name": "theirs", "enforcement": "active", "rules": [], "source_type": "Repository"}
    server.rulesets.append(theirs)
    main = next(one for one in server.rulesets if one["name"] == "main")
    main["enforcement"] = "disabled"
    assert steps(server)["main"] == ("change", ['enforcement: "disabled" there, "active" wanted'])
    do(server)
    assert steps(server)["main"] == ("keep", [])
    assert theirs in server.rulesets


def weaken(ruleset: dict[str, Any], kind: str) -> None:
    """What somebody in a hurry does."""
    rules = ruleset["rules"]
    checks = next(rule for rule in rules if rule["type"] == "required_status_checks")["parameters"]
    if kind == "check":
        checks["required_status_checks"].pop()
    elif kind == "rule":
        rules.pop(0)
    elif kind == "bypass":
        ruleset["bypass_actors"] = [{"actor_id": 1, "actor_type": "OrganizationAdmin", "bypass_mode": "always"}]
    elif kind == "branch":
        ruleset["conditions"]["ref_name"]["exclude"] = ["refs/heads/main"]
    elif kind == "reviews":
        next(rule for rule in rules if rule["type"] == "pull_request")["parameters"]["require_code_owner_review"] = (
            False
        )


@pytest.mark.parametrize("kind", ["check", "rule", "bypass", "branch", "reviews"])
def test_every_way_to_weaken_a_ruleset_is_a_difference(kind: str) -> None:
    """A check less, a rule less, somebody who may pass by, a branch left out, no owners."""
    theirs = copy.deepcopy(OURS["main"])
    weaken(theirs, kind)
    assert differences(OURS["main"], theirs)


def test_order_and_githubs_own_fields_are_no_difference() -> None:
    """GitHub gives rules in its order, and adds ids, links and defaults."""
    theirs = copy.deepcopy(OURS["main"]) | {"id": 7, "_links": {}, "node_id": "x"}
    theirs["rules"].reverse()
    for rule in theirs["rules"]:
        if rule["type"] == "required_status_checks":
            rule["parameters"]["do_not_enforce_on_create"] = False
            rule["parameters"]["required_status_checks"].reverse()
    assert differences(OURS["main"], theirs) == []


@pytest.mark.parametrize("text", ["{", "[]", '{"rules": []}', None])
def test_a_folder_without_rulesets_or_with_a_broken_one_is_an_error(text: str | None, tmp_path: Path) -> None:
    """Nothing is applied then."""
    if text is not None:
        (tmp_path / "main.json").write_text(text)
    with pytest.raises(DataError, match="ruleset"):
        wanted(tmp_path)


def test_lines_without_an_owner_are_listed() -> None:
    """Comments and empty lines own nothing."""
    assert unowned("# a\n\n/src/ @ada\n/conf/   # nobody\n*.md\n") == ["/conf/", "*.md"]


def test_the_files_are_what_githubs_interface_takes() -> None:
    """A name, a target, where it holds, and rules."""
    for one in OURS.values():
        assert {"name", "target", "enforcement", "conditions", "rules"} <= set(one)
        assert json.dumps(one)
