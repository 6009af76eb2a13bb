"""`make prove`: does the gate stop what must be stopped, and let through what must pass? And what does the loop earn alone?

In a copy of this tree in a temporary folder the stages up to `featurize` run as of the end of the data. Then the recipe, and
versions of it into which something is planted, are fitted as of the first day of each window of the span, and gates decide on
them: each has a clock, the windows before it, and weeks that are drawn from these with replacement. So the hundred gates of a
case are variations of one history, not a hundred histories: neighbouring clocks share all windows but one, and a draw changes
the days and no model. Beside it the loop is left alone (alone.py). What came out goes to bench/proof.json; the command fails
when a limit does not hold. `ARGS=FOLDER` takes a tree that has the features and labels already.
"""

from __future__ import annotations

import datetime as dt
import json
import multiprocessing
import os
import re
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from alone import left_alone, policies
from cases import CASES, LATELY, OLDER, YOUNGER, Cases, Clock, share
from gates import Judged, Window, measured, together
from lab import Lab, score, to_thousandths
from planted import LEAK, MOST_TREES, History, Laborious, blurred, shuffled

import bench
from flywheel.evaluation import cost
from flywheel.evaluation.bands import cohort_names
from flywheel.evaluation.compare import evaluation_rows
from flywheel.evaluation.intervals import WEIGHT
from flywheel.evaluation.leaks import probe
from flywheel.evaluation.settings import Cohort
from flywheel.model import artifact
from flywheel.model.contract import Contracts
from flywheel.params import load
from flywheel.stages.train import TrainParams

RESULTS = Path(__file__).parents[1] / "bench/proof.json"
STAGES = ("collect", "validate", "label", "featurize")
LEARNT = dt.timedelta(days=120)  # so long the loop only listens
LEAK_TREES = 30  # such an input needs no more
EVERY, WEEK = dt.timedelta(days=14), dt.timedelta(days=7)
LEAST_WINDOWS = 3
LATENCY_SECONDS, LATENCY_ROUNDS = 0.1, 2  # a stage takes three times as long, and three rounds
SAMPLES = 200  # of days, for the intervals of a gate; conf's 2,000 take ten times as long
GAIN = 0.01  # of AUC
HARMED, HARM, SHARE = (
    "harmed",
    0.05,
    0.08,
)  # a cohort, its loss of log loss, and the share of the rows that it has about
LIMITS = {"auc": 0.760, "kept": 0.9, "release": -0.005}


def main() -> None:
    """Prove, print and write the results."""
    seconds = Seconds()
    os.environ["OMP_WAIT_POLICY"] = "passive"
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(sys.argv[1] if len(sys.argv) > 1 else prepared(Path(folder) / "tree"))
        seconds.lap("data")
        results = prove(seconds)
        os.chdir(RESULTS.parent)
    RESULTS.write_text(json.dumps(results, indent=1) + "\n")
    print(table(results))
    if not all(one["holds"] for one in [*results["gates"].values(), *results["alone"]["limits"].values()]):
        sys.exit("a limit does not hold, see above")


class Seconds:
    """How long each part took, and how much of the processors."""

    def __init__(self) -> None:
        """Begin to count."""
        self.before = self._now()
        self.parts: dict[str, dict[str, int]] = {}

    def _now(self) -> tuple[float, float]:
        return time.perf_counter(), sum(os.times()[:4])

    def lap(self, name: str) -> None:
        """A part has ended."""
        now = self._now()
        wall, cpu = (round(one - other) for one, other in zip(now, self.before, strict=True))
        self.parts[name] = {"seconds": wall, "of_processors": cpu}
        self.before = now
        print(f"{name:<10}{wall:>5} s, {cpu} s of the processors", file=sys.stderr, flush=True)


def prepared(home: Path) -> Path:
    """A copy of this tree with the features and labels of the whole span."""
    bench.prepare()
    bench.copy_tree(home)
    end = bench.source_of(home)[1] + dt.timedelta(days=1)
    state = home / "conf/state.yaml"
    state.write_text(re.sub(r"as_of: \S+", f"as_of: {end}", state.read_text()))
    bench.run(home, bench.flywheel("compose"))
    for stage in STAGES:
        bench.run(home, [sys.executable, "-m", f"flywheel.stages.{stage}"])
    return home


def prove(seconds: Seconds) -> dict[str, Any]:
    """All that is proved, as it goes to proof.json."""
    history, judged = History.read(load(TrainParams)), load(Judged)
    fewer = judged.evaluate.bootstrap.model_copy(update={"samples": SAMPLES})
    judged = judged.model_copy(update={"evaluate": judged.evaluate.model_copy(update={"bootstrap": fewer})})
    lab = Lab(history, history.made(), history.way(), judged)
    first = history.first + LEARNT
    weeks = list(days(first, history.end, WEEK))
    clocks = list(days(first, history.end, EVERY))
    lab.made.grow_all([(lab.way, day) for day in weeks + [first - EVERY * n for n in range(1, 5)]])
    seconds.lap("fits")
    os.environ["OMP_NUM_THREADS"] = "1"
    cost.SECONDS, cost.ROUNDS = LATENCY_SECONDS, LATENCY_ROUNDS
    cases = planted(lab, clocks[-1])
    seconds.lap("planted")
    with ProcessPoolExecutor(2, multiprocessing.get_context("spawn")) as pool:
        gates = {name: pool.submit(share, cases, name) for name in CASES}
        ticks = left_alone(lab, clocks)
        seconds.lap("alone")
        year = policies(lab, weeks, EVERY, ticks)
        found = {name: one.result() for name, one in gates.items()}
    seconds.lap("gates")
    return {
        "trees": {"most": MOST_TREES, "wanted": max(lab.model(day).card["trees"] for day in weeks)},
        "clocks": {clock.isoformat(): len(one.starts) for clock, one in cases.clocks.items()},
        "versions": told(cases),
        "harmed": {"cohort": cases.harmed, "share": round(cases.share_harmed, 3), "log_loss": HARM},
        "gates": found,
        "alone": {**year, "limits": limits(year), "ticks": ticks},
        "seconds": seconds.parts,
    }


def days(first: dt.date, end: dt.date, step: dt.timedelta) -> Iterable[dt.date]:
    """Every so many days, before the end."""
    while first < end:
        yield first
        first += step


def planted(lab: Lab, last: dt.date) -> Cases:
    """What gates are shown: the clocks a window apart, the windows before them, and what each version says on these."""
    history, n = lab.history, lab.history.params.windows.evaluation_windows
    ends = [last - history.step * j for j in range((last - history.first) // history.step)]
    looked = {
        end: [start for k in range(1, n + 1) if lab.is_long(start := end - history.step * k, end)] for end in ends
    }
    looked = {end: starts for end, starts in looked.items() if len(starts) >= LEAST_WINDOWS}
    starts = sorted({start for found in looked.values() for start in found})
    models = versions(lab, starts)
    with ThreadPoolExecutor(2) as pool:  # LightGBM does not hold Python's lock
        found = pool.map(lambda start: window(lab, start, {name: one[start] for name, one in models.items()}), starts)
        windows = dict(zip(starts, found, strict=True))
        poisoned = list(pool.map(lambda end: poison(lab, end, windows[end - history.step]), looked))
        asked = list(
            pool.map(lambda end: lab.asked(end, windows[end - history.step].table, end - history.step), looked)
        )
    clocks = {}
    for (end, its_starts), bad, its_asked in zip(looked.items(), poisoned, asked, strict=True):
        latest, old = windows[its_starts[0]].table, its_asked.contracts.champion
        assert old is not None
        assert "inputs" in old
        leak = latest[["label"]].set_axis([LEAK], axis=1)
        leaks: Any = probe(leak, latest["served_at"], latest["label"].to_numpy(), lab.judged.evaluate.leaks)
        clocks[end] = Clock(
            its_starts,
            its_asked,
            bad,
            Contracts(lab.contract(end, old, (next(iter(old["inputs"])),)), old),
            lab.cost(latest, five_times(before := lab.model(end - history.step)), before),
            leaks["inputs"][LEAK],
            {back: [one for one in its_starts if lab.is_long(one - back, end - back)] for back in (history.step, WEEK)},
        )
    judged = with_a_cohort(lab, windows)
    columns = {"served_at", "label", *(one.column for one in judged.evaluate.cohorts.values())}
    columns |= {WEIGHT} & {*next(iter(windows.values())).table}
    harmed, share_harmed = plant_noise(windows, judged)
    slim = {start: replace(one, table=one.table[sorted(columns)]) for start, one in windows.items()}
    for one in clocks.values():
        one.poisoned = replace(one.poisoned, table=one.poisoned.table[sorted(columns)])
    return Cases(judged, slim, clocks, history.step, harmed, share_harmed)


def versions(lab: Lab, starts: Sequence[dt.date]) -> dict[str, dict[dt.date, artifact.Model]]:
    """The versions that must be fitted as of the first day of each window; each has as many trees as the recipe has then."""
    history = lab.history
    group = tuple(name for names in history.counted.values() for name in names)
    of: dict[str, tuple[History, dict[str, Any]]] = {
        "another seed": (history, {"seed": history.params.train.seed + 1}),
        "without a group": (history, {"without": group}),
        "wrong labels": (history.with_wrong_labels(0.1), {}),
        "with a leak": (history.with_leak(), {}),
    }
    found = {}
    for name, (its_history, otherwise) in of.items():
        made = its_history.made()
        made.memo.is_on = False  # its places are for the recipe's own fits
        ways = {
            start: its_history.way(
                n_trees=LEAK_TREES if name == "with a leak" else lab.model(start).card["trees"], **otherwise
            )
            for start in starts
        }
        made.grow_all([(way, start) for start, way in ways.items()])
        found[name] = {start: made.vintage(way, start)[0] for start, way in ways.items()}
    return found


def window(lab: Lab, start: dt.date, models: dict[str, artifact.Model]) -> Window:
    """A window with what each version says on it."""
    step = lab.history.step
    found = lab.window(
        start,
        start + step,
        {"base": start, YOUNGER: start + step, OLDER: start - step, LATELY: start - WEEK},
    )
    rows, base = found.table, lab.model(start)
    top = next(name for name in base.card["importance"] if name in base.card["features"]["numeric"])
    said = {
        **{name: score(one, rows.assign(**{LEAK: rows["label"]})) for name, one in models.items()},
        "a shuffled feature": score(base, shuffled(rows, top)),
        "a stale feed": score(base, lab.history.stale(rows, start)),
        "to the power 1.3": to_thousandths(found.scores["base"] ** 1.3),
    }
    return replace(found, scores={**found.scores, **said})


def poison(lab: Lab, clock: dt.date, latest: Window) -> Window:
    """The latest window of a clock with a fifth of its labels turned round, and the candidate that learned from them."""
    history = lab.history.with_wrong_labels(0.2, latest.start, clock)
    made = history.made()
    made.memo.is_on = False
    model = made.vintage(history.way(n_trees=lab.model(clock).card["trees"]), clock)[0]
    rows = evaluation_rows(
        latest.table.drop(columns=["label", WEIGHT], errors="ignore"), history.revisions, clock, lab.judged.evaluate
    )
    rows = lab.weighed(rows, {"base": latest.scores["base"]}, latest.start, history.revisions, clock)
    return replace(latest, table=rows, scores={**latest.scores, "poisoned": score(model, rows)})


def five_times(model: artifact.Model) -> artifact.Model:
    """A model that takes five times as long."""
    return replace(model, booster=Laborious(model.booster, 5))


def with_a_cohort(lab: Lab, windows: dict[dt.date, Window]) -> Judged:
    """The rules with one more group of cohorts: the highest values of that number which has about `SHARE` of the rows there."""
    rows = pd.concat([one.table[list(lab.history.params.features.numeric)] for one in windows.values()])
    edges = rows.quantile(1 - SHARE)
    column = str((rows.ge(edges).mean() - SHARE).abs().idxmin())
    cohorts = {**lab.judged.evaluate.cohorts, HARMED: Cohort(column=column, edges=(float(edges[column]),))}
    return lab.judged.model_copy(update={"evaluate": lab.judged.evaluate.model_copy(update={"cohorts": cohorts})})


def plant_noise(windows: dict[dt.date, Window], judged: Judged) -> tuple[str, float]:
    """Give all windows scores that are worse by a known amount: everywhere, in one cohort, or everywhere but there.

    Returns the cohort and its share of the rows.
    """
    ordered = list(reversed(windows.values()))
    table, scores = together(ordered, {"base": "base"})
    label, base = table["label"].to_numpy(), scores["base"]
    cohort = judged.evaluate.cohorts[HARMED]
    members = cohort_names(table[cohort.column], cohort)
    last = next(one for one in members.unique() if one.endswith("and more"))
    mine = (members == last).to_numpy()
    part = float(mine.mean())
    harmed, elsewhere = base.copy(), base.copy()
    harmed[mine] = blurred(base[mine], label[mine], "log_loss", HARM)
    elsewhere[~mine] = blurred(base[~mine], label[~mine], "log_loss", HARM * part / (1 - part))
    noisy = {"blurred": blurred(base, label, "auc", GAIN), "harmed": harmed, "worse elsewhere": elsewhere}
    ends = np.cumsum([len(one.table) for one in windows.values()])[:-1]
    for name, found in noisy.items():
        for start, said in zip(windows, np.split(to_thousandths(found), ends), strict=True):
            windows[start] = replace(windows[start], scores={**windows[start].scores, name: said})
    return f"{cohort.column} {last}", part


def told(cases: Cases) -> dict[str, dict[str, float]]:
    """AUC and log loss of each version on all windows."""
    names = next(iter(cases.windows.values())).scores
    table, scores = together(list(cases.windows.values()), {name: name for name in names})
    label = table["label"].to_numpy()
    return {name: measured(one, label) for name, one in scores.items()}


def limits(year: dict[str, Any]) -> dict[str, Any]:
    """What the loop has to earn alone."""
    found = {
        "AUC of the loop alone": (year["policies"]["alone"]["auc"], LIMITS["auc"]),
        "share kept of what every week earns over never": (year["kept"], LIMITS["kept"]),
        "AUC of the worst release against the one before it, on its next days": (
            min(year["releases"].values(), default=0.0),
            LIMITS["release"],
        ),
    }
    return {
        name: {"value": value, "at_least": least, "holds": value >= least} for name, (value, least) in found.items()
    }


def table(results: dict[str, Any]) -> str:
    """The results as the tables of docs/proof.md."""
    lines = [
        "| case | asked as | pass | fail | inconclusive | wanted | stopped by | |",
        "| --- | --- | ---: | ---: | ---: | --- | --- | --- |",
    ]
    for name, one in results["gates"].items():
        n = sum(one[verdict] for verdict in ("pass", "fail", "inconclusive"))
        by = f"{one['because']}, {one['stopped_by_it']} of {n}" if one["because"] else ""
        counts = f"{one['pass']} | {one['fail']} | {one['inconclusive']}"
        lines.append(f"| {name} | {one['kind']} | {counts} | {one['limit']} | {by} | {_holds(one)} |")
    lines += ["", "| policy | models | AUC | log loss |", "| --- | ---: | ---: | ---: |"]
    for name, one in results["alone"]["policies"].items():
        lines.append(f"| {name} | {one['models']} | {one['auc']:.4f} | {one['log_loss']:.4f} |")
    lines += ["", "| the loop left alone | value | at least | |", "| --- | ---: | ---: | --- |"]
    for name, one in results["alone"]["limits"].items():
        lines.append(f"| {name} | {one['value']:.4f} | {one['at_least']:.3f} | {_holds(one)} |")
    return "\n".join(lines)


def _holds(one: dict[str, Any]) -> str:
    return "holds" if one["holds"] else "**does not hold**"


if __name__ == "__main__":
    main()
