"""Candidate against champion, served score and base rate, on the same rows, with intervals."""

from __future__ import annotations

import datetime as dt
from typing import Any

import numpy as np
import pandas as pd

from flywheel.data import tables
from flywheel.evaluation import intervals, metrics
from flywheel.evaluation.settings import Evaluate
from flywheel.labels.revisions import known_before
from flywheel.model import artifact

Scores = dict[str, np.ndarray]


def evaluation_rows(features: pd.DataFrame, revisions: pd.DataFrame, end: dt.date, params: Evaluate) -> pd.DataFrame:
    """Features, served score and label of the rows to measure on: those with a score and a label that is sure enough."""
    known = known_before(revisions, tables.timestamp(end))
    known = known[known["label_confidence"] >= params.min_confidence]
    table = features.merge(known[["prediction_id", "label"]], on="prediction_id")
    return table[table["served_score"].notna()].reset_index(drop=True)


def why_not_comparable(champion: artifact.Model | None, table: pd.DataFrame, start: dt.date) -> str | None:
    """Why the champion cannot be compared on these rows, in one sentence; None when it can (or when there is none)."""
    if champion is None:
        return None
    lacking = artifact.missing_columns(table, champion.card)
    if lacking:
        return f"the champion needs features that are gone: {', '.join(lacking)}"
    if dt.date.fromisoformat(champion.card["labels_known_before"]) > start:
        until = champion.card["labels_known_before"]
        return f"the champion was trained on days up to {until}, and the evaluation window starts on {start}"
    return None


def reference_of(scores: Scores) -> str:
    """What the candidate is compared with: the champion where there is one, else what was served."""
    return "champion" if "champion" in scores else "served"


def settings_of(params: Evaluate) -> metrics.Settings:
    """What the metrics need to know."""
    return metrics.Settings(params.costs, params.ece_bins)


def day_codes(served_at: pd.Series) -> tuple[np.ndarray, int]:
    """The day of each row as 0 .. n - 1, and n."""
    codes, days = pd.factorize(served_at.dt.date, sort=True)
    return codes, len(days)


def compare(table: pd.DataFrame, scores: Scores, params: Evaluate) -> dict[str, Any]:
    """Each model's metrics and the candidate's differences to the others, as value, low and high.

    All models are resampled with the same days, so the interval of a difference is that of paired differences.
    """
    settings = settings_of(params)
    day, n_days = day_codes(table["served_at"])
    label = table["label"].to_numpy()
    weights = intervals.day_weights(n_days, params.bootstrap)
    values, samples = {}, {}
    for name, score in scores.items():
        counts = metrics.count(score, label, day, n_days)
        values[name] = metrics.measure(counts, settings)
        samples[name] = intervals.bootstrap(counts, weights, settings)
    confidence = params.bootstrap.confidence

    def triple(value: float, drawn: np.ndarray) -> dict[str, float | None]:
        low, high = intervals.interval(drawn, confidence)
        return {"value": value, "low": low, "high": high}

    found: dict[str, Any] = {
        name: {metric: triple(value, samples[name][metric]) for metric, value in values[name].items()}
        for name in scores
    }
    found["difference"] = {
        other: {
            metric: triple(value - values[other][metric], samples["candidate"][metric] - samples[other][metric])
            for metric, value in values["candidate"].items()
        }
        for other in scores
        if other not in ("candidate", "base_rate")
    }
    return found


def curve_points(table: pd.DataFrame, scores: Scores, params: Evaluate) -> dict[str, dict[str, list[dict[str, float]]]]:
    """Points of each curve of each model, for DVC plots and the report."""
    day, n_days = day_codes(table["served_at"])
    label = table["label"].to_numpy()
    return {
        name: metrics.curves(metrics.count(score, label, day, n_days), params.ece_bins)
        for name, score in scores.items()
        if name != "base_rate"
    }
