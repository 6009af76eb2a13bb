"""Fitting LightGBM, and calibrating it by isotonic regression. The same rows give the same model, to the byte."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from flywheel.errors import DataError
from flywheel.model import boosting
from flywheel.model.artifact import matrix, predict_raw
from flywheel.model.card import Calibration, Features
from flywheel.model.settings import Model as ModelParams
from flywheel.model.settings import Train

if TYPE_CHECKING:  # slow to import, and a release needs only the files
    import lightgbm as lgb
import datetime as dt

from flywheel.data import tables
from flywheel.labels.revisions import known_before

NOT_FEATURES = ("prediction_id", "served_at", "served_score")
LIBRARIES = ("lightgbm", "numpy", "pandas", "scikit-learn")


@dataclass(frozen=True)
class Rows:
    """Rows to learn from: features, label (0/1), weight, and the slice of each (`fit`, `stop` or `calibrate`)."""

    features: pd.DataFrame
    label: np.ndarray
    weight: np.ndarray
    part: np.ndarray


def describe_features(table: pd.DataFrame, categorical: tuple[str, ...]) -> Features:
    """The features in a table in their order, with the categories of the categorical ones, sorted."""
    numeric = [name for name in table.columns if name not in (*NOT_FEATURES, *categorical)]
    return {
        "numeric": numeric,
        "categorical": {name: sorted(table[name].dropna().unique().tolist()) for name in categorical},
    }


def fit(
    rows: Rows, features: Features, params: ModelParams, train: Train, callbacks: list[Callable[..., Any]]
) -> tuple[lgb.Booster, Calibration]:
    """Fit on the slice `fit`, stop on `stop`, calibrate on `calibrate`. The same rows give the same model, to the byte.

    The weights are the confidences of the labels.
    """
    gbm = boosting.lightgbm()

    names = [*features["numeric"], *features["categorical"]]
    table = matrix(rows.features, features)
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
        "seed": train.seed,
        "deterministic": True,
        "force_col_wise": True,
        "verbosity": -1,
    }

    def data(part: str, reference: lgb.Dataset | None = None) -> lgb.Dataset:
        mine = rows.part == part
        return gbm.Dataset(
            table[mine],
            rows.label[mine],
            weight=rows.weight[mine],
            feature_name=names,
            categorical_feature=list(features["categorical"]),
            reference=reference,
        )

    fitted = data("fit")
    booster = gbm.train(
        settings,
        fitted,
        num_boost_round=params.max_trees,
        valid_sets=[fitted, data("stop", fitted)],
        valid_names=["fit", "stop"],
        callbacks=[
            gbm.early_stopping(train.early_stopping_rounds, verbose=False, first_metric_only=True),
            *callbacks,
        ],
    )
    mine = rows.part == "calibrate"
    raw = predict_raw(booster, table[mine])
    return booster, calibrate(raw, rows.label[mine], rows.weight[mine])


def calibrate(raw: np.ndarray, label: np.ndarray, weight: np.ndarray) -> Calibration:
    """Isotonic regression of the label on the raw score (Zadrozny and Elkan, 2002), as the corners of its curve.

    Nothing is ever certain: the curve stays 1 / (n + 2) away from 0 and 1.
    """
    from sklearn.isotonic import IsotonicRegression

    edge = 1 / (len(raw) + 2)
    curve = IsotonicRegression(y_min=edge, y_max=1 - edge, out_of_bounds="clip").fit(raw, label, sample_weight=weight)
    return {"x": [float(x) for x in curve.X_thresholds_], "y": [float(y) for y in curve.y_thresholds_]}


def importance(booster: lgb.Booster) -> dict[str, float]:
    """Each feature's share of the total gain, largest first."""
    gain = booster.feature_importance("gain")
    shares = pd.Series(gain / max(gain.sum(), 1e-12), index=booster.feature_name())
    return {str(name): float(share) for name, share in shares.sort_values(ascending=False, kind="stable").items()}


def libraries() -> dict[str, str]:
    """The versions of the libraries that a model depends on."""
    return {name: version(name) for name in LIBRARIES}


def training_rows(features: pd.DataFrame, revisions: pd.DataFrame, end: dt.date) -> pd.DataFrame:
    """Features with the label as it was known when the evaluation window starts, at `end`."""
    known = known_before(revisions, tables.timestamp(end))
    return features.merge(known[["prediction_id", "label", "label_confidence"]], on="prediction_id")


def split(served_at: pd.Series, end: dt.date, params: Train) -> np.ndarray:
    """The slice of each row: the last days stop the fit, every n-th day before them calibrates, the rest is for fitting.

    Whole days, because rows of one day resemble each other; spread out, because calibrating on one week would learn the
    weather of that week.
    """
    days_before_end = (tables.timestamp(end) - served_at.dt.floor("D")).dt.days.to_numpy() - 1
    is_stop = days_before_end < params.early_stopping_days
    is_calibrate = days_before_end % params.calibrate_every_days == 0
    return np.select([is_stop, is_calibrate], ["stop", "calibrate"], "fit")


def check(table: pd.DataFrame, n_features: int, params: Train, start: dt.date, end: dt.date) -> None:
    """DataError when the training window has only one class, or too few rows of the rarer one for so many features.

    Each feature wants some events, which are rows of the rarer class: with less than about ten, what a model says of a
    feature is mostly chance (Peduzzi et al., 1996).
    """
    window = f"the training window {start} to {end}"
    if table.empty:
        raise DataError(
            f"no labelled row in {window}. Move clock.as_of in conf/state.yaml forward, or widen windows.train_days."
        )
    if table["label"].nunique() < 2:
        raise DataError(
            f"all {len(table):,} labels in {window} are {table['label'].iloc[0]}; both 0 and 1 are needed. "
            "See reports/labels.json, or widen windows.train_days."
        )
    n_events = int(table["label"].value_counts().min())
    n_needed = params.min_events_per_feature * n_features
    if n_events < n_needed:
        raise DataError(
            f"{n_events:,} labelled rows of the rarer class in {window}; at least {n_needed:,} are needed, "
            f"{params.min_events_per_feature} for each of {n_features} features (train.min_events_per_feature). "
            "Move clock.as_of in conf/state.yaml forward, widen windows.train_days, or use fewer features."
        )


def without_labels(events: Mapping[str, int]) -> DataError:
    """What to say where no feedback gave a label, by how much of it each channel has."""
    said = ", ".join(f"{n:,} of the channel {channel}" for channel, n in events.items())
    return DataError(
        f"there is no label at all. The feedback: {said}. Ratings and tickets do not say what happened: training needs "
        "outcomes, reports or annotations, on a prediction as many as label.min_votes says. Add a table of them to "
        "source.options in conf/project/. Until then flywheel monitor shows service and satisfaction."
    )


def check_parts(rows: Rows) -> None:
    """DataError when a slice of the training window is empty or has only one class."""
    for part in ("fit", "stop", "calibrate"):
        if len(np.unique(rows.label[rows.part == part])) < 2:
            raise DataError(
                f"the slice '{part}' of the training window has {int((rows.part == part).sum())} rows of fewer than two "
                "classes. Widen windows.train_days, or change train.early_stopping_days or train.calibrate_every_days."
            )
