"""Stage `train`: fit a candidate on the training window.

Run it with `python -m flywheel.stages.train`.
"""

from __future__ import annotations

import datetime as dt

from flywheel import files
from flywheel.features.days import read_features
from flywheel.features.settings import Features
from flywheel.model import artifact, trees
from flywheel.model.card import Card
from flywheel.model.fit import (
    Rows,
    check,
    describe_features,
    fit,
    importance,
    labelled_rows,
    libraries,
    losses,
    straight,
    without_labels,
)
from flywheel.model.learning import log_losses
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
    step, seed = params.windows.evaluation_days, params.train.seed
    oldest = start - dt.timedelta(days=step * params.train.earlier_fits)
    revisions = files.read_parquet(files.LABELS)
    if revisions.empty:
        raise without_labels()
    served = read_features(oldest, end)

    def rows(day: dt.date, until: dt.date | None = None) -> Rows:
        """Those to learn from as of a day, or those of the days from then until another."""
        first, last = (day - (end - start), day) if until is None else (day, until)
        return labelled_rows(served, revisions, first, last)

    learned = rows(end)
    features = describe_features(learned.features, params.features.categorical)
    n_features = len(features["numeric"]) + len(features["categorical"])
    check(learned, n_features, params.train, start, end)
    earlier = trees.measure(
        trees.earlier_days(
            served["served_at"].min().date(), end, params.windows.train_days, step, params.train.earlier_fits
        ),
        step,
        rows,
        params.train.min_events_per_feature * n_features,
        lambda mine, later: losses(mine, later, features, params.model, seed),
    )
    n_trees = trees.number_of_trees(earlier, params.model.trees)
    booster = fit(learned, features, params.model, seed, n_trees)
    files.empty_folder(files.LEARNING)
    if earlier:
        log_losses(trees.mean_losses(earlier))
    card: Card = {
        "name": params.project.name,
        "version": None,
        "as_of": params.clock.as_of.isoformat(),
        "training_window": [learned.features["served_at"].min().date().isoformat(), end.isoformat()],
        "labels_known_before": end.isoformat(),
        "rows": {"fit": len(learned.label)},
        "positive_share": round(float(learned.label.mean()), 6),
        "trees": booster.num_trees(),
        "earlier_fits": [
            {"as_of": one.as_of.isoformat(), "rows": one.rows, "later_rows": one.later_rows} for one in earlier
        ],
        "params": {**params.model.model_dump(), **params.train.model_dump()},
        "libraries": libraries(),
        "importance": {name: round(share, 6) for name, share in importance(booster).items()},
        "features": features,
        "sha256": {},  # of the files, once they are written
    }
    artifact.save(artifact.Model(booster, straight(len(learned.label)), card), files.CANDIDATE)
    said = f"as {len(earlier)} earlier {'fit' if len(earlier) == 1 else 'fits'} did best" if earlier else "as conf says"
    return f"{len(learned.label):,} labelled rows, {n_features} features, {booster.num_trees()} trees, {said}"


if __name__ == "__main__":
    run_stage(main, TrainParams)
