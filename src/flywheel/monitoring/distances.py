"""How far two samples of a column are apart. Pure functions; a test holds each to Evidently's method of the same name.

The two methods that `conf/` chooses are computed here, because importing Evidently costs more than all of the rest of the
stage; any other method is Evidently's own code.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

SMALLEST_SPREAD = 0.001  # Evidently's: a reference that hardly varies is not divided by almost nothing


def wasserstein(reference: np.ndarray, current: np.ndarray) -> float:
    """The area between the two distribution functions, in standard deviations of the reference."""
    both = np.sort(np.concatenate([reference, current]), kind="stable")
    below = [np.searchsorted(np.sort(one), both[:-1], "right") / len(one) for one in (reference, current)]
    area = np.vecdot(np.abs(below[0] - below[1]), np.diff(both))
    return float(area / max(float(np.std(reference)), SMALLEST_SPREAD))


def jensen_shannon(reference: pd.Series, current: pd.Series) -> float:
    """The square root of the Jensen-Shannon divergence of the shares of the categories, in nats (Lin, 1991): 0 to 0.83."""
    counts = [one.value_counts() for one in (reference, current)]
    names = counts[0].index.union(counts[1].index)
    p, q = (one.reindex(names, fill_value=0).to_numpy() / one.sum() for one in counts)
    middle = (p + q) / 2
    return float(np.sqrt(max(_divergence(p, middle) + _divergence(q, middle), 0.0) / 2))


def _divergence(p: np.ndarray, middle: np.ndarray) -> float:
    """Kullback and Leibler's, of shares from their middle; a share of 0 adds nothing."""
    some = p > 0
    return float(np.sum(p[some] * np.log(p[some] / middle[some])))


def evidently(reference: pd.Series, current: pd.Series, is_category: bool, method: str) -> float:
    """The distance by a method of Evidently, without the plot that `evidently.metrics.ValueDrift` draws with it."""
    from evidently.legacy.calculations.stattests import get_stattest
    from evidently.legacy.core import ColumnType

    kind = ColumnType.Categorical if is_category else ColumnType.Numerical
    # The last argument is the threshold of its own verdict, which nobody reads.
    return float(get_stattest(reference, current, kind, method)(reference, current, kind, 1.0).drift_score)
