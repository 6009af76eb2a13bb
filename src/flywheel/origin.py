"""The Git remote `origin`: what is there, and pushing to it. Each error is one sentence that says what to fix.

A push is atomic and never forced: what somebody else pushed in the meantime stays.
"""

from __future__ import annotations

import os
import re
import subprocess
import time

from flywheel.errors import ConfigError, DataError, FlywheelError, RemoteError

ORIGIN = "origin"
TRIES = 3
PAUSE_S = 1.0


# Git asks this helper for the password, so that the token is neither in an address nor in an argument.
HELPER = '!f() { test "$1" = get && echo username=x-access-token && echo "password=$FLYWHEEL_GIT_TOKEN"; }; f'


class Rejected(RemoteError):
    """A push would overwrite what the remote has: somebody was faster."""


def url() -> str | None:
    """The address of `origin`; None where there is no such remote."""
    done = _git("remote", "get-url", ORIGIN)
    return done.stdout.strip() or None if done.returncode == 0 else None


def refs(pattern: str) -> dict[str, str]:
    """The refs at `origin` that match a pattern, with their commits; empty where there is no `origin`."""
    if url() is None:
        return {}
    listed = _call("ls-remote", ORIGIN, pattern)
    return {name: sha for sha, name in (line.split("\t") for line in listed.splitlines())}


def push(*refspecs: str) -> None:
    """Push all refspecs, or none of them. Rejected when `origin` has something else in one of the places."""
    if url() is None:
        raise ConfigError("there is no Git remote named origin. Add it with: git remote add origin ADDRESS")
    _call("push", "--porcelain", "--atomic", ORIGIN, *refspecs)


def push_new(ref: str, commit: str) -> bool:
    """Make a ref at `origin` that must not exist yet; says whether it was made. If two try, only one succeeds."""
    if url() is None:
        raise ConfigError("there is no Git remote named origin. Add it with: git remote add origin ADDRESS")
    try:
        answer = _call("push", "--porcelain", f"--force-with-lease={ref}:", ORIGIN, f"{commit}:{ref}")
    except Rejected:
        return False
    # Git sees no conflict when the same commit is pushed twice: "=" means it was there, "*" that it is new.
    return any(line.startswith("*") for line in answer.splitlines())


def delete(ref: str) -> None:
    """Delete a ref at `origin`."""
    _call("push", "--porcelain", ORIGIN, f":{ref}")


def fetch_tags() -> None:
    """Fetch the tags of `origin`, if there is one. DataError when a tag here names something else."""
    if url() is not None:
        _call("fetch", "--tags", ORIGIN)


def _call(*arguments: str) -> str:
    """What a Git command prints; it is retried while the remote cannot be reached."""
    for attempt in range(TRIES):
        done = _git(*arguments)
        if done.returncode == 0:
            return done.stdout
        said = f"{done.stdout}\n{done.stderr}"
        if not _is_unreachable(said):
            break
        if attempt + 1 < TRIES:
            time.sleep(PAUSE_S * 2**attempt)
    raise _explain(arguments[0], said)


def _git(*arguments: str) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"}
    token = os.environ.get("GITHUB_TOKEN") or os.environ.get("GH_TOKEN")
    options: list[str] = []
    if token:
        env["FLYWHEEL_GIT_TOKEN"] = token
        options = ["-c", "credential.helper=", "-c", f"credential.helper={HELPER}"]
    command = ["git", *options, *arguments]
    return subprocess.run(command, env=env, capture_output=True, encoding="utf-8", errors="replace", check=False)


def _is_unreachable(said: str) -> bool:
    # Git's exit code does not say why a remote refused, so its words have to; LC_ALL=C keeps them the same everywhere.
    signs: tuple[str, ...] = (
        "Could not resolve",
        "Connection refused",
        "Connection timed out",
        "Connection reset",
        "Operation timed out",
    )
    signs += ("error: 5", "returned error: 429", "early EOF", "remote end hung up", "Failed to connect")
    # A remote that was reached says which refs it rejects; Git then hangs up, and complains of that as well.
    return "[rejected]" not in said and any(sign in said for sign in signs)


def _explain(action: str, said: str) -> FlywheelError:
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    told = next((line for line in lines if line.startswith(("fatal:", "error:", "!"))), lines[-1] if lines else "")
    if any(sign in said for sign in ("Authentication failed", "could not read Username", "error: 401", "error: 403")):
        return ConfigError(f"origin refused git {action}: the token is wrong, expired, or may not write ({told}).")
    clobbered = re.search(r"\[rejected\]\s+(\S+)\s.*would clobber existing tag", said)
    if clobbered:
        tag = clobbered[1]
        return DataError(
            f"the tag {tag} here is not the one at origin. If origin is right: git tag --delete {tag}, then run again."
        )
    if any(
        sign in said for sign in ("[rejected]", "stale info", "already exists", "failed to lock", "cannot lock ref")
    ):
        return Rejected(f"origin has something else where git {action} would write, so nothing was written ({told}).")
    if "remote rejected" in said:
        return ConfigError(f"origin does not allow this git {action} ({told}). Look at the rulesets of the repository.")
    if _is_unreachable(said):
        return RemoteError(f"origin could not be reached in {TRIES} tries ({told}). Try again later.")
    return RemoteError(f"origin did not do git {action} ({told}). Look at its address: git remote get-url {ORIGIN}")
