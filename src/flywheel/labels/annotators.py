"""How reliable annotators are: how often they are right, whether that changes, where they err, how far they agree, how long
they take.

An annotator is compared with what is otherwise known of a prediction: its outcome, else what would be concluded had he never
spoken, neither as an annotator nor as a user. So nobody confirms himself.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import numpy as np
import pandas as pd

from flywheel.labels.alpha import agreement
from flywheel.labels.chance import chances, outcomes_of
from flywheel.labels.claims import ANNOTATION, DAY_US, NEVER, Claims, Ints
from flywheel.labels.conclude import Concluded
from flywheel.labels.evidence import Annotator, Annotators, Change, Hotspot, Hotspots
from flywheel.labels.settings import Label
from flywheel.labels.shares import Estimate, difference
from flywheel.labels.truth import Floats
from flywheel.labels.unsure import CONFIDENCE, LEAST, Shares, coins, share_right

LISTED = 20  # annotators, and hotspots: a table that is still read
RECENT_DAYS = 28


@dataclass(frozen=True)
class _Said:
    """Standing annotations of those who are named, one array element each."""

    who: Ints  # the place among the annotators, the busiest first
    prediction: Ints
    value: Ints
    moment: Ints
    chance: Floats  # of 1, from what is otherwise known; nan where nothing is
    has_outcome: np.ndarray

    @property
    def known(self) -> np.ndarray:
        found: np.ndarray = ~np.isnan(self.chance)
        return found


def describe_annotators(concluded: Concluded, predictions: pd.DataFrame, params: Label, end: dt.date) -> Annotators:
    """`annotators` of `reports/labels.json`, as of the morning of the day `end`, from the annotations that stand then.

    What is otherwise known of a prediction is its newest outcome; without one, the probability of 1 that would be concluded had
    the annotator never spoken: from the standing votes of all others, the trust in them, and what is to be expected, all of
    them inferred without him. Voices are never surer than `accuracy.outcome`. Where nobody else speaks, nothing is known. What
    counts against an annotator is as sure as that probability. Others who err as he does make him look better. Quarantined
    claims count nowhere.

    Under another version of the rubric the same person is listed as another annotator, for that is what trust takes him for.

    `predictions` has prediction_id, served_at and the columns in_ of `prior_by`.
    """
    claims = concluded.claims
    is_mine = (claims.until == NEVER) & ~claims.is_outcome
    is_mine[is_mine] = claims.sources["group"].to_numpy()[claims.source[is_mine]] == ANNOTATION
    mine = np.flatnonzero(is_mine)
    source = _names(claims)[claims.source[mine]]
    is_named = ~pd.isna(source)
    ids, code = np.unique(source[is_named].astype(str), return_inverse=True)
    volume = np.bincount(code, minlength=ids.size)
    order = np.argsort(-volume, kind="stable")  # of equals the first by name
    rank = np.empty_like(order)
    rank[order] = np.arange(order.size)
    said = _said(concluded, mine[is_named], rank[code], params)
    names, volume = [str(one) for one in ids[order]], volume[order]
    place = pd.Index(predictions["prediction_id"]).get_indexer(claims.names[said.prediction])
    served = predictions["served_at"].to_numpy("datetime64[us]").astype("int64")
    days = np.where(place >= 0, (said.moment - np.append(served, 0)[place]) / DAY_US, np.nan)
    right, sure = _agreement(said)
    return {
        "annotators": len(names),
        "annotations": int(mine.size),
        "unnamed": int((~is_named).sum()),
        "others": max(len(names) - LISTED, 0),
        "others_annotations": int(volume[LISTED:].sum()),
        "confidence": CONFIDENCE,
        "least": LEAST,
        "recent_days": RECENT_DAYS,
        "agreement": agreement(claims, mine),
        "hotspots": _hotspots(said, right, sure, names[:LISTED], predictions, place, params),
        "busiest": _busiest(said, right, sure, names[:LISTED], days, params.accuracy.annotation, end),
    }


def _names(claims: Claims) -> np.ndarray:
    """How each source is listed: by its id, and by the rubric where it has one; null where nobody is named."""
    both = zip(claims.sources["source_id"], claims.sources["rubric"], strict=True)
    listed = [name if pd.isna(name) or pd.isna(rubric) else f"{name}, rubric {rubric}" for name, rubric in both]
    return np.array(listed, dtype=object)


def _said(concluded: Concluded, at: Ints, who: Ints, params: Label) -> _Said:
    """The annotations at these places, with the chance of 1 that is otherwise known; only for the busiest, it takes a while."""
    claims = concluded.claims
    outcome = outcomes_of(claims, claims.until == NEVER)
    votes = np.flatnonzero((claims.until == NEVER) & ~claims.is_outcome)
    has_outcome = outcome[claims.prediction[at]] >= 0
    chance = np.where(has_outcome, outcome[claims.prediction[at]], np.nan)
    names = claims.sources["source_id"]
    for one in range(min(int(who.max(initial=-1)) + 1, LISTED)):
        mine = np.flatnonzero((who == one) & ~has_outcome)
        if mine.size:
            # Who annotates and also reports is one person.
            his = names == names.iloc[claims.source[at[mine[0]]]]
            others = votes[~his.to_numpy()[claims.source[votes]]]
            chance[mine] = chances(claims, concluded.keys, others, outcome, params)[claims.prediction[at[mine]]]
    return _Said(who, claims.prediction[at], claims.value[at], claims.moment[at], chance, has_outcome)


def _agreement(said: _Said) -> tuple[Floats, Floats]:
    """Whether each annotation is on the likelier side, and how likely that side is; where nothing is known, an even chance."""
    chance = np.where(said.known, said.chance, 0.5)
    return ((chance > 0.5) == (said.value == 1)).astype("float64"), np.maximum(chance, 1 - chance)


def _busiest(
    said: _Said, right: Floats, sure: Floats, names: list[str], days: Floats, usual: float, end: dt.date
) -> list[Annotator]:
    is_recent = said.moment >= ((end - dt.date(1970, 1, 1)).days - RECENT_DAYS) * DAY_US
    n = len(names)
    listed = said.who < n
    group = said.who[listed] * 2 + is_recent[listed]
    shares = share_right(right[listed], sure[listed], group, 2 * n, usual)
    is_compared = np.logical_and(shares.enough[::2], shares.enough[1::2])
    confidence = 1 - (1 - CONFIDENCE) / max(int(is_compared.sum()), 1)  # Bonferroni
    found: list[Annotator] = []
    for who, name in enumerate(names):
        mine = said.who == who
        known = mine & said.known
        sensitivity, specificity = coins(said.chance[known], said.value[known], usual)
        took = days[mine & ~np.isnan(days)]
        change: Estimate | None = None
        if is_compared[who]:
            change = difference(shares.estimate(2 * who + 1, confidence), shares.estimate(2 * who, confidence))
        found.append(
            {
                "source": name,
                "annotations": int(mine.sum()),
                "known": int(known.sum()),
                "with_outcome": int((mine & said.has_outcome).sum()),
                "sensitivity": sensitivity,
                "specificity": specificity,
                "recent_known": int((known & is_recent).sum()),
                "change": change,
                "trend": _trend(change),
                "median_days": float(np.median(took)) if took.size else None,
                "p90_days": float(np.quantile(took, 0.9)) if took.size else None,
            }
        )
    return found


def _trend(change: Estimate | None) -> Change:
    if change is None:
        return "too few"
    if (change["low"] or 0.0) > 0:
        return "better"
    return "worse" if (change["high"] or 0.0) < 0 else "not shown"


def _hotspots(
    said: _Said, right: Floats, sure: Floats, names: list[str], predictions: pd.DataFrame, place: Ints, params: Label
) -> Hotspots:
    """Where an annotator is right less often than on the other values of the column, corrected for how many were compared."""
    usual = params.accuracy.annotation
    compared: list[tuple[str, str, str, int, Shares, int, Shares]] = []
    for column in params.prior_by:
        values, labels = pd.factorize(predictions[f"in_{column}"], sort=True)
        value = np.append(values, -1)[place]
        at = np.flatnonzero(said.known & (value >= 0) & (said.who < len(names)))
        k, n = len(labels), len(labels) * len(names)
        cell = said.who[at] * k + value[at]
        known = np.bincount(cell, minlength=n)
        here = share_right(right[at], sure[at], cell, n, usual)
        for one in np.flatnonzero(here.enough).tolist():
            rest = at[(said.who[at] == one // k) & (cell != one)]
            elsewhere = share_right(right[rest], sure[rest], np.zeros(rest.size, dtype="int64"), 1, usual)
            if elsewhere.enough[0]:
                name, label = names[one // k], str(labels[one % k])
                compared.append((name, column, label, int(known[one]), here, one, elsewhere))
    confidence = 1 - (1 - CONFIDENCE) / max(len(compared), 1)  # Bonferroni
    shown: list[Hotspot] = []
    for name, column, label, count, here, one, elsewhere in compared:
        mine, other = here.estimate(one, confidence), elsewhere.estimate(0, confidence)
        less = difference(mine, other)
        if _trend(less) == "worse":
            shown.append(
                {
                    "source": name,
                    "column": column,
                    "value": label,
                    "known": count,
                    "right": mine["value"],
                    "right_elsewhere": other["value"],
                    "difference": less,
                }
            )
    shown.sort(key=lambda one: (one["difference"]["value"], one["source"], one["column"], one["value"]))
    return {"compared": len(compared), "shown": len(shown), "worst": shown[:LISTED]}
