"""What becomes of the decisions when an input is slightly off, missing, unknown or extreme."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from flywheel.evaluation.settings import Evaluate
from flywheel.model import artifact


def robustness(table: pd.DataFrame, model: artifact.Model, params: Evaluate) -> dict[str, Any]:
    """For each input of a model, and each way to change it: the share of decisions that flip, and the largest jump of a score.

    Tests of this kind need no labels (metamorphic testing; Segura et al., 2016). A number is moved by `shift` of its standard
    deviation, up in every other row and down in the rest, but not out of the range that it has here; a category is
    another one of those that the model knows. Then each is missing, unknown, or at its smallest or largest value. As many
    rows are asked as `rows` says, evenly spread over those that are measured. A row that the change leaves as it was, for
    example because it lacks the number, says nothing and is not counted.
    """
    rows = table.iloc[
        np.unique(np.linspace(0, len(table) - 1, min(params.robustness.rows, len(table))).astype("int64"))
    ]
    rows = rows.reset_index(drop=True)
    before = artifact.predict(model, rows)
    found: dict[str, Any] = {}
    for name in [*model.card["features"]["numeric"], *model.card["features"]["categorical"]]:
        ways = dict(_changed(rows[name], model.card["features"]["categorical"].get(name), params))
        after = artifact.predict(model, pd.concat([rows.assign(**{name: values}) for values in ways.values()]))
        found[name] = {
            way: _responds(before, scores, _differs(rows[name], values), params.costs.threshold)
            for (way, values), scores in zip(ways.items(), after.reshape(len(ways), -1), strict=True)
        }
    return {"rows": len(rows), "shift": params.robustness.shift, "inputs": found}


def _changed(column: pd.Series, known: list[str] | None, params: Evaluate) -> Iterator[tuple[str, pd.Series]]:
    """The ways to change an input: a number, or a category of those that are `known`."""
    missing = pd.Series(np.nan, index=column.index, dtype=column.dtype if known is None else "object")
    if known is None:
        values = column.astype("float64")
        sign = np.where(np.arange(len(values)) % 2 == 0, 1.0, -1.0)
        step = params.robustness.shift * float(np.nan_to_num(values.std(ddof=0)))
        yield "perturbed", (values + sign * step).clip(values.min(), values.max())
        yield "missing", missing.astype("float64")
        yield "smallest", values.where(values.isna(), values.min()).astype("float64")
        yield "largest", values.where(values.isna(), values.max()).astype("float64")
        return
    places = pd.Index(known, dtype="str").get_indexer(pd.Index(column))
    others = np.array(known, dtype="object")[(places + 1) % max(len(known), 1)] if known else column.to_numpy("object")
    yield "perturbed", pd.Series(np.where(places < 0, column.to_numpy("object"), others), index=column.index)
    yield "missing", missing
    yield "unknown", pd.Series("\x00 unknown", index=column.index, dtype="object")


def _differs(column: pd.Series, values: pd.Series) -> np.ndarray:
    """The rows whose value is another one than before."""
    before, after = column.astype("object"), values.astype("object")
    same = (before == after) | (before.isna() & after.isna())
    found: np.ndarray = ~same.to_numpy(dtype="bool")
    return found


def _responds(before: np.ndarray, after: np.ndarray, is_changed: np.ndarray, threshold: float) -> dict[str, Any]:
    """How many decisions flip among the rows that changed, the largest jump, and how many scores are no number in [0, 1]."""
    old, new = before[is_changed], after[is_changed]
    flips = (old >= threshold) != (new >= threshold)
    is_right = np.isfinite(new) & (new >= 0) & (new <= 1)
    return {
        "rows": len(old),
        "flipped": float(flips.mean()) if len(old) else None,
        "largest_jump": float(np.abs(new - old).max()) if len(old) else None,
        "no_score": int((~is_right).sum()),
    }
