"""Slices that nobody declared: of one or two features, where the candidate loses most against the reference."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise
from typing import Any

import numpy as np
import pandas as pd

from flywheel.evaluation import intervals
from flywheel.evaluation.compare import Scores, reference_of
from flywheel.evaluation.harm import p_above
from flywheel.evaluation.holm import corrected
from flywheel.evaluation.metrics import CLIP
from flywheel.evaluation.settings import Evaluate, Slices

MISSING = "missing"
OTHER = "other"


@dataclass(frozen=True)
class Parts:
    """One feature cut into parts: their names, and of each row the place of its part."""

    feature: str
    names: list[str]
    code: np.ndarray


@dataclass(frozen=True)
class Found:
    """A slice: its name, its rows, and how much more the candidate loses there, in standard errors, on the odd blocks."""

    name: str
    rows: np.ndarray
    strength: float


def find_slices(table: pd.DataFrame, inputs: Sequence[str], scores: Scores, params: Evaluate) -> dict[str, Any]:
    """The slices of up to two `inputs` where the candidate's log loss is worst against the reference, looked for and tested.

    A number is cut at its quantiles, of categories the most frequent stand for themselves (as SliceLine does; Sagadeeva and
    Boehm, 2021). Slices are looked for on every other block of days, and only the `tested` ones that lose most there, by their
    standard error, are measured on the blocks between: what chance alone has found does not come again (sample splitting; Cox,
    1975). Their p-values are by blocks of days and corrected for how many are tested (Holm); `is_confirmed` says which are
    worse for sure. A slice needs the share `min_share` of the rows of either half.
    """
    reference, settings = reference_of(scores), params.slices
    loss = _loss(scores["candidate"], table["label"]) - _loss(scores[reference], table["label"])
    day, n_days = intervals.day_codes(table["served_at"])
    length = max(params.bootstrap.block_days, params.bootstrap.check_block_days)
    is_odd = day // length % 2 == 0
    said: dict[str, Any] = {"block_days": length, "rows": {"looked": int(is_odd.sum()), "tested": int((~is_odd).sum())}}
    if n_days < 4 * length:  # two blocks to look, and two to test
        return {**said, "slices": []}
    parts = [cut(table[name], settings) for name in inputs]
    found = _strongest(parts, loss, is_odd, params)
    tested = [{"slice": one.name, **_measure(table, scores, one.rows, ~is_odd, params)} for one in found]
    p_values = corrected({one["slice"]: one["p_worse"] for one in tested if one["p_worse"] is not None})
    limit = 1 - params.bootstrap.confidence
    for one in tested:
        one["p_corrected"] = p_values.get(one["slice"])
        one["is_confirmed"] = one["p_corrected"] is not None and one["p_corrected"] <= limit
    tested.sort(key=lambda one: (not one["is_confirmed"], -one["difference"]["value"], one["slice"]))
    return {**said, "slices": tested}


def cut(column: pd.Series, settings: Slices) -> Parts:
    """A feature in parts: a number at its quantiles (left edge included), a category by its most frequent values."""
    name = str(column.name)
    if pd.api.types.is_numeric_dtype(column.dtype):
        values = column.to_numpy("float64", na_value=np.nan)
        known = values[np.isfinite(values)]
        edges = np.unique(np.quantile(known, np.arange(1, settings.bins) / settings.bins)) if len(known) else known
        edges = edges[edges > known.min()] if len(known) else edges  # nothing is below the smallest
        code = np.where(np.isfinite(values), np.searchsorted(edges, values, side="right"), len(edges) + 1)
        return Parts(name, [*_bands(name, edges), f"{name} {MISSING}"], code.astype("int64"))
    counted = column.value_counts()
    kept = sorted(counted.index, key=lambda value: (-counted[value], str(value)))[: settings.categories]
    code = pd.Index(kept).get_indexer(pd.Index(column))
    code = np.where(column.isna(), len(kept) + 1, np.where(code < 0, len(kept), code))
    return Parts(name, [*(f"{name} = {value}" for value in kept), f"{name} {OTHER}", f"{name} {MISSING}"], code)


def _bands(name: str, edges: np.ndarray) -> list[str]:
    if not len(edges):
        return [f"{name} any"]
    middle = [f"{name} from {low:g} to {high:g}" for low, high in pairwise(edges)]
    return [f"{name} below {edges[0]:g}", *middle, f"{name} from {edges[-1]:g}"]


def _loss(score: np.ndarray, label: pd.Series) -> np.ndarray:
    clipped = np.clip(score, CLIP, 1 - CLIP)
    found: np.ndarray = -np.log(np.where(label.to_numpy() == 1, clipped, 1 - clipped))
    return found


def _strongest(parts: Sequence[Parts], loss: np.ndarray, is_odd: np.ndarray, params: Evaluate) -> list[Found]:
    """The slices that lose most for sure on the odd blocks; of those with nearly the same rows the strongest alone."""
    odd, even = ([one.code[half] for one in parts] for half in (is_odd, ~is_odd))
    lost, needed = loss[is_odd], params.slices.min_share
    squared = lost**2
    ranked: list[tuple[float, tuple[int, ...], tuple[int, ...]]] = []
    for at in (*((one,) for one in range(len(parts))), *combinations(range(len(parts)), 2)):
        sizes = tuple(len(parts[one].names) for one in at)
        cell, n = _cells(odd, sizes, at), int(np.prod(sizes))
        rows = np.bincount(cell, minlength=n)
        rows_between = np.bincount(_cells(even, sizes, at), minlength=n)
        enough = np.flatnonzero((rows >= needed * len(lost)) & (rows_between >= needed * even[0].size) & (rows > 1))
        if not len(enough):
            continue
        rows = rows[enough]
        mean, mean_square = (np.bincount(cell, weights=one, minlength=n)[enough] / rows for one in (lost, squared))
        error = np.sqrt(np.maximum(mean_square - mean**2, 1e-12) / rows)
        worse = mean > 0
        ranked += [
            (float(strength), at, tuple(int(one) for one in np.unravel_index(place, sizes)))
            for strength, place in zip((mean / error)[worse], enough[worse], strict=True)
        ]
    ranked.sort(key=lambda one: (-round(one[0], 9), len(one[1]), one[1:]))
    found: list[Found] = []
    for strength, at, places in ranked:
        if len(found) == params.slices.tested:
            break
        mine = np.logical_and.reduce([parts[one].code == place for one, place in zip(at, places, strict=True)])
        if not any(_overlap(mine, other.rows) > params.slices.max_overlap for other in found):
            name = " and ".join(parts[one].names[place] for one, place in zip(at, places, strict=True))
            found.append(Found(name, mine, strength))
    return found


def _cells(codes: Sequence[np.ndarray], sizes: tuple[int, ...], at: tuple[int, ...]) -> np.ndarray:
    """Of each row the cell that it falls into: one number for its parts of one or two features."""
    return codes[at[0]] if len(at) == 1 else codes[at[0]] * sizes[1] + codes[at[1]]


def _overlap(one: np.ndarray, other: np.ndarray) -> float:
    """The rows in both as a share of those in either (Jaccard)."""
    return float((one & other).sum() / max((one | other).sum(), 1))


def _measure(
    table: pd.DataFrame, scores: Scores, rows: np.ndarray, is_half: np.ndarray, params: Evaluate
) -> dict[str, Any]:
    """The log loss of both models in a slice, on the blocks of days where it was not looked for."""
    mine = rows & is_half
    reference, label = reference_of(scores), table["label"][mine]
    losses = {model: _loss(scores[model][mine], label) for model in ("candidate", reference)}
    day, n_days = intervals.day_codes(table["served_at"][mine])
    weights = intervals.day_weights(n_days, params.bootstrap)
    difference = losses["candidate"] - losses[reference]
    count, total = (
        weights @ np.bincount(day, weights=one, minlength=n_days) for one in (np.ones(len(day)), difference)
    )
    samples, value = total / count, float(difference.mean())
    low, high = intervals.interval(samples, params.bootstrap.confidence)
    return {
        "rows": len(day),
        "positives": int(label.sum()),
        **{("candidate" if model == "candidate" else "reference"): float(one.mean()) for model, one in losses.items()},
        "difference": {"value": value, "low": low, "high": high},
        "p_worse": p_above(value, samples, n_days, params.bootstrap),
    }
