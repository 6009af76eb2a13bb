"""Which predictions are most worth a person's look, each with the reason in words."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from flywheel.data import tables
from flywheel.data.annotations.form import AUDIT, REASONS
from flywheel.labels.chance import chances, outcomes_of
from flywheel.labels.claims import NEVER, read
from flywheel.labels.conclude import keys_of
from flywheel.labels.settings import Label, Queue

Reasons = dict[str, pd.DataFrame]  # by name: prediction_id, why; the most worth first


@dataclass(frozen=True)
class Known:
    """What is known at the clock.

    `predictions`: prediction_id, served_at and the columns in_ of `prior_by`; `cohorts` has their cohorts, a column each, in
    the same order. `feedback`: the claims. `out`: for each of them the morning as of which it is quarantined; `disputed`:
    whether it is, and nobody has judged that yet. `labels`: those that hold.
    """

    predictions: pd.DataFrame
    cohorts: pd.DataFrame
    feedback: pd.DataFrame
    out: pd.Series
    disputed: pd.Series
    labels: pd.DataFrame


def choose(
    known: Known, params: Queue, label: Label, as_of: dt.date, rubric: str, annotator: str | None = None
) -> pd.DataFrame:
    """The queue: prediction_id, asked (the reason by which it was chosen) and why (all reasons, in words), in order.

    The random audit is drawn first, from all predictions of the last days that have a label, whatever else is true of them: so
    it stands for them. What is left of the rows goes round the other reasons, the most worth of each in turn. The audit is
    spread over the whole queue, so that who answers a part of it answers a part of the audit. Nobody is asked twice: neither
    the `annotator`, where one is named, nor, but for the audit, more than `looks` others.
    """
    start = tables.timestamp(as_of - dt.timedelta(days=params.days))
    served = known.predictions["served_at"]
    is_recent = ((served >= start) & (served < tables.timestamp(as_of))).to_numpy()
    recent = known.predictions.loc[is_recent, "prediction_id"].reset_index(drop=True)
    said = known.feedback
    ruled = said[(said["channel"] == "annotation") & (said["rubric"] == rubric).to_numpy(dtype=bool, na_value=False)]
    his = ruled.loc[ruled["source_id"] == annotator, "prediction_id"] if annotator else recent.iloc[:0]
    looks = ruled.drop_duplicates(["prediction_id", "source_id"])["prediction_id"].value_counts()
    enough = looks.index[looks >= params.looks]
    audited = ruled.loc[ruled["asked"] == AUDIT, "prediction_id"]
    order = pd.Series(_drawn(recent, params.seed), index=recent)
    found = _reasons(known, params, label, recent, known.cohorts[is_recent].reset_index(drop=True), order)
    labelled = recent[recent.isin(known.labels["prediction_id"])]
    pool = labelled[~labelled.isin(audited) & ~labelled.isin(his)]
    n_audit = min(round(params.rows * params.audit_share), len(pool))
    audit = pool.iloc[np.argsort(order[pool].to_numpy(), kind="stable")[:n_audit]].tolist()
    skipped = {*his, *enough, *audit}
    free = {name: [one for one in rows["prediction_id"] if one not in skipped] for name, rows in found.items()}
    rest = _in_turn(free, params.rows - n_audit)
    words = _in_words(found)
    rows: list[tuple[str, str, str]] = [
        (one, AUDIT, "; ".join(["drawn at random", *words.get(one, [])])) for one in audit
    ]
    return pd.DataFrame(
        _spread([(one, name, "; ".join(words[one])) for one, name in rest], rows),
        columns=["prediction_id", "asked", "why"],
    ).astype("str")


def _reasons(
    known: Known, params: Queue, label: Label, recent: pd.Series, cohorts: pd.DataFrame, order: pd.Series
) -> Reasons:
    """The predictions of each reason but the audit, the most worth first; of equals the order of the draw."""
    claims = read(known.feedback, known.out)
    standing = claims.until == NEVER
    outcome = outcomes_of(claims, standing)
    votes = np.flatnonzero(standing & ~claims.is_outcome)
    chance = chances(claims, keys_of(claims.names, known.predictions, label), votes, outcome, label)
    n = len(claims.names)
    counts = np.bincount(claims.prediction[votes] * 2 + claims.value[votes], minlength=2 * n).reshape(n, 2)
    spoken = pd.DataFrame(
        {
            "settled": outcome >= 0,
            "few": counts.min(axis=1),
            "many": counts.max(axis=1),
            "sure": np.maximum(chance, 1 - chance),
        },
        index=claims.names,
    )
    table = spoken.reindex(recent).assign(order=order)
    is_open = table["settled"].eq(False)
    disagree = table[is_open & (table["few"] > 0)].sort_values(["few", "sure", "order"], ascending=[False, True, True])
    unsure = table[is_open & (table["sure"] < params.unsure_below)].sort_values(["sure", "order"])
    return {
        "disagreement": _rows(
            disagree.index,
            [
                f"sources disagree, {m:.0f} against {f:.0f}"
                for m, f in zip(disagree["many"], disagree["few"], strict=True)
            ],
        ),
        "uncertainty": _rows(unsure.index, [f"what is said of it is {sure:.0%} sure" for sure in unsure["sure"]]),
        "quarantine": _contested(known, table[~table["settled"].eq(True)], order),
        "thin cohort": _thin(known, recent, cohorts, order),
    }


def _contested(known: Known, open_ones: pd.DataFrame, order: pd.Series) -> pd.DataFrame:
    """Predictions without an outcome of which claims in quarantine say something else than the label, or are all there is."""
    claims = known.feedback.loc[known.disputed.to_numpy(), ["prediction_id", "value"]]
    claims = claims[claims["prediction_id"].isin(open_ones.index)]
    label = claims["prediction_id"].map(known.labels.set_index("prediction_id")["label"])
    claims = claims.assign(alone=label.isna())[label.isna() | (label != claims["value"])]
    found = claims.groupby("prediction_id").agg(n=("value", "size"), alone=("alone", "any"))
    found = found.assign(order=order.reindex(found.index)).sort_values(["n", "order"], ascending=[False, True])
    words = {True: "without claims in quarantine it has no label", False: "claims in quarantine say otherwise"}
    return _rows(found.index, [words[bool(one)] for one in found["alone"]])


def _thin(known: Known, recent: pd.Series, cohorts: pd.DataFrame, order: pd.Series) -> pd.DataFrame:
    """Predictions without a label in cohorts where fewer have one than overall, those of the thinnest first."""
    has_label = recent.isin(known.labels["prediction_id"])
    best = pd.DataFrame({"prediction_id": recent, "share": 1.0, "by": ""})
    for name in cohorts.columns:
        share = has_label.groupby(cohorts[name]).transform("mean")
        is_thinner = (share < has_label.mean()) & (share < best["share"])
        best.loc[is_thinner, ["share", "by"]] = pd.DataFrame({"share": share, "by": name})[is_thinner]
    found = best[~has_label & (best["by"] != "")].assign(order=lambda rows: order[rows["prediction_id"]].to_numpy())
    found = found.sort_values(["share", "order"])
    values = [cohorts[name][at] for at, name in found["by"].items()]
    told = zip(found["by"], values, found["share"], strict=True)
    return _rows(
        found["prediction_id"], [f"few labels where {name} is {value}: {share:.0%}" for name, value, share in told]
    )


def _rows(names: Sequence[str] | pd.Index | pd.Series, why: Sequence[str] | pd.Series) -> pd.DataFrame:
    return pd.DataFrame({"prediction_id": list(names), "why": list(why)})


def _drawn(names: pd.Series, seed: int) -> list[str]:
    """What puts predictions into a random order: a hash of the seed and the id, so that it is the same order every time."""
    return [hashlib.sha256(f"{seed}:{one}".encode()).hexdigest()[:16] for one in names]


def _in_turn(found: Mapping[str, Sequence[str]], size: int) -> list[tuple[str, str]]:
    """So many predictions with their reasons: each reason in turn gives the first of its own that no other has given."""
    chosen: dict[str, str] = {}
    lists = {name: iter(found[name]) for name in REASONS if name in found}
    while lists and len(chosen) < size:
        for name in list(lists):
            one = next((one for one in lists[name] if one not in chosen), None)
            if one is None:
                del lists[name]
            elif len(chosen) < size:
                chosen[one] = name
    return list(chosen.items())


def _in_words(found: Reasons) -> dict[str, list[str]]:
    """All reasons of each prediction."""
    words: dict[str, list[str]] = {}
    for rows in found.values():
        for one, why in zip(rows["prediction_id"], rows["why"], strict=True):
            words.setdefault(one, []).append(why)
    return words


def _spread(rows: list[tuple[str, str, str]], among: list[tuple[str, str, str]]) -> list[tuple[str, str, str]]:
    """Some rows, with others at even distances among them."""
    total = len(rows) + len(among)
    places = {int((k + 0.5) * total / len(among)) for k in range(len(among))}
    first, second = iter(rows), iter(among)
    return [next(second if place in places else first) for place in range(total)]
