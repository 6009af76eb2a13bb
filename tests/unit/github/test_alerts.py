"""Alerts become issues, one each, and tiers become dispatches: asserted on a stateful stand-in for GitHub."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from flywheel import git
from flywheel.cli import collaborating
from flywheel.github import alerts
from flywheel.github.actions import Run
from flywheel.github.alerts import LABEL, TITLES, respond, say_that_monitoring_failed, sync_issues
from flywheel.github.client import GitHub as Client
from flywheel.loop.settings import Automation
from tests.conftest import ROOT
from tests.workflows.server import REPOSITORY, GitHub

RUN = Run("schedule", {}, "", "https://example.com/run", False)
CONTRACT = {"alert": "contract", "tier": "urgent", "reason": "3% of the rows broke the contract."}
DRIFT = {"alert": "drift", "tier": "drift", "reason": "The world has moved."}


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[GitHub]:
    """A repository at the stand-in that has the workflows of this one, because a dispatch is checked against them."""
    for name, value in git.BOT.items():
        monkeypatch.setenv(name, value)
    work = tmp_path / "work"
    shutil.copytree(ROOT / ".github", work / ".github")
    for command in (["init", "-q", "-b", "main"], ["add", "."], ["commit", "-qm", "x"]):
        subprocess.run(["git", "-C", work, *command], check=True)
    subprocess.run(["git", "clone", "-q", "--bare", work, tmp_path / "origin"], check=True)
    monkeypatch.chdir(work)
    with GitHub(tmp_path / "origin") as found:
        yield found


def client(server: GitHub) -> Client:
    return Client(REPOSITORY, "workflow", server.address)


def decided(tier: str, *alerts: dict[str, str], as_of: str = "2030-01-02") -> dict[str, Any]:
    return {"as_of": as_of, "tier": tier, "reason": f"{tier}: because.", "alerts": list(alerts)}


def act(server: GitHub, found: dict[str, Any], halted: str | None = None, rollback: bool = False) -> list[str]:
    automation = Automation.model_validate({"auto_merge": [], "urgent_rollback": rollback})
    return respond(client(server), RUN, found, "model", automation, halted)


def test_an_alert_is_one_issue_that_is_updated_and_closed(server: GitHub) -> None:
    """Opened with its tier as label, updated on the next day, closed with a comment when it is over."""
    sync_issues(client(server), decided("urgent", CONTRACT, DRIFT), None)
    assert [(one["title"], one["labels"]) for one in server.issues] == [
        ("The data breaks the contract", [LABEL, "urgent"]),
        ("The world has moved away from the champion's training", [LABEL, "drift"]),
    ]
    sync_issues(client(server), decided("urgent", CONTRACT, as_of="2030-01-03"), None)
    contract, drift = server.issues
    assert "As of 2030-01-03" in contract["body"]
    assert (contract["state"], drift["state"]) == ("open", "closed")
    assert "2030-01-03" in server.comments[drift["number"]][0]["body"]
    sync_issues(client(server), decided("drift", DRIFT), None)
    assert [one["state"] for one in server.issues] == ["closed", "closed", "open"]


def test_issues_of_people_are_left_alone(server: GitHub) -> None:
    """Also with our label; also when there is no text at all."""
    server.issues += [
        {"number": 1, "title": "a", "body": None, "labels": [LABEL], "state": "open"},
        {"number": 2, "title": "b", "body": "<!-- flywheel-alert: drift -->", "labels": [], "state": "open"},
    ]
    sync_issues(client(server), decided("none"), None)
    assert [one["state"] for one in server.issues] == ["open", "open"]


def test_two_issues_of_one_alert_become_one(server: GitHub) -> None:
    """The older one goes on."""
    text = "<!-- flywheel-alert: drift -->"
    server.issues += [{"number": n, "title": "", "body": text, "labels": [LABEL], "state": "open"} for n in (1, 2)]
    sync_issues(client(server), decided("drift", DRIFT), None)
    assert [one["state"] for one in server.issues] == ["open", "closed"]
    assert "#1" in server.comments[2][0]["body"]


@pytest.mark.parametrize(
    ("tier", "rollback", "older", "halted", "started"),
    [
        ("none", True, True, None, []),
        ("routine", True, True, None, ["retrain.yml"]),
        ("drift", True, True, None, ["retrain.yml"]),
        ("urgent", False, True, None, ["retrain.yml"]),
        ("urgent", True, True, None, ["rollback.yml", "retrain.yml"]),
        ("urgent", True, False, None, ["retrain.yml"]),
        ("urgent", True, True, "labels are wrong", []),
    ],
)
def test_the_tier_says_what_is_started(
    server: GitHub,
    monkeypatch: pytest.MonkeyPatch,
    tier: str,
    rollback: bool,
    older: bool,
    halted: str | None,
    started: list[str],
) -> None:
    """prod moves back only when it is urgent, conf says so and it has not moved back before; a halt starts nothing."""
    monkeypatch.setattr(alerts, "may_fall_back", lambda name: older)
    done = act(server, decided(tier), halted, rollback)
    assert [one["workflow"] for one in server.dispatched] == started
    for one in server.dispatched:
        assert one["inputs"]["why"].endswith(f"{tier}: because.")
        assert one["inputs"].get("tier", tier) == tier
    assert not halted or "labels are wrong" in done[-1]


def test_every_alert_that_the_trigger_can_raise_has_a_title_and_is_found_again(server: GitHub) -> None:
    """Also one whose name has a space: the second day updates its issue and opens no other."""
    for _ in range(2):
        for name in TITLES:
            sync_issues(client(server), decided("urgent", {"alert": name, "tier": "urgent", "reason": "So."}), None)
            assert [TITLES[name]] == [one["title"] for one in server.issues if one["state"] == "open"]


def test_monitoring_that_fails_is_one_issue_until_it_works_again(server: GitHub) -> None:
    """Opened on the first night, updated on the second; alerts of before stay open; the next good run closes it."""
    sync_issues(client(server), decided("drift", DRIFT), None)
    for night in ("first", "second"):
        say_that_monitoring_failed(client(server), f"https://example.com/{night}")
    drift, failed = server.issues
    assert ("open", "open", "The nightly monitoring fails") == (drift["state"], failed["state"], failed["title"])
    assert ([LABEL, "urgent"], True) == (failed["labels"], "https://example.com/second" in failed["body"])
    sync_issues(client(server), decided("drift", DRIFT), None)
    assert ("open", "closed") == (drift["state"], failed["state"])
    assert "monitoring works again" in server.comments[failed["number"]][0]["body"]


def test_the_command_says_so_without_reading_anything_that_may_be_broken(
    server: GitHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There is no params.yaml and no reports/trigger.json here."""
    monkeypatch.setattr("flywheel.github.client.connect", lambda: client(server))
    collaborating.respond(failed=True)
    assert ["The nightly monitoring fails"] == [one["title"] for one in server.issues]
