"""How satisfied users are in each cohort, and how far each is from the best one, by their ratings."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from flywheel.data import tables
from flywheel.evaluation.bands import cohort_names
from flywheel.evaluation.intervals import block_length, day_codes, day_weights, interval
from flywheel.evaluation.settings import Bootstrap, Evaluate
from flywheel.labels.shares import quantile_of_t
from flywheel.monitoring.settings import Satisfaction


def satisfaction(
    ratings: pd.DataFrame, features: pd.DataFrame, as_of: dt.date, params: Evaluate, limits: Satisfaction
) -> dict[str, Any]:
    """The mean rating of the last days in each cohort with its interval, and its gap to the best cohort of its group.

    Days of the ratings are resampled in blocks, as everywhere: a bad day hits a cohort as a whole. A gap has Student's
    interval, with as many degrees of freedom as there are blocks but one, corrected for all pairs of cohorts that could have
    been compared (Bonferroni). So all gaps lie in their intervals at once in `confidence` of all cases, and it does not matter
    that the best one was looked for, nor how many cohorts there are. A cohort with few ratings is counted, and not compared.
    """
    start = as_of - dt.timedelta(days=limits.days)
    moments = ratings["received_at"]
    mine = ratings[(moments >= tables.timestamp(start)) & (moments < tables.timestamp(as_of))]
    columns = sorted({one.column for one in params.cohorts.values()} & set(features))
    rows = mine.merge(features[["prediction_id", *columns]], on="prediction_id")
    found: dict[str, Any] = {
        "start": str(start),
        "end": str(as_of),
        "ratings": len(rows),
        "min_ratings": limits.min_ratings,
        "confidence": params.bootstrap.confidence,
        "groups": {},
    }
    if rows.empty:
        return found
    day, n_days = day_codes(rows["received_at"])
    weights = day_weights(n_days, params.bootstrap)
    value = rows["value"].to_numpy("float64")
    means: dict[tuple[str, str], tuple[float, np.ndarray]] = {}
    for group, cohort in params.cohorts.items():
        if cohort.column not in rows:
            continue
        names = cohort_names(rows[cohort.column], cohort)
        found["groups"][group] = []
        for name in sorted(names.dropna().unique()):
            is_mine = (names == name).to_numpy()
            entry: dict[str, Any] = {"cohort": str(name), "ratings": int(is_mine.sum()), "rating": None, "gap": None}
            found["groups"][group].append(entry)
            if entry["ratings"] < limits.min_ratings or len(np.unique(day[is_mine])) < limits.min_days:
                continue
            totals = [np.bincount(day[is_mine], one, n_days) for one in (value[is_mine], np.ones(entry["ratings"]))]
            with np.errstate(invalid="ignore"):
                sampled = (weights @ totals[0]) / (weights @ totals[1])
            low, high = interval(sampled, params.bootstrap.confidence)
            estimate = float(value[is_mine].mean())
            entry["rating"] = {"value": estimate, "low": low, "high": high}
            means[group, str(name)] = estimate, sampled
    n_cohorts = [sum(one["rating"] is not None for one in entries) for entries in found["groups"].values()]
    width = _width(n_cohorts, n_days, params.bootstrap)
    for group, entries in found["groups"].items():
        judged = [one for one in entries if one["rating"] is not None]
        if len(judged) < 2:
            continue
        best = max(judged, key=lambda one: (one["rating"]["value"], one["ratings"]))
        for one in judged:
            if one is not best:
                one["gap"] = _gap(means[group, one["cohort"]], means[group, best["cohort"]], width)
    return found


def _width(n_cohorts: Sequence[int], n_days: int, params: Bootstrap) -> float:
    """How many standard errors wide the interval of a gap is on each side, so that those of all pairs hold at once."""
    n_pairs = sum(n * (n - 1) // 2 for n in n_cohorts)
    n_blocks = n_days // block_length(n_days, params.block_days)
    return quantile_of_t(1 - (1 - params.confidence) / 2 / max(n_pairs, 1), max(n_blocks - 1, 1))


def _gap(mine: tuple[float, np.ndarray], best: tuple[float, np.ndarray], width: float) -> dict[str, float | None]:
    value, error = mine[0] - best[0], float(np.nanstd(mine[1] - best[1]))
    if error == 0:  # all alike: resampling knows nothing
        return {"value": value, "low": None, "high": None}
    return {"value": value, "low": value - width * error, "high": value + width * error}
