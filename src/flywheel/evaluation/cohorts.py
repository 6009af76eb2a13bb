"""The comparison within each cohort."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from flywheel.errors import ConfigError
from flywheel.evaluation import intervals
from flywheel.evaluation.bands import cohort_names
from flywheel.evaluation.calibration import calibration, reliability
from flywheel.evaluation.compare import Scores, compared, others_of
from flywheel.evaluation.decisions import flips_of
from flywheel.evaluation.harm import p_worse
from flywheel.evaluation.settings import Evaluate


def by_cohort(table: pd.DataFrame, scores: Scores, params: Evaluate) -> dict[str, Any]:
    """The comparison within each cohort, with its counts. ConfigError when a cohort's column is not a feature."""
    found: dict[str, Any] = {}
    models = ["candidate", *others_of(scores)]
    for name, cohort in params.cohorts.items():
        if cohort.column not in table.columns:
            raise ConfigError(
                f"evaluate.cohorts.{name}: '{cohort.column}' is not a column. Columns: {', '.join(sorted(table.columns))}. "
                "Fix conf/project/."
            )
        if cohort.edges is not None and not pd.api.types.is_numeric_dtype(table[cohort.column].dtype):
            raise ConfigError(
                f"evaluate.cohorts.{name}: '{cohort.column}' has no numbers to cut at edges. Remove its edges. "
                "Fix conf/project/."
            )
        groups = cohort_names(table[cohort.column], cohort)
        found[name] = {}
        for value in sorted(groups.dropna().unique()):
            mine = (groups == value).to_numpy()
            rows = table[mine].reset_index(drop=True)
            its_scores = {one: scores[one][mine] for one in models}
            sampled = intervals.resample(rows, its_scores, params, is_cohort=True)
            measured = compared(sampled, scores, params)
            difference = measured.pop("difference")
            _, n_days = intervals.day_codes(rows["served_at"])
            found[name][value] = {
                "rows": len(rows),
                "days": n_days,
                "positives": int(rows["label"].sum()),
                **{model_name: {m: t["value"] for m, t in one.items()} for model_name, one in measured.items()},
                "difference": difference,
                "p_worse": {
                    other: p_worse(sampled["candidate"], sampled[other], n_days, params.bootstrap)
                    for other in difference
                },
                "calibration": calibration(rows, its_scores, params),
                "flips": flips_of(rows, its_scores, params),
            }
    return found


def reliability_by_cohort(table: pd.DataFrame, score: np.ndarray, params: Evaluate) -> dict[str, Any]:
    """The reliability curve of a score within each cohort, by group and value, with the interval of each point."""
    found: dict[str, Any] = {}
    for name, cohort in params.cohorts.items():
        groups = cohort_names(table[cohort.column], cohort)
        members = {value: (groups == value).to_numpy() for value in sorted(groups.dropna().unique())}
        found[name] = {value: reliability(table[mine], score[mine], params) for value, mine in members.items()}
    return found
