"""How much memory some code needs, in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

SRC = Path(__file__).parents[1] / "src"
# The peak of this process alone: what `resource` says includes the process that started it, which is a larger one here.
SAY = """
import pathlib, re
print(int(re.search(r"VmHWM:\\s+(\\d+)", pathlib.Path("/proc/self/status").read_text())[1]) / 1024)
"""


def run(code: str, argument: str) -> tuple[int, float]:
    """The number that some code prints, given an argument; and the peak of its memory, in MiB."""
    done = subprocess.run(
        [sys.executable, "-c", code + SAY, argument],
        env={**os.environ, "PYTHONPATH": str(SRC)},
        capture_output=True,
        text=True,
        check=True,
    )
    count, peak = done.stdout.split()
    return int(count), float(peak)
