"""`make bench`: seconds and peak memory of every stage, against a plain script that does the same work (floor.py).

Everything runs on the project that conf/ names, in copies of this tree in a temporary folder, one after the other on this
machine. The figures go to bench/results.json. `make bench ARGS=--quick` measures on size=tiny, to try the benchmark itself.

What is compared with what: the floor starts from the events that `collect` stored, because reading the source is the
project's own code, whatever comes after it. So the seconds in which the source gives its days are measured by themselves and
added to the floor before a whole run is compared with it (`ratio_to_floor`). The second ratio leaves both out: the run
without the seconds inside `collect`, against the script alone (`ratio_without_collect`). The floor makes and checks less than
the run, and NOT_IN_THE_FLOOR says what; the results repeat it in `left_out`.
"""

from __future__ import annotations

import datetime as dt
import json
import math
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[1]
IDENTITY = ("-c", "user.name=bench", "-c", "user.email=bench@example.com")
UP_TO_FEATURIZE = ("collect", "validate", "label", "featurize")
REPORTS = (
    *("labels", "feedback", "metrics", "cohorts", "behaviour", "robustness", "slices", "drift", "monitor"),
    *("curves/candidate/roc", "curves/candidate/reliability", "curves/candidate/scores", "curves/decision"),
)
NOT_IN_THE_FLOOR = {  # by report, or by what it is
    "leaks": "the floor does not look for leaks in the inputs",
    "cost": "the floor does not measure how long the models take",
    "decision": "the floor asks no rule of the gate",
    "quality": "the floor counts what broke the contract, but by other names, so that these numbers are not compared",
    "contract": "the floor learns no contract of the candidate's inputs",
    "quarantine": "the floor looks for no poison: it takes from the run whose claims do not count",
    "annotators": "the floor does not measure how reliable annotators are",
    "selection": "the floor does not learn who has a label: it takes from the run how much each row counts",
    "voices": "the floor reads no texts, and compares no cohorts by their ratings",
    "pseudo": "the floor makes no pseudo-labels, which are off in conf",
    "weigh": "the floor does not weigh what it learns from, which is off in conf",
    "pages": "the floor draws no plots and writes no page",
}
NEEDED = ("candidate.auc.value", "candidate.log_loss.value", "candidate.log_loss.low", "served.auc.value")
TOLERANCE = 1e-4  # of a number, or of 1 where it is smaller: the reports are rounded to five or six digits
WEEK = dt.timedelta(days=7)


def main() -> None:
    """Measure, print and write the results."""
    quick = "--quick" in sys.argv
    prepare()
    with tempfile.TemporaryDirectory() as folder:
        results = measure(Path(folder), quick)
    show(results)
    if not quick:
        (ROOT / "bench/results.json").write_text(json.dumps(results, indent=1) + "\n")


def prepare() -> None:
    """The environment of every command: a key for user ids where the project has none here, and threads that wait."""
    collect = composed(ROOT)["collect"]
    if not collect["allow_demo_key"]:
        os.environ.setdefault(collect["hash_key_env"], "bench")  # what it hashes is deleted in the end
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # as the pipeline sets them, also for the plain script
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    os.environ["DVC_NO_ANALYTICS"] = "1"
    os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])


def measure(folder: Path, quick: bool) -> dict[str, Any]:
    """All figures. Run and floor take turns, and the better of two counts: noise only adds."""
    size = ["size=tiny"] if quick else []
    home, again = folder / "flywheel", folder / "again"
    runs, floors = [], []
    for place in (home, again):
        copy_tree(place)
        runs.append(pipeline(place, *size))
        floors.append(seconds_of(place, [sys.executable, str(ROOT / "bench/floor.py"), "floor.json"]))
    default, floor = min(runs, key=lambda run: run["seconds"]), min(floors)
    inside_collect = next(one["seconds"] for one in default["stages"] if one["stage"] == "collect")
    first, last, as_of = source_of(home)
    source = best_of(2, lambda: read_source(home))
    no_op = best_of(3, lambda: seconds_of(home, flywheel("run", *size)))
    status = best_of(3, lambda: seconds_of(home, [sys.executable, "-m", "dvc", "status", "-q"]))
    results: dict[str, Any] = {
        "machine": {"cores": os.cpu_count(), "python": platform.python_version()},
        "project": {"name": composed(home)["project"]["name"], "as_of": str(as_of), "first_day": str(first)},
        "default": default,
        "floor_seconds": floor,
        "floor_agrees": check_floor(home),
        "source_seconds": source,
        "ratio_to_floor": round(default["seconds"] / (floor + source), 2),
        "ratio_without_collect": round((default["seconds"] - inside_collect) / floor, 2),
        "import_seconds": imports(home),
        "no_op_seconds": no_op,
        "dvc_status_seconds": status,
        "no_op_ratio_to_status": round(no_op / status, 2),
        "walk": json.loads(
            subprocess.run([sys.executable, ROOT / "bench/walk.py"], check=True, capture_output=True).stdout
        ),
        "rollback_seconds": rollback(home, folder / "origin.git"),
        "left_out": list(NOT_IN_THE_FLOOR.values()),
    }
    end = last + dt.timedelta(days=1)
    if quick:
        results["left_out"].append("the ticks and the run of the whole span (--quick)")
    elif as_of + WEEK > end:
        results["left_out"].append(
            f"the ticks and the run of the whole span: the clock, {as_of}, is near its end, {end}"
        )
    else:
        shutil.rmtree(again)
        results["tick_7_days"] = tick(home, default)
        results |= whole_span(folder, end)
    return results


def whole_span(folder: Path, end: dt.date) -> dict[str, Any]:
    """A run of all days of the source, a tick over its last seven, and the history features of all predictions."""
    before, whole = folder / "before", folder / "whole"
    for home, as_of in ((before, end - WEEK), (whole, end)):
        copy_tree(home)
        state = home / "conf/state.yaml"
        state.write_text(re.sub(r"as_of: \S+", f"as_of: {as_of}", state.read_text()))
    pipeline(before)
    full = pipeline(whole)
    return {
        "whole_span": {"as_of": str(end), **full},
        "tick_7_days_at_the_end": tick(before, full),
        "history_seconds": history(whole),
        **{
            name: json.loads(run(whole, [sys.executable, str(ROOT / f"bench/{name}.py")])[0].splitlines()[-1])
            for name in ("fit", "labels", "selection")
        },
    }


def copy_tree(home: Path) -> None:
    """A separate repository with the files of this tree."""
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
    for command in (["init", "-q", "-b", "main"], ["add", "-A"], [*IDENTITY, "commit", "-qm", "bench"]):
        subprocess.run(["git", *command], cwd=home, check=True)


def composed(home: Path) -> Any:
    """The composed parameters of a tree."""
    return yaml.safe_load((home / "params.yaml").read_text())


def flywheel(*arguments: str) -> list[str]:
    """The command line of flywheel, in this environment."""
    return [sys.executable, "-m", "flywheel.cli", *arguments]


def run(home: Path, command: list[str], **env: str) -> tuple[str, int]:
    """What a command printed, and the peak memory in MiB of it and what it started. Ends the benchmark when it fails."""
    with tempfile.TemporaryFile("w+") as out:
        process = subprocess.Popen(
            command, cwd=home, env=os.environ | {"PYTHONPATH": str(home / "src")} | env, stdout=out, stderr=out
        )
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        text = out.read()
    if process.returncode:
        sys.exit(f"{' '.join(command)} failed:\n{text}")
    return text, round(usage.ru_maxrss / 1024)


def seconds_of(home: Path, command: list[str]) -> float:
    """How long a command takes, from the start of its process to the end."""
    started = time.perf_counter()
    run(home, command)
    return round(time.perf_counter() - started, 3)


def best_of(n: int, measure_once: Callable[[], float]) -> float:
    """The smallest of n measurements: noise only adds."""
    return min(measure_once() for _ in range(n))


def pipeline(home: Path, *overrides: str) -> dict[str, Any]:
    """A run of everything: seconds, and the seconds inside each stage with its peak memory."""
    return timed(home, flywheel("run", *overrides))


def timed(home: Path, command: list[str]) -> dict[str, Any]:
    """A command that runs stages: its seconds, and theirs."""
    timings = home / ".flywheel/timings.jsonl"
    timings.parent.mkdir(exist_ok=True)
    timings.unlink(missing_ok=True)
    started = time.perf_counter()
    _, peak = run(home, command, FLYWHEEL_TIMINGS=str(timings))
    seconds = round(time.perf_counter() - started, 3)
    stages = [json.loads(line) for line in timings.read_text().splitlines()]
    return {"seconds": seconds, "peak_mib": peak, "stages": stages}


def tick(home: Path, full: dict[str, Any]) -> dict[str, Any]:
    """Seven days more: seconds inside the stages up to featurize, against those of the full run."""
    found = timed(home, flywheel("tick", "--days", "7"))
    inside = [sum(s["seconds"] for s in one["stages"] if s["stage"] in UP_TO_FEATURIZE) for one in (found, full)]
    return found | {
        "seconds_up_to_featurize": round(inside[0], 3),
        "full_seconds_up_to_featurize": round(inside[1], 3),
        "share_of_full": round(inside[0] / inside[1], 3),
    }


def imports(home: Path) -> dict[str, Any]:
    """What a process costs before the first line of its stage: python alone, with pandas, and with each stage's imports.

    What a stage imports later, where it needs it (Evidently, LightGBM, the project's own functions), is in its seconds.
    """

    def of(line: str) -> float:
        return best_of(3, lambda: seconds_of(home, [sys.executable, "-c", line]))

    stages = list(yaml.safe_load((home / "dvc.yaml").read_text())["stages"])
    return {
        "python": of("pass"),
        "pandas": of("import pandas"),
        "stages": {name: of(f"import flywheel.stages.{name}") for name in stages},
    }


def rollback(home: Path, origin: Path) -> float:
    """From the decision to the restored `prod` at origin: the rollback and the push of its tag, of two versions."""
    name = composed(home)["project"]["name"]

    def git(*arguments: str) -> None:
        subprocess.run(["git", *IDENTITY, *arguments], cwd=home, check=True, capture_output=True)

    git("clone", "-q", "--bare", ".", str(origin))
    git("remote", "add", "origin", str(origin))
    for number, version in enumerate(("v0.1.0", "v0.2.0"), 1):
        git("commit", "-q", "--allow-empty", "-m", version)
        git("tag", "-a", "-m", version, f"{name}@{version}")
        git("tag", "-a", "-m", version, f"{name}#prod#{number}")
    seconds = seconds_of(home, flywheel("rollback", "--why", "bench")) + seconds_of(
        home, ["git", "push", "-q", "origin", f"refs/tags/{name}#prod#3"]
    )
    git("tag", "-d", *(f"{name}#prod#{n}" for n in (1, 2, 3)), f"{name}@v0.1.0", f"{name}@v0.2.0")
    return round(seconds, 3)  # without the tags, the tick that is measured next has nothing to take over


def source_of(home: Path) -> tuple[dt.date, dt.date, dt.date]:
    """The first and the last day of the project's source, and its clock."""
    code = "print(source.first_day, source.last_day, params.clock.as_of)"
    first, last, as_of = in_tree(home, OPEN_SOURCE + code).split()
    return dt.date.fromisoformat(first), dt.date.fromisoformat(last), dt.date.fromisoformat(as_of)


OPEN_SOURCE = """
import datetime as dt, time
started = time.perf_counter()
from flywheel.data.sources import open_source
from flywheel.params import load
from flywheel.stages.collect import CollectParams
params = load(CollectParams)
source = open_source(params.source)
"""


def read_source(home: Path) -> float:
    """Seconds in which the source gives both tables of all days up to the clock; what is done with them is not in it."""
    code = """
started = time.perf_counter()
day = source.first_day
while day < params.clock.as_of:
    source.predictions(day), source.feedback(day)
    day += dt.timedelta(days=1)
print(time.perf_counter() - started)
"""
    return round(float(in_tree(home, OPEN_SOURCE + code)), 3)


def history(home: Path) -> float:
    """Seconds of compute of the history features of all predictions of the whole span."""
    code = """
import time
from flywheel import files
from flywheel.data import tables
from flywheel.features.history import history
from flywheel.labels.revisions import spans
from flywheel.params import load
from flywheel.stages.featurize import FeaturizeParams
items = load(FeaturizeParams).features.history
keys = sorted({name for item in items for name in item.key})
p = tables.read_days(files.VALID, "predictions", None, ["prediction_id", "served_at", *(f"in_{k}" for k in keys)])
p = p.rename(columns=lambda name: name.removeprefix("in_"))
known = spans(files.read_parquet(files.LABELS)).merge(p, on="prediction_id")
best = 1e9
for _ in range(3):
    started = time.perf_counter(); history(p, known, items); best = min(best, time.perf_counter() - started)
print(best)
"""
    return round(float(in_tree(home, code)), 3)


def in_tree(home: Path, code: str) -> str:
    """What a few lines print that use the tree's own code."""
    return run(home, [sys.executable, "-c", code])[0]


def check_floor(home: Path) -> dict[str, Any]:
    """How far the numbers of the floor are from the run's. Ends the benchmark when they are not the same work."""
    floor = json.loads((home / "floor.json").read_text())
    found = agreement(floor, {name: json.loads((home / f"reports/{name}.json").read_text()) for name in REPORTS})
    if found["differ"]:
        sys.exit("floor.py does not do the work of the pipeline:\n" + "\n".join(found["differ"][:20]))
    return {name: value for name, value in found.items() if name != "differ"}


def agreement(floor: Mapping[str, Any], reports: Mapping[str, Any]) -> dict[str, Any]:
    """How many of the reports' numbers the floor has, the largest difference, and a sentence for each that differs.

    A number that only the floor has differs too: it rests on a column, a cohort or a window that the run does not have.
    """
    mine, theirs = ({k: v for name in REPORTS for k, v in numbers(of[name], name)} for of in (floor, reports))
    differ = [f"{name}: the floor has {mine[name]:g}, the reports have none" for name in mine if name not in theirs]
    differ += [f"metrics.{name}: the floor has none" for name in NEEDED if f"metrics.{name}" not in mine]
    both = [name for name in mine if name in theirs]
    gaps = {name: abs(mine[name] - theirs[name]) / max(abs(theirs[name]), 1) for name in both}
    differ += [f"{name}: {mine[name]:g}, in the reports {theirs[name]:g}" for name in both if gaps[name] > TOLERANCE]
    return {
        "numbers": len(both),
        "of": len(theirs),
        "largest_difference": round(max(gaps.values(), default=0.0), 9),
        "differ": differ,
    }


def numbers(value: Any, path: str) -> Iterator[tuple[str, float]]:
    """Every finite number of a JSON value with the path to it; an item of a list goes by what it is about."""
    if isinstance(value, dict):
        for name, item in value.items():
            yield from numbers(item, f"{path}.{name}")
    elif isinstance(value, list):
        for place, item in enumerate(value):
            keys = [item[key] for key in ("column", "week", "start", "slice") if isinstance(item, dict) and key in item]
            yield from numbers(item, f"{path}.{keys[0] if keys else place}")
    elif isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value):
        yield path, float(value)


def show(results: dict[str, Any]) -> None:
    """The results as lines that a person reads."""
    before = results["import_seconds"]
    print(f"a process: python {before['python']:.2f} s, with pandas {before['pandas']:.2f} s")
    for name in ("default", "whole_span"):
        if name not in results:
            continue
        found = results[name]
        print(f"{name}: {found['seconds']:.1f} s, peak {found['peak_mib']} MiB")
        for stage in found["stages"]:
            said = f"  {stage['stage']:<10}{stage['seconds']:>8.2f} s {stage['peak_mib']:>6} MiB"
            print(f"{said}   {before['stages'][stage['stage']]:.2f} s before its first line")
    agrees = results["floor_agrees"]
    print(
        f"floor: a plain script without the project's code does what comes after collect in {results['floor_seconds']:.1f} s, "
        f"and has {agrees['numbers']:,} of the {agrees['of']:,} numbers of the reports, all the same"
    )
    print(f"  the source gives its days in {results['source_seconds']:.1f} s")
    print(f"  the whole run takes {results['ratio_to_floor']} x source and floor (limit 2.5)")
    print(f"  without collect on both sides {results['ratio_without_collect']} x the floor")
    print(
        f"walk: {results['walk']['commands']} commands (limit 4), {results['walk']['seconds']} s (limit 180) to a first report"
    )
    print(f"rollback: {results['rollback_seconds']:.1f} s (limit 30)")
    print(f"no-op: {results['no_op_ratio_to_status']} x dvc status (limit 1.5)")
    for name in ("tick_7_days", "tick_7_days_at_the_end"):
        if name in results:
            print(f"{name} up to featurize: {results[name]['share_of_full']} of a full run (limit 0.25)")
    if "history_seconds" in results:
        print(f"history of all predictions: {results['history_seconds']} s (limit 1.5)")
    if "fit" in results:
        fit = results["fit"]
        print(
            f"fit on {len(fit['windows'])} windows: AUC {fit['auc']} (limit 0.760), log loss {fit['log_loss']} (limit 0.495), "
            f"calibration error {fit['ece']} (limit 0.015), two seeds {fit['between_seeds']} apart (limit 0.003)"
        )
    if results.get("labels"):
        told = results["labels"]
        labels, majority = told["labels"], told["majority"]
        print(
            f"labels without an outcome: {labels['n']:,} of {told['predictions']:,} (limit 80 %), {labels['right']:.1%} right "
            f"(majority: {majority['n']:,}, {majority['right']:.1%}), calibration error {labels['calibration_error']} "
            f"(limit 0.03); {told['claims']['n']:,} claims in {told['claims']['seconds']} s (limit 1)"
        )
        written, alone = told["texts"], told["texts"]["labels"]
        claimed = sum(one["n"] for one in written["claim"].values())
        print(
            f"  {claimed:,} of {written['written']:,} texts claim something; {alone['n']:,} labels rest on texts alone"
        )
        print(f"  how often these are right: {written['claim']}, {alone}")
        for one in told["where_majority_is_least_right"]:
            print(
                f"  {one['where']}: majority {one['majority']:.1%}, labels {one['labels']['right']:.1%} of {one['labels']['n']}"
            )
    if results.get("selection"):
        told = results["selection"]
        for name, by_metric in told["errors"]["together"].items():
            said = [
                f"{one} {off['alike']:+.4f} with rows alike, {off['weighted']:+.4f} weighted "
                f"(nearer in {told['nearer'][name][one]} of {told['windows']} windows)"
                for one, off in by_metric.items()
            ]
            print(f"{name} on labelled rows against all with the truth: {'; '.join(said)}")
    for what in results["left_out"]:
        print(f"left out: {what}")


if __name__ == "__main__":
    main()
