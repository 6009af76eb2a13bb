"""A gate on days that are drawn: how the evidence would have looked in another draw of the same weeks.

A window keeps its days, but its weeks are drawn from it with replacement, as in a bootstrap of blocks of a week. What is
decided on them is decided by the functions of `evaluate` and `gate` themselves.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from flywheel.data import tables
from flywheel.evaluation import intervals, metrics, pooled
from flywheel.evaluation.agreement import agreement
from flywheel.evaluation.bands import cohort_names
from flywheel.evaluation.compare import compare, compared, only_values
from flywheel.evaluation.evidence import Behaviours, Cost, Decision, Probed, Robust
from flywheel.evaluation.gaps import gaps
from flywheel.evaluation.gate import decide
from flywheel.evaluation.harm import p_worse
from flywheel.evaluation.settings import Evaluate, Gate
from flywheel.model.contract import Contracts
from flywheel.params import Params

WEEK = 7
# No rule reads the average precision, which takes half of the time of a gate: coarse scores are enough for it.
intervals.GROUPS = intervals.FEWER_GROUPS = 20


class Judged(Params):
    """What `evaluate` and `gate` read of params.yaml."""

    evaluate: Evaluate
    gate: Gate


@dataclass(frozen=True)
class Window:
    """The labelled rows of a window in order of time, what each version says of them, and how many predictions there were."""

    start: dt.date
    end: dt.date
    table: pd.DataFrame
    scores: Mapping[str, np.ndarray]
    predictions: int


@dataclass(frozen=True)
class Asked:
    """What a gate knows of a candidate besides how it compares."""

    behaviour: Behaviours
    probed: Probed
    robust: Robust
    cost: Cost
    contracts: Contracts


@dataclass(frozen=True)
class Pair:
    """Who is compared with whom, by the names of their scores; `younger` is the vintage that is a window younger, if any."""

    kind: str
    candidate: str
    other: str
    younger: str | None = None
    reference: str = "champion"  # what the other is


def drawn(window: Window, rng: np.random.Generator) -> Window:
    """The window with its weeks drawn with replacement; a week may begin on any day, and the first day follows the last."""
    n_days = (window.end - window.start).days
    starts = rng.integers(0, n_days, -(-n_days // WEEK))
    chosen = (starts[:, None] + np.arange(WEEK)).ravel()[:n_days] % n_days
    day = (window.table["served_at"] - tables.timestamp(window.start)).dt.days.to_numpy()
    bounds = np.searchsorted(day, np.arange(n_days + 1))
    places = np.concatenate([np.arange(bounds[one], bounds[one + 1]) for one in chosen])
    moved = np.repeat(np.arange(n_days) - chosen, np.diff(bounds)[chosen])
    return at(window, places, moved)


def few(window: Window, n_rows: int, rng: np.random.Generator) -> Window:
    """So many rows of the window, or all that it has."""
    n = len(window.table)
    return at(window, np.sort(rng.choice(n, min(n_rows, n), replace=False)))


def at(window: Window, places: np.ndarray, moved: np.ndarray | int = 0) -> Window:
    """The rows of a window at some places, `moved` by so many days."""
    table = window.table.iloc[places].reset_index(drop=True)
    table["served_at"] += pd.to_timedelta(moved, unit="D")
    share = len(places) / len(window.table)
    return replace(
        window,
        table=table,
        scores={name: one[places] for name, one in window.scores.items()},
        predictions=max(round(share * window.predictions), len(places)),
    )


def judge(
    windows: Sequence[Window],
    pair: Pair,
    asked: Asked,
    params: Judged,
    unseen: Sequence[Window] = (),
    *,
    with_cohorts: bool = False,
) -> Decision:
    """The decision on these windows, the latest first.

    Cohorts take longest, so they are looked at only where all else lets the candidate pass, or where they are asked for. On
    the windows that are `unseen` by the champion its own scores are called `itself`.
    """
    if with_cohorts:
        return _decide(windows, pair, asked, params, unseen, with_cohorts=True)
    found = _decide(windows, pair, asked, params, unseen, with_cohorts=False)
    return _decide(windows, pair, asked, params, unseen, with_cohorts=True) if found["verdict"] == "pass" else found


def _decide(
    windows: Sequence[Window],
    pair: Pair,
    asked: Asked,
    params: Judged,
    unseen: Sequence[Window],
    *,
    with_cohorts: bool,
) -> Decision:
    evaluate = params.evaluate if with_cohorts else params.evaluate.model_copy(update={"cohorts": {}})
    table, scores = together(windows, {"candidate": pair.candidate, pair.reference: pair.other})
    last = windows[0]
    is_first = pair.reference != "champion"
    measured: Any = {
        "about": {
            "candidate": {"as_of": last.end.isoformat(), "identity": pair.candidate},
            "champion": {"version": None, "identity": None if is_first else pair.other, "why_not_compared": None},
            "confidence": evaluate.bootstrap.confidence,
            "kind": pair.kind,
            "window": counted(windows, table),
            "why_as_it_is": None,
            "cohorts": sorted(evaluate.cohorts),
            "behaviours": sorted(asked.behaviour),
            "inputs": sorted(asked.probed["inputs"]),
        },
        **compare(table, scores, evaluate),
        "gaps": gaps(table, scores, evaluate),
        "windows": [_window(one, pair, evaluate, is_latest=one is last) for one in windows],
        "as_it_is": _as_it_is(unseen, pair.candidate, evaluate),
    }
    cohorts = _cohorts(table, scores, pair.reference, evaluate)
    cost = _with_names(asked.cost, measured["about"])
    return decide(measured, cohorts, asked.behaviour, asked.probed, asked.robust, cost, asked.contracts, params.gate)


def _with_names(cost: Cost, about: Any) -> Any:
    """The cost of the models that are compared here, whoever they were called when it was measured."""
    sizes = {who: size and {**size, "identity": about[who]["identity"]} for who, size in cost.items() if who in about}
    return {**cost, **sizes}


def together(windows: Sequence[Window], names: Mapping[str, str]) -> tuple[pd.DataFrame, dict[str, np.ndarray]]:
    """The rows of all windows in order of time, and the scores of each model, whose own name `names` gives."""
    ordered = list(reversed(windows))
    return pd.concat([one.table for one in ordered], ignore_index=True), {
        who: np.concatenate([one.scores[name] for one in ordered]) for who, name in names.items()
    }


def counted(windows: Sequence[Window], table: pd.DataFrame) -> dict[str, Any]:
    """The days of these windows, and what is labelled in them."""
    return pooled.counts(windows[-1].start, windows[0].end, sum(one.predictions for one in windows), table)


def _cohorts(table: pd.DataFrame, scores: Mapping[str, np.ndarray], reference: str, evaluate: Evaluate) -> Any:
    """Of `reports/cohorts.json` what the gate reads."""
    found: dict[str, Any] = {}
    known = table[["served_at", "label", *({intervals.WEIGHT} & {*table})]]
    for name, cohort in evaluate.cohorts.items():
        members = cohort_names(table[cohort.column], cohort)
        found[name] = {}
        for value in sorted(members.dropna().unique()):
            mine = (members == value).to_numpy()
            rows = known[mine].reset_index(drop=True)
            its_scores = {who: one[mine] for who, one in scores.items()}
            sampled = intervals.resample(rows, its_scores, evaluate, is_cohort=True)
            candidate, other = sampled["candidate"], sampled[reference]
            n_days = intervals.day_codes(rows["served_at"])[1]
            found[name][value] = {
                "rows": len(rows),
                "positives": int(rows["label"].sum()),
                "difference": compared(sampled, its_scores, evaluate)["difference"],
                "p_worse": {reference: p_worse(candidate, other, n_days, evaluate.bootstrap)},
            }
    return found


def _as_it_is(unseen: Sequence[Window], candidate: str, evaluate: Evaluate) -> dict[str, Any] | None:
    if not unseen:
        return None
    table, scores = together(unseen, {"candidate": candidate, "champion": "itself"})
    found = compare(table, scores, evaluate)
    return {**counted(unseen, table), **{name: found[name]["champion"] for name in ("difference", "check")}}


def _window(window: Window, pair: Pair, evaluate: Evaluate, *, is_latest: bool) -> dict[str, Any]:
    """What the gate wants to know of one window: of those before the latest, only how vintages follow each other."""
    mine = window.scores[pair.candidate]
    found: dict[str, Any] = {key: {pair.reference: {}} for key in ("difference", "check")}
    if is_latest:
        scores = {"candidate": mine, pair.reference: window.scores[pair.other]}
        found = only_values(compare(window.table, scores, evaluate))
    label = window.table["label"].to_numpy()
    follows = agreement(window.scores[pair.younger], mine, label) if pair.younger else None
    return {**counted([window], window.table), **found, "agreement": follows}


def measured(scores: np.ndarray, label: np.ndarray) -> dict[str, float]:
    """AUC and log loss."""
    counts = metrics.count(scores, label, np.zeros(len(label), dtype="int64"), 1)
    clipped = np.clip(scores, metrics.CLIP, 1 - metrics.CLIP)
    loss = -np.where(label == 1, np.log(clipped), np.log1p(-clipped)).mean()
    auc = metrics.auc(counts.positives[0], counts.negatives[0])
    return {"auc": round(float(auc), 5), "log_loss": round(float(loss), 5)}
