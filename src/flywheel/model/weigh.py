"""Weights of a fit: how much each labelled row counts for predictions like it that have no label.

A row counts in inverse proportion to how likely a prediction with its inputs has a label (Horvitz and Thompson, 1952; for
classifiers Zadrozny, 2004). That is learned from the predictions of the training window and from which of them had a label when
the window ended, so a vintage's weights know nothing of later. Days are dealt in blocks, and those of a block are learned from
the others, so that what was odd about a day does not tell its own weights.

Inputs tell where labels come from, and not which answers people give there: where those who speak choose by what happened,
these weights repeat that choice more loudly. Evaluation can make good for it, since it also knows what voices alone would say
of predictions with an outcome (`evaluation/propensity.py`). That is known as of the clock alone, and not as of earlier fits.

How many trees are right (`trees.py`) is still asked of labelled rows as they are.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from flywheel.model.artifact import matrix
from flywheel.model.card import Features, Weights
from flywheel.model.coverage import DIGITS, FOLDS, LEAST, coverage, effective
from flywheel.model.fit import Rows
from flywheel.model.settings import Weigh

OUTCOME = "outcome"  # the label_source of what needs no voice
BLOCK_DAYS = 3  # what makes a day odd lasts about as long


def weigh_rows(
    labelled: Rows, n_outcomes: int, unlabelled: pd.DataFrame, features: Features, params: Weigh, seed: int
) -> tuple[Rows, Weights]:
    """The labelled rows, the weight of each times one that is 1 on average; and what the card says of these.

    `n_outcomes` of the labels are from an outcome, and `unlabelled` has the other predictions of the window; both tables must
    be as of the same day. All rows count alike where every prediction has a label, or too little is there to learn who has one.
    """
    weight, clipped = np.ones(len(labelled.label)), 0
    day = _days(pd.concat([labelled.features["served_at"], unlabelled["served_at"]]))
    why = _why_alike(n_outcomes, len(unlabelled), int(np.ptp(day)) + 1)
    if why is None:
        inputs = np.vstack([matrix(labelled.features, features), matrix(unlabelled, features)])
        has_label = np.repeat([1.0, 0.0], [len(weight), len(unlabelled)])
        fold = (day - day.min()) // BLOCK_DAYS % FOLDS
        propensity = np.round(coverage(inputs, has_label, fold, np.arange(len(weight)), seed), DIGITS)
        clipped = int((propensity < params.min_propensity).sum())
        weight = 1 / np.maximum(propensity, params.min_propensity)
        weight = weight / weight.mean()
    told: Weights = {
        "effective": round(effective(weight), 1),
        "largest": round(float(weight.max()), 6),
        "clipped": clipped,
        "why_alike": why,
    }
    return replace(labelled, weight=labelled.weight * weight), told


def _why_alike(n_outcomes: int, n_unlabelled: int, n_days: int) -> str | None:
    """Why all rows count alike, as half a sentence; None where they need not."""
    if not n_unlabelled:
        return "every prediction has a label"
    if n_outcomes < LEAST:
        # Labels of people alone are chosen by what happened, and that no input tells.
        return f"{n_outcomes} labels are from an outcome, and {LEAST} are needed to see who has a label"
    if n_unlabelled < LEAST:
        return f"{n_unlabelled} predictions have no label, and {LEAST} are needed to see which ones have none"
    if n_days <= BLOCK_DAYS:
        days = f"{n_days} {'day' if n_days == 1 else 'days'}"
        return (
            f"there are predictions of {days}, and weights of {BLOCK_DAYS} days at a time are learned from other days"
        )
    return None


def _days(served_at: pd.Series) -> np.ndarray:
    found: np.ndarray = served_at.to_numpy("datetime64[us]").astype("datetime64[D]").astype("int64")
    return found
