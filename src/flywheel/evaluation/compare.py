"""Candidate against champion, served score and base rate, on the same rows, with intervals."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from flywheel.data import tables
from flywheel.errors import DataError
from flywheel.evaluation import intervals, metrics
from flywheel.evaluation.evidence import REFERENCES, Reference
from flywheel.evaluation.settings import Evaluate
from flywheel.labels.revisions import known_before, sure
from flywheel.model import artifact

Scores = dict[str, np.ndarray]


def evaluation_rows(features: pd.DataFrame, revisions: pd.DataFrame, end: dt.date, params: Evaluate) -> pd.DataFrame:
    """Features, served score and label of the rows to measure on: those with a score and a sufficiently certain label.

    Where nothing was ever served, no row has a score, and those with a label are measured.
    """
    known = sure(known_before(revisions, tables.timestamp(end)), params.min_confidence)
    table = features.merge(known[["prediction_id", "label"]], on="prediction_id")
    is_served = table["served_score"].notna()
    return table[is_served].reset_index(drop=True) if is_served.any() else table


def why_not_as_it_is(champion: artifact.Model, table: pd.DataFrame, start: dt.date) -> str | None:
    """Why the champion itself cannot be compared on rows from `start` on, in one sentence; None if it can."""
    lacking = artifact.missing_columns(table, champion.card)
    if lacking:
        return f"the champion needs features that no longer exist: {', '.join(lacking)}"
    until = champion.card["labels_known_before"]
    if dt.date.fromisoformat(until) > start:
        return f"the champion was trained on days up to {until}, and the evaluation window starts on {start}"
    return None


def check_unseen(model: artifact.Model, name: str, start: dt.date) -> None:
    """DataError when a stand-in was trained on days of the window that starts on `start`."""
    until = model.card["labels_known_before"]
    if dt.date.fromisoformat(until) > start:
        raise DataError(
            f"the vintage {name} was trained on days up to {until}, and stands in on a window that starts on {start}. "
            "Make the vintages again with: flywheel run --force"
        )


def reference_of(scores: Scores) -> Reference:
    """What the candidate is compared with: the champion if there is one, else the served score, else the base rate."""
    return next(name for name in REFERENCES if name in scores)


def others_of(scores: Scores) -> list[str]:
    """The models that the candidate is compared with; the base rate only where there is nothing better."""
    return [name for name in scores if name != "candidate" and (name != "base_rate" or reference_of(scores) == name)]


def compare(table: pd.DataFrame, scores: Scores, params: Evaluate) -> dict[str, Any]:
    """Each model's metrics and the candidate's differences from the others, as value, low and high.

    All models are resampled with the same days, so the interval of a difference is that of paired differences. `check` has
    the differences with the intervals of blocks of another length.
    """
    return compared(intervals.resample(table, scores, params), scores, params)


def compared(found: Mapping[str, intervals.Resampled], scores: Scores, params: Evaluate) -> dict[str, Any]:
    """The same, from models that have been resampled; without `check` where they have no samples of it."""
    confidence = params.bootstrap.confidence
    mine = found["candidate"]
    measured: dict[str, Any] = {
        name: {metric: intervals.of_metric(metric, one, confidence) for metric in one.estimates}
        for name, one in found.items()
    }
    others = {name: one for name, one in found.items() if name in others_of(scores)}
    measured["difference"] = {
        name: {metric: intervals.of_difference(metric, mine, one, confidence) for metric in mine.estimates}
        for name, one in others.items()
    }
    if mine.check["log_loss"].size:
        measured["check"] = {
            name: {metric: intervals.of_difference_checked(metric, mine, one, confidence) for metric in mine.estimates}
            for name, one in others.items()
        }
    return measured


def only_values(compared: dict[str, Any]) -> dict[str, Any]:
    """The same, without the intervals of the models' own metrics: those of the differences are what is asked for."""
    kept = ("difference", "check")
    return {
        name: one if name in kept else {metric: interval["value"] for metric, interval in one.items()}
        for name, one in compared.items()
    }


def curve_points(table: pd.DataFrame, scores: Scores, params: Evaluate) -> dict[str, dict[str, list[dict[str, float]]]]:
    """Points of each curve of each model, for DVC plots and the report."""
    day, n_days = intervals.day_codes(table["served_at"])
    label, weight = table["label"].to_numpy(), intervals.weight_of(table)
    return {
        name: metrics.curves(metrics.count(score, label, day, n_days, weight), params.ece_bins)
        for name, score in scores.items()
        if name != "base_rate"
    }
