"""Acting on `reports/trigger.json` on GitHub: one issue per alert, and the workflow that the tier calls for."""

from __future__ import annotations

import re

from flywheel.github.actions import Run
from flywheel.github.client import GitHub
from flywheel.github.settings import Automation
from flywheel.monitoring.evidence import Alert, Triggered
from flywheel.release.tags import may_fall_back

LABEL = "flywheel-alert"
MARK = re.compile(r"<!-- flywheel-alert: ([\w-]+) -->")
TITLES = {
    "contract": "The data breaks the contract",
    "errors": "The service answers with errors",
    "quality": "The model's quality is below its floor",
    "drift": "The world has moved away from the champion's training",
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
    if address:
        lines += ["", f"[The run that saw it last]({address})"]
    return "\n".join([*lines, "", f"<!-- flywheel-alert: {alert['alert']} -->"])


def sync_issues(hub: GitHub, decided: Triggered, address: str | None) -> list[str]:
    """Open an issue for each new alert, update the open ones, close those that ended; returns what was done."""
    is_open: dict[str, list[int]] = {}
    for issue in hub.pages("/issues", state="open", labels=LABEL):
        mark = MARK.search(issue.get("body") or "")
        if mark and "pull_request" not in issue:
            is_open.setdefault(mark[1], []).append(issue["number"])
    done = []
    for alert in decided["alerts"]:
        text = body(alert, decided, address)
        numbers = sorted(is_open.pop(alert["alert"], []))
        if numbers:
            hub.patch(f"/issues/{numbers[0]}", {"body": text})
            done.append(f"alert {alert['alert']} continues: issue #{numbers[0]} is updated")
            for other in numbers[1:]:
                _close(hub, other, f"The same alert is followed in #{numbers[0]}.")
        else:
            made = hub.post(
                "/issues", {"title": TITLES[alert["alert"]], "body": text, "labels": [LABEL, alert["tier"]]}
            )
            done.append(f"alert {alert['alert']} is new: issue #{made['number']} is open")
    for name, numbers in is_open.items():
        for number in numbers:
            _close(hub, number, f"Ended: as of {decided['as_of']} it is within its limits.")
            done.append(f"alert {name} ended: issue #{number} is closed")
    return done


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
