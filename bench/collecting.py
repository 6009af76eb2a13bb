"""The stage `collect` on a source, in a process of its own: what files.py and sql.py measure."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
COLLECT = """
import json, resource, sys, time
from flywheel.stages.collect import CollectParams, main
from tests.planted import settings
params = settings(CollectParams, clock={"as_of": sys.argv[3]}, collect={"allow_demo_key": True})
source = params.source.model_copy(update={"factory": sys.argv[1], "options": json.loads(sys.argv[2])})
started = time.perf_counter()
main(params.model_copy(update={"source": source}))
print(time.perf_counter() - started, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
"""


def collect(factory: str, options: Mapping[str, Any], as_of: str, **env: str) -> tuple[float, float]:
    """The seconds of the stage up to a day, and its peak memory in MiB. Ends the benchmark when it fails."""
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            [sys.executable, "-c", COLLECT, factory, json.dumps(options), as_of],
            cwd=folder,
            env=os.environ | {"PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}"} | env,
            capture_output=True,
            text=True,
            check=False,
        )
    if done.returncode:
        sys.exit(f"collect failed:\n{done.stderr}")
    seconds, peak = map(float, done.stdout.split()[-2:])
    return seconds, peak
