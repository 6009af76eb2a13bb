"""Do labelled rows, weighted, stand for all predictions? Against the truth, for candidate and champion, by evaluation window.

`python bench/selection.py`, in a folder where the pipeline has run as of the end of the data, prints one JSON: how far AUC, log
loss and utility of the stand-ins on labelled rows are from those on all predictions with the truth of the source (`truth()`),
with all rows alike and with weights, in each window by itself and in all together; and in how many windows the weights bring
them nearer. A source without `truth` gives null.
"""

from __future__ import annotations

import datetime as dt
import json
from typing import Any

import numpy as np
import pandas as pd

from flywheel import files
from flywheel.data.sources import open_source
from flywheel.evaluation import metrics
from flywheel.evaluation.intervals import weights_of
from flywheel.evaluation.pooled import Pooled, pool
from flywheel.evaluation.selection import SHOWN, weigh_rows
from flywheel.model import artifact
from flywheel.model.card import Features
from flywheel.model.index import Index, read_index
from flywheel.model.vintages import read_vintage
from flywheel.params import load
from flywheel.stages.collect import CollectParams
from flywheel.stages.evaluate import EvaluateParams

E = load(EvaluateParams)
SETTINGS = metrics.Settings(E.evaluate.costs, E.evaluate.ece_bins)


def main() -> None:
    """Measure, and print."""
    source: Any = open_source(load(CollectParams).source)
    if not hasattr(source, "truth"):
        print("null")
        return
    told = source.truth()
    truth = pd.Series(told.iloc[:, 1].to_numpy(), pd.Index(told["prediction_id"]))
    revisions, alone = files.read_parquet(files.LABELS), files.read_parquet(files.WITHOUT_OUTCOME)
    index, champion = read_index(), artifact.load_if_there(files.CHAMPION)
    pooled = pool(index, E.clock.as_of, revisions, champion, E.evaluate)
    of_all = everywhere(index, pooled, champion)
    read = artifact.load(files.CANDIDATE).card["features"]
    parts = {one.start.isoformat(): (one.start, one.end) for one in pooled.parts}
    days = {"together": (min(a for a, _ in parts.values()), max(b for _, b in parts.values())), **parts}
    found = {name: errors(span, pooled, of_all, truth, (revisions, alone), read) for name, span in days.items()}
    print(json.dumps({"windows": len(parts), "nearer": nearer(found, list(parts)), "errors": found}))


def everywhere(index: Index, pooled: Pooled, champion: artifact.Model | None) -> dict[str, np.ndarray]:
    """The scores of the stand-ins for all predictions of the windows, labelled or not."""
    said = {name: np.full(len(pooled.served), np.nan) for name in ("candidate", "champion") if name in pooled.scores}
    for one in index["windows"]:
        mine = between(pooled.served, dt.date.fromisoformat(one["start"]), dt.date.fromisoformat(one["end"]))
        for name, score in said.items():
            stand_in = one["candidate"] if name == "candidate" else one["champion"]
            model = read_vintage(stand_in) if stand_in else champion
            assert model is not None
            score[mine] = artifact.predict(model, pooled.served[mine])
    return said


def errors(
    span: tuple[dt.date, dt.date],
    pooled: Pooled,
    of_all: dict[str, np.ndarray],
    truth: pd.Series,
    said: tuple[pd.DataFrame, pd.DataFrame],
    read: Features,
) -> dict[str, Any]:
    """What the metrics of the labelled rows of some days are off by, alike and weighted, by model and metric."""
    rows, served = between(pooled.table, *span), between(pooled.served, *span)
    table, everything = pooled.table[rows].reset_index(drop=True), pooled.served[served].reset_index(drop=True)
    scores = {name: one[rows] for name, one in pooled.scores.items()}
    weight = weigh_rows(table, scores, everything, said, E.clock.as_of, read, E.evaluate).weight
    happened = truth.reindex(everything["prediction_id"]).to_numpy("float64")
    found: dict[str, Any] = {}
    for name, score in of_all.items():
        true = measured(score[served], happened, weights_of(everything))
        ways = {"alike": np.ones(len(table)), "weighted": weight}
        off = {way: measured(scores[name], table["label"].to_numpy(), one) for way, one in ways.items()}
        found[name] = {
            one: {"truth": round(true[one], 5), **{way: round(off[way][one] - true[one], 5) for way in ways}}
            for one in SHOWN
        }
    return found


def measured(score: np.ndarray, label: np.ndarray, weight: np.ndarray) -> dict[str, float]:
    """The metrics of some rows."""
    return metrics.measure(metrics.count(score, label, np.zeros(len(label), dtype="int64"), 1, weight), SETTINGS)


def between(table: pd.DataFrame, start: dt.date, end: dt.date) -> np.ndarray:
    """Which rows were served from a day on, up to another."""
    day = table["served_at"].dt.date
    found: np.ndarray = ((day >= start) & (day < end)).to_numpy()
    return found


def nearer(found: dict[str, Any], windows: list[str]) -> dict[str, dict[str, int]]:
    """In how many of the windows the weights bring each metric of each model nearer to the truth."""
    first = found[windows[0]]
    return {
        name: {
            one: sum(abs(found[at][name][one]["weighted"]) < abs(found[at][name][one]["alike"]) for at in windows)
            for one in SHOWN
        }
        for name in first
    }


main()
