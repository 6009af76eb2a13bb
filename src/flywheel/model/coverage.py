"""Who has what others lack, learned from the inputs of predictions, and how much rows of unequal weight tell.

Evaluation asks it of outcomes (`evaluation/propensity.py`), training of labels (`weigh.py`).
"""

from __future__ import annotations

import numpy as np

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


def effective(weight: np.ndarray) -> float:
    """The effective sample size of weights: the square of their sum over the sum of their squares; 0 without any."""
    return float(weight.sum() ** 2 / (weight**2).sum()) if len(weight) else 0.0


def coverage(inputs: np.ndarray, has: np.ndarray, fold: np.ndarray, asked: np.ndarray, seed: int) -> np.ndarray:
    """How likely each of the rows `asked` for has it, by its inputs, learned from the rows of the other folds."""
    if min(has.sum(), len(has) - has.sum()) < LEAST:  # nothing to learn, on any days
        return np.full(len(asked), has.mean())
    found = np.empty(len(asked))
    for one in range(FOLDS):
        mine = fold[asked] == one
        others = fold != one
        found[mine] = learn(inputs[others], has[others], inputs[asked[mine]], seed)
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
