"""Who has a label among the predictions that are measured, and how much each labelled row counts for the rest."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from flywheel.data import tables
from flywheel.evaluation import metrics
from flywheel.evaluation.bands import cohort_names
from flywheel.evaluation.intervals import day_codes
from flywheel.evaluation.propensity import Labelled, Weighed, weigh
from flywheel.evaluation.settings import Evaluate
from flywheel.labels.revisions import known_before, sure
from flywheel.model.artifact import matrix
from flywheel.model.card import Features

OUTCOME = "outcome"
SHOWN = ("auc", "log_loss", "utility")  # whose values both ways are in reports/selection.json


def weigh_rows(
    table: pd.DataFrame,
    scores: Mapping[str, np.ndarray],
    served: pd.DataFrame,
    said: tuple[pd.DataFrame, pd.DataFrame],
    as_of: dt.date,
    read: Features,
    params: Evaluate,
) -> Weighed:
    """The weights of the labelled rows in `table`, which stand for all predictions `served`; see `propensity`.

    `said` has the revisions of the labels, and the labels that voices alone would give. `read` are the inputs that tell where
    there are outcomes.
    """
    revisions, alone = said
    known = sure(known_before(revisions, tables.timestamp(as_of)), params.min_confidence)
    ids = pd.Index(table["prediction_id"])
    labelled = Labelled(
        pd.Index(served["prediction_id"]).get_indexer(ids),
        table["label"].to_numpy("int64"),
        is_among(ids, known.loc[known["label_source"] == OUTCOME, "prediction_id"]),
        sure(alone, params.min_confidence).set_index("prediction_id")["label"].reindex(ids, fill_value=-1).to_numpy(),
        np.column_stack([score for name, score in scores.items() if name != "base_rate"]),
    )
    day, _ = day_codes(served["served_at"])
    block = day // params.bootstrap.block_days
    return weigh(matrix(served, read), block, labelled, params.selection.min_propensity, params.bootstrap.seed)


def is_among(ids: pd.Index, others: pd.Series) -> np.ndarray:
    """Which ids are among others; `isin` takes ten times as long for texts."""
    found: np.ndarray = pd.Index(others).get_indexer(ids) >= 0
    return found


def measurable(features: pd.DataFrame) -> pd.DataFrame:
    """The predictions that would be measured if they had a label: those with a served score, where any has one."""
    is_served = features["served_score"].notna()
    return features[is_served].reset_index(drop=True) if is_served.any() else features.reset_index(drop=True)


def describe(
    table: pd.DataFrame, scores: Mapping[str, np.ndarray], served: pd.DataFrame, found: Weighed, params: Evaluate
) -> dict[str, Any]:
    """`reports/selection.json`: who has a label, by cohort; how much rows count; and what the models are worth both ways."""
    label, alike = table["label"].to_numpy(), np.ones(len(table))
    settings = metrics.Settings(params.costs, params.ece_bins)
    is_labelled = is_among(pd.Index(served["prediction_id"]), table["prediction_id"])
    days, with_label = (set(rows["served_at"].dt.date) for rows in (served, table))
    return {
        "is_weighed": params.selection.weigh and found.method != "none",
        "method": found.method,
        "why_not": found.why_not,
        "min_propensity": params.selection.min_propensity,
        "predictions": len(served),
        "labelled": len(table),
        "effective": found.effective,
        "largest_weight": float(found.weight.max(initial=0.0)),
        "clipped": found.clipped,
        "days_without_label": len(days - with_label),
        "models": {
            name: {
                way: {one: value for one, value in _measured(score, label, weight, settings).items() if one in SHOWN}
                for way, weight in (("alike", alike), ("weighted", found.weight))
            }
            for name, score in scores.items()
            if name != "base_rate"
        },
        "cohorts": {
            name: _rates(cohort_names(served[cohort.column], cohort), is_labelled)
            for name, cohort in params.cohorts.items()
        },
    }


def _measured(score: np.ndarray, label: np.ndarray, weight: np.ndarray, settings: metrics.Settings) -> dict[str, float]:
    day = np.zeros(len(label), dtype="int64")
    return metrics.measure(metrics.count(score, label, day, 1, weight), settings)


def _rates(names: pd.Series, is_labelled: np.ndarray) -> dict[str, dict[str, int]]:
    found = pd.DataFrame({"name": names.to_numpy(), "is_labelled": is_labelled}).dropna()
    counted = found.groupby("name")["is_labelled"].agg(["size", "sum"])
    return {
        str(name): {"predictions": int(one["size"]), "labelled": int(one["sum"])}
        for name, one in counted.sort_index().iterrows()
    }
