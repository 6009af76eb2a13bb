"""Accepting an inconclusive candidate: a file in `decisions/`, which an owner approves as part of the pull request.

It holds for one decision only: other evidence, another candidate or another champion needs a new acceptance. A candidate that
fails cannot be accepted.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import yaml

from flywheel import files
from flywheel.errors import ConfigError, DataError, GateFailed
from flywheel.evaluation.evidence import Decision
from flywheel.params import from_yaml
from flywheel.release.messages import reason

FOLDER = Path("decisions")
KEYS = {"verdict", "as_of", "candidate", "champion", "evidence", "why"}


def evidence(decision: Decision) -> str:
    """A digest of a decision, including all its rules and numbers."""
    return hashlib.sha256(json.dumps(decision, sort_keys=True).encode()).hexdigest()


def path_of(decision: Decision) -> Path:
    """The file with the acceptance of a decision."""
    return FOLDER / f"{decision['as_of']}-{decision['candidate']}.yaml"


def accepted(decision: Decision) -> str | None:
    """Why an inconclusive decision was accepted; None if it was not. ConfigError when its file is malformed."""
    path = path_of(decision)
    return why_accepted(path.read_bytes(), decision) if path.is_file() else None


def why_accepted(content: bytes, decision: Decision) -> str | None:
    """The reason in the file of an acceptance; None where it is not about this decision. ConfigError when it is damaged."""
    if decision["verdict"] != "inconclusive":
        return None
    path = path_of(decision)
    try:
        found = from_yaml(content.decode("utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        told = " ".join(str(error).split())
        raise ConfigError(f"{path} is not YAML ({told}). Write it again with: flywheel accept --why") from None
    if not isinstance(found, dict) or set(found) != KEYS or not str(found["why"] or "").strip():
        raise ConfigError(f"{path} must have the keys {', '.join(sorted(KEYS))}. Write it with: flywheel accept --why")
    return " ".join(str(found["why"]).split()) if found["evidence"] == evidence(decision) else None


def accept(decision: Decision, why: str) -> Path:
    """Write the acceptance of an inconclusive decision; returns its path. GateFailed for another verdict."""
    why = reason("--why", why)
    if decision["verdict"] == "fail":
        raise GateFailed("the verdict is fail, which cannot be accepted. Make a better candidate, or change the rule.")
    if decision["verdict"] == "pass":
        raise DataError("the verdict is pass, so there is nothing to accept.")
    kept = {name: value for name, value in decision.items() if name in ("verdict", "as_of", "candidate", "champion")}
    text = yaml.safe_dump({**kept, "evidence": evidence(decision), "why": why}, sort_keys=False, allow_unicode=True)
    path = path_of(decision)
    files.write_text(
        path, "# Written by `flywheel accept`. It holds for this decision only; an owner approves it.\n" + text
    )
    return path


def let_through(decision: Decision) -> bool:
    """Whether the gate is open: a pass, or an accepted inconclusive."""
    return decision["verdict"] == "pass" or accepted(decision) is not None
