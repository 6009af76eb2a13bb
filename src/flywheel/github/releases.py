"""Telling GitHub about a release (with its files) or a rollback (an issue that says why)."""

from __future__ import annotations

from typing import Any

from flywheel import files, git
from flywheel.github.client import GitHub, Refused, segment
from flywheel.model.card import CONTRACT, FILES

ASSETS = (*(files.CANDIDATE / name for name in (*FILES, CONTRACT)), files.REPORT, files.METRICS, files.DECISION)


def release(hub: GitHub, name: str, version: str) -> str:
    """Make the GitHub release of a version, with the report and the model's files; returns its address.

    What is already there stays as it is, so an interrupted release can be run again.
    """
    tag = f"{name}@{version}"
    said = git.run("tag", "--list", "--format=%(contents)", tag).strip()
    text = f"{said}\n\n{files.REPORT.read_text(encoding='utf-8').replace('](plots/', _pictures(hub, tag))}"
    body = {"tag_name": tag, "name": tag, "body": text[:120_000]}
    try:
        made = hub.get(f"/releases/tags/{segment(tag)}")
    except Refused as error:
        if error.status != 404:
            raise
        made = hub.post("/releases", body)
    there = {asset["name"] for asset in hub.pages(f"/releases/{made['id']}/assets")}
    address = made["upload_url"].split("{")[0]
    for path in ASSETS:
        if path.name not in there and path.exists():  # an older model has no contract
            hub.upload(f"{address}?name={segment(path.name)}", path.read_bytes())
    return str(made["html_url"])


def _pictures(hub: GitHub, tag: str) -> str:
    return f"](https://github.com/{hub.repository}/raw/{segment(tag)}/reports/plots/"


def rollback(hub: GitHub, name: str, before: str, now: str, why: str) -> str:
    """Open the issue that records a rollback; returns its address."""
    text = "\n".join(
        [
            f"`{name}`: `prod` was {before} and is {now}.",
            "",
            f"**Why:** {' '.join(why.split())}",
            "",
            f"`main` still holds the candidate of {before}. The newest `prod` tag says what serves; the next retrain",
            f"is compared with {now}. Close this issue when the cause is known and fixed.",
        ]
    )
    made: dict[str, Any] = hub.post(
        "/issues", {"title": f"Rolled back from {before} to {now}", "body": text, "labels": ["rollback"]}
    )
    return str(made["html_url"])
