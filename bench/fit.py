"""The fit on the project's whole span: each window of `windows.evaluation_days` is scored by a fit as of its first day.

`python bench/fit.py`, in a folder where a run as of the end of the data has ended, prints one JSON: pooled over windows AUC,
log loss and calibration error of the settings in conf (rows with a served score, labels as known at the end, as sure as the
evaluation wants them); and how far two seeds are apart: half the width of the interval of their difference in log loss.
"""

from __future__ import annotations

import datetime as dt
import json
import os
from functools import cache

import numpy as np
import pandas as pd

from flywheel import files
from flywheel.data import tables
from flywheel.evaluation import intervals
from flywheel.evaluation.compare import evaluation_rows
from flywheel.evaluation.settings import Evaluate
from flywheel.features.days import derived_by, read_features
from flywheel.model import artifact, fit
from flywheel.model.memo import SWITCH, Memo
from flywheel.model.recipe import Fit, recipe
from flywheel.model.vintages import Vintages, Way
from flywheel.params import Params, load
from flywheel.stages.train import TrainParams

HISTORY = dt.timedelta(days=92)  # before the first window
SEEDS = (1, 2)


class Judged(Params):
    """What evaluating reads of params.yaml."""

    evaluate: Evaluate


P, E = load(TrainParams), load(Judged).evaluate
STEP = P.windows.evaluation_days
DAYS = tables.days_in(files.FEATURES)
FIRST, END = DAYS[0], DAYS[-1] + dt.timedelta(days=1)
SERVED, REVISIONS = read_features(FIRST, END), files.read_parquet(files.LABELS)
os.environ[SWITCH] = "off"  # what is measured is fitted
MADE = Vintages(P.project.name, SERVED, REVISIONS, Memo())


@cache
def way(seed: int) -> Way:
    """The recipe of conf with another seed."""
    train = P.train.model_copy(update={"seed": seed})
    one = recipe(P.features, P.project.derive, derived_by(), P.label, P.model, train, P.windows)
    how = Fit(train=train, model=P.model, train_days=P.windows.train_days, step_days=STEP)
    return Way(one, how, *fit.feature_names(SERVED, P.features.categorical))


def score(day: dt.date, asked: pd.DataFrame, seed: int) -> tuple[np.ndarray, int]:
    """Scores of the fit as of a day, and its number of trees."""
    model, _ = MADE.vintage(way(seed), day)
    return artifact.predict(model, asked), model.card["trees"]


def main() -> None:
    """Fit for each window, and print what came out."""
    parts, windows = [], []
    day = FIRST + HISTORY
    while day < END:
        table = evaluation_rows(read_features(day, min(day + dt.timedelta(days=STEP), END)), REVISIONS, END, E)
        scores, n_trees = {}, {}
        for seed in SEEDS:
            scores[str(seed)], n_trees[str(seed)] = score(day, table, seed)
        found = intervals.resample(table, scores, E)
        apart = intervals.of_difference("log_loss", found["1"], found["2"], E.bootstrap.confidence)
        windows.append(
            {
                "as_of": day.isoformat(),
                "rows": len(table),
                "trees": n_trees["1"],
                "auc": round(found["1"].estimates["auc"], 4),
                "log_loss": round(found["1"].estimates["log_loss"], 4),
                "between_seeds": round((apart["high"] - apart["low"]) / 2, 5),
            }
        )
        parts.append(table[["served_at", "label"]].assign(score=scores["1"]))
        day += dt.timedelta(days=STEP)
    table = pd.concat(parts, ignore_index=True)
    pooled = intervals.resample(table, {"all": table["score"].to_numpy()}, E)["all"].estimates
    print(
        json.dumps(
            {
                "rows": len(table),
                **{name: round(pooled[name], 4) for name in ("auc", "log_loss", "ece")},
                "between_seeds": max(one["between_seeds"] for one in windows),
                "windows": windows,
            }
        )
    )


main()
