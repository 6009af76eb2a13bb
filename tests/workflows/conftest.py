"""Workflow files run for real by `act`, without Docker, against a bare Git repository and a stand-in for GitHub."""

from __future__ import annotations

import contextlib
import datetime as dt
import itertools
import json
import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import FONTS, ROOT, Clone
from tests.workflows.server import REPOSITORY, GitHub

STUBS = Path(__file__).parent / "stubs"
USES = re.compile(r"uses: ([\w.-]+)/([\w.-]+)@([0-9a-f]{40})")


@dataclass(frozen=True)
class Result:
    """What came of a workflow: exit code, log, and all that was written to the summaries of its jobs."""

    returncode: int
    log: str
    summary: str


class Actions:
    """A repository at the stand-in for GitHub, in which workflows run."""

    def __init__(self, seed: Clone, folder: Path, github: GitHub) -> None:
        self.folder, self.origin, self.github = folder, github.origin, github
        self.cache = folder / "cache"
        (self.cache / ".dvc").mkdir(parents=True)
        (self.cache / ".dvc/cache").symlink_to(seed.path / ".dvc/cache")
        self.artifacts = folder / "artifacts"
        self.artifacts.mkdir()
        self.cml_log = folder / "cml.jsonl"
        self.runs = itertools.count(1)
        shutil.copytree(seed.path, folder / "work", symlinks=True)
        self.work = Clone(folder / "work")
        self.work.git("remote", "add", "origin", str(self.origin))
        self.work.env |= self.environment("workflow")

    def environment(self, token: str) -> dict[str, str]:
        """What tells a command of flywheel where GitHub is."""
        return {"GITHUB_API_URL": self.github.address, "GITHUB_REPOSITORY": REPOSITORY, "GITHUB_TOKEN": token}

    def sha(self, ref: str = "refs/heads/main") -> str:
        """The commit that a ref is on at origin."""
        return self.github.git("rev-parse", ref)

    def push(self, branch: str, message: str = "a change") -> str:
        """Commit what was changed in the working tree on a branch and push it; returns the commit."""
        self.work.git("checkout", "-q", "-B", "work")
        self.work.commit(message)
        self.work.git("push", "-q", "origin", f"HEAD:refs/heads/{branch}")
        return self.work.git("rev-parse", "HEAD")

    def open_pull(self, branch: str) -> int:
        """Open a pull request from a branch of the repository."""
        body = {"title": "A change", "head": branch, "base": "main", "body": ""}
        return int(self.github.make_pull(body=body, token="app")["number"])

    def act(
        self,
        workflow: str,
        event: str,
        payload: dict[str, Any],
        sha: str | None = None,
        token: str = "workflow",  # noqa: S107 a name at the stand-in
        variables: Mapping[str, str] | None = None,
        **env: str,
    ) -> Result:
        """Run a workflow file as GitHub would for an event at a commit."""
        place = self.folder / f"run-{next(self.runs)}"
        home, pipe = place / "home", place / "summary"
        home.mkdir(parents=True)
        os.mkfifo(pipe)  # act empties the file of the summary before each step: what goes into a pipe is kept
        tree = place / "tree"
        subprocess.run(["git", "clone", "-q", str(self.origin), str(tree)], check=True)
        subprocess.run(["git", "-C", tree, "fetch", "-q", "origin", "+refs/pull/*:refs/pull/*"], check=True)
        subprocess.run(["git", "-C", tree, "checkout", "-q", "-B", "main", sha or "origin/main"], check=True)
        (place / "event.json").write_text(json.dumps({"repository": {"full_name": REPOSITORY}, **payload}))
        used = {match for path in (tree / ".github").rglob("*.yml") for match in USES.findall(path.read_text())}
        stubs = [f"--local-repository={owner}/{name}@{pin}={STUBS / name}" for owner, name, pin in sorted(used)]
        assert not [stub for stub in stubs if not Path(stub.rsplit("=", 1)[1]).exists()]
        passed = {
            **self.environment(token),
            "FLYWHEEL_TEST_ORIGIN": str(self.origin),
            "FLYWHEEL_TEST_CACHE": str(self.cache),
            "FLYWHEEL_TEST_ARTIFACTS": str(self.artifacts),
            "FLYWHEEL_TEST_STUBS": str(STUBS),
            "FLYWHEEL_TEST_VENV": str(ROOT / ".venv"),
            "FLYWHEEL_TEST_CML_LOG": str(self.cml_log),
            "FLYWHEEL_TEST_SUMMARY": str(pipe),
            "OMP_NUM_THREADS": "1",
            "MPLCONFIGDIR": FONTS,
            **env,
        }
        passed.pop("GITHUB_TOKEN")
        command = [
            str(ROOT / ".venv/bin/act"),
            event,
            "-W",
            f".github/workflows/{workflow}",
            "-e",
            str(place / "event.json"),
        ]
        command += ["-P", "ubuntu-24.04=-self-hosted", "-s", f"GITHUB_TOKEN={token}", *stubs]
        command += [part for name, value in passed.items() for part in ("--env", f"{name}={value}")]
        command += [part for name, value in (variables or {}).items() for part in ("--var", f"{name}={value}")]
        minimal = {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}", "HOME": str(home)}
        with collected(pipe) as summary:
            done = subprocess.run(
                command, cwd=tree, env=minimal, capture_output=True, text=True, check=False, timeout=300
            )
        log = done.stdout + done.stderr
        return Result(done.returncode, log, "".join(summary).rstrip("\0"))

    def move_days(self, days: int) -> None:
        """Commit the clock as if that had been days ago, so that the clock follows the calendar by as many."""
        state = self.work.path / "conf/state.yaml"
        state.write_text(state.read_text() + "# set\n")
        self.work.git("add", "conf/state.yaml")
        then = dt.datetime.now(dt.UTC) - dt.timedelta(days=days)
        self.work.run("git", "commit", "-qm", "The clock", GIT_AUTHOR_DATE=then.isoformat())

    def pull_event(self, number: int) -> dict[str, Any]:
        """The payload of an event of a pull request."""
        return {"action": "synchronize", "number": number, "pull_request": self.github.shown(number)}


@contextlib.contextmanager
def collected(pipe: Path) -> Iterator[list[str]]:
    """What is written to a pipe while the context is open."""
    found: list[str] = []
    end = os.open(pipe, os.O_RDWR)
    stop = "\0"

    def read() -> None:
        while not found or not found[-1].endswith(stop):
            found.append(os.read(end, 65536).decode("utf-8", "replace"))

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    try:
        yield found
    finally:
        os.write(end, stop.encode())
        reader.join(timeout=10)
        os.close(end)


def actions_for(seed: Clone, folder: Path) -> Iterator[Actions]:
    """A repository that begins with a seed; in the end the stand-in must have known every call."""
    origin = folder / "origin.git"
    subprocess.run(["git", "clone", "-q", "--bare", str(seed.path), str(origin)], check=True)
    with GitHub(origin) as github:
        yield Actions(seed, folder, github)
        assert github.unknown == []
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def actions(tiny: Clone, tmp_path: Path) -> Iterator[Actions]:
    """A repository whose candidate passes the gate."""
    yield from actions_for(tiny, tmp_path)


@pytest.fixture
def failing(losing: Clone, tmp_path: Path) -> Iterator[Actions]:
    """A repository whose candidate harms cohorts."""
    yield from actions_for(losing, tmp_path)
