"""Acting on `reports/trigger.json` on GitHub: one issue per alert, and the workflow that the tier calls for."""

from __future__ import annotations

import re

from flywheel.github.actions import Run
from flywheel.github.client import GitHub
from flywheel.loop.settings import Automation
from flywheel.monitoring.evidence import Alert, Triggered
from flywheel.release.tags import may_fall_back

LABEL = "flywheel-alert"
MARK = re.compile(r"<!-- flywheel-alert: ([\w -]+) -->")
FAILED = "monitoring"
TITLES = {
    "contract": "The data breaks the contract",
    "silent feed": "A feed is silent",
    "errors": "The service answers with errors",
    "quality": "The model's quality is below its floor",
    "drift": "The world has moved away from the champion's training",
    FAILED: "The nightly monitoring fails",
}


def body(alert: Alert, decided: Triggered, address: str | None) -> str:
    """The text of an alert's issue: the latest measurement, and what the loop does."""
    does = {"none": "nothing", "routine": "a routine retrain", "drift": "a retrain", "urgent": "an urgent retrain"}
    lines = [
        f"{alert['reason']}",
        "",
        f"As of {decided['as_of']}. The loop does: {does[decided['tier']]}. {decided['reason']}",
        "",
        "`monitor.yml` keeps this text up to date, and closes the issue when the alert ends.",
    ]
    return _marked(lines, alert["alert"], address)


def _marked(lines: list[str], name: str, address: str | None) -> str:
    seen = ["", f"[The run that saw it last]({address})"] if address else []
    return "\n".join([*lines, *seen, "", f"<!-- flywheel-alert: {name} -->"])


def sync_issues(hub: GitHub, decided: Triggered, address: str | None) -> list[str]:
    """Open an issue for each new alert, update the open ones, close those that ended; returns what was done."""
    is_open = open_alerts(hub)
    done = [
        show(hub, alert["alert"], alert["tier"], body(alert, decided, address), is_open.pop(alert["alert"], []))
        for alert in decided["alerts"]
    ]
    for name, numbers in is_open.items():
        why = "monitoring works again" if name == FAILED else "it is within its limits"
        for number in numbers:
            _close(hub, number, f"Ended: as of {decided['as_of']} {why}.")
            done.append(f"alert {name} ended: issue #{number} is closed")
    return done


def say_that_monitoring_failed(hub: GitHub, address: str | None) -> str:
    """Open or update the one issue about monitoring that fails; other alerts stay as they are. Returns what was done.

    The next run that works closes it: `sync_issues` finds it open and no longer called for.
    """
    lines = [
        "The workflow `monitor.yml` ended with an error, so nobody watches data, service and champion, and no retrain starts.",
        "",
        "The log of the run says why. `monitor.yml` keeps this text up to date, and closes the issue when it works.",
    ]
    return show(hub, FAILED, "urgent", _marked(lines, FAILED, address), open_alerts(hub).get(FAILED, []))


def open_alerts(hub: GitHub) -> dict[str, list[int]]:
    """The numbers of the open issues about each alert."""
    found: dict[str, list[int]] = {}
    for issue in hub.pages("/issues", state="open", labels=LABEL):
        mark = MARK.search(issue.get("body") or "")
        if mark and "pull_request" not in issue:
            found.setdefault(mark[1], []).append(issue["number"])
    return found


def show(hub: GitHub, name: str, tier: str, text: str, numbers: list[int]) -> str:
    """Bring the issue about an alert up to date, or open it; where there are several, the oldest goes on."""
    if not numbers:
        made = hub.post("/issues", {"title": TITLES[name], "body": text, "labels": [LABEL, tier]})
        return f"alert {name} is new: issue #{made['number']} is open"
    first, *others = sorted(numbers)
    hub.patch(f"/issues/{first}", {"body": text})
    for other in others:
        _close(hub, other, f"The same alert is followed in #{first}.")
    return f"alert {name} continues: issue #{first} is updated"


def _close(hub: GitHub, number: int, why: str) -> None:
    hub.post(f"/issues/{number}/comments", {"body": why})
    hub.patch(f"/issues/{number}", {"state": "closed", "state_reason": "completed"})


def respond(
    hub: GitHub, run: Run, decided: Triggered, name: str, automation: Automation, halted: str | None
) -> list[str]:
    """Bring the issues up to date and start what the tier calls for; returns what was done, one sentence each."""
    done = sync_issues(hub, decided, run.address)
    tier = decided["tier"]
    if halted:
        return [*done, f"nothing is started: the loop is halted ({halted})"]
    branch = hub.get("")["default_branch"]
    if tier == "urgent" and automation.urgent_rollback and may_fall_back(name):
        inputs = {"why": f"urgent: {decided['reason']}", "to": ""}
        hub.post("/actions/workflows/rollback.yml/dispatches", {"ref": branch, "inputs": inputs})
        done.append("rollback.yml is started")
    if tier != "none":
        inputs = {"tier": tier, "why": decided["reason"]}
        hub.post("/actions/workflows/retrain.yml/dispatches", {"ref": branch, "inputs": inputs})
        done.append(f"retrain.yml is started with the tier {tier}")
    return done
