"""Git in this tree: what a command prints, and the name that automation signs with."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping

from flywheel.errors import ConfigError, DataError

BOT = {
    "GIT_AUTHOR_NAME": "flywheel",
    "GIT_AUTHOR_EMAIL": "flywheel@users.noreply.github.com",
    "GIT_COMMITTER_NAME": "flywheel",
    "GIT_COMMITTER_EMAIL": "flywheel@users.noreply.github.com",
}


def run(*arguments: str, env: Mapping[str, str] | None = None) -> str:
    """What a Git command prints; `env` adds to the environment. DataError with Git's own words when it fails."""
    status, out, said = ask(*arguments, env=env)
    if status:
        raise DataError(f"git {arguments[0]} failed: {said or text(out).strip()}")
    return text(out)


def succeeds(*arguments: str) -> bool:
    """Whether a Git command answers yes: it exits with 0. DataError for anything but yes (0) and no (1)."""
    status, _, said = ask(*arguments)
    if status > 1:
        raise DataError(f"git {arguments[0]} failed: {said}")
    return status == 0


def changed_files() -> list[str]:
    """The files that Git tracks and that differ from the last commit."""
    return [line[3:] for line in run("status", "--porcelain", "--untracked-files=no").splitlines()]


def main_branch() -> str | None:
    """The ref of the branch that is released from: `main` as `origin` has it, else `main` here; None where there is none."""
    places = ("refs/remotes/origin/HEAD", "refs/remotes/origin/main", "refs/heads/main")
    listed = run("for-each-ref", "--format=%(refname) %(symref)", *places).splitlines()
    there = {line.split()[0]: line.split()[-1] for line in listed}  # a clone's origin/HEAD stands for another ref
    return next((there[ref] for ref in places if ref in there), None)


def ask(*arguments: str, sent: bytes = b"", env: Mapping[str, str] | None = None) -> tuple[int, bytes, str]:
    """Exit code, output and error text of a Git command that is sent some bytes. ConfigError where there is no repository."""
    try:
        done = subprocess.run(
            ["git", *arguments],
            input=sent,
            env={**os.environ, "LC_ALL": "C", **(env or {})},
            capture_output=True,
            check=False,
        )
    except FileNotFoundError:
        raise ConfigError("the command git was not found. Install Git, then run again.") from None
    said = text(done.stderr).strip()
    # Git has one exit code, 128, for all that is fatal; LC_ALL=C above keeps its words the same everywhere.
    if done.returncode and "not a git repository" in said.lower():
        raise ConfigError(
            "this folder is not in a Git repository, but the loop reads and makes commits and tags. "
            "Change to a clone, or start one here: git init, then commit."
        )
    return done.returncode, done.stdout, said


def author() -> str:
    """Who commits here, as Git knows them. DataError where it does not."""
    named = os.environ.get("GIT_AUTHOR_NAME") or text(ask("config", "user.name")[1])
    name = " ".join("".join(letter if letter.isprintable() else " " for letter in named).split())
    if not name:
        raise DataError('Git does not know who you are. Tell it: git config user.name "Your Name"')
    return name


def text(output: bytes) -> str:
    """Output of Git as text; bytes that are not UTF-8, as in an old message, show as a question mark."""
    return output.decode("utf-8", "replace")
