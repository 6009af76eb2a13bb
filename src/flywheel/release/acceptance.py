"""Accepting an inconclusive candidate: a file in `decisions/`, which an owner approves as part of the pull request.

It has a name, a reason and an expiry date, and holds for one decision only: other evidence, another candidate or another
champion needs a new acceptance. A candidate that fails cannot be accepted. No stage reads it: whether it has expired is for the
commands, which may look at the calendar.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

import yaml

from flywheel import files
from flywheel.errors import ConfigError, DataError, GateFailed
from flywheel.evaluation.evidence import Decision
from flywheel.params import from_yaml
from flywheel.release.messages import reason

FOLDER = Path("decisions")
KEYS = {"verdict", "as_of", "candidate", "champion", "evidence", "name", "why", "expires"}
OLDER = KEYS - {"name", "expires"}  # what earlier versions of flywheel wrote
DAYS = 30  # how long an acceptance holds where nobody says otherwise
LONGEST_DAYS = 90
AGAIN = "Look at the decision, and if you still want it: flywheel accept --why"


@dataclass(frozen=True)
class Acceptance:
    """Who accepted, why, and the last day on which it holds; name and day are None in a file of an earlier version."""

    name: str | None
    why: str
    expires: dt.date | None


@dataclass(frozen=True)
class Standing:
    """Whether an inconclusive decision is accepted; if a file is there that does not count, `problem` says why not."""

    acceptance: Acceptance | None = None
    problem: str | None = None

    @property
    def why(self) -> str | None:
        """The reason of an acceptance that holds."""
        return self.acceptance.why if self.acceptance else None


def evidence(decision: Decision) -> str:
    """A digest of a decision, including all its rules and numbers."""
    return hashlib.sha256(json.dumps(decision, sort_keys=True).encode()).hexdigest()


def path_of(decision: Decision) -> Path:
    """The file with the acceptance of a decision."""
    return FOLDER / f"{decision['as_of']}-{decision['candidate']}.yaml"


def standing(decision: Decision, today: dt.date) -> Standing:
    """Whether a decision is accepted in this tree, on a day. ConfigError when the file of the acceptance is damaged."""
    path = path_of(decision)
    return standing_of(path.read_bytes() if path.is_file() else None, decision, today)


def standing_of(content: bytes | None, decision: Decision, today: dt.date, may_be_older: bool = False) -> Standing:
    """Whether the content of a decision's file, None where there is none, accepts it on a day.

    What is about another decision is superseded, and what is past its day has expired: neither counts, and it is said.
    `may_be_older` is for releases of earlier versions of flywheel, whose acceptances had no name and no day. ConfigError
    when the file is damaged.
    """
    if content is None or decision["verdict"] == "pass":
        return Standing()
    path = path_of(decision)
    found, about = read_acceptance(content, path)
    if about != evidence(decision) or decision["verdict"] != "inconclusive":
        advice = AGAIN if decision["verdict"] == "inconclusive" else "A fail cannot be accepted."
        return Standing(
            problem=f"{path} is superseded: it accepts another decision, and this one was made since. {advice}"
        )
    if found.expires is None:
        missing = f"{path} has no name and no expiry date, as earlier versions wrote it. {AGAIN}"
        return Standing(found) if may_be_older else Standing(problem=missing)
    if found.expires > today + dt.timedelta(days=LONGEST_DAYS):
        return Standing(problem=f"{path} holds up to {found.expires}; at most {LONGEST_DAYS} days are allowed. {AGAIN}")
    if today > found.expires:
        return Standing(problem=f"{path}, by {found.name}, expired on {found.expires}, before {today}. {AGAIN}")
    return Standing(found)


def read_acceptance(content: bytes, path: Path) -> tuple[Acceptance, str]:
    """An acceptance, and the digest of the decision that it is about. ConfigError when the file is damaged."""
    try:
        found = from_yaml(content.decode("utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        told = " ".join(str(error).split())
        raise ConfigError(f"{path} is not YAML ({told}). Write it again with: flywheel accept --why") from None
    if not isinstance(found, dict) or set(found) not in (KEYS, OLDER) or not str(found["why"] or "").strip():
        raise ConfigError(f"{path} must have the keys {', '.join(sorted(KEYS))}. Write it with: flywheel accept --why")
    why, about = " ".join(str(found["why"]).split()), str(found["evidence"])
    if set(found) == OLDER:
        return Acceptance(None, why, None), about
    name, expires = " ".join(str(found["name"] or "").split()), found["expires"]
    if not name:
        raise ConfigError(
            f"{path}: name: found {found['name']!r}; allowed is who accepts. Write it with: flywheel accept"
        )
    if not isinstance(expires, dt.date) or isinstance(expires, dt.datetime):
        allowed = "a day such as 2030-01-31, without quotes"
        raise ConfigError(f"{path}: expires: found {expires!r}; allowed is {allowed}. Write it with: flywheel accept")
    return Acceptance(name, why, expires), about


def accept(decision: Decision, why: str, name: str, today: dt.date, expires: dt.date | None = None) -> Path:
    """Write the acceptance of an inconclusive decision; returns its path. GateFailed for another verdict.

    Without `expires` it holds for 30 days. ConfigError for a day that is over, or more than 90 days away.
    """
    why, name = reason("--why", why), reason("--name", name)
    last = expires or today + dt.timedelta(days=DAYS)
    latest = today + dt.timedelta(days=LONGEST_DAYS)
    if not today <= last <= latest:
        raise ConfigError(f"--expires: found {last}; allowed is a day from today, {today}, to {latest}.")
    if decision["verdict"] == "fail":
        raise GateFailed("the verdict is fail, which cannot be accepted. Make a better candidate, or change the rule.")
    if decision["verdict"] == "pass":
        raise DataError("the verdict is pass, so there is nothing to accept.")
    kept = {key: value for key, value in decision.items() if key in ("verdict", "as_of", "candidate", "champion")}
    said = {**kept, "evidence": evidence(decision), "name": name, "why": why, "expires": last}
    path = path_of(decision)
    files.write_text(
        path,
        "# Written by `flywheel accept`. It holds for this decision only, up to its last day; an owner approves it.\n"
        + yaml.safe_dump(said, sort_keys=False, allow_unicode=True),
    )
    return path


def let_through(decision: Decision, today: dt.date) -> bool:
    """Whether the gate is open: a pass, or an inconclusive whose acceptance holds."""
    return decision["verdict"] == "pass" or standing(decision, today).acceptance is not None
