"""How much each labelled row counts, so that together they stand for all predictions: weights by inverse propensity.

Who has a label is not drawn by lot. Outcomes come where there is a feed; people speak of what annoys them, and what they say is
soon sure where it agrees with what was expected. So each labelled row counts in inverse proportion to its propensity, which is
how likely a row like it has a label (Horvitz and Thompson, 1952; for classifiers Zadrozny, 2004), over the sum of all weights
(Hájek, 1971).

Whether a prediction has an outcome may depend on its inputs: `coverage` is learned from them. Whether people give it a label
may depend on what happened, and no input tells that. But people also speak of predictions that have an outcome. There one sees
how often voices alone would have given the label, by what happened and by the scores: `said`. It stands for the rest too, on
the assumption that people speak alike of both. A row's propensity is then `coverage + (1 - coverage) * said`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from flywheel.evaluation.evidence import Method
from flywheel.evaluation.metrics import CLIP
from flywheel.model.coverage import DIGITS, FOLDS, LEAST, coverage, effective, learn


@dataclass(frozen=True)
class Labelled:
    """The labelled rows: the place of each among all predictions, its label, whether an outcome gave it, and the scores.

    `alone` is the label that voices alone would have given it, -1 for none; it is asked of rows with an outcome.
    """

    place: np.ndarray
    label: np.ndarray
    is_outcome: np.ndarray
    alone: np.ndarray
    scores: np.ndarray  # (rows x models)


@dataclass(frozen=True)
class Weighed:
    """The weight of each labelled row, 1 on average; how it came about, and how many propensities were clipped."""

    weight: np.ndarray
    method: Method
    why_not: str | None = None
    clipped: int = 0

    @property
    def effective(self) -> float:
        """How many rows that all count alike would tell as much (Kish, 1965)."""
        return effective(self.weight)


def weigh(inputs: np.ndarray, block: np.ndarray, labelled: Labelled, min_propensity: float, seed: int) -> Weighed:
    """The weights of the labelled rows, each from a propensity that was learned on other days.

    `inputs` has the features of all predictions that could be measured, NaN where missing, and `block` the number of the block
    of days of each. A propensity below `min_propensity` counts as that, so that no row counts for more than a few. All weigh
    1 where every prediction has a label, and where it cannot be learned who has one; `why_not` then says why.
    """
    n, ones = len(inputs), np.ones(len(labelled.label))
    if len(ones) == n or not n:
        return Weighed(ones, "all are labelled")
    n_outcomes, has_voices = int(labelled.is_outcome.sum()), bool((~labelled.is_outcome).any())
    if n_outcomes < LEAST:
        why = f"{n_outcomes} labelled rows have an outcome, and {LEAST} are needed to see who has a label"
        return Weighed(ones, "none", why)
    said = np.zeros(len(ones))
    fold = block % FOLDS
    if has_voices:
        checked = labelled.is_outcome & (labelled.alone >= 0)
        for kind in (0, 1):
            found = min(
                int((labelled.label[labelled.is_outcome] == kind).sum()), int((labelled.alone[checked] == kind).sum())
            )
            if found < LEAST:
                why = (
                    f"voices alone would give the label {kind} to {found} predictions that have an outcome, and {LEAST} are "
                    "needed to see how that depends on what happened"
                )
                return Weighed(ones, "none", why)
        said = _said(labelled, fold[labelled.place], seed)
    has_outcome = np.zeros(n)
    has_outcome[labelled.place[labelled.is_outcome]] = 1
    covered = coverage(inputs, has_outcome, fold, labelled.place, seed)
    propensity = np.round(covered + (1 - covered) * said, DIGITS)
    weight = 1 / np.maximum(propensity, min_propensity)
    clipped = int((propensity < min_propensity).sum())
    return Weighed(weight / weight.mean(), "outcomes and voices" if has_voices else "outcomes", None, clipped)


def _said(labelled: Labelled, fold: np.ndarray, seed: int) -> np.ndarray:
    """How many rows voices alone label as 0 or 1, for each row with the same scores that is one.

    It is above 1 where they label more rows so than there are, some of them wrongly: such a row counts less. It is a ratio of
    two densities, learned as the odds of a classifier between rows by the label that they got and rows by what they are (Qin,
    1998), so that wrong labels are made good for as well as missing ones.
    """
    clipped = np.clip(labelled.scores, CLIP, 1 - CLIP)
    odds = np.log(clipped / (1 - clipped))
    found = np.empty(len(fold))
    for one in range(FOLDS):
        truly = np.flatnonzero(labelled.is_outcome & (fold != one))
        told = truly[labelled.alone[truly] >= 0]
        asked = fold == one
        rows = np.vstack([_with(odds[told], labelled.alone[told]), _with(odds[truly], labelled.label[truly])])
        is_told = np.repeat([1.0, 0.0], [len(told), len(truly)])
        share = learn(rows, is_told, _with(odds[asked], labelled.label[asked]), seed)
        found[asked] = share / np.maximum(1 - share, CLIP)
    return found


def _with(scores: np.ndarray, label: np.ndarray) -> np.ndarray:
    found: np.ndarray = np.column_stack([scores, label])
    return found
