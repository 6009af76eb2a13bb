"""Git in this tree: what a command prints, and the name that automation signs with."""

from __future__ import annotations

import subprocess

from flywheel.errors import DataError


def run(*arguments: str) -> str:
    """What a Git command prints. DataError with Git's own words when it fails."""
    done = subprocess.run(["git", *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        raise DataError(f"git {arguments[0]} failed: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout


BOT = {
    "GIT_AUTHOR_NAME": "flywheel",
    "GIT_AUTHOR_EMAIL": "flywheel@users.noreply.github.com",
    "GIT_COMMITTER_NAME": "flywheel",
    "GIT_COMMITTER_EMAIL": "flywheel@users.noreply.github.com",
}
