"""Pseudo-labels: what a fit learns from predictions without a label of which a model of the same recipe is sure (Lee, 2013).

They belong to one fit. `data/labels.parquet` has none, so nothing that is measured, watched, counted or derived from labels
ever sees one: no window, no cohort, no monitor, no history feature. The card says how many a model learned from.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd

from flywheel.model.fit import Rows, rarer
from flywheel.model.settings import Pseudo

PSEUDO = "pseudo"  # their label_source

Scores = Callable[[Rows, pd.DataFrame], np.ndarray]  # what a fit on some rows says of others


def pseudo_rows(labelled: Rows, unlabelled: pd.DataFrame, params: Pseudo, scores: Scores) -> Rows:
    """Those of the rows without a label that have a score outside the band, with the label that it gives and a small weight.

    Cross-fitted: days are dealt into folds, one after the other, and the scores of a fold are from a fit on the labelled rows
    of the others. So what made a day odd gives no labels to that same day. Both tables must be as of the same day: then nothing
    here knows more than was known on it. Where the other folds have labels of one class alone, nothing is sure.
    """
    mine, theirs = (_fold(table["served_at"], params.folds) for table in (unlabelled, labelled.features))
    score = np.full(len(unlabelled), 0.5)
    for fold in np.unique(mine).tolist():
        others = taken(labelled, theirs != fold)
        if rarer(others):
            score[mine == fold] = scores(others, unlabelled[mine == fold].reset_index(drop=True))
    is_sure = (score <= params.below) | (score >= params.above)
    label = (score[is_sure] > 0.5).astype(labelled.label.dtype)
    return Rows(unlabelled[is_sure].reset_index(drop=True), label, np.full(label.size, params.weight))


def taken(rows: Rows, is_taken: np.ndarray) -> Rows:
    """Some of the rows."""
    return Rows(rows.features[is_taken].reset_index(drop=True), rows.label[is_taken], rows.weight[is_taken])


def together(one: Rows, other: Rows) -> Rows:
    """All rows of both, the first ones first."""
    return Rows(
        pd.concat([one.features, other.features], ignore_index=True) if len(other.label) else one.features,
        np.concatenate([one.label, other.label]),
        np.concatenate([one.weight, other.weight]),
    )


def _fold(served_at: pd.Series, folds: int) -> np.ndarray:
    days = served_at.to_numpy("datetime64[us]").astype("datetime64[D]").astype("int64")
    found: np.ndarray = days % folds
    return found
