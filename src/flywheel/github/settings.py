"""Settings of GitHub: the section automation."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from flywheel.params import Params

Tier = Literal["routine", "drift", "urgent"]


class Automation(Params):
    auto_merge: Annotated[tuple[Tier, ...], Field(strict=False)]
    urgent_rollback: bool
