"""What GitHub Actions tells a command, and what a command tells it back: the run, its summary, outputs."""

from __future__ import annotations

import contextlib
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flywheel.errors import DataError


@dataclass(frozen=True)
class Run:
    """What GitHub Actions says about the run that a command is in; empty on a laptop."""

    event_name: str
    event: dict[str, Any]
    sha: str
    address: str | None
    is_app: bool

    @property
    def pull_request(self) -> dict[str, Any] | None:
        """The pull request of the event."""
        return self.event.get("pull_request")

    @property
    def is_fork(self) -> bool:
        """Whether the event comes from a fork, whose run has a read-only token."""
        pull = self.pull_request
        return (
            pull is not None and (pull["head"].get("repo") or {}).get("full_name") != pull["base"]["repo"]["full_name"]
        )


def this_run() -> Run:
    """The run that this command is in."""
    path = os.environ.get("GITHUB_EVENT_PATH")
    try:
        event = json.loads(Path(path).read_text(encoding="utf-8")) if path else {}
    except (OSError, ValueError) as error:
        raise DataError(f"GITHUB_EVENT_PATH: {path} cannot be read as JSON ({error}).") from None
    if not isinstance(event, dict):
        raise DataError(f"GITHUB_EVENT_PATH: {path} holds no event: it must be a JSON object.")
    server, repository, number = (os.environ.get(f"GITHUB_{n}") for n in ("SERVER_URL", "REPOSITORY", "RUN_ID"))
    address = f"{server}/{repository}/actions/runs/{number}" if server and repository and number else None
    return Run(
        event_name=os.environ.get("GITHUB_EVENT_NAME", ""),
        event=event,
        sha=os.environ.get("GITHUB_SHA", ""),
        address=address,
        is_app=os.environ.get("FLYWHEEL_APP") == "true",
    )


def say(text: str) -> None:
    """Print a text, and add it to the summary of the job if there is one."""
    print(text, flush=True)
    summary(text)


def summary(text: str) -> None:
    """Add Markdown to the summary of the job, if there is one that can be written: the log has the same text."""
    with contextlib.suppress(OSError):
        _append("GITHUB_STEP_SUMMARY", f"{text.rstrip()}\n\n")


def set_output(name: str, value: str) -> None:
    """Set an output of the step. DataError if the value has several lines, which could set other outputs."""
    if "\n" in value or "\r" in value:
        raise DataError(f"the output {name} would have several lines.")
    try:
        _append("GITHUB_OUTPUT", f"{name}={value}\n")
    except OSError as error:
        raise DataError(f"GITHUB_OUTPUT: {error.filename} cannot be written ({error.strerror}).") from None


def _append(variable: str, text: str) -> None:
    """Add a text to the file that a variable of the environment names, where it names one."""
    path = os.environ.get(variable)
    if path:
        with Path(path).open("a", encoding="utf-8") as file:
            file.write(text)
