"""Stage `train`: fit a candidate on the training window.

Run it with `python -m flywheel.stages.train`.
"""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from flywheel import events, files, labels, model
from flywheel.errors import DataError
from flywheel.params import Train, TrainParams
from flywheel.stages import run_stage


def main(params: TrainParams) -> str:
    """Write `models/candidate/` and the learning curve in `reports/learning/`."""
    start, end = params.windows.training(params.clock.as_of)
    table = training_rows(files.read_features(start, end), files.read_parquet(files.LABELS), end)
    check(table, params.train, start, end)
    features = model.describe_features(table.drop(columns=["label", "label_confidence"]), params.features.categorical)
    part = split(table["served_at"], end, params.train)
    rows = model.Rows(table, table["label"].to_numpy(), table["label_confidence"].to_numpy(), part)
    check_parts(rows)
    live = learning_curve()
    booster, calibration = model.fit(rows, features, params.model, params.train, [log_iteration(live)])
    live.end()
    card = {
        "name": params.project.name,
        "version": None,
        "as_of": params.clock.as_of.isoformat(),
        "training_window": [table["served_at"].dt.date.min().isoformat(), end.isoformat()],
        "labels_known_before": end.isoformat(),
        "rows": {name: int((part == name).sum()) for name in ("fit", "stop", "calibrate")},
        "positive_share": round(float(table["label"].mean()), 6),
        "trees": booster.best_iteration,
        "params": {**params.model.model_dump(), **params.train.model_dump()},
        "libraries": model.libraries(),
        "importance": {name: round(share, 6) for name, share in model.importance(booster).items()},
        "features": features,
    }
    model.save(model.Model(booster, calibration, card), files.CANDIDATE)
    return f"{len(table):,} labelled rows, {len(model.importance(booster))} features, {booster.best_iteration} trees"


def training_rows(features: pd.DataFrame, revisions: pd.DataFrame, end: dt.date) -> pd.DataFrame:
    """Features with the label as it was known before the evaluation window starts at `end`."""
    known = labels.known_before(revisions, events.timestamp(end))
    return features.merge(known[["prediction_id", "label", "label_confidence"]], on="prediction_id")


def split(served_at: pd.Series, end: dt.date, params: Train) -> np.ndarray:
    """The slice of each row: the last days stop the fit, every n-th day before them calibrates, the rest is fit on.

    Whole days, because rows of one day resemble each other; spread out, because a calibration on one week would learn
    the weather of that week.
    """
    days_before_end = (events.timestamp(end) - served_at.dt.floor("D")).dt.days.to_numpy() - 1
    is_stop = days_before_end < params.early_stopping_days
    is_calibrate = days_before_end % params.calibrate_every_days == 0
    return np.select([is_stop, is_calibrate], ["stop", "calibrate"], "fit")


def check(table: pd.DataFrame, params: Train, start: dt.date, end: dt.date) -> None:
    """DataError when the training window has too few labelled rows or only one class."""
    window = f"the training window {start} to {end}"
    if len(table) < params.min_rows:
        raise DataError(
            f"{len(table):,} labelled rows in {window}; at least {params.min_rows:,} are needed (train.min_rows). "
            "Move clock.as_of in conf/state.yaml forward, or widen windows.train_days."
        )
    if table["label"].nunique() < 2:
        raise DataError(
            f"all {len(table):,} labels in {window} are {table['label'].iloc[0]}; both 0 and 1 are needed. "
            "See reports/labels.json, or widen windows.train_days."
        )


def check_parts(rows: model.Rows) -> None:
    """DataError when a slice of the training window is empty or has only one class."""
    for part in ("fit", "stop", "calibrate"):
        if len(np.unique(rows.label[rows.part == part])) < 2:
            raise DataError(
                f"the slice '{part}' of the training window has {int((rows.part == part).sum())} rows of fewer than two "
                "classes. Widen windows.train_days, or change train.early_stopping_days or train.calibrate_every_days."
            )


def learning_curve() -> Any:
    """A DVCLive logger that writes plain files and nothing else."""
    os.environ.setdefault("DVC_NO_ANALYTICS", "1")
    from dvclive import Live

    return Live(str(files.LEARNING), save_dvc_exp=False, dvcyaml=None, report=None, monitor_system=False)


def log_iteration(live: Any) -> Callable[[Any], None]:
    """A LightGBM callback that logs each iteration, rounded: the last bits of a sum depend on the number of threads."""

    def callback(env: Any) -> None:
        for data, metric, value, *_ in env.evaluation_result_list:
            live.log_metric(f"{data}/{metric}", round(value, 6))
        live.next_step()

    return callback


if __name__ == "__main__":
    run_stage(main, TrainParams)
