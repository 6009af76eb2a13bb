"""Drift of every column between a reference and a current window, by Evidently's methods."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from flywheel.monitoring.distances import evidently, jensen_shannon, wasserstein
from flywheel.monitoring.settings import Drift

KEYS = ("prediction_id", "served_at")
BINS = 20


def measure(
    reference: pd.DataFrame, current: pd.DataFrame, categorical: tuple[str, ...], params: Drift
) -> dict[str, Any]:
    """The distance between each column's two samples, largest first, with histograms to draw it.

    `drifted` counts the columns whose distance is above the threshold. A column that is empty in either sample has no
    distance and is listed with null. The methods are always named, because Evidently's own choice switches between distances
    and p-values with the number of rows.
    """
    columns = compared(reference, current)
    samples = [as_measured(sample(frame[columns], params), categorical) for frame in (reference, current)]
    is_empty = {name: any(one[name].notna().sum() == 0 for one in samples) for name in columns}
    measurable = [name for name in columns if not is_empty[name]]
    by_name = distances(samples[0], samples[1], measurable, categorical, params)
    found: list[dict[str, Any]] = []
    for name in columns:
        is_category = name in categorical
        distance = by_name.get(name)
        found.append(
            {
                "column": name,
                "method": params.categorical_method if is_category else params.numeric_method,
                "distance": distance,
                "is_drifted": distance is not None and distance > params.threshold,
                "null_share": [float(one[name].isna().mean()) for one in samples],
                "histogram": histogram(samples[0][name], samples[1][name], is_category),
            }
        )
    found.sort(key=lambda one: (-(one["distance"] if one["distance"] is not None else -1), one["column"]))
    drifted = sum(bool(one["is_drifted"]) for one in found)
    return {
        "threshold": params.threshold,
        "columns": len(found),
        "drifted": drifted,
        "drifted_share": drifted / len(found) if found else 0.0,
        "by_column": found,
    }


def compared(reference: pd.DataFrame, current: pd.DataFrame) -> list[str]:
    """The columns that both frames have; not the served score where nothing was ever served."""
    never = all(one["served_score"].isna().all() for one in (reference, current) if "served_score" in one)
    left_out = (*KEYS, *(["served_score"] if never else []))
    return [name for name in reference.columns if name not in left_out and name in current.columns]


def weigh(
    reference: pd.DataFrame,
    current: pd.DataFrame,
    categorical: tuple[str, ...],
    importance: dict[str, float],
    params: Drift,
) -> dict[str, Any]:
    """How much of a model's importance is on drifted columns, as a share of the importance that can be measured.

    Only columns with importance are compared. `weighted_share` is null if none of them can be measured.
    """
    columns = [name for name, weight in importance.items() if weight > 0 and name in reference and name in current]
    samples = [as_measured(sample(frame[columns], params), categorical) for frame in (reference, current)]
    measurable = [name for name in columns if all(one[name].notna().any() for one in samples)]
    by_name = distances(samples[0], samples[1], measurable, categorical, params)
    drifted = [name for name in measurable if by_name[name] > params.threshold]
    total = sum(importance[name] for name in measurable)
    return {
        "columns": len(measurable),
        "drifted": len(drifted),
        "weighted_share": sum(importance[name] for name in drifted) / total if total else None,
    }


def sample(frame: pd.DataFrame, params: Drift) -> pd.DataFrame:
    """At most `sample_rows` rows, the same ones every time."""
    if len(frame) <= params.sample_rows:
        return frame
    chosen = np.random.default_rng(params.seed).choice(len(frame), params.sample_rows, replace=False)
    return frame.iloc[np.sort(chosen)]


def as_measured(frame: pd.DataFrame, categorical: tuple[str, ...]) -> pd.DataFrame:
    """Numbers as floats; an infinite one has no distance to anything, so it counts as missing."""
    numbers = [name for name in frame.columns if name not in categorical]
    floats = frame[numbers].astype("float64").replace([np.inf, -np.inf], np.nan)
    return frame.assign(**{name: floats[name] for name in numbers})


def histogram(reference: pd.Series, current: pd.Series, is_category: bool) -> dict[str, Any]:
    """Shares of both samples in the same bins: the ten commonest categories, or equal-width bins between the 1st and 99th
    percentile of both together."""
    if is_category:
        common = pd.concat([reference, current]).value_counts().sort_index().sort_values(ascending=False, kind="stable")
        names = common.index[:10].tolist()
        shares = [[float((one == name).sum() / max(len(one), 1)) for name in names] for one in (reference, current)]
        return {"categories": names, "reference": shares[0], "current": shares[1]}
    both = pd.concat([reference, current]).dropna().astype("float64")
    if both.empty:
        return {"edges": [], "reference": [], "current": []}
    low, high = both.quantile([0.01, 0.99])
    edges = np.linspace(low, high if high > low else low + 1, BINS + 1)
    shares = [
        (np.histogram(one.dropna().clip(edges[0], edges[-1]), edges)[0] / max(one.notna().sum(), 1)).tolist()
        for one in (reference, current)
    ]
    return {"edges": edges.tolist(), "reference": shares[0], "current": shares[1]}


def as_html(reference: pd.DataFrame, current: pd.DataFrame, categorical: tuple[str, ...], params: Drift) -> str:
    """Evidently's own page about the drift of every column, with the configured methods and threshold."""
    from evidently import Report
    from evidently.presets import DataDriftPreset

    columns = compared(reference, current)
    samples = [as_measured(sample(frame[columns], params), categorical) for frame in (reference, current)]
    measurable = [name for name in columns if all(one[name].notna().any() for one in samples)]
    data = _datasets(samples[1], samples[0], measurable, categorical)
    preset = DataDriftPreset(
        columns=measurable,
        num_method=params.numeric_method,
        cat_method=params.categorical_method,
        num_threshold=params.threshold,
        cat_threshold=params.threshold,
    )
    text: str = Report([preset]).run(data[0], data[1]).get_html_str(as_iframe=False)
    return text


def _datasets(
    current: pd.DataFrame, reference: pd.DataFrame, columns: list[str], categorical: tuple[str, ...]
) -> list[Any]:
    """Both frames as Evidently's datasets, the current one first, as its reports expect."""
    from evidently import DataDefinition, Dataset

    definition = DataDefinition(
        numerical_columns=[name for name in columns if name not in categorical],
        categorical_columns=[name for name in columns if name in categorical],
    )
    return [Dataset.from_pandas(frame[columns], data_definition=definition) for frame in (current, reference)]


def distances(
    reference: pd.DataFrame, current: pd.DataFrame, columns: list[str], categorical: tuple[str, ...], params: Drift
) -> dict[str, float]:
    """The distance of each column; each must have values in both samples."""
    found = {}
    for name in columns:
        is_category = name in categorical
        method = params.categorical_method if is_category else params.numeric_method
        before, now = reference[name].dropna(), current[name].dropna()
        if (is_category, method) == (False, "wasserstein"):
            found[name] = wasserstein(before.to_numpy("float64"), now.to_numpy("float64"))
        elif (is_category, method) == (True, "jensenshannon"):
            found[name] = jensen_shannon(before, now)
        else:
            found[name] = evidently(before, now, is_category, method)
    return found
