"""Fitting LightGBM on all rows of the training window. The same rows give the same model, to the byte.

Nothing is held back from the fit, and its scores are not calibrated by a curve of their own: on the example's ten windows of
28 days both cost more than they bring (docs/log.md).
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from flywheel import files
from flywheel.data import tables
from flywheel.errors import DataError
from flywheel.labels.revisions import known_before
from flywheel.model import boosting
from flywheel.model.artifact import matrix
from flywheel.model.card import Calibration, Features
from flywheel.model.settings import Model as ModelParams
from flywheel.model.settings import Train

if TYPE_CHECKING:  # slow to import, and a release needs only the files
    import lightgbm as lgb

NOT_FEATURES = ("prediction_id", "served_at", "served_score")
LIBRARIES = ("lightgbm", "numpy", "pandas")


@dataclass(frozen=True)
class Rows:
    """Rows to learn from or to measure on: features, label (0/1), and the confidence of the label as its weight."""

    features: pd.DataFrame
    label: np.ndarray
    weight: np.ndarray


def describe_features(table: pd.DataFrame, categorical: tuple[str, ...]) -> Features:
    """The features in a table in their order, with the categories of the categorical ones, sorted."""
    numeric = [name for name in table.columns if name not in (*NOT_FEATURES, *categorical)]
    return {
        "numeric": numeric,
        "categorical": {name: sorted(table[name].dropna().unique().tolist()) for name in categorical},
    }


def fit(rows: Rows, features: Features, params: ModelParams, seed: int, n_trees: int) -> lgb.Booster:
    """A booster of `n_trees` trees, fitted on all rows."""
    return _train(rows, features, params, seed, n_trees, None)[0]


def losses(rows: Rows, later: Rows, features: Features, params: ModelParams, seed: int) -> np.ndarray:
    """The log loss on `later` rows of the fit on `rows`, after each tree up to `max_trees`.

    Rounded, because the last bits depend on the number of threads.
    """
    return _train(rows, features, params, seed, params.max_trees, later)[1].round(6)


def _train(
    rows: Rows, features: Features, params: ModelParams, seed: int, n_trees: int, later: Rows | None
) -> tuple[lgb.Booster, np.ndarray]:
    gbm = boosting.lightgbm()
    settings = {
        "objective": "binary",
        "metric": "binary_logloss",
        "learning_rate": params.learning_rate,
        "num_leaves": params.num_leaves,
        "min_child_samples": params.min_child_samples,
        "feature_fraction": params.feature_fraction,
        "bagging_fraction": params.bagging_fraction,
        "bagging_freq": 1 if params.bagging_fraction < 1 else 0,
        "lambda_l2": params.lambda_l2,
        "seed": seed,
        "deterministic": True,
        "force_col_wise": True,
        "verbosity": -1,
    }

    def data(mine: Rows, reference: lgb.Dataset | None = None) -> lgb.Dataset:
        return gbm.Dataset(
            matrix(mine.features, features),
            mine.label,
            weight=mine.weight,
            feature_name=[*features["numeric"], *features["categorical"]],
            categorical_feature=list(features["categorical"]),
            reference=reference,
        )

    learned = data(rows)
    measured: dict[str, dict[str, list[float]]] = {}
    booster = gbm.train(
        settings,
        learned,
        num_boost_round=n_trees,
        valid_sets=[data(later, learned)] if later is not None else None,
        valid_names=["later"] if later is not None else None,
        callbacks=[gbm.record_evaluation(measured)] if later is not None else None,
    )
    return booster, np.array(measured["later"]["binary_logloss"] if later is not None else [])


def straight(n_rows: int) -> Calibration:
    """Scores as the trees give them, but never certain: 1 / (n + 2) away from 0 and 1, where `n` rows were learned from."""
    edge = 1 / (n_rows + 2)
    return {"x": [edge, 1 - edge], "y": [edge, 1 - edge]}


def importance(booster: lgb.Booster) -> dict[str, float]:
    """Each feature's share of the total gain, largest first."""
    gain = booster.feature_importance("gain")
    shares = pd.Series(gain / max(gain.sum(), 1e-12), index=booster.feature_name())
    return {str(name): float(share) for name, share in shares.sort_values(ascending=False, kind="stable").items()}


def libraries() -> dict[str, str]:
    """The versions of the libraries that a model depends on."""
    return {name: version(name) for name in LIBRARIES}


def labelled_rows(features: pd.DataFrame, revisions: pd.DataFrame, start: dt.date, end: dt.date) -> Rows:
    """The rows served from `start` up to, not including, `end`, with the label as it was known when `end` began."""
    served_at = features["served_at"]
    mine = features[(served_at >= tables.timestamp(start)) & (served_at < tables.timestamp(end))]
    held = known_before(revisions, tables.timestamp(end))
    table = mine.merge(held[["prediction_id", "label", "label_confidence"]], on="prediction_id")
    label, weight = table.pop("label"), table.pop("label_confidence")
    return Rows(table, label.to_numpy(), weight.to_numpy())


def check(rows: Rows, n_features: int, params: Train, start: dt.date, end: dt.date) -> None:
    """DataError when the training window has only one class, or too few rows of the rarer one for so many features.

    Each feature wants some events, which are rows of the rarer class: with less than about ten, what a model says of a
    feature is mostly chance (Peduzzi et al., 1996).
    """
    window = f"the training window {start} to {end}"
    if not len(rows.label):
        raise DataError(
            f"no labelled row in {window}. Move clock.as_of in conf/state.yaml forward, or widen windows.train_days."
        )
    n_events = rarer(rows)
    if not n_events:
        raise DataError(
            f"all {len(rows.label):,} labels in {window} are {rows.label[0]}; both 0 and 1 are needed. "
            "See reports/labels.json, or widen windows.train_days."
        )
    n_needed = params.min_events_per_feature * n_features
    if n_events < n_needed:
        raise DataError(
            f"{n_events:,} labelled rows of the rarer class in {window}; at least {n_needed:,} are needed, "
            f"{params.min_events_per_feature} for each of {n_features} features (train.min_events_per_feature). "
            "Move clock.as_of in conf/state.yaml forward, widen windows.train_days, or use fewer features."
        )


def without_labels() -> DataError:
    """What to say where no feedback gave a label."""
    return DataError(
        f"there is no label at all; {files.FEEDBACK_REPORT} counts the feedback of each channel. Ratings and tickets do not "
        "say what happened: training needs outcomes, reports or annotations, on a prediction as many as label.min_votes "
        "says. Add a table of them to source.options in conf/project/. Until then flywheel monitor shows service and "
        "satisfaction."
    )


def rarer(rows: Rows) -> int:
    """How many rows the rarer class has."""
    n_positive = int(rows.label.sum())
    return min(n_positive, len(rows.label) - n_positive)
