"""How far apart the cohorts of a group are in what the model does to them, and whether the candidate draws them apart."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from flywheel.evaluation import intervals
from flywheel.evaluation.bands import cohort_names
from flywheel.evaluation.compare import Scores, reference_of
from flywheel.evaluation.harm import p_above
from flywheel.evaluation.settings import Evaluate

Rates = dict[str, np.ndarray]


def gaps(table: pd.DataFrame, scores: Scores, params: Evaluate) -> dict[str, Any]:
    """For each group of cohorts the gap between them in alert rate, recall and calibration, and what became of it.

    The gap is the largest value of a cohort less the smallest: of the alert rate (demographic parity), of the recall (equal
    opportunity; Hardt et al., 2016), and of the mean score minus the share of positives (calibration within groups;
    Kleinberg et al., 2016). `change` is the candidate's gap minus that of the reference, with an interval by the same days for
    both, and `p_larger` how likely chance alone makes the gap grow so much. Both are null where the reference is the base
    rate, which treats all alike. Cohorts that are too small (`evaluate.gaps`) are left out: their rates are mostly chance, and
    the largest and smallest of them would be the gap.
    """
    day, n_days = intervals.day_codes(table["served_at"])
    weights = intervals.day_weights(n_days, params.bootstrap)
    reference = reference_of(scores)
    models = ["candidate"] + ([reference] if reference != "base_rate" else [])
    return {
        name: _of_group(
            cohort_names(table[cohort.column], cohort),
            table["label"].to_numpy(),
            {model: scores[model] for model in models},
            (day, weights),
            intervals.weights_of(table),
            params,
        )
        for name, cohort in params.cohorts.items()
    }


def _of_group(
    names: pd.Series,
    label: np.ndarray,
    scores: Scores,
    days: tuple[np.ndarray, np.ndarray],
    weight: np.ndarray,
    params: Evaluate,
) -> dict[str, Any]:
    """The gaps between the cohorts that `names` gives the rows; `days` has the day of each row, and each sample's days."""
    values, code = judged(names, label, params)
    if len(values) < 2:
        return {"cohorts": values, "gaps": {}}
    day, weights = days
    is_in = code >= 0
    cell = day[is_in] * len(values) + code[is_in]
    shape = (weights.shape[1], len(values))
    found: dict[str, tuple[Rates, Rates]] = {}
    for model, score in scores.items():
        counted = {
            name: np.bincount(cell, weights=(one * weight)[is_in], minlength=shape[0] * shape[1]).reshape(shape)
            for name, one in counts(score, label, params.costs.threshold).items()
        }
        whole = rates({name: one.sum(0) for name, one in counted.items()})
        found[model] = whole, rates({name: weights @ one for name, one in counted.items()})
    return {
        "cohorts": values,
        "gaps": {metric: _gap(metric, values, found, shape[0], params) for metric in found["candidate"][0]},
    }


def judged(names: pd.Series, label: np.ndarray, params: Evaluate) -> tuple[list[str], np.ndarray]:
    """The cohorts with enough rows, and of each row its place among them; -1 for a row that is in none."""
    found = pd.DataFrame({"name": names.to_numpy(), "label": label}).groupby("name")["label"].agg(["size", "sum"])
    rarer = np.minimum(found["sum"], found["size"] - found["sum"])
    is_large = (found["size"] >= params.gaps.min_share * len(names)) & (rarer >= params.gaps.min_positives)
    values = [str(name) for name in found.index[is_large]]
    return values, pd.Index(found.index[is_large]).get_indexer(pd.Index(names))


def counts(score: np.ndarray, label: np.ndarray, threshold: float) -> Rates:
    """What each row adds to the sums that the rates follow from."""
    is_alert = score >= threshold
    return {
        "rows": np.ones(len(score)),
        "positives": label.astype("float64"),
        "alerts": is_alert.astype("float64"),
        "hits": (is_alert & (label == 1)).astype("float64"),
        "scores": score,
    }


def rates(sums: Rates) -> Rates:
    """Alert rate, recall and calibration (mean score minus share of positives) from sums, elementwise."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return {
            "alert_rate": sums["alerts"] / sums["rows"],
            "recall": sums["hits"] / sums["positives"],
            "calibration": (sums["scores"] - sums["positives"]) / sums["rows"],
        }


def _gap(
    metric: str, values: list[str], found: dict[str, tuple[Rates, Rates]], n_days: int, params: Evaluate
) -> dict[str, Any]:
    """The gap in one metric, between which cohorts of the candidate it is, and its change with an interval."""
    gap = {model: float(np.ptp(whole[metric])) for model, (whole, _) in found.items()}
    mine = found["candidate"][0][metric]
    said = {"candidate": gap["candidate"], "highest": values[mine.argmax()], "lowest": values[mine.argmin()]}
    others = [model for model in found if model != "candidate"]
    if not others:
        return {**said, "reference": None, "change": None, "p_larger": None}
    [other] = others
    sampled = {model: np.ptp(samples[metric], axis=1) for model, (_, samples) in found.items()}
    change, samples = gap["candidate"] - gap[other], sampled["candidate"] - sampled[other]
    low, high = intervals.interval(samples, params.bootstrap.confidence)
    return {
        **said,
        "reference": gap[other],
        "change": {"value": change, "low": low, "high": high},
        "p_larger": p_above(change, samples, n_days, params.bootstrap),
    }
