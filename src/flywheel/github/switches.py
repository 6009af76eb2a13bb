"""Switches of the repository on GitHub: the halt, and whether Pages is turned on."""

from __future__ import annotations

import os

from flywheel.errors import ConfigError, GateFailed
from flywheel.github.client import GitHub, Refused

HALT = "FLYWHEEL_HALT"


def halted() -> str | None:
    """Why the loop is halted, as the variable FLYWHEEL_HALT of the repository says; None while it is not."""
    return " ".join(os.environ.get(HALT, "").split()) or None


def refuse_if_halted(what: str) -> None:
    """GateFailed while the loop is halted."""
    why = halted()
    if why:
        raise GateFailed(f"no {what}: the loop is halted ({why}). When the cause is fixed: flywheel resume")


def halt(hub: GitHub, why: str) -> None:
    """Set the variable that stops retrains and releases. ConfigError without a reason."""
    if not why.strip():
        raise ConfigError("--why: a halt needs a reason, in a few words.")
    value = {"name": HALT, "value": " ".join(why.split())}
    try:
        hub.patch(f"/actions/variables/{HALT}", value)
    except Refused as error:
        if error.status != 404:
            raise
        hub.post("/actions/variables", value)


def resume(hub: GitHub) -> bool:
    """Delete the variable; says whether it was there."""
    try:
        hub.delete(f"/actions/variables/{HALT}")
    except Refused as error:
        if error.status != 404:
            raise
        return False
    return True


def pages_are_on(hub: GitHub) -> bool:
    """Whether GitHub Pages is turned on for the repository."""
    try:
        hub.get("/pages")
    except Refused as error:
        if error.status != 404:
            raise
        return False
    return True
