"""How far what users wrote has come: about which of their predictions a model has learned what happened."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pandas as pd

from flywheel.data import tables
from flywheel.labels.revisions import known_before

Training = tuple[dt.date, dt.date]  # first day of the training window, and the day as of which the model was made


def learned_from(
    voices: pd.DataFrame,
    served: pd.DataFrame,
    revisions: pd.DataFrame,
    candidate: Training,
    champion: Training | None,
) -> dict[str, dict[str, Any]]:
    """By topic: the predictions that users wrote about, and of how many champion and candidate learned what happened.

    A model learned from a prediction that was served in its training window, and whose label was known when it was made; what
    a user wrote says that something is wrong, and the label says what would have been right.
    """
    mine = served.loc[served["prediction_id"].isin(voices["prediction_id"]), ["prediction_id", "served_at"]]
    about = revisions[["prediction_id", "revised_at", "superseded_at"]].merge(mine, on="prediction_id")
    learned = {"candidate": _learned(about, candidate), "champion": _learned(about, champion)}
    found = {}
    for topic, said in voices.groupby("topic"):
        predictions = said["prediction_id"].drop_duplicates()
        counts = {model: int(predictions.isin(known).sum()) for model, known in learned.items()}
        found[str(topic)] = {"predictions": len(predictions), **counts}
    return found


def _learned(revisions: pd.DataFrame, training: Training | None) -> pd.Series:
    """The predictions whose label a model of this training window learned."""
    if training is None:
        return revisions["prediction_id"].iloc[:0]
    start, as_of = (tables.timestamp(day) for day in training)
    known = known_before(revisions, as_of)
    found: pd.Series = known.loc[(known["served_at"] >= start) & (known["served_at"] < as_of), "prediction_id"]
    return found
