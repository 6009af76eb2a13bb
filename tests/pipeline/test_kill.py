"""kill -9 in any stage loses nothing: the next run goes on and comes to the same bytes."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from tests.conftest import Clone

pytestmark = pytest.mark.slow

# For each stage: what is deleted, so that it has work to do, and what it writes first, so that it is seen in the middle
# of its work. None: it is killed a tenth of a second after its start, before the fastest of them could be over.
STAGES = {
    "collect": ("data/events", "data/events/feedback/2031-03-12.parquet"),
    "validate": ("data/valid", "data/valid/predictions/2031-03-12.parquet"),
    "label": ("data/labels.parquet", None),
    "featurize": ("data/features", "data/features/2031-03-12.parquet"),
    "train": ("models/candidate", "reports/learning/plots"),
    "evaluate": ("reports/curves", "reports/metrics.json"),
    "gate": ("reports/decision.json", None),
    "monitor": ("reports/drift.json", None),
    "report": ("reports/report.md", "reports/plots"),
}


def delete(path: Path) -> None:
    """Remove a file or a folder."""
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def kill_in(clone: Clone, stage: str) -> None:
    """Let DVC run up to a stage, and kill all processes, without a warning, once the stage is at work."""
    made, trace = STAGES[stage]
    delete(clone.path / made)
    run = subprocess.Popen(
        [sys.executable, "-m", "dvc", "repro", "--quiet", stage],
        cwd=clone.path,
        env=clone.env,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        deadline = time.monotonic() + 120
        while not is_at_work(run.pid, stage, clone.path / trace if trace else None):
            assert run.poll() is None, f"the run ended before {stage} was seen"
            assert time.monotonic() < deadline
            time.sleep(0.005)
    finally:
        if run.poll() is None:
            os.killpg(run.pid, signal.SIGKILL)
        run.wait()


def is_at_work(pid: int, stage: str, trace: Path | None) -> bool:
    """Whether the stage's process is there and has left its first trace, or has had a tenth of a second."""
    for process in psutil.Process(pid).children(recursive=True):
        try:
            if process.cmdline()[-1:] == [f"flywheel.stages.{stage}"]:
                return trace.exists() if trace else time.time() - process.create_time() > 0.1
        except psutil.Error:
            continue
    return False


def test_a_run_after_kill_9_in_every_stage_gives_the_same_bytes(tiny_copy: Clone) -> None:
    """Nothing is lost, nothing is half-written, no lock stays behind."""
    clone = tiny_copy
    undisturbed = clone.hashes()
    for stage in STAGES:
        kill_in(clone, stage)
        strange = [
            path for path in clone.path.glob("data/**/*") if path.suffix not in ("", ".json", ".parquet", ".txt")
        ]
        assert strange == []
    clone.flywheel("run")
    assert clone.hashes() == undisturbed
    assert clone.git("status", "--porcelain") == ""
