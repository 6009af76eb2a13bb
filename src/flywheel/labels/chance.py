"""How likely 1 is for each prediction, from some votes alone, all of them together."""

from __future__ import annotations

import numpy as np

from flywheel.labels.claims import Claims, Ints
from flywheel.labels.settings import Label
from flywheel.labels.trust import Keys, beliefs_of
from flywheel.labels.truth import Floats, Prior, believe, infer


def chances(claims: Claims, keys: Keys, votes: Ints, outcome: Ints, params: Label) -> Floats:
    """How likely 1 is for each prediction if only these votes had been cast (their places among the claims); nan where none of
    them is about it, or it has an outcome. `outcome` is that of each prediction, -1 where it has none.

    All is inferred again, also the trust in who speaks and what is to be expected (`truth.infer`).
    """
    group = claims.sources["group"].to_numpy()
    n, n_keys = group.size, keys.cohort.size
    about, source, value = claims.prediction[votes], claims.source[votes], claims.value[votes]
    is_sure = outcome[about] >= 0
    code = (outcome[about] * 2 + value) * n + source
    checked = np.bincount(code[is_sure], minlength=4 * n).reshape(2, 2, n).astype("float64")
    told = np.flatnonzero(outcome >= 0)
    outcomes = np.bincount(outcome[told] * n_keys + keys.of[told], minlength=2 * n_keys).reshape(2, n_keys)
    beliefs = beliefs_of(params)
    free, prediction = np.unique(about[~is_sure], return_inverse=True)
    truth = infer(
        prediction,
        source[~is_sure],
        value[~is_sure],
        keys.of[free],
        Prior(outcomes, keys.cohort, params.prior_weight),
        checked,
        group,
        beliefs,
        believe(checked, group, beliefs),
        params.max_iterations,
    )
    found = np.full(len(claims.names), np.nan)
    # Voices that err together look surer than they are.
    found[free] = np.clip(truth.probability, 1 - params.accuracy.outcome, params.accuracy.outcome)
    return found


def outcomes_of(claims: Claims, standing: np.ndarray) -> Ints:
    """The newest outcome of each prediction among the claims that stand, or -1."""
    found = np.full(len(claims.names), -1)
    told = np.flatnonzero(standing & claims.is_outcome)
    found[claims.prediction[told]] = claims.value[told]
    return found
