"""The loop left alone: every second week it ticks, and releases what its own gate lets pass. No hand."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
from gates import Pair, judge, measured
from lab import Lab

from flywheel.data import tables
from flywheel.evaluation.compare import evaluation_rows
from flywheel.evaluation.evidence import open_rules
from flywheel.model import artifact
from flywheel.model.vintages import plan

Models = Mapping[dt.date, artifact.Model]
LAST_DAY = dt.date(2199, 1, 1)


def left_alone(lab: Lab, clocks: Sequence[dt.date]) -> list[dict[str, Any]]:
    """What happened at each clock: the verdict, the kind of candidate, and the rules that were open."""
    champion: dt.date | None = None
    ticks = []
    for clock in clocks:
        found = tick(lab, clock, champion)
        ticks.append(found)
        if found["verdict"] == "pass":
            champion = clock
    return ticks


def tick(lab: Lab, clock: dt.date, champion: dt.date | None) -> dict[str, Any]:
    """The gate's verdict on the vintage of a clock, against that of the day of the champion, or what was served without."""
    windows = lab.history.params.windows.evaluations(clock)
    card = lab.model(champion).card if champion else None
    index, _ = plan(lab.made, clock, windows, lab.way, card, lab.way if champion else None, None)
    age = clock - champion if champion else dt.timedelta(0)
    found = []
    for one in index["windows"]:
        start = dt.date.fromisoformat(one["start"])
        days = {"candidate": start, "younger": start + lab.history.step}
        found.append(lab.window(start, clock, days | ({"champion": start - age} if champion else {})))
    unseen = [
        lab.window(start, clock, {"candidate": start, "itself": champion})
        for start in (dt.date.fromisoformat(one["start"]) for one in index["as_it_is"])
        if champion
    ]
    if champion is None:
        for one in found:
            one.scores["served"] = one.table["served_score"].to_numpy()
    reference = "champion" if champion else "served"
    asked = lab.asked(clock, found[0].table, champion)
    decision = judge(
        found, Pair(index["kind"], "candidate", reference, "younger", reference), asked, lab.judged, unseen
    )
    return {
        "as_of": clock.isoformat(),
        "verdict": decision["verdict"],
        "kind": decision["kind"],
        "windows": len(found),
        "open": open_rules(decision),
    }


def policies(
    lab: Lab, weeks: Sequence[dt.date], every: dt.timedelta, ticks: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    """What the loop earned alone, beside models of its recipe that are renewed every week, at each of its ticks, or never."""
    first, history = weeks[0], lab.history
    served_at = history.served["served_at"]
    rows = evaluation_rows(
        history.served[served_at >= tables.timestamp(first)], history.revisions, history.end, lab.judged.evaluate
    )
    label = rows["label"].to_numpy()
    fitted = {day: lab.model(day) for day in weeks}
    released = {
        day: fitted[day] for one in ticks if one["verdict"] == "pass" for day in [dt.date.fromisoformat(one["as_of"])]
    }
    served = {
        "alone": released,
        "every week": fitted,
        f"every {every.days} days": {day: fitted[day] for day in weeks if not (day - first) % every},
        "never": {first: fitted[first]},
    }
    found = {name: measured(by_day(rows, models), label) for name, models in served.items()}
    auc = {name: one["auc"] for name, one in found.items()}
    return {
        "first": first.isoformat(),
        "rows": len(rows),
        "policies": {name: {**one, "models": len(served[name])} for name, one in found.items()},
        "kept": round((auc["alone"] - auc["never"]) / (auc["every week"] - auc["never"]), 3),
        "releases": next_days(rows, released, history.step, history.end),
    }


def by_day(rows: pd.DataFrame, models: Models) -> np.ndarray:
    """What was said to each row by the model that served on its day; before the first, what was served."""
    found: np.ndarray = rows["served_score"].to_numpy("float64").copy()
    starts = sorted(models)
    for start, end in zip(starts, [*starts[1:], LAST_DAY], strict=True):
        mine = between(rows, start, end)
        found[mine] = artifact.predict(models[start], rows[mine])
    return found


def next_days(rows: pd.DataFrame, released: Models, step: dt.timedelta, end: dt.date) -> dict[str, float]:
    """How much AUC each release gained over the one before it, on the days of the window after it, if all of them are over."""
    found: dict[str, float] = {}
    for before, start in pairwise(sorted(released)):
        if start + step > end:
            continue
        mine = rows[between(rows, start, start + step)]
        label = mine["label"].to_numpy()
        new, old = (measured(artifact.predict(released[day], mine), label)["auc"] for day in (start, before))
        found[start.isoformat()] = round(new - old, 4)
    return found


def between(rows: pd.DataFrame, start: dt.date, end: dt.date) -> np.ndarray:
    """Which rows were served from a day on, up to another."""
    served_at = rows["served_at"]
    found: np.ndarray = served_at.between(tables.timestamp(start), tables.timestamp(end), inclusive="left").to_numpy()
    return found
