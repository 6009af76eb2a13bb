"""The stages of the pipeline, one file each, named as in `dvc.yaml`. `python -m flywheel.stages.NAME` runs one."""

from __future__ import annotations

import json
import os
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn, TypeVar

from flywheel.errors import FAILURE, OUTSIDE, FlywheelError, told
from flywheel.params import Params, load

P = TypeVar("P", bound=Params)


def run_stage(main: Callable[[P], str], params_class: type[P]) -> None:
    """Run a stage's `main` and print its one line; what a person can mend becomes a message and an exit code."""
    name = Path(sys.argv[0]).stem
    started = time.perf_counter()
    try:
        line = main(load(params_class))
    except FlywheelError as error:
        _fail(name, error)
    except OUTSIDE as error:
        _fail(name, told(error))
    seconds = time.perf_counter() - started
    print(f"{name:<10}{line} ({seconds:.1f} s)")
    timings = os.environ.get("FLYWHEEL_TIMINGS")  # `make bench` collects these
    if timings:
        peak_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        with Path(timings).open("a", encoding="utf-8") as file:
            file.write(json.dumps({"stage": name, "seconds": round(seconds, 3), "peak_mib": round(peak_mib)}) + "\n")


def _fail(name: str, error: FlywheelError) -> NoReturn:
    """Hand the error to whoever asked for it, else print it; and exit with its code."""
    asked = os.environ.get(FAILURE)
    try:
        if not asked:
            raise FileNotFoundError
        Path(asked).write_text(
            json.dumps({"stage": name, "exit_code": error.exit_code, "message": str(error)}), encoding="utf-8"
        )
    except OSError:  # nobody asked, or the disk takes nothing more
        print(f"{name}: {error}", file=sys.stderr)
    sys.exit(error.exit_code)
