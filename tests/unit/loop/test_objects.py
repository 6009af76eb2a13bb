"""What DVC holds is believed by its bytes, never by its name."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from flywheel.errors import DataError
from flywheel.loop import objects


def md5(content: bytes) -> str:
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


def put(cache: Path, content: bytes, name: str | None = None) -> Path:
    """An object of the cache, read-only as DVC makes them, by its hash or under another name."""
    name = name or md5(content)
    path = cache / "files/md5" / name[:2] / name[2:]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    path.chmod(0o444)
    return path


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The cache of a folder."""
    monkeypatch.chdir(tmp_path)
    return Path(".dvc/cache")


def listed(cache: Path, files: dict[str, bytes]) -> str:
    """A folder as DVC lists it in the cache, with its files; returns its hash."""
    entries = [{"md5": md5(content), "relpath": name} for name, content in sorted(files.items())]
    for content in files.values():
        put(cache, content)
    text = json.dumps(entries, sort_keys=True).encode()
    return md5(text) + ".dir" if put(cache, text, f"{md5(text)}.dir") else ""


def written(folder: str, files: dict[str, bytes]) -> Path:
    for name, content in files.items():
        path = Path(folder, name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return Path(folder)


def test_what_is_not_what_its_name_says_goes_and_the_rest_stays(cache: Path) -> None:
    """A file, the list of a folder, a link, a folder in place of a file."""
    good = [put(cache, b"a"), put(cache, b"[]", f"{md5(b'[]')}.dir")]
    planted = [put(cache, b"planted", md5(b"b")), put(cache, b"[1]", f"{md5(b'c')}.dir")]
    link = put(cache, b"d")
    link.unlink()
    link.symlink_to(written("elsewhere", {"d": b"d"}).resolve() / "d")
    folder = cache / "files/md5" / md5(b"e")[:2] / md5(b"e")[2:]
    folder.mkdir(parents=True)
    assert objects.clean_cache(cache) == 4
    assert [path.exists() for path in good] == [True, True]
    assert [path.exists() or path.is_symlink() for path in [*planted, link, folder]] == [False] * 4


def test_the_memory_of_runs_goes(cache: Path) -> None:
    """DVC takes a stage's outputs from there without asking whether the stage would make them."""
    written(".dvc/cache/runs", {"ab/" + "0" * 64 + "/" + "1" * 64: b"outs: []"})
    objects.clean_cache(cache)
    assert not (cache / "runs").exists()


def test_a_cache_that_is_not_there_is_clean(cache: Path) -> None:
    """A fresh clone."""
    assert objects.clean_cache(cache) == 0


def test_a_folder_has_the_hash_that_dvc_gives_it(cache: Path) -> None:
    """Names are sorted as texts, so that `a-b` comes before `a/b`."""
    from dvc.repo import Repo

    folder = written("data/valid", {"a/b": b"1", "a-b": b"2", "ü": b"3"})
    with Repo.init(no_scm=True) as repo:
        [stage] = repo.add(str(folder))
    assert objects.tree_hash(folder) == stage.outs[0].hash_info.value


def test_what_a_stage_made_is_dropped_whole_where_a_byte_differs(cache: Path) -> None:
    """It is made again from what it is made of."""
    held = {"2030-01-01.parquet": b"1", "ledger.json": b"{}"}
    good, bad = written("data/valid", held), written("data/features", held | {"2030-01-01.parquet": b"planted"})
    name = listed(cache, held)
    Path("data/labels.parquet").write_bytes(b"planted")
    labels = (Path("data/labels.parquet"), md5(b"labels"))
    assert [bad, labels[0]] == objects.clean_workspace([(good, name), (bad, name), labels], cache, {})
    assert (good.exists(), bad.exists(), labels[0].exists()) == (True, False, False)


def test_an_arrived_day_with_other_bytes_comes_from_the_cache_or_goes(cache: Path) -> None:
    """A day that the lock does not know yet stays: it may be nowhere else. So does the ledger, which knows of it."""
    held = {"feedback/2030-01-01.parquet": b"1", "feedback/2030-01-02.parquet": b"2", "ledger.json": b"{}"}
    name = listed(cache, held)
    put(cache, b"2").unlink()
    now = dict.fromkeys(held, b"other") | {"feedback/2030-01-03.parquet": b"3"}
    folder = written("data/events", now)
    wrong = [folder / "feedback/2030-01-01.parquet", folder / "feedback/2030-01-02.parquet"]
    assert wrong == objects.clean_workspace([(folder, name)], cache, {})
    here = {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*.*")}
    assert here == {
        "feedback/2030-01-01.parquet": b"1",
        "feedback/2030-01-03.parquet": b"3",
        "ledger.json": b"other",
    }


@pytest.mark.parametrize("day", [b"1", b"planted"])
def test_days_that_nobody_lists_are_as_the_lock_says_or_refused(cache: Path, day: bytes) -> None:
    """Without the list of the folder its hash still tells whether it is whole, but not which day is wrong."""
    held = {"feedback/2030-01-01.parquet": b"1", "ledger.json": b"{}"}
    name = listed(cache, held)
    objects_list = cache / "files/md5" / name[:2] / name[2:]
    objects_list.unlink()
    folder = written("data/events", held | {"feedback/2030-01-01.parquet": day})
    before = sorted(folder.rglob("*"))
    if day == b"1":
        assert objects.clean_workspace([(folder, name)], cache, {}) == []
    else:
        with pytest.raises(DataError, match=r"data/events is not what dvc\.lock says.*flywheel restore"):
            objects.clean_workspace([(folder, name)], cache, {})
    assert before == sorted(folder.rglob("*"))


def test_nothing_is_dropped_from_what_is_as_it_was(cache: Path) -> None:
    """Nor from what is not there at all."""
    held = {"2030-01-01.parquet": b"1"}
    outputs = [(written(f"data/{name}", held), listed(cache, held)) for name in ("events", "features")]
    assert [] == objects.clean_workspace([*outputs, (Path("data/valid"), "0" * 32 + ".dir")], cache, {})
