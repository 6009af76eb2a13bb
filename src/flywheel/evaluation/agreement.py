"""How a candidate and the latest labels follow the latest stand-in, which has seen neither."""

from __future__ import annotations

import numpy as np

from flywheel.evaluation.calibration import grouped, recalibrate
from flywheel.evaluation.evidence import Agreement
from flywheel.evaluation.metrics import CLIP


def agreement(younger: np.ndarray, older: np.ndarray, label: np.ndarray) -> Agreement | None:
    """How one model's scores, and the labels, follow another model's scores on the same rows.

    `shift`: the mean difference in log odds. `slope`: of the younger's log odds on the older's, least squares; 1 where both
    are as sure of themselves. `labels`: the slope of what happened on the older's log odds, by logistic regression (Cox,
    1958). Wrong labels flatten it at once, and the younger model's slope only as far as it has learned from them. It is null
    where the labels have one class, or scores separate them. None where the older says one thing.
    """
    mine, other = (np.log(one / (1 - one)) for one in (np.clip(score, CLIP, 1 - CLIP) for score in (younger, older)))
    spread = other - other.mean() if len(other) else other
    if not len(other) or not spread.any():
        return None
    logits, positives, negatives = grouped(older, label, np.zeros(len(label), dtype="int64"), 1)
    told = float(recalibrate(logits, positives, negatives)[1][0])
    return {
        "shift": float((mine - other).mean()),
        "slope": float(spread @ mine / (spread @ spread)),
        "labels": told if np.isfinite(told) else None,
    }
