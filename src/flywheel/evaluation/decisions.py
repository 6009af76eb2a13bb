"""What the alerts are worth at other thresholds, and which decisions change with the candidate."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from flywheel.evaluation import intervals
from flywheel.evaluation.compare import Scores, reference_of
from flywheel.evaluation.settings import Evaluate

THRESHOLDS = tuple(round(0.05 * step, 2) for step in range(1, 20))


def decision_curve(table: pd.DataFrame, scores: Scores, params: Evaluate) -> dict[str, list[dict[str, float | None]]]:
    """What alerts gain over alerting nobody, per 1,000 predictions, for each threshold, with intervals over days.

    The decision curve of Vickers and Elkin (2006): the threshold stands for how much a wrong alert costs, in right ones, so
    that right alerts count in full and wrong ones with the odds of the threshold. In the points of the cost table; at its
    own threshold, which is among them, this is the utility less that of alerting nobody. `alert_all` alerts whatever the score.
    """
    day, n_days = intervals.day_codes(table["served_at"])
    weights = intervals.day_weights(n_days, params.bootstrap)
    weight = intervals.weights_of(table)
    rows = np.bincount(day, weights=weight, minlength=n_days)
    label, costs = table["label"].to_numpy(), params.costs
    worth = 1000 * (costs.alert_right - costs.missed)
    shown = {name: scores[name] for name in dict.fromkeys(["candidate", reference_of(scores)]) if name != "base_rate"}
    found: dict[str, list[dict[str, float | None]]] = {}
    for name, score in {**shown, "alert_all": np.ones(len(label))}.items():
        found[name] = []
        for threshold in sorted({*THRESHOLDS, costs.threshold}):
            counts = np.where(label == 1, 1.0, -threshold / (1 - threshold)) * (score >= threshold) * weight
            gained = worth * np.bincount(day, weights=counts, minlength=n_days)
            low, high = intervals.interval((weights @ gained) / (weights @ rows), params.bootstrap.confidence)
            value = float(gained.sum() / rows.sum())
            found[name].append({"threshold": threshold, "gained": value, "low": low, "high": high})
    return found


def flips(candidate: np.ndarray, reference: np.ndarray, label: np.ndarray, threshold: float) -> dict[str, int]:
    """How many decisions change from the reference to the candidate: to an alert and away from one, and how many are right."""
    now, before = candidate >= threshold, reference >= threshold
    to_alert, to_quiet = now & ~before, before & ~now
    return {
        "to_alert": int(to_alert.sum()),
        "to_alert_right": int((to_alert & (label == 1)).sum()),
        "to_quiet": int(to_quiet.sum()),
        "to_quiet_right": int((to_quiet & (label == 0)).sum()),
    }


def flips_of(table: pd.DataFrame, scores: Scores, params: Evaluate) -> dict[str, Any]:
    """The same for rows and their scores, against what the candidate is compared with."""
    label = table["label"].to_numpy()
    return flips(scores["candidate"], scores[reference_of(scores)], label, params.costs.threshold)
