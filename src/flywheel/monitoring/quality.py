"""Realised quality of the served score and of the champion, as labels come in."""

from __future__ import annotations

import datetime as dt
from typing import Any

import numpy as np
import pandas as pd

from flywheel.data.weeks import monday
from flywheel.evaluation import intervals, metrics
from flywheel.evaluation.settings import Evaluate
from flywheel.labels.revisions import sure
from flywheel.model import artifact
from flywheel.monitoring.settings import Monitor
from flywheel.monitoring.windows import between


def quality_by_week(
    features: pd.DataFrame, known: pd.DataFrame, params: Evaluate, limits: Monitor, champion: artifact.Model | None
) -> list[dict[str, Any]]:
    """Realised AUC, Brier score and calibration error by week, of the served score and, after its training, of the champion.

    A week with too few sure labels to judge it is null. Where nothing was ever served, there is only the champion.
    """
    labels = sure(known, params.min_confidence)[["prediction_id", "label"]]
    is_served = features["served_score"].notna()
    served = {"served": "served_score"} if is_served.any() else {}
    rows = (features[is_served] if served else features).merge(labels, on="prediction_id", how="left")
    learned_until = pd.Timestamp(champion.card["labels_known_before"], tz="UTC") if champion else None
    settings = metrics.Settings(params.costs, params.ece_bins)
    found = []
    for week, mine in rows.groupby(monday(rows["served_at"])):
        judged = mine[mine["label"].notna()]
        entry: dict[str, Any] = {"week": week, "predictions": len(mine), "labelled": len(judged)}
        is_new = learned_until is not None and mine["served_at"].min() >= learned_until
        for name, column in {**served, "champion": "champion_score"}.items():
            if column not in rows or (name == "champion" and not is_new):
                continue
            entry[name] = None
            if is_enough(judged["label"], len(mine), limits):
                everything = np.zeros(len(judged), dtype="int64")
                counts = metrics.count(judged[column].to_numpy(), judged["label"].to_numpy(), everything, 1)
                measured = metrics.measure(counts, settings)
                entry[name] = {metric: measured[metric] for metric in ("auc", "brier", "ece")}
        found.append(entry)
    return found


def recent(
    features: pd.DataFrame, known: pd.DataFrame, window: tuple[dt.date, dt.date], params: Evaluate, limits: Monitor
) -> dict[str, Any]:
    """The champion's realised AUC over the current window, with its interval from the bootstrap over days that `evaluate` uses.

    It is null if there is no champion, or if too few labels are sure.
    """
    rows = between(features, *window)
    labels = sure(known, params.min_confidence)[["prediction_id", "label"]]
    judged = rows.merge(labels, on="prediction_id")
    found: dict[str, Any] = {
        "start": str(window[0]),
        "end": str(window[1]),
        "predictions": len(rows),
        "labelled": len(judged),
        "auc": None,
    }
    if "champion_score" in judged and is_enough(judged["label"], len(rows), limits):
        scores = {"champion": judged["champion_score"].to_numpy()}
        measured = intervals.resample(judged, scores, params)["champion"]
        found["auc"] = intervals.of_metric("auc", measured, params.bootstrap.confidence)
    return found


def is_enough(label: pd.Series, predictions: int, limits: Monitor) -> bool:
    """Whether so many of the predictions have a sure label, and so many of these are of the rarer class, that they can be
    judged by their labels."""
    rarer = min(int(label.sum()), int((1 - label).sum()))
    return len(label) >= limits.min_labelled_share * predictions and rarer >= limits.min_positives


def new_labels(known: pd.DataFrame, champion: artifact.Model | None) -> int | None:
    """How many labels became known after the champion was trained; None if there is no champion."""
    if champion is None:
        return None
    return int((known["known_at"] >= pd.Timestamp(champion.card["labels_known_before"], tz="UTC")).sum())
