"""Stage `train`: fit a candidate on the training window.

Run it with `python -m flywheel.stages.train`.
"""

from __future__ import annotations

from flywheel import files
from flywheel.features.days import read_features
from flywheel.features.settings import Features
from flywheel.model import artifact
from flywheel.model.card import Card
from flywheel.model.fit import (
    Rows,
    check,
    check_parts,
    describe_features,
    fit,
    importance,
    libraries,
    split,
    training_rows,
    without_labels,
)
from flywheel.model.learning import learning_curve, log_iteration
from flywheel.model.settings import Model, Train, Windows
from flywheel.params import Clock, Params, Project
from flywheel.stages import run_stage


class TrainParams(Params):
    """`params.yaml` as the stage `train` sees it."""

    clock: Clock
    project: Project
    features: Features
    windows: Windows
    train: Train
    model: Model


def main(params: TrainParams) -> str:
    """Write `models/candidate/` and the learning curve in `reports/learning/`."""
    start, end = params.windows.training(params.clock.as_of)
    labels = files.read_parquet(files.LABELS)
    if labels.empty:
        # No dependency of the stage: it is read for the message of a run that fails, and DVC keeps nothing of that.
        channels = files.read_json(files.FEEDBACK_REPORT)["by_channel"]
        events = {name: said["events"] for name, said in channels.items() if said["events"]}
        if events:
            raise without_labels(events)
    table = training_rows(read_features(start, end), labels, end)
    features = describe_features(table.drop(columns=["label", "label_confidence"]), params.features.categorical)
    check(table, len(features["numeric"]) + len(features["categorical"]), params.train, start, end)
    part = split(table["served_at"], end, params.train)
    rows = Rows(table, table["label"].to_numpy(), table["label_confidence"].to_numpy(), part)
    check_parts(rows)
    live = learning_curve()
    booster, calibration = fit(rows, features, params.model, params.train, [log_iteration(live)])
    live.end()
    card: Card = {
        "name": params.project.name,
        "version": None,
        "as_of": params.clock.as_of.isoformat(),
        "training_window": [table["served_at"].dt.date.min().isoformat(), end.isoformat()],
        "labels_known_before": end.isoformat(),
        "rows": {name: int((part == name).sum()) for name in ("fit", "stop", "calibrate")},
        "positive_share": round(float(table["label"].mean()), 6),
        "trees": booster.best_iteration,
        "params": {**params.model.model_dump(), **params.train.model_dump()},
        "libraries": libraries(),
        "importance": {name: round(share, 6) for name, share in importance(booster).items()},
        "features": features,
        "sha256": {},  # of the files, once they are written
    }
    artifact.save(artifact.Model(booster, calibration, card), files.CANDIDATE)
    return f"{len(table):,} labelled rows, {len(importance(booster))} features, {booster.best_iteration} trees"


if __name__ == "__main__":
    run_stage(main, TrainParams)
