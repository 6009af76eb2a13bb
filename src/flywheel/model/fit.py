"""Fitting LightGBM on all rows of the training window. The same rows give the same model, to the byte.

Nothing is held back from the fit, and its scores are not calibrated by a curve of their own: on the example's ten windows of
28 days both cost more than they bring (docs/log.md).
"""

from __future__ import annotations

import datetime as dt
import hashlib
import re
import time
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
from flywheel.model.memo import Memo
from flywheel.model.settings import Model as ModelParams
from flywheel.model.settings import Train

if TYPE_CHECKING:  # slow to import, and a release needs only the files
    import lightgbm as lgb

NOT_FEATURES = ("prediction_id", "served_at", "served_score")
LIBRARIES = ("lightgbm", "numpy", "pandas")
ROWS_AT_ONCE = 20_000
THREADS = re.compile(r"^\[num_threads: \d+\]$", re.MULTILINE)  # in the text of a model


@dataclass(frozen=True)
class Rows:
    """Rows to learn from or to measure on: features, label (0/1), and the confidence of the label as its weight."""

    features: pd.DataFrame
    label: np.ndarray
    weight: np.ndarray


def feature_names(table: pd.DataFrame, categorical: tuple[str, ...]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The names of the numeric and of the categorical features in a table, in their order."""
    return tuple(name for name in table.columns if name not in (*NOT_FEATURES, *categorical)), categorical


def describe_features(table: pd.DataFrame, categorical: tuple[str, ...]) -> Features:
    """The features in a table in their order, with the categories of the categorical ones, sorted."""
    return {
        "numeric": list(feature_names(table, categorical)[0]),
        "categorical": {name: sorted(table[name].dropna().unique().tolist()) for name in categorical},
    }


def fit(
    rows: Rows,
    features: Features,
    params: ModelParams,
    seed: int,
    n_trees: int,
    memo: Memo | None = None,
    threads: int = 0,
    took: list[float] | None = None,
) -> lgb.Booster:
    """A booster of `n_trees` trees, fitted on all rows; fewer where no more of them split anything.

    It is read from its text, so that one from the memo is the same to the byte. On how many `threads` it was fitted (0: all
    that there are) changes no tree, and the text does not tell. The seconds of a fit that is made are added to `took`.
    """
    gbm = boosting.lightgbm()
    settings = {
        "objective": "binary",
        "metric": "None",
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
    learned = matrix(rows.features, features)

    def make() -> str:
        started = time.perf_counter()
        data = gbm.Dataset(
            learned,
            rows.label,
            weight=rows.weight,
            feature_name=[*features["numeric"], *features["categorical"]],
            categorical_feature=list(features["categorical"]),
        )
        found = gbm.train({**settings, "num_threads": threads}, data, num_boost_round=n_trees)
        if took is not None:
            took.append(time.perf_counter() - started)
        return THREADS.sub("[num_threads: 0]", found.model_to_string())

    key = {
        "settings": settings,
        "trees": n_trees,
        "features": features,
        "rows": _digest(learned, rows.label, rows.weight),
        "libraries": libraries(),
    }
    return gbm.Booster(model_str=memo.get(key, make) if memo else make())


def _digest(*arrays: np.ndarray) -> str:
    total = hashlib.sha256()
    for one in arrays:
        total.update(f"{one.dtype} {one.shape} ".encode())
        total.update(np.ascontiguousarray(one).data)
    return total.hexdigest()


def first_trees(booster: lgb.Booster, n: int) -> lgb.Booster:
    """A booster of the first `n` trees: what a fit of so many trees gives."""
    return boosting.lightgbm().Booster(model_str=booster.model_to_string(num_iteration=n))


def losses(booster: lgb.Booster, later: Rows, features: Features) -> np.ndarray:
    """The log loss on `later` rows, weighted as they are, after each tree of the fit.

    Rounded, because the last bits of a sum depend on its order.
    """
    leaves = np.asarray(booster.predict(matrix(later.features, features), pred_leaf=True), dtype="int64")
    n_trees = booster.num_trees()
    leaves = leaves.reshape(len(later.label), n_trees)
    n_leaves = leaves.max(axis=0) + 1
    values = np.zeros((n_trees, n_leaves.max()))
    for tree, n in enumerate(n_leaves.tolist()):
        values[tree, :n] = [booster.get_leaf_output(tree, leaf) for leaf in range(n)]
    total = np.zeros(n_trees)
    sign = np.where(later.label == 1, -1.0, 1.0)
    for first in range(0, len(sign), ROWS_AT_ONCE):  # so that memory does not grow with the rows
        mine = slice(first, first + ROWS_AT_ONCE)
        raw = np.cumsum(values[np.arange(n_trees), leaves[mine]], axis=1)
        total += later.weight[mine] @ np.logaddexp(0, sign[mine, None] * raw)
    found: np.ndarray = (total / later.weight.sum()).round(6)
    return found


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


def with_places(revisions: pd.DataFrame, features: pd.DataFrame) -> pd.DataFrame:
    """The revisions of the predictions in `features`, with the place of each one's prediction among these, as `place`."""
    found = revisions.assign(
        place=pd.Index(features["prediction_id"]).get_indexer(pd.Index(revisions["prediction_id"]))
    )
    return found[found["place"] >= 0]


def labelled_rows(features: pd.DataFrame, revisions: pd.DataFrame, start: dt.date, end: dt.date) -> Rows:
    """The rows served from `start` up to, not including, `end`, with the label as it was known when `end` began.

    They are in the order of `features`. `revisions` that are asked often have their places already.
    """
    held = known_before(revisions if "place" in revisions else with_places(revisions, features), tables.timestamp(end))
    label, weight = np.full(len(features), -1), np.zeros(len(features))
    label[held["place"]], weight[held["place"]] = held["label"], held["label_confidence"]
    served_at = features["served_at"]
    is_mine = ((served_at >= tables.timestamp(start)) & (served_at < tables.timestamp(end))).to_numpy() & (label >= 0)
    return Rows(features[is_mine].reset_index(drop=True), label[is_mine], weight[is_mine])


def unlabelled(features: pd.DataFrame, revisions: pd.DataFrame, start: dt.date, end: dt.date) -> pd.DataFrame:
    """The rows served from `start` up to, not including, `end`, that had no label when `end` began; else as `labelled_rows`."""
    held = known_before(revisions if "place" in revisions else with_places(revisions, features), tables.timestamp(end))
    is_mine = (
        features["served_at"]
        .between(tables.timestamp(start), tables.timestamp(end), inclusive="left")
        .to_numpy(copy=True)
    )
    is_mine[held["place"]] = False
    return features[is_mine].reset_index(drop=True)


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
