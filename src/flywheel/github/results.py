"""What a run produced, compared with a commit: what changed, what is stale, and how to commit it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from flywheel import files, git, shapes
from flywheel.data.evidence import Quality, read_quality
from flywheel.errors import DataError
from flywheel.evaluation.evidence import Decision, read_decision
from flywheel.report.comment import Changes, changed_days

T = TypeVar("T")
PRODUCED = ("params.yaml", "dvc.lock", "models/", "reports/", "conf/state.yaml")


def changes(base: str) -> Changes:
    """Compare the working tree with a commit, using DVC and that commit's files. DataError if there is no such commit."""
    from dvc.exceptions import DvcException
    from dvc.repo import Repo

    from flywheel.loop.pipeline import quiet

    commit = git.run("rev-parse", "--verify", "--quiet", "--end-of-options", f"{base}^{{commit}}").strip()
    quiet()
    try:
        with Repo() as repo:
            measured = repo.metrics.diff(commit, "workspace").get("diff", {})
            told = repo.params.diff(commit, "workspace").get("diff", {})
    except DvcException as error:
        raise DataError(f"DVC could not compare with {base}: {error}.") from None
    decided, now = _at(commit, files.DECISION, Decision), read_decision()
    return Changes(
        base=commit[:10],
        metrics=_pairs(measured.get(files.METRICS.as_posix(), {})),
        params=_pairs(told.get("params.yaml", {})),
        verdicts=(decided["verdict"] if decided else None, now["verdict"]),
        days=changed_days(_at(commit, files.QUALITY, Quality), read_quality()),
    )


def _pairs(found: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    return {name: (one.get("old"), one.get("new")) for name, one in found.items() if one.get("old") != one.get("new")}


def _at(commit: str, path: Path, shape: type[T]) -> T | None:
    """A JSON file as it was at a commit; None where it was not there or had another shape."""
    try:
        return shapes.check(json.loads(git.run("show", f"{commit}:{path.as_posix()}")), shape, str(path))
    except (DataError, ValueError):
        return None


def stale() -> list[str]:
    """The files that a run changed from what is committed. DataError if other files changed as well."""
    listed = git.run("status", "--porcelain", "-z", "--untracked-files=all", "--no-renames")
    changed = [entry[3:] for entry in listed.split("\0") if entry]
    strange = [name for name in changed if not name.startswith(PRODUCED)]
    if strange:
        raise DataError(
            f"the run changed files that it should not touch: {', '.join(strange)}. Find out what wrote them."
        )
    return changed


def commit_produced(message: str) -> str:
    """Commit what a run produced, signed by the loop itself; returns the commit."""
    there = [name for name in PRODUCED if Path(name).exists()]
    git.run("add", "--all", "--", *there)
    git.run("commit", "--quiet", "--no-verify", "--message", message, env=git.BOT)
    return git.run("rev-parse", "HEAD").strip()
