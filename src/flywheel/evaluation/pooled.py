"""The windows on which vintages stand in for candidate and champion, one by one and together.

Neither stand-in has seen its window, so the rows of all windows together are one sample of the question that the gate asks.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from flywheel.data import tables
from flywheel.errors import DataError
from flywheel.evaluation.agreement import agreement
from flywheel.evaluation.compare import (
    Scores,
    check_unseen,
    compare,
    evaluation_rows,
    only_values,
    why_not_as_it_is,
)
from flywheel.evaluation.intervals import WEIGHT, day_codes
from flywheel.evaluation.propensity import Weighed
from flywheel.evaluation.selection import measurable
from flywheel.evaluation.settings import Evaluate
from flywheel.features.days import read_features
from flywheel.model import artifact
from flywheel.model.index import Index, LeftOut, Window
from flywheel.model.vintages import read_vintage

Weigh = Callable[[pd.DataFrame, Scores, pd.DataFrame], Weighed]  # labelled rows, scores on them, all predictions


@dataclass(frozen=True)
class Part:
    """One window: the places of its rows among all, how many predictions it had, and the candidate's stand-in."""

    start: dt.date
    end: dt.date
    predictions: int
    places: np.ndarray
    candidate: artifact.Model


@dataclass(frozen=True)
class Pooled:
    """The rows of all windows in order of time, each model's scores on them, and the windows, the latest first.

    `served` are the predictions of these windows that would be measured if they had a label.

    `obstacle` says why the champion is not among the models though there is one, `left_out` which windows have no labelled row.
    """

    table: pd.DataFrame
    served: pd.DataFrame
    scores: Scores
    parts: list[Part]
    obstacle: str | None
    left_out: list[LeftOut]

    @property
    def latest(self) -> pd.DataFrame:
        """The rows of the latest window."""
        return self.table.iloc[self.parts[0].places]


def pool(
    index: Index, as_of: dt.date, revisions: pd.DataFrame, champion: artifact.Model | None, params: Evaluate
) -> Pooled:
    """The rows of the index's windows, with labels as they are known at the clock, and the scores on them.

    DataError when there is no window, when its labels are of one class, or when a stand-in has seen its window.
    """
    if not index["windows"]:
        why = "; ".join(f"{one['start']} to {one['end']}: {one['why']}" for one in index["left_out"])
        raise DataError(
            f"the history is too short for any evaluation window ({why}). Move clock.as_of in conf/state.yaml forward, or "
            "shorten windows.evaluation_days."
        )
    days = [_days(one) for one in index["windows"]]
    features = read_features(min(start for start, _ in days), max(end for _, end in days))
    table = evaluation_rows(features, revisions, as_of, params)
    table = table[_in_any(table, days)].reset_index(drop=True)
    if table.empty or table["label"].nunique() < 2:
        raise DataError(
            f"the evaluation windows from {min(days)[0]} to {max(days)[1]} have {len(table)} labelled rows of fewer than two "
            "classes. See reports/labels.json, move clock.as_of, or widen windows.evaluation_days."
        )
    obstacle = index["why_not_compared"]
    is_as_it_is = bool(champion and index["why_as_it_is"] and not obstacle)
    if champion and is_as_it_is:
        obstacle = why_not_as_it_is(champion, table, min(days)[0])
    names = ["candidate", "base_rate", *(["champion"] if champion and not obstacle else [])]
    scores = {name: np.empty(len(table)) for name in names}
    parts: list[Part] = []
    left_out: list[LeftOut] = []
    for one, (start, end) in zip(index["windows"], days, strict=True):
        places = np.flatnonzero(_between(table, start, end))
        if not len(places):
            left_out.append({"start": one["start"], "end": one["end"], "why": "it has no labelled row"})
            continue
        rows = table.iloc[places]
        mine = _stand_in(one["candidate"], start)
        scores["candidate"][places] = artifact.predict(mine, rows)
        scores["base_rate"][places] = mine.card["positive_share"]
        if champion and not obstacle:
            other = champion if is_as_it_is else _stand_in(_named(one), start)
            scores["champion"][places] = artifact.predict(other, rows)
        parts.append(Part(start, end, int(_between(features, start, end).sum()), places, mine))
    if table["served_score"].notna().any():
        scores["served"] = table["served_score"].to_numpy()
    served = measurable(features[_in_any(features, [(one.start, one.end) for one in parts])])
    return Pooled(table, served, scores, parts, obstacle, left_out)


def _named(window: Window) -> str:
    name = window["champion"]
    if name is None:
        raise DataError(
            f"the window from {window['start']} names no stand-in of the champion. Make the vintages again: flywheel run"
        )
    return name


def _stand_in(name: str, start: dt.date) -> artifact.Model:
    model = read_vintage(name)
    check_unseen(model, name, start)
    return model


def _days(window: Window) -> tuple[dt.date, dt.date]:
    return dt.date.fromisoformat(window["start"]), dt.date.fromisoformat(window["end"])


def _between(table: pd.DataFrame, start: dt.date, end: dt.date) -> np.ndarray:
    served_at = table["served_at"]
    found: np.ndarray = ((served_at >= tables.timestamp(start)) & (served_at < tables.timestamp(end))).to_numpy()
    return found


def _in_any(table: pd.DataFrame, days: list[tuple[dt.date, dt.date]]) -> np.ndarray:
    found: np.ndarray = np.logical_or.reduce([_between(table, start, end) for start, end in days])
    return found


def counts(start: dt.date, end: dt.date, predictions: int, rows: pd.DataFrame) -> dict[str, Any]:
    """The days of a window, and what was labelled in it."""
    return {
        "start": start.isoformat(),
        "end": end.isoformat(),
        "predictions": predictions,
        "rows": len(rows),
        "days": day_codes(rows["served_at"])[1],
        "positives": int(rows["label"].sum()),
    }


def span(pooled: Pooled) -> dict[str, Any]:
    """The days of all windows together."""
    first, last = min(one.start for one in pooled.parts), max(one.end for one in pooled.parts)
    return counts(first, last, sum(one.predictions for one in pooled.parts), pooled.table)


def by_window(pooled: Pooled, candidate: artifact.Model, as_of: dt.date, params: Evaluate) -> list[dict[str, Any]]:
    """The comparison in each window, and how the vintage that is one window younger follows the candidate's stand-in.

    Where a window in between was left out, that vintage does not exist. `as_of` is the candidate's own day.
    """
    found = []
    younger, until = candidate, as_of
    for one in pooled.parts:
        rows = pooled.table.iloc[one.places].reset_index(drop=True)
        mine = {name: score[one.places] for name, score in pooled.scores.items()}
        label = rows["label"].to_numpy()
        follows = agreement(artifact.predict(younger, rows), mine["candidate"], label) if until == one.end else None
        found.append(
            {
                **counts(one.start, one.end, one.predictions, rows),
                **only_values(compare(rows, mine, params)),
                "agreement": follows,
            }
        )
        younger, until = one.candidate, one.start
    return found


def as_it_is(
    index: Index,
    pooled: Pooled,
    revisions: pd.DataFrame,
    champion: artifact.Model | None,
    as_of: dt.date,
    params: Evaluate,
    weigh: Weigh | None = None,
) -> dict[str, Any] | None:
    """The candidate's stand-ins against the champion itself, on the windows that it has not seen, weighed by `weigh`.

    None where there is none, where the champion itself is what was compared anyway, and where these rows say nothing.
    """
    if champion is None or not index["as_it_is"] or index["why_as_it_is"]:
        return None
    days = [_days(one) for one in index["as_it_is"]]
    first, last = min(start for start, _ in days), max(end for _, end in days)
    features = read_features(first, last)
    features = features[_in_any(features, days)]  # where a window between two was left out, nothing stands in
    table = evaluation_rows(features, revisions, as_of, params)
    if table.empty or table["label"].nunique() < 2 or why_not_as_it_is(champion, table, first):
        return None
    scores = {"candidate": np.empty(len(table)), "champion": artifact.predict(champion, table)}
    for one, (start, end) in zip(index["as_it_is"], days, strict=True):
        places = np.flatnonzero(_between(table, start, end))
        scores["candidate"][places] = artifact.predict(_stand_in(one["candidate"], start), table.iloc[places])
    if weigh:
        table = table.assign(**{WEIGHT: weigh(table, scores, measurable(features)).weight})
    compared = compare(table, scores, params)
    return {
        **counts(first, last, len(features), table),
        "difference": compared["difference"]["champion"],
        "check": compared["check"]["champion"],
    }
