"""Stage `train`: fit the candidate on everything known, and the vintages that stand in for it and for the champion.

Run it with `python -m flywheel.stages.train`.
"""

from __future__ import annotations

import datetime as dt
import time
from dataclasses import replace

from flywheel import files
from flywheel.features.days import derived_by, read_features
from flywheel.features.settings import Features
from flywheel.labels.settings import Label
from flywheel.model import artifact, contract, fitted, trees, vintages
from flywheel.model.card import read_champion
from flywheel.model.fit import feature_names, without_labels
from flywheel.model.learning import log_losses
from flywheel.model.memo import Memo
from flywheel.model.recipe import Fit, how_to_fit, recipe, why_not_fitted
from flywheel.model.settings import Model, Train, Windows
from flywheel.params import Clock, Params, Project
from flywheel.stages import run_stage


class TrainParams(Params):
    """`params.yaml` as the stage `train` sees it."""

    clock: Clock
    project: Project
    label: Label
    features: Features
    windows: Windows
    train: Train
    model: Model


def main(params: TrainParams) -> str:
    """Write `models/candidate/`, whose contract follows the champion's, its learning curve and the stand-ins of both."""
    as_of, windows = params.clock.as_of, params.windows
    revisions = files.read_parquet(files.LABELS)
    if revisions.empty:
        raise without_labels()
    champion = read_champion()
    since = dt.date.fromisoformat(champion["labels_known_before"]) if champion else as_of
    how = Fit(train=params.train, model=params.model, train_days=windows.train_days, step_days=windows.evaluation_days)
    again = how_to_fit(champion["recipe"]) if champion and "recipe" in champion else None
    reach = windows.evaluation_days * windows.evaluation_windows + max(one.reach for one in (how, again) if one)
    served = read_features(min(as_of, since) - dt.timedelta(days=reach), as_of)
    memo = Memo()
    made = vintages.Vintages(params.project.name, served, revisions, memo)
    own = recipe(
        params.features, params.project.derive, derived_by(), params.label, params.model, params.train, windows
    )
    numeric, categorical = feature_names(served, params.features.categorical)
    mine = vintages.Way(own, how, numeric, categorical)
    theirs, why = None, None
    if champion:
        read = champion["features"]
        why = why_not_fitted(
            champion.get("recipe"), own, [*read["numeric"], *read["categorical"]], list(served.columns)
        )
        if again and not why:
            theirs = vintages.Way(champion["recipe"], again, tuple(read["numeric"]), tuple(read["categorical"]))
    index, needed = vintages.plan(made, as_of, windows.evaluations(as_of), mine, champion, theirs, why)
    started = time.perf_counter()
    made.grow_all([(mine, as_of), *needed])
    together = time.perf_counter() - started
    candidate, earlier = made.vintage(mine, as_of)
    vintages.write(index, {vintages.folder_of(way, day): made.vintage(way, day)[0] for way, day in needed})
    files.empty_folder(files.LEARNING)
    if earlier:
        log_losses(trees.mean_losses(earlier))
    learned, read = made.learned(mine, as_of).features, candidate.card["features"]
    asked = contract.learn(learned, read, candidate.calibration, contract.read_champion_contract())
    artifact.save(replace(candidate, contract=asked), files.CANDIDATE)
    fitted.note(made.grow(mine, as_of).seconds, (one.seconds for one in made.grown.values()), together)
    said = f"as {len(earlier)} earlier {'fit' if len(earlier) == 1 else 'fits'} did best" if earlier else "as conf says"
    n_rows, n_windows = candidate.card["rows"]["fit"], len(index["windows"])
    return (
        f"{n_rows:,} labelled rows, {len(numeric) + len(categorical)} features, {candidate.card['trees']} trees, {said}; "
        f"{n_windows} {'window' if n_windows == 1 else 'windows'}, {made.memo.spared} of {len(made.grown)} fits spared"
        f"{memo.told()}"
    )


if __name__ == "__main__":
    run_stage(main, TrainParams)
