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
from flywheel.model import boosting

FOLDS = 3
LEAST = 100  # rows of each kind; with fewer, what is learned is mostly chance
MOST = 20_000  # rows that are learned from: with more no metric changes in its third digit
TREES = 30
DIGITS = 6  # the last bits of a score depend on the machine
LEARNER = {
    "objective": "binary",
    "learning_rate": 0.3,
    "num_leaves": 15,
    "min_child_samples": LEAST,
    "lambda_l2": 1.0,
    "deterministic": True,
    "force_col_wise": True,
    "verbosity": -1,
    "num_threads": 1,  # such small fits only wait for more
}


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


def effective(weight: np.ndarray) -> float:
    """The effective sample size of weights: the square of their sum over the sum of their squares; 0 without any."""
    return float(weight.sum() ** 2 / (weight**2).sum()) if len(weight) else 0.0


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


def coverage(inputs: np.ndarray, has: np.ndarray, fold: np.ndarray, asked: np.ndarray, seed: int) -> np.ndarray:
    """How likely each of the rows `asked` for has an outcome, by its inputs, learned from the rows of the other folds."""
    if min(has.sum(), len(has) - has.sum()) < LEAST:  # nothing to learn, on any days
        return np.full(len(asked), has.mean())
    found = np.empty(len(asked))
    for one in range(FOLDS):
        mine = fold[asked] == one
        others = fold != one
        found[mine] = learn(inputs[others], has[others], inputs[asked[mine]], seed)
    return found


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


def learn(rows: np.ndarray, is_one: np.ndarray, asked: np.ndarray, seed: int) -> np.ndarray:
    """How likely each of the rows `asked` for is one; the share of all where there are too few rows to learn more."""
    if not len(asked):
        return np.empty(0)
    n_ones = int(is_one.sum())
    if min(n_ones, len(is_one) - n_ones) < LEAST:
        return np.full(len(asked), is_one.mean() if len(is_one) else 0.0)
    if len(rows) > MOST:
        chosen = np.sort(np.random.default_rng(seed).choice(len(rows), MOST, replace=False))
        rows, is_one = rows[chosen], is_one[chosen]
    gbm = boosting.lightgbm()
    booster = gbm.train(LEARNER | {"seed": seed}, gbm.Dataset(rows, is_one), TREES)
    return np.asarray(booster.predict(asked, num_threads=1), dtype="float64")
