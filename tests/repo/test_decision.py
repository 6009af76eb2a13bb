"""The committed decision fits the committed schema, as other tools would check it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from flywheel.evaluation.schema import PLACE

ROOT = Path(__file__).parents[2]
CHECK = [str(Path(sys.executable).parent / "check-jsonschema"), "--schemafile", str(PLACE)]


def test_the_committed_decision_fits_its_schema(tmp_path: Path) -> None:
    """And the same decision without its verdict does not."""
    decision = ROOT / "reports/decision.json"
    done = subprocess.run([*CHECK, str(decision)], capture_output=True, text=True, check=False)
    assert (0, "") == (done.returncode, done.stderr), done.stdout
    found = json.loads(decision.read_text(encoding="utf-8"))
    del found["verdict"]
    (tmp_path / "decision.json").write_text(json.dumps(found))
    done = subprocess.run([*CHECK, str(tmp_path / "decision.json")], capture_output=True, text=True, check=False)
    assert 1 == done.returncode
    assert "'verdict' is a required property" in done.stdout
