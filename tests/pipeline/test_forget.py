"""A person is forgotten, in the data, in Git's files, in cache and remote, and on a fresh clone; all others stay."""

from __future__ import annotations

import fcntl
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from flywheel.data.privacy import DEMO_KEY, hash_id
from tests.conftest import Clone, tracked_files

pytestmark = pytest.mark.slow

SPEAKS, SERVED = "user 1", "user 57"  # one reports on most days; to the other one predictions were served
HASH = hash_id(SPEAKS, DEMO_KEY)
VERDICT = "    decision: confirm\n    reason: false reports\n    by: us\n"


def naming(folder: Path, name: str) -> Iterator[Path]:
    """The files of a folder, Git's own left out, that hold a text: in their bytes, or in a value of a table."""
    for path in sorted(folder.rglob("*")):
        if not path.is_file() or path.is_symlink() or ".git" in path.relative_to(folder).parts:
            continue
        content = path.read_bytes()
        if name.encode() in content or (content[:4] == b"PAR1" and in_table(path, name)):
            yield path


def in_table(path: Path, name: str) -> bool:
    table = pq.read_table(path)
    texts = [one for one in table.columns if pa.types.is_string(one.type) or pa.types.is_large_string(one.type)]
    return any(name in value for one in texts for value in one.to_pylist() if value)


def test_what_is_told_apart_before_anything_changes(tiny_copy: Clone) -> None:
    """Exit codes 2 and 3, one sentence each; and while another command is at work nobody is forgotten."""
    clone = tiny_copy

    def refused(*arguments: str, **env: str) -> tuple[int, str]:
        done = clone.flywheel("forget", *arguments, check=False, **env)
        assert "Traceback" not in done.stderr
        assert "" == clone.git("status", "--porcelain", "docs", "data", "annotations")
        return done.returncode, done.stderr

    def says(code: int, text: str, *arguments: str, **env: str) -> None:
        found = refused(*arguments, **env)
        assert (code, True) == (found[0], text in found[1]), found[1]

    says(3, "nobody is known under that id", "user 9999")
    says(3, "A hash has 16 hexadecimal digits; this has 6.", HASH[:6])
    says(2, "found an empty text", "  ")
    says(2, "Give one of them", SPEAKS, "--versions", "--purge")
    says(3, "this person is not forgotten yet", SPEAKS, "--purge")
    says(2, "is not the key that the data here was collected with", SPEAKS, FLYWHEEL_HASH_KEY="another")
    config = clone.path / "conf/project/parcels.yaml"
    config.write_text(config.read_text().replace("allow_demo_key: true", "allow_demo_key: false"))
    says(2, "FLYWHEEL_HASH_KEY is empty or unset. The key is needed", SPEAKS)
    with (clone.path / ".flywheel/lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        says(3, "another flywheel command is running in this folder", SPEAKS)


def test_after_forget_and_purge_nobody_has_them_and_a_fresh_clone_has_the_same_bytes(
    tiny_copy: Clone, tmp_path: Path
) -> None:
    """Not the tree, the cache or the remote; older versions are named with their tags, and the commands do what they say."""
    clone, store = tiny_copy, tmp_path / "store"
    clone.run("dvc", "remote", "add", "-q", "-d", "store", str(store))
    rows = clone.path / "annotations/march.csv"
    header, others = "prediction_id,annotator,value,answered_on,rubric\n", f"p2,{'b' * 16},0,2031-04-20,1\n"
    rows.write_text(f"{header}p1,{HASH},1,2031-04-20,1\n{others}")  # of a day to come
    said = clone.path / "docs/quarantine.yaml"
    said.write_text(said.read_text().replace("sources: {}\n", f'sources:\n  "{HASH}":\n{VERDICT}'))
    clone.run("dvc", "push", "-q")
    clone.commit("a verdict, some annotations and a remote")
    clone.git("tag", "-a", "-m", "as it was", "parcel-delay@v0.0.9")
    before = {path.name: path.read_bytes() for path in (clone.path / "data/events/predictions").iterdir()}
    assert list(naming(clone.path / "data", HASH))

    shown = clone.flywheel("forget", SPEAKS).stdout
    assert re.search(r"feedback\t7\d\d rows left the data", shown)
    assert "files\tannotations/march.csv does not name them any more" in shown
    assert "files\tdocs/quarantine.yaml does not name them any more" in shown
    assert "learned\tv0.1.0 had learned from them" in shown
    assert "still named" not in shown
    assert header + others == rows.read_text()
    assert said.read_text().endswith("\nsources: {}\n")
    report = (clone.path / "reports/report.md").read_text()
    assert "1 person was forgotten, as of 2031-04-12." in report
    assert "| v0.1.0, the champion | 1 |" in report
    assert [] == list(naming(clone.path / "data", HASH))
    after = {path.name: path.read_bytes() for path in (clone.path / "data/events/predictions").iterdir()}
    unchanged = [name for name in before if before[name] == after[name]]
    assert len(unchanged) > 10
    assert [] == [name for name in unchanged if in_predictions(before[name], HASH, tmp_path)]

    note = clone.path / "docs/note.md"
    note.write_text(f"Call {HASH}.\n")
    again = clone.flywheel("forget", HASH).stdout
    assert "this person is already forgotten, as of 2031-04-12. Nothing was changed." in again
    assert "docs/note.md still names them: a person must take it out" in again
    note.unlink()
    clone.commit("somebody is forgotten")
    sha = clone.git("rev-parse", "HEAD~1")[:10]
    listed = clone.flywheel("forget", SPEAKS, "--versions").stdout
    assert re.search(rf"commit    {sha} \(parcel-delay@v0\.0\.9\): \d+ files of its data still hold them", listed)
    assert clone.git("rev-parse", "HEAD")[:10] not in listed
    assert re.search(r"remote    'store': \d+ files that hold them\n", listed)
    assert "git       annotations/march.csv names them in 1 commit" in listed
    assert "git       docs/quarantine.yaml names them in 1 commit" in listed
    commands = [line.strip() for line in listed.splitlines() if line.strip().startswith("dvc gc")]
    assert 2 == len(commands)
    assert "flywheel forget USER --purge" in listed

    kept = {path for path in store.rglob("*") if path.is_file()}
    held = set(naming(store, HASH))
    assert len(held) > 80
    clone.flywheel("forget", SPEAKS, "--purge")
    assert kept - held == {path for path in store.rglob("*") if path.is_file()}
    assert [] == [*naming(clone.path, HASH), *naming(store, HASH)]
    assert "" == clone.git("status", "--porcelain")
    listed = clone.flywheel("forget", SPEAKS, "--versions").stdout
    assert "are neither in the cache nor on the remote: purged" in listed
    assert "could not be checked" not in listed
    for command in commands:
        clone.run(*command.split())
    assert "everything was up to date" in clone.flywheel("run").stdout

    clone.git("clone", "-q", str(clone.path), str(tmp_path / "fresh"))
    fresh = Clone(tmp_path / "fresh")
    fresh.run("dvc", "remote", "remove", "store")
    fresh.commit("no remote")
    fresh.flywheel("run")
    assert "" == fresh.git("status", "--porcelain")
    assert clone.hashes() == fresh.hashes()
    assert [] == list(naming(fresh.path / "data", HASH))
    assert re.search(r"unknown   \w+.*could not be checked", fresh.flywheel("forget", SPEAKS, "--versions").stdout)


def in_predictions(content: bytes, name: str, folder: Path) -> bool:
    """Whether the bytes of a table hold a text."""
    path = folder / "one.parquet"
    path.write_bytes(content)
    return in_table(path, name)


def kill_when(clone: Clone, seen: Callable[[], bool], *arguments: str) -> None:
    """Start `flywheel forget`, and kill all its processes, without a warning, once something is seen."""
    run = subprocess.Popen(
        [sys.executable, "-m", "flywheel.cli", "forget", *arguments],
        cwd=clone.path,
        env=clone.env,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        deadline = time.monotonic() + 120
        while not seen():
            assert run.poll() is None, "it ended before it was seen at work"
            assert time.monotonic() < deadline
            time.sleep(0.005)
    finally:
        if run.poll() is None:
            os.killpg(run.pid, signal.SIGKILL)
        run.wait()


def test_who_only_was_served_changes_no_label_and_no_model_and_kill_9_loses_nothing(tiny_copy: Clone) -> None:
    """Killed once the tombstone is written; the same command then finishes. What does not know users stays to the byte."""
    clone = tiny_copy
    before, features = clone.hashes(), clone.path / "data/features"
    days = {path.name: path.read_bytes() for path in features.glob("*.parquet")}
    stones = clone.path / "docs/forgotten.yaml"
    kill_when(clone, lambda: "person:" in stones.read_text(), SERVED)
    shown = clone.flywheel("forget", SERVED).stdout
    assert "was forgotten as of 2031-04-12, but not all was made again; that is done now" in shown
    after = clone.hashes()
    data = {"data/events", "data/valid", "data/rejected", "data/features"}  # of features the ledger, which has digests
    assert data | {"reports/quality.json", "reports/report.md"} == {
        name for name in after if after[name] != before[name]
    }
    assert days == {path.name: path.read_bytes() for path in features.glob("*.parquet")}
    assert 1 == stones.read_text().count("person:")
    assert "No released model had learned from what they said." in (clone.path / "reports/report.md").read_text()
    assert [] == list(naming(clone.path / "data", hash_id(SERVED, DEMO_KEY)))
    assert "Nothing was changed" in clone.flywheel("forget", SERVED).stdout
    assert clone.json("reports/quality.json")["total"]["rejected"] == 155


def test_where_conf_says_so_the_models_wait_for_the_next_retrain(tiny_copy: Clone) -> None:
    """The data, labels and features change at once; what still has learned from them is named."""
    clone = tiny_copy
    config = clone.path / "conf/config.yaml"
    config.write_text(config.read_text().replace("  models: now\n", "  models: next retrain\n"))
    before = clone.hashes()
    shown = clone.flywheel("forget", "-", check=False).stderr
    assert "found an empty text" in shown  # nothing came on the standard input
    shown = clone.flywheel("forget", HASH).stdout
    assert "later\tmodels/candidate and data/vintages, which learned from them" in shown
    assert [] == list(naming(clone.path / "data", HASH))
    after = clone.hashes()
    assert after["data/labels.parquet"] != before["data/labels.parquet"]
    assert after["models/candidate"] == before["models/candidate"]
    assert "Nothing was changed" in clone.flywheel("forget", HASH).stdout
    clone.flywheel("run")
    assert clone.hashes()["models/candidate"] != before["models/candidate"]


def test_the_template_forgets_nobody() -> None:
    """Its list is there, because DVC needs it, and is empty."""
    assert "docs/forgotten.yaml" in tracked_files()
