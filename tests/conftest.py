"""What several tests use: clones of this repository, and its real configuration."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[1]
os.environ.setdefault("OMP_NUM_THREADS", "1")  # two tests at once on two cores: more threads only wait for each other


class Clone:
    """A clone of the working tree in a temporary folder, with its own HOME, in which commands are run."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.home = path.parent / f"{path.name}-home"
        self.home.mkdir()
        self.env = {
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "HOME": str(self.home),
            "GIT_AUTHOR_NAME": "test",
            "GIT_AUTHOR_EMAIL": "test@example.com",
            "GIT_COMMITTER_NAME": "test",
            "GIT_COMMITTER_EMAIL": "test@example.com",
            "DVC_NO_ANALYTICS": "1",
            "PYTHONPATH": str(path / "src"),
            "OMP_NUM_THREADS": "1",
        }

    def run(self, *command: str, check: bool = True, **env: str) -> subprocess.CompletedProcess[str]:
        """Run a command in the clone; with `check` a failure shows what it printed."""
        done = subprocess.run(
            command, cwd=self.path, env=self.env | env, capture_output=True, text=True, check=False, timeout=300
        )
        if check and done.returncode:
            raise AssertionError(f"{' '.join(command)} exited with {done.returncode}\n{done.stdout}\n{done.stderr}")
        return done

    def flywheel(self, *arguments: str, check: bool = True, **env: str) -> subprocess.CompletedProcess[str]:
        """Run the clone's own `flywheel`."""
        return self.run(sys.executable, "-m", "flywheel.cli", *arguments, check=check, **env)

    def git(self, *arguments: str) -> str:
        """What a Git command prints in the clone."""
        return self.run("git", *arguments).stdout.strip()

    def shrink(self) -> None:
        """Make size=tiny the default, as a person would who edits conf/config.yaml; clock and version are the example's.

        So the tests are about the same days, however far this tree has moved on.
        """
        config = self.path / "conf/config.yaml"
        config.write_text(config.read_text().replace("- size: full", "- size: tiny"))
        self.move_clock("2013-05-01")
        card = self.path / "models/champion/card.json"
        if card.exists():
            card.write_text(re.sub(r'"version": "[^"]+"', '"version": "v0.1.0"', card.read_text()))
        self.git("commit", "-qa", "--amend", "--no-edit")  # no commit knows of a later clock

    def install(self) -> None:
        """Let `make` find what is installed for this tree, and nothing to install."""
        (self.path / ".venv").symlink_to(ROOT / ".venv")
        for name in ("uv.lock", "pyproject.toml"):
            os.utime(self.path / name, (0, 0))

    def move_clock(self, day: str) -> None:
        """Set the clock in conf/state.yaml."""
        state = self.path / "conf/state.yaml"
        state.write_text(re.sub(r"as_of: \S+", f"as_of: {day}", state.read_text()))

    def json(self, name: str) -> Any:
        """A JSON file of the clone."""
        return json.loads((self.path / name).read_text())

    def hashes(self) -> dict[str, str]:
        """The hash of every output, as dvc.lock has it."""
        stages = yaml.safe_load((self.path / "dvc.lock").read_text())["stages"]
        return {out["path"]: out["md5"] for stage in stages.values() for out in stage["outs"]}

    def commit(self, message: str) -> None:
        """Commit everything."""
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", message)


def copy_of_this_tree(target: Path) -> Clone:
    """A new repository with the files of this tree that Git tracks or would track, in one commit."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=True,
    ).stdout
    for name in listed.decode().split("\0"):
        if name and (ROOT / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, target / name)
    clone = Clone(target)
    clone.git("init", "-q", "-b", "main")
    clone.commit("start")
    return clone


@pytest.fixture
def new_clone(tmp_path: Path) -> Iterator[Callable[[str], Clone]]:
    """Makes clones of this tree by name."""

    def make(name: str) -> Clone:
        return copy_of_this_tree(tmp_path / name)

    yield make
    shutil.rmtree(tmp_path, ignore_errors=True)


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Clone:
    """A clone in which all stages ran on size=tiny, and whose results are committed. Tests must not change it."""
    clone = copy_of_this_tree(Path(tmp_path_factory.mktemp("tiny")) / "clone")
    clone.shrink()
    clone.stdout = clone.flywheel("run").stdout
    clone.commit("a tiny run")
    return clone


@pytest.fixture
def tiny_copy(tiny: Clone, tmp_path: Path) -> Clone:
    """A copy of the tiny run, data included, that a test may change."""
    shutil.copytree(tiny.path, tmp_path / "copy", symlinks=True)
    return Clone(tmp_path / "copy")
