"""Which cohort a row is in."""

from __future__ import annotations

import numpy as np
import pandas as pd

from flywheel.evaluation.settings import Cohort


def cohort_names(column: pd.Series, cohort: Cohort) -> pd.Series:
    """The cohort of each row: the value itself, or the band `500-1000` that a number falls into (left edge included)."""
    if cohort.edges is None:
        return column
    edges = [-np.inf, *cohort.edges, np.inf]
    middle = [f"{low:g}-{high:g}" for low, high in zip(cohort.edges, cohort.edges[1:], strict=False)]
    names = [f"under {cohort.edges[0]:g}", *middle, f"{cohort.edges[-1]:g} and more"]
    return pd.cut(column, edges, right=False, labels=names).astype("str")
