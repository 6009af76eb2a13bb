"""The files of a commit: the digests are those of DVC, whatever the files are called and hold."""

from __future__ import annotations

import datetime as dt
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

import flywheel.git
from flywheel.errors import DataError
from flywheel.release.commits import Commit
from tests.unit.release.conftest import commit, dvc_md5, git

names = st.text(
    st.characters(codec="utf-8", exclude_characters="/\0", exclude_categories=("Cs", "Cc")), min_size=1, max_size=8
)
contents = st.dictionaries(
    st.lists(
        names.filter(lambda name: name not in (".", "..") and ".git" not in name.lower()), min_size=1, max_size=2
    ).map(tuple),
    st.binary(max_size=30),
    min_size=1,
    max_size=5,
)


@settings(max_examples=15, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(contents)
def test_a_folder_has_dvcs_digest(repository: Path, files: dict[tuple[str, ...], bytes]) -> None:
    """So has each file."""
    shutil.rmtree("folder", ignore_errors=True)
    for parts, content in files.items():
        place = Path("folder", *parts)
        if any(Path("folder", *parts[:n]).is_file() for n in range(1, len(parts))) or place.is_dir():
            continue  # a file is in the place of a folder
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content)
    git("add", "--all", "--force")
    found = Commit(commit())
    assert found.md5("folder") == dvc_md5(Path("folder"))
    for path in Path("folder").rglob("*"):
        if path.is_file():
            assert found.content(path.as_posix()) == path.read_bytes()
            assert found.md5(path.as_posix()) == dvc_md5(path)


def test_a_folder_that_is_not_there_is_empty(repository: Path, tmp_path: Path) -> None:
    """As models/champion/ is for DVC before the first release."""
    (tmp_path / "empty").mkdir()
    assert Commit(git("rev-parse", "HEAD")).md5("nowhere") == dvc_md5(tmp_path / "empty")


def test_many_files_are_read_with_one_call_of_git(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once more costs none."""
    found = Commit(git("rev-parse", "HEAD"))
    found.fetch(["dvc.yaml"])
    calls: list[str] = []
    run = subprocess.run
    monkeypatch.setattr(subprocess, "run", lambda command, **more: (calls.append(command[1]), run(command, **more))[1])
    found.fetch(["models", "reports", "src", "conf", "dvc.lock", "nowhere"])
    assert found.content("src/rooms/größe/two.py") == b"two\n"
    assert calls == ["cat-file"]


def test_what_git_ended_too_early_is_not_used(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its last file would be the beginning of one."""
    found = Commit(git("rev-parse", "HEAD"))
    assert found.objects
    ask = flywheel.git.ask
    monkeypatch.setattr(flywheel.git, "ask", lambda *asked, **more: (128, ask(*asked, **more)[1], "it was killed"))
    with pytest.raises(DataError, match=r"dvc\.yaml of \w{10} cannot be read from Git \(it was killed\)"):
        found.fetch(["dvc.yaml"])


def test_a_file_that_is_not_there_is_named(repository: Path) -> None:
    """And so is one that cannot be read."""
    found = Commit(git("rev-parse", "HEAD"))
    with pytest.raises(DataError, match=r"nowhere\.json is not in \w{10}"):
        found.content("nowhere.json")
    for sha in ("4" * 40, found.sha):  # an object that is lost, and a submodule
        found.objects["lost.json"] = sha
        with pytest.raises(DataError, match=r"lost\.json of \w{10} cannot be read from Git \(not a file\)"):
            found.content("lost.json")


def test_a_word_is_read_as_dvc_wrote_it(repository: Path) -> None:
    """DVC writes a lock in YAML 1.2, where a bare yes, on and 12:30 are words; in 1.1 they would be true and numbers."""
    lock = Path("dvc.lock")
    YAML().dump({"yes": 1, "word": "on", "time": "12:30", "day": dt.date(2030, 1, 2)}, lock)
    assert "yes: 1" in lock.read_text()
    git("add", "--all", "--force")
    found = Commit(commit()).yaml("dvc.lock")
    assert {"yes": 1, "word": "on", "time": "12:30", "day": dt.date(2030, 1, 2)} == found
