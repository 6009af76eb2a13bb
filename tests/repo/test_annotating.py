"""The walk of docs/annotating.md: every command of it, on the engine's own small project."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path

import pytest

from tests.conftest import ROOT, Clone

pytestmark = pytest.mark.slow

DOCUMENT = (ROOT / "docs/annotating.md").read_text()
BLOCKS = re.findall(r"```bash\n(.*?)```", DOCUMENT, re.DOTALL)
ON = "2031-04-12"  # the next day that is collected
LAST = "2031-04-18"  # the last one that the turn collects


def run(clone: Clone, block: str) -> str:
    """The commands of a block, with this tree's `flywheel`; returns what they print."""
    return "".join(clone.run("bash", "-euo", "pipefail", "-c", line).stdout for line in block.splitlines() if line)


def fill(path: Path) -> int:
    """Write an answer into each row but the last; returns how many."""
    with path.open(newline="") as sheet:
        rows = list(csv.DictReader(sheet))
    for number, row in enumerate(rows[:-1]):
        row |= {"value": str(number % 2), "answered_on": ON}
    with path.open("w", newline="") as sheet:
        writer = csv.DictWriter(sheet, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return len(rows) - 1


def export(path: Path) -> int:
    """Answer the tasks of a file as Label Studio exports them, into export.json; returns how many there are."""
    tasks = json.loads(path.read_text())
    for task in tasks:
        value = {"from_name": "value", "to_name": "prediction", "type": "choices", "value": {"choices": ["1"]}}
        moment = f"{LAST}T12:00:00.000000Z"
        task["annotations"] = [{"result": [value], "completed_by": {"email": "bob@example.org"}, "updated_at": moment}]
    path.with_name("export.json").write_text(json.dumps(tasks))
    return len(tasks)


def test_every_command_of_the_walk(tiny_copy: Clone) -> None:
    """A sheet is filled, committed and collected by the next turn; the report counts it; tasks go out and come back.

    Who collects everything again gets the same days, and all that follows.
    """
    sheet, turn, out, back = BLOCKS
    assert "annotations/queue.csv is written" in run(tiny_copy, sheet)
    n = fill(tiny_copy.path / "annotations/queue.csv")
    refused = tiny_copy.flywheel("queue", check=False)
    assert (3, True) == (refused.returncode, "are filled in, so nothing was changed" in refused.stderr)
    run(tiny_copy, turn)
    made = tiny_copy.json("reports/labels.json")["answers"]
    assert (n, n) == (made["annotations"], made["from_queue"])
    assert made["audit"]["predictions"] > 0
    report = (tiny_copy.path / "reports/report.md").read_text()
    assert f"Of {n:,} annotations under a rubric, {n:,} answer the queue" in report
    assert "A random audit of " in report
    found = tiny_copy.run("git", "grep", "you@example.org", "--", ".", ":!docs", ":!tests", check=False)
    assert found.returncode == 1  # nowhere
    tiny_copy.commit("a turn")
    run(tiny_copy, out)
    n_tasks = export(tiny_copy.path / "tasks.json")
    said = run(tiny_copy, back)
    assert f"annotations/week-16.csv is written: {n_tasks} answers of 1 annotator." in said
    assert f"flywheel backfill --from {LAST} --to {LAST}" in said
    assert "bob@example.org" not in (tiny_copy.path / "annotations/week-16.csv").read_text()
    (tiny_copy.path / "annotations/week-16.csv").unlink()  # its answers are of a day that is collected
    before = tiny_copy.hashes()
    tiny_copy.run("rm", "-rf", "data", ".dvc/cache")
    tiny_copy.flywheel("run")
    assert before == tiny_copy.hashes()
