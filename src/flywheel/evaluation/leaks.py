"""Does the answer leak? What each input alone says of the label, on later days, and what its values look like.

An input that is written at the outcome, or after it, explains the label better than anything that is known before.
"""

from __future__ import annotations

import hashlib
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from flywheel.errors import ConfigError
from flywheel.evaluation import metrics
from flywheel.evaluation.intervals import day_codes
from flywheel.evaluation.settings import Leaks

QUANTILES, OF_EACH = 20, 10  # so many bins for the numbers of a class, or fewer, so that each has so many rows
DISTINCT, REPEATED = 64, 2  # no more distinct values than this, each so often on average: then each is a bin
PRIOR = 10.0  # a bin counts as if it had this many rows more, at the base rate
LEAST = 20  # with fewer rows of the rarer class in a half, an AUC says little
CHANCE = 1e-6  # what is missing in one class only is named when chance would do so less often than this
NEARLY_ALL, ENOUGH = 0.95, 100  # an id: so large a share of its values occurs once, among at least so many
# What conf may accept beside inputs.
BESIDE_INPUTS = ("candidate", "served_at", "served_score")
DAY, HOUR, MINUTE = 86_400_000_000, 3_600_000_000, 60_000_000  # in microseconds


@dataclass(frozen=True)
class Split:
    """Labels, and which rows are later: what is learned from the others is measured on them."""

    label: np.ndarray
    is_later: np.ndarray


@dataclass(frozen=True)
class Column:
    """The values of a column: as they are, or as codes of its texts; NaN or -1 where one is missing."""

    numbers: np.ndarray
    texts: tuple[Hashable, ...] | None

    @property
    def is_missing(self) -> np.ndarray:
        """Whether a row has no value."""
        found: np.ndarray = np.isnan(self.numbers) if self.texts is None else self.numbers < 0
        return found


def probe(
    inputs: pd.DataFrame, served_at: pd.Series, label: np.ndarray, params: Leaks, score: pd.Series | None = None
) -> dict[str, Any]:
    """The AUC of each input alone and of `served_at` alone, the inputs that one class lacks, and hints.

    What each value means is learned on the earlier half of the rows, by days, and measured on the later half. All AUCs are
    null, with the reason, where a half has too few rows of a class. Of `served_at` the time within the day, the hour and
    the minute are measured, never the date: a moment that is written at the outcome gives it away. The score that was served is
    measured as it is, on all rows that have one.
    """
    check_accepted(params, list(inputs.columns))
    day, n_days = day_codes(served_at)
    first = first_later_day(day)
    split = Split(label, day >= first)
    why_not = why_not_measured(split)
    columns = {str(name): read(inputs[name]) for name in inputs.columns}
    lacking = one_class({name: column.is_missing for name, column in columns.items()}, label, day)
    hinted = hints(columns)
    aucs = {name: None if why_not else alone(column, split) for name, column in columns.items()}
    parts = {name: None if why_not else alone(column, split) for name, column in moments(served_at).items()}
    strongest = max(parts, key=lambda name: parts[name] or 0)
    return {
        "max_auc": params.max_auc,
        "max_candidate_auc": params.max_candidate_auc,
        "accepted": dict(params.accepted),
        "rows": {"earlier": int((~split.is_later).sum()), "later": int(split.is_later.sum())},
        "later_from": None if first == n_days else served_at[split.is_later].min().date().isoformat(),
        "why_not_measured": why_not,
        "served_at": {"auc": parts[strongest], "part": strongest},
        "served_score": None if score is None or score.isna().all() else auc_of(score.to_numpy("float64"), label),
        "inputs": {
            name: {"auc": aucs[name], "one_class": lacking.get(name), "hints": hinted[name]} for name in columns
        },
    }


def check_accepted(params: Leaks, inputs: list[str]) -> None:
    """ConfigError when what is accepted is no input of the model: a wrong name would accept nothing."""
    allowed = [*BESIDE_INPUTS, *sorted(inputs)]
    for name in params.accepted:
        if name not in allowed:
            raise ConfigError(
                f"evaluate.leaks.accepted: '{name}' is not an input of the model. Allowed: {', '.join(allowed)}. "
                "Fix it in conf/."
            )


def first_later_day(day: np.ndarray) -> int:
    """The day from which on as near to half of the rows are later as whole days allow; days are 0, 1, ..."""
    n_until = np.cumsum(np.bincount(day))
    return int(np.abs(n_until - len(day) / 2).argmin()) + 1


def why_not_measured(split: Split) -> str | None:
    """Why the AUCs would say nothing, in one sentence; None if they do."""
    for name, is_in in (("earlier", ~split.is_later), ("later", split.is_later)):
        n_positive = int(split.label[is_in].sum())
        rarer = min(n_positive, int(is_in.sum()) - n_positive)
        if rarer < LEAST:
            return f"the {name} days have {rarer} rows of the rarer class, {LEAST} needed"
    return None


def read(values: pd.Series) -> Column:
    """The values of a column, ready to be counted. Whole numbers, decimals and booleans are numbers, all else is text."""
    if pd.api.types.is_numeric_dtype(values.dtype):
        return Column(values.to_numpy("float64", na_value=np.nan) + 0.0, None)  # no negative zero
    codes, texts = pd.factorize(values)
    return Column(codes, tuple(texts))


def alone(column: Column, split: Split) -> float:
    """The AUC on the later rows of the rate of positives that the earlier rows had at the same value.

    A number shares its rate with those between two quantiles of a class; a text that is new has the base rate.
    """
    is_later, label = split.is_later, split.label
    bins = number_bins(column.numbers, split) if column.texts is None else column.numbers
    bins = bins + 1  # what is missing is bin 0
    earlier, n_bins = bins[~is_later], int(bins.max()) + 1
    n = np.bincount(earlier, minlength=n_bins)
    n_positive = np.bincount(earlier, weights=label[~is_later], minlength=n_bins)
    rate = (n_positive + PRIOR * label[~is_later].mean()) / (n + PRIOR)
    counted = metrics.count(rate[bins[is_later]], label[is_later], np.zeros(int(is_later.sum()), dtype="int64"), 1)
    return float(metrics.auc(counted.positives[0], counted.negatives[0]))


def auc_of(score: np.ndarray, label: np.ndarray) -> float | None:
    """The AUC of a score on the rows that have one; None where these have too few of a class."""
    is_there = ~np.isnan(score)
    known = label[is_there]
    if min(known.sum(), len(known) - known.sum()) < LEAST:
        return None
    counted = metrics.count(score[is_there], known, np.zeros(len(known), dtype="int64"), 1)
    return float(metrics.auc(counted.positives[0], counted.negatives[0]))


def number_bins(values: np.ndarray, split: Split) -> np.ndarray:
    """The bin of each number, -1 where it is missing; the earlier rows say where bins begin and end.

    An edge is a bin of its own, so that a value that many rows share, like 0, is not mixed with its neighbours. What lies
    beyond the outer edges counts as the nearest one:

        edges      2        5       7
        bins    1  1    2   3   4   5   5      of 1.0, 2.0, 3.3, 5.0, 6.0, 7.0, 9.9
    """
    is_there = ~np.isnan(values)
    usable = is_there & ~split.is_later
    edges = np.unique(np.concatenate([class_edges(values[usable & (split.label == one)]) for one in (0, 1)]))
    found = np.full(len(values), -1)
    there = values[is_there]
    place = np.searchsorted(edges, there)
    is_edge = np.append(edges, np.nan)[place] == there
    found[is_there] = np.clip(2 * place + is_edge, 1, max(2 * len(edges) - 1, 1))
    return found


def class_edges(values: np.ndarray) -> np.ndarray:
    """Where the bins for the numbers of a class end: at each distinct value if they are few, else at quantiles that occur."""
    ordered = np.sort(values)
    is_new = np.ones(len(ordered), dtype=bool)
    is_new[1:] = ordered[1:] != ordered[:-1]
    if is_new.sum() <= min(DISTINCT, len(ordered) // REPEATED):
        return ordered[is_new]
    n_bins = min(QUANTILES, max(1, len(ordered) // OF_EACH))
    found: np.ndarray = ordered[np.linspace(0, len(ordered) - 1, n_bins + 1).round().astype("int64")]
    return found


def moments(served_at: pd.Series) -> dict[str, Column]:
    """Where within the day, the hour and the minute each prediction was served."""
    at = served_at.dt.as_unit("us").astype("int64").to_numpy()
    lengths = {"time of day": DAY, "second of the hour": HOUR, "second of the minute": MINUTE}
    return {name: Column((at % length).astype("float64"), None) for name, length in lengths.items()}


def one_class(is_missing: dict[str, np.ndarray], label: np.ndarray, day: np.ndarray) -> dict[str, dict[str, Any]]:
    """The inputs that are missing, or present, only where the label is 1, or only where it is 0, beyond chance.

    Chance would give a row its label as often as the row's day has it: so an hour without a value, on a day on which it
    happened to all, is no suspicion. Where both sides of an input are of one class, the smaller one is named.
    """
    names, is_positive = list(is_missing), label == 1
    n_positive, n = np.bincount(day, weights=label), np.bincount(day)
    share = (n_positive / n)[day]
    log_share = [np.log(np.where(is_positive, 1.0, 1 - share)), np.log(np.where(is_positive, share, 1.0))]
    facts = np.vstack([np.ones(len(label)), is_positive, *log_share])
    of_missing = facts @ np.column_stack(list(is_missing.values())).astype("float64")
    of_present = facts.sum(axis=1, keepdims=True) - of_missing
    found: dict[str, dict[str, Any]] = {}
    for are, (rows, positives, *chances) in (("missing", of_missing), ("present", of_present)):
        for value, of_class in ((0, rows - positives), (1, positives)):
            is_beyond_chance = (of_class == rows) & (chances[value] < np.log(CHANCE))
            for place in np.flatnonzero(is_beyond_chance):
                name = names[place]
                if name not in found or rows[place] < found[name]["rows"]:
                    found[name] = {"are": are, "label": value, "rows": int(rows[place])}
    return found


def hints(columns: dict[str, Column]) -> dict[str, list[str]]:
    """What is odd about each input, though it need not be wrong: it is constant, the same as one before it, or an id."""
    before: dict[Hashable, str] = {}
    found: dict[str, list[str]] = {}
    for name, column in columns.items():
        content = (hashlib.sha256(column.numbers.tobytes()).digest(), column.texts)
        twin = before.setdefault(content, name)
        said = {
            "constant": is_constant(column),
            f"identical to {twin}": twin != name,
            "like an id": is_like_an_id(column),
        }
        found[name] = [hint for hint, is_so in said.items() if is_so]
    return found


def is_constant(column: Column) -> bool:
    """Whether all rows have the same value, or none has one."""
    return bool(column.is_missing.all() or (column.numbers == column.numbers[0]).all())


def is_like_an_id(column: Column) -> bool:
    """Whether nearly every text or whole number occurs once."""
    there = column.numbers[~column.is_missing]
    if len(there) < ENOUGH or (there != np.floor(there)).any():  # codes of texts are whole
        return False
    return bool(len(np.unique(there)) >= NEARLY_ALL * len(there))
