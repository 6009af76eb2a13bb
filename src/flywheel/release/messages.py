"""What the tags of a release say: written and read here alone, so that a tag that was made by hand is seen.

`NAME@v0.2.0` says `v0.2.0: gate: pass, as of 2030-01-02`, followed by `; accepted: WHY` or `; forced: WHY` where the gate
did not pass. The `prod` tag of a release says the same after `v0.2.0 to prod: `, that of a rollback `rollback to v0.1.0: WHY`.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from typing import Literal, cast

from flywheel.errors import ConfigError

SAID = re.compile(
    r"(?P<version>v\d+\.\d+\.\d+)(?P<prod> to prod)?: gate: (?P<verdict>pass|fail|inconclusive), "
    r"as of (?P<as_of>\d{4}-\d{2}-\d{2})(?:; (?P<how>accepted|forced): (?P<why>.*\S))?"
)
ROLLBACK = re.compile(r"rollback to (?P<version>v\d+\.\d+\.\d+): (?P<why>.*\S)")


@dataclass(frozen=True)
class Said:
    """What the tag of a version says: the verdict, the clock, and, where the gate did not pass, how it came about and why."""

    version: str
    verdict: str
    as_of: str
    how: Literal["accepted", "forced"] | None = None
    why: str | None = None

    def text(self) -> str:
        """The message of the version's tag."""
        return f"{self.version}: {self._gate()}"

    def prod_text(self) -> str:
        """The message of the `prod` tag of the release."""
        return f"{self.version} to prod: {self._gate()}"

    def _gate(self) -> str:
        said = f"gate: {self.verdict}, as of {self.as_of}"
        return f"{said}; {self.how}: {self.why}" if self.how else said


def parse(message: str) -> Said | None:
    """What the message of a version's tag says; None where no release wrote it."""
    found = SAID.fullmatch(message.strip())
    return _said(found) if found and not found["prod"] else None


def parse_prod(message: str) -> Said | str | None:
    """What the message of a `prod` tag says: a release, or the version of a rollback; None where neither wrote it."""
    found = SAID.fullmatch(message.strip())
    if found:
        return _said(found) if found["prod"] else None
    back = ROLLBACK.fullmatch(message.strip())
    return back["version"] if back else None


def rollback_text(version: str, why: str) -> str:
    """The message of the `prod` tag of a rollback."""
    return f"rollback to {version}: {why}"


def reason(option: str, given: str) -> str:
    """A reason from the command line, on one line. ConfigError where there is none, or it is not UTF-8."""
    try:
        # In a locale without UTF-8 the bytes of other letters arrive as stand-ins, which no tag can hold.
        text = os.fsencode(given).decode("utf-8")
    except UnicodeError:
        raise ConfigError(f"{option}: the reason is not UTF-8 text. Write it in UTF-8, or in plain letters.") from None
    line = " ".join(text.split())
    if not line or any(ord(letter) < 32 or ord(letter) == 127 for letter in line):
        raise ConfigError(f"{option}: found {given!r}; a reason is needed, in a few words.")
    return line


def _said(found: re.Match[str]) -> Said:
    how = cast("Literal['accepted', 'forced'] | None", found["how"])
    return Said(found["version"], found["verdict"], found["as_of"], how, found["why"])
