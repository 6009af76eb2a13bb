"""The learning curve: one line a tree, and a clear word where there is no commit to log it by."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import pytest

from flywheel import files
from flywheel.errors import ConfigError
from flywheel.model.learning import log_losses


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A Git repository without a commit."""
    monkeypatch.chdir(tmp_path)
    subprocess.run(["git", "init", "--quiet"], check=True)
    return tmp_path


def test_a_repository_without_a_commit_is_told_so(repository: Path) -> None:
    """As after `git init` alone: nothing is written."""
    with pytest.raises(ConfigError, match=r"there is none.*git commit"):
        log_losses(np.array([0.6, 0.5]))
    assert not (repository / files.LEARNING).exists()


def test_the_loss_after_each_tree_is_a_line(repository: Path) -> None:
    """Three trees."""
    who = ["-c", "user.name=Test", "-c", "user.email=test@example.com"]
    subprocess.run(["git", *who, "commit", "--quiet", "--allow-empty", "--message", "start"], check=True)
    log_losses(np.array([0.6, 0.5, 0.55]))
    (written,) = (repository / files.LEARNING).rglob("*.tsv")
    assert [0.6, 0.5, 0.55] == [float(line.split("\t")[-1]) for line in written.read_text().splitlines()[1:]]
