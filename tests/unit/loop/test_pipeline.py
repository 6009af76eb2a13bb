"""The pipeline is run in the root of a repository, by one command at a time."""

from __future__ import annotations

from pathlib import Path

import pytest

from flywheel.errors import ConfigError, DataError
from flywheel.loop import pipeline


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that looks like the root of a repository."""
    monkeypatch.chdir(tmp_path)
    Path("dvc.yaml").write_text("stages: {}\n")
    return tmp_path


def test_a_folder_below_the_root_is_refused_and_nothing_is_made_in_it(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The message says where to go."""
    below = root / "reports/plots"
    below.mkdir(parents=True)
    monkeypatch.chdir(below)
    with pytest.raises(ConfigError, match=rf"Run flywheel in the root of the repository: cd {root}$"), pipeline.alone():
        pass
    assert [] == list(below.iterdir())


def test_a_folder_that_is_in_no_repository_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody knows where the repository is."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match=r"there is no dvc\.yaml in"), pipeline.alone():
        pass
    assert [] == list(tmp_path.iterdir())


def test_two_commands_at_once_are_refused(root: Path) -> None:
    """The second one says that the first one is at work; after it, the folder is free again."""
    with pipeline.alone(), pytest.raises(DataError, match="another flywheel command is at work"), pipeline.alone():
        pass
    with pipeline.alone():
        pass
