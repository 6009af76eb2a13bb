"""`make bench`: seconds and peak memory of every stage, against a plain script that does the same work (floor.py).

Everything runs in a copy of this tree in a temporary folder, one after the other on this machine. The figures go to
bench/results.json. `make bench ARGS=--quick` measures on size=tiny, to try the benchmark itself.
"""

from __future__ import annotations

import json
import os
import platform
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
YEAR = "clock.as_of=2014-01-01"
WEEK_BEFORE = "2013-12-25"
IDENTITY = ("-c", "user.name=bench", "-c", "user.email=bench@example.com")
UP_TO_FEATURIZE = ("collect", "validate", "label", "featurize")


def main() -> None:
    """Measure, print and write the results."""
    quick = "--quick" in sys.argv
    size = ["size=tiny"] if quick else []
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "flywheel"
        copy_tree(home)
        default = pipeline(home, *size)
        floor = run_floor(home)
        status = best_of(3, lambda: seconds_of(home, [sys.executable, "-m", "dvc", "status", "-q"]))
        no_op = best_of(3, lambda: seconds_of(home, flywheel("run", *size)))
        results: dict[str, Any] = {
            "machine": {"cores": os.cpu_count(), "python": platform.python_version()},
            "default": default,
            "floor_seconds": floor,
            "ratio_to_floor": round(default["seconds"] / floor, 2),
            "no_op_seconds": no_op,
            "dvc_status_seconds": status,
            "no_op_ratio_to_status": round(no_op / status, 2),
        }
        results["rollback_seconds"] = rollback(home, Path(folder) / "origin.git")
        if not quick:
            results["tick_7_days"] = tick(home, default)
            before_home = Path(folder) / "before"
            copy_tree(before_home)
            state = before_home / "conf/state.yaml"
            state.write_text(state.read_text().replace("2013-05-01", WEEK_BEFORE))
            pipeline(before_home)
            year_home = Path(folder) / "year"
            copy_tree(year_home)
            results["year"] = pipeline(year_home, YEAR)
            results["tick_7_days_after_a_year"] = tick(before_home, results["year"])
            results["history_all_flights_seconds"] = history_of_all_flights(year_home)
    show(results)
    if not quick:
        (ROOT / "bench/results.json").write_text(json.dumps(results, indent=1) + "\n")


def copy_tree(home: Path) -> None:
    """A repository of its own with the files of this tree."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=True,
    )
    for name in listed.stdout.decode().split("\0"):
        if name and (ROOT / name).is_file():
            (home / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, home / name)
    for command in (["init", "-q"], ["add", "-A"], [*IDENTITY, "commit", "-qm", "bench"]):
        subprocess.run(["git", *command], cwd=home, check=True)


def flywheel(*arguments: str) -> list[str]:
    """The command line of flywheel, in this environment."""
    return [sys.executable, "-m", "flywheel.cli", *arguments]


def environment(home: Path) -> dict[str, str]:
    """The tree's own code, this environment's python."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # as the pipeline sets it, also for the plain script
    return os.environ | {"PYTHONPATH": str(home / "src"), "PATH": path, "DVC_NO_ANALYTICS": "1"}


def seconds_of(home: Path, command: list[str], **env: str) -> float:
    """How long a command takes."""
    started = time.perf_counter()
    done = subprocess.run(command, cwd=home, env=environment(home) | env, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(command)} failed:\n{done.stdout}\n{done.stderr}")
    return round(time.perf_counter() - started, 3)


def best_of(n: int, measure: Any) -> float:
    """The smallest of n measurements: noise only adds."""
    return min(measure() for _ in range(n))


def pipeline(home: Path, *overrides: str) -> dict[str, Any]:
    """A run of everything: seconds, and the seconds inside each stage with its peak memory."""
    timings = home / ".flywheel/timings.jsonl"
    timings.parent.mkdir(exist_ok=True)
    timings.unlink(missing_ok=True)
    seconds = seconds_of(home, flywheel("run", *overrides), FLYWHEEL_TIMINGS=str(timings))
    stages = [json.loads(line) for line in timings.read_text().splitlines()]
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    return {"seconds": seconds, "peak_mib": round(peak), "stages": stages}


def tick(home: Path, full: dict[str, Any]) -> dict[str, Any]:
    """Seven days more: seconds inside the stages up to featurize, against those of the full run."""
    timings = home / ".flywheel/timings.jsonl"
    timings.unlink(missing_ok=True)
    seconds = seconds_of(home, flywheel("tick", "--days", "7"), FLYWHEEL_TIMINGS=str(timings))
    stages = [json.loads(line) for line in timings.read_text().splitlines()]
    inside = [sum(s["seconds"] for s in of if s["stage"] in UP_TO_FEATURIZE) for of in (stages, full["stages"])]
    return {
        "seconds": seconds,
        "stages": stages,
        "seconds_up_to_featurize": round(inside[0], 3),
        "full_seconds_up_to_featurize": round(inside[1], 3),
        "share_of_full": round(inside[0] / inside[1], 3),
    }


def rollback(home: Path, origin: Path) -> float:
    """From the decision to the restored `prod` at origin: the rollback and the push of its tag, of two versions."""

    def git(*arguments: str) -> None:
        subprocess.run(["git", *IDENTITY, *arguments], cwd=home, check=True, capture_output=True)

    git("clone", "-q", "--bare", ".", str(origin))
    git("remote", "add", "origin", str(origin))
    for number, version in enumerate(("v0.1.0", "v0.2.0"), 1):
        git("commit", "-q", "--allow-empty", "-m", version)
        git("tag", "-a", "-m", version, f"flight-disruption@{version}")
        git("tag", "-a", "-m", version, f"flight-disruption#prod#{number}")
    seconds = seconds_of(home, flywheel("rollback", "--why", "bench")) + seconds_of(
        home, ["git", "push", "-q", "origin", "refs/tags/flight-disruption#prod#3"]
    )
    git("tag", "-d", *(f"flight-disruption#prod#{n}" for n in (1, 2, 3)), "flight-disruption@v0.1.0")
    git("tag", "-d", "flight-disruption@v0.2.0")  # the tick that is measured next has nothing to take over
    return round(seconds, 3)


def run_floor(home: Path) -> float:
    """The whole process of the plain script, imports included, as for the pipeline."""
    return best_of(2, lambda: seconds_of(home, [sys.executable, str(ROOT / "bench/floor.py")]))


def history_of_all_flights(home: Path) -> float:
    """Seconds of compute of the history features of all predictions of the year."""
    code = """
import time, pandas as pd
from flywheel import events, files, labels
from flywheel.history import history
from flywheel.params import FeaturizeParams, load
items = load(FeaturizeParams).features.history
keys = sorted({name for item in items for name in item.key})
p = events.read_days(files.VALID, "predictions", None, ["prediction_id", "served_at", *(f"in_{k}" for k in keys)])
p = p.rename(columns=lambda name: name.removeprefix("in_"))
known = labels.spans(files.read_parquet(files.LABELS)).merge(p, on="prediction_id")
best = 1e9
for _ in range(3):
    started = time.perf_counter(); history(p, known, items); best = min(best, time.perf_counter() - started)
print(best)
"""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=home, env=environment(home), capture_output=True, text=True, check=True
    )
    return round(float(done.stdout), 3)


def show(results: dict[str, Any]) -> None:
    """The results as lines that a person reads."""
    for name in ("default", "year"):
        if name not in results:
            continue
        found = results[name]
        print(f"{name}: {found['seconds']:.1f} s, peak {found['peak_mib']} MiB")
        for stage in found["stages"]:
            print(f"  {stage['stage']:<10}{stage['seconds']:>8.2f} s {stage['peak_mib']:>6} MiB")
    print(
        f"floor: {results['floor_seconds']:.1f} s; the pipeline takes {results['ratio_to_floor']} x the floor (limit 2.5)"
    )
    print(f"rollback: {results['rollback_seconds']:.1f} s (limit 30)")
    print(f"no-op: {results['no_op_ratio_to_status']} x dvc status (limit 1.5)")
    if "tick_7_days" in results:
        for name in ("tick_7_days", "tick_7_days_after_a_year"):
            print(f"{name} up to featurize: {results[name]['share_of_full']} of a full run (limit 0.25)")
        print(f"history of all flights: {results['history_all_flights_seconds']} s (limit 1.5)")


if __name__ == "__main__":
    main()
