"""Late rows wait, a backfill brings them in, and exactly what they can have changed is made again; kill -9 loses nothing."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable

import pyarrow.parquet as pq
import pytest

from tests.conftest import LATE_DAYS, Clone

pytestmark = pytest.mark.slow

FIRST, DAY = LATE_DAYS
WHY = "the scanner was offline"


def days_of_features(clone: Clone) -> dict[str, int]:
    """When each day of features was written."""
    return {path.stem: path.stat().st_mtime_ns for path in (clone.path / "data/features").glob("*.parquet")}


def test_late_rows_wait_beside_the_data(tiny: Clone, late: Clone) -> None:
    """The days, the labels, the features and the model are as they were; the report says what waits, and the command."""
    assert "collect   0 new days of 42, 0 duplicates dropped; 60 rows came late" in late.stdout
    before, after = tiny.hashes(), late.hashes()
    assert {"data/late", "reports/quality.json", "reports/report.md"} == {
        name for name in after if after[name] != before[name]
    }
    assert {FIRST: 30, DAY: 30} == late.json("reports/quality.json")["late"]["feedback"]["days"]
    said = (late.path / "reports/report.md").read_text()
    assert f'`flywheel backfill --from {FIRST} --to {DAY} --why "…"`' in said


def test_a_backfill_brings_them_in_and_makes_again_what_they_can_have_changed(late_copy: Clone) -> None:
    """Of the one day that is asked for. What people said on it decides how far they are believed later, so all days from then
    on are looked at, and no day before. The effect is printed, the report has who and why, what is then there is what a full
    run makes, and the versions before and after can be compared.
    """
    clone = late_copy
    before = days_of_features(clone)
    said = clone.flywheel("backfill", "--from", DAY, "--to", DAY, "--why", WHY).stdout
    assert "1 of 1 days have changed" in said
    assert re.search(r"rows\t30 changed; \d+ -> \d+ in the files that differ", said)
    assert re.search(r"labels\t[1-9]\d* changed", said)
    assert re.search(r"auc\t0\.\d{4} -> 0\.\d{4}, the candidate's", said)
    assert re.search(r"verdict\t\w+ -> \w+", said)
    again = sorted(name for name, at in days_of_features(clone).items() if at != before[name])
    assert [f"2031-04-{n:02}" for n in range(2, 12)] == again
    [n_changed] = re.findall(r"features\t(\d) of 42 days changed", said)
    [record] = clone.json("data/events/corrections.json")
    assert (WHY, "test", [DAY]) == (record["why"], record["who"], list(record["days"]))
    report = (clone.path / "reports/report.md").read_text()
    assert f"| 2031-04-12 | 1 of {DAY} | 30 |" in report.split("## Corrections of history")[1]
    assert {FIRST: 30} == clone.json("reports/quality.json")["late"]["feedback"]["days"]

    hashes = clone.hashes()
    assert "everything was up to date" in clone.flywheel("run").stdout
    clone.commit("a correction")
    shutil.rmtree(clone.path / "data/features")
    clone.run("dvc", "repro", "--quiet", "featurize")  # all days, from the corrected events on
    assert hashes == clone.hashes()
    assert "" == clone.git("status", "--porcelain")

    text = clone.flywheel("diff-data", "HEAD~1", "HEAD", "--markdown", "-").stdout
    assert re.search(rf"\| data/events/feedback \| 1 changed \({DAY}\) \| \d+ → \d+ \| 30 \| 0 \| 0 \|", text)
    assert f"| data/features | {n_changed} changed (2031-04-03 to " in text  # it came at 23:00
    assert "data/events/predictions" not in text
    shown = clone.flywheel("diff-data", "HEAD~1", "--markdown", "difference.md").stdout
    assert f"data/events/feedback\t1 changed ({DAY})" in shown
    assert text.split("\n", 1)[1] == (clone.path / "difference.md").read_text().split("\n", 1)[1]
    assert "the data is the same" in clone.flywheel("diff-data").stdout
    day = clone.path / f"data/events/feedback/{DAY}.parquet"
    pq.write_table(pq.read_table(day).replace_schema_metadata({"duplicates": "9"}), day)
    assert "the data is the same" in clone.flywheel("diff-data").stdout

    shutil.rmtree(clone.path / ".dvc/cache")
    refused = clone.flywheel("diff-data", "HEAD~1", check=False)
    assert (3, True) == (refused.returncode, "flywheel restore" in refused.stderr)
    assert 3 == clone.flywheel("diff-data", "nothing-of-that-name", check=False).returncode


def test_what_cannot_be_corrected_is_refused_and_what_is_as_it_was_stays(late_copy: Clone) -> None:
    """Exit codes 2 and 3, one sentence, nothing changed; where the source says the same again that is no mistake."""
    clone = late_copy

    def backfill(first: str, last: str, why: str = WHY) -> tuple[int, str]:
        done = clone.flywheel("backfill", "--from", first, "--to", last, "--why", why, check=False)
        assert "Traceback" not in done.stderr
        return done.returncode, done.stdout + done.stderr

    hashes = clone.hashes()
    assert (2, True) == ((said := backfill(DAY, DAY, " "))[0], "--why" in said[1])
    assert (2, True) == ((said := backfill(DAY, "2031-04-12"))[0], "the clock is at 2031-04-12" in said[1])
    assert (3, True) == ((said := backfill("2031-02-28", DAY))[0], "2031-02-28 was not collected" in said[1])
    assert (0, True) == ((said := backfill("2031-04-01", "2031-04-01"))[0], "Nothing was changed" in said[1])
    assert "" == clone.git("status", "--porcelain")
    readme = clone.path / "README.md"
    readme.write_text(readme.read_text() + "\n")
    assert (3, True) == ((said := backfill(DAY, DAY))[0], "README.md is not committed" in said[1])
    clone.git("checkout", "-q", "README.md")
    clone.move_clock("2031-04-13")
    clone.commit("a clock that no run has followed")
    assert (3, True) == ((said := backfill(DAY, DAY))[0], "Finish the run" in said[1])
    assert hashes == clone.hashes()
    assert not (clone.path / "data/events/corrections.json").exists()


def kill_when(clone: Clone, seen: Callable[[], bool]) -> None:
    """Start a backfill, and kill all its processes, without a warning, once something is seen."""
    run = subprocess.Popen(
        [sys.executable, "-m", "flywheel.cli", "backfill", "--from", FIRST, "--to", DAY, "--why", WHY],
        cwd=clone.path,
        env=clone.env,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        deadline = time.monotonic() + 120
        while not seen():
            assert run.poll() is None, "the backfill ended before it was seen at work"
            assert time.monotonic() < deadline
            time.sleep(0.001)  # the backfill needs the core more
    finally:
        if run.poll() is None:
            os.killpg(run.pid, signal.SIGKILL)
        run.wait()


def test_a_run_after_kill_9_finds_the_days_as_they_were_or_the_whole_correction(late_copy: Clone) -> None:
    """Killed while the files are prepared: nothing has happened. Killed once they are: the next run carries it through."""
    clone = late_copy
    undisturbed = clone.hashes()
    beside = clone.path / ".flywheel/backfill"
    kill_when(clone, (beside / f"feedback/{FIRST}.parquet").exists)
    if not (beside / "pending.json").exists():
        clone.run("python", "-c", "from flywheel.loop.pipeline import finish_correction; finish_correction()")
        assert not beside.exists()
        assert "" == clone.run("dvc", "status", "--quiet").stdout  # exits with 1 where anything is not as it was

    corrections = clone.path / "data/events/corrections.json"
    kill_when(clone, lambda: (beside / "pending.json").exists() or corrections.exists())
    clone.flywheel("run")
    assert not beside.exists()
    assert [FIRST, DAY] == list(clone.json("data/events/corrections.json")[0]["days"])
    assert {} == clone.json("reports/quality.json")["late"]
    assert clone.hashes()["data/events"] != undisturbed["data/events"]
