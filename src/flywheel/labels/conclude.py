"""From all feedback about a prediction to what happened, how certain that is, and since when it is known."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from flywheel.data import tables
from flywheel.errors import ConfigError
from flywheel.labels.claims import ANNOTATION, DAY_US, NEVER, TEXT, VOICES, Claims, Ints, read
from flywheel.labels.revisions import revisions_of
from flywheel.labels.settings import Label
from flywheel.labels.trust import Keys, Morning, mornings, pairs
from flywheel.labels.truth import Floats, Trust, sigmoid

UNDECIDED = -1
DIGITS = 9  # of a sum of weights: its last bits depend on what else is summed
REPORT, BY_TEXT = (VOICES.index(name) for name in ("report", TEXT))
SIDES = 2 * len(VOICES)  # a voice and what it says: a voice's code times two, and one more for those that say 1


@dataclass(frozen=True)
class Concluded:
    """All that is concluded, and what it rests on."""

    revisions: pd.DataFrame
    claims: Claims
    trust: Trust  # as of the last morning
    keys: Keys  # of the predictions that have claims
    mornings: int
    unsettled: int  # mornings on which trust had not settled after `max_iterations`
    # By prediction that has claims and no outcome: the label that the last trust gives, or UNDECIDED.
    hindsight: pd.Series
    # By the last trust, what voices alone would say of those that have an outcome: prediction_id, label, label_confidence.
    without_outcome: pd.DataFrame


@dataclass(frozen=True)
class _States:
    """What is concluded at some moments: one array element a moment of a prediction."""

    prediction: Ints
    at: Ints
    order: Ints  # of moments that are the same
    score: Floats  # log odds of 1
    votes: Ints  # shape (SIDES, moments): how many voters of each voice stand on each side
    outcome: Ints  # -1: none yet


def conclude(
    feedback: pd.DataFrame, predictions: pd.DataFrame, params: Label, end: dt.date, out: pd.Series | None = None
) -> Concluded:
    """Every revision of every label before the day `end`: prediction_id, label (0/1), label_confidence, label_source, n_votes,
    known_at, revised_at, superseded_at; in order of prediction and time.

    An outcome decides; the newest one counts. Without one, what is said is weighed by the trust in who says it as of the
    morning of that day (`trust.py`), beginning from what outcomes of the same cohort and day were. The confidence is the
    probability that follows; below `min_confidence`, or with fewer than `min_votes` voters, there is no label. A voter who
    speaks again replaces the earlier vote.

    As trust grows, what was said is weighed again: at the end of the day that is `revisit_days` after the last claim, and at
    the end of the day before the morning as of which a claim is quarantined (`out`, by row of `feedback`).

    `label_source` is the voice that won: `outcome`; else the first of `annotation`, `report` and `text` that has a standing
    vote for the label. An annotator who was outvoted by reports is not the source of what the reports say. Where what is
    expected won over all that was said, it is `report`, or `text` where only texts speak.

    `predictions` has prediction_id, served_at and the columns in_ of `prior_by`.
    """
    past = feedback["received_at"] < tables.timestamp(end)
    claims = read(feedback[past], None if out is None else out[past])
    counted = (claims.out < NEVER) & claims.counts  # until it was quarantined
    withdrawn = pd.Series(claims.prediction[counted]).groupby(claims.out[counted]).unique()
    keys = keys_of(claims.names, predictions, params)
    last = (end - dt.date(1970, 1, 1)).days
    by_day = np.argsort(claims.day, kind="stable")  # within a day still in order of prediction and time
    starts = np.searchsorted(claims.day[by_day], np.arange(last + 2)) if claims.day.size else np.zeros(last + 2, int)
    newest = np.full(len(claims.names), -1)  # the newest outcome of each prediction so far
    spoke = np.full(len(claims.names), -1)  # the day of the last claim about it
    found: list[_States] = []
    settled = []
    for morning in mornings(claims, keys, params, last):
        settled.append(morning.converged)
        is_due = np.isin(morning.day - spoke, params.revisit_days)
        is_due[withdrawn.get(morning.day, [])] = True
        again = np.flatnonzero(is_due & (newest < 0) & (spoke >= 0))
        found.append(_standing(claims, keys, morning, again))
        if morning.day < last:
            today = by_day[starts[morning.day] : starts[morning.day + 1]]
            found.append(_during(claims, keys, morning, today, newest))
            spoke[claims.prediction[today]] = morning.day
    open_ones = np.flatnonzero((newest < 0) & (spoke >= 0))
    now = _decided([_standing(claims, keys, morning, open_ones)], params)
    settled_ones = np.flatnonzero(newest >= 0)
    alone = _decided([_standing(claims, keys, morning, settled_ones)], params)
    alone.insert(0, "prediction_id", claims.names[settled_ones])
    return Concluded(
        revisions_of(_decided(found, params), claims.names),
        claims,
        morning.trust,
        keys,
        len(settled),
        settled.count(False),
        pd.Series(now["label"].to_numpy(), claims.names[open_ones]),
        alone.loc[alone["label"] != UNDECIDED, ["prediction_id", "label", "label_confidence"]].reset_index(drop=True),
    )


def keys_of(names: pd.Index, predictions: pd.DataFrame, params: Label) -> Keys:
    """The keys of the predictions with these names: their cohort, and their cohort on the day on which they were served.

    Those that are not in the table, which nobody served, are a cohort of their own. ConfigError where a column of `prior_by` is
    missing.
    """
    unknown = [name for name in params.prior_by if f"in_{name}" not in predictions]
    if unknown:
        raise ConfigError(
            f"label.prior_by: found {', '.join(map(repr, unknown))}, which no prediction has as an input. Allowed are "
            "the inputs of the contract, without in_. Correct it in conf/project/."
        )
    place = pd.Index(predictions["prediction_id"]).get_indexer(names)
    day = predictions["served_at"].to_numpy("datetime64[us]").astype("int64") // DAY_US
    cohort = np.zeros(len(predictions), dtype="int64")
    for name in params.prior_by:
        values = pd.factorize(predictions[f"in_{name}"], sort=True)[0] + 1
        cohort = cohort * (values.max(initial=0) + 1) + values
    pair = np.stack([np.append(cohort, -1)[place], np.append(day, -1)[place]])
    found, of = np.unique(pair, axis=1, return_inverse=True)
    return Keys(of.ravel(), np.unique(found[0], return_inverse=True)[1].ravel())


def _during(claims: Claims, keys: Keys, morning: Morning, today: Ints, newest: Ints) -> _States:
    """What is concluded after each claim of a day; `newest`, the newest outcome of each prediction, is brought up to date.

    What stands after each claim is what stood in the morning and a running sum, over the claims about its prediction in order
    of time, of what that claim changes: for a new voter the weight of the vote; for one who spoke before, the weight of the
    new vote minus that of the old one. Three reports with weights of 2 for 1 and -2 for 0, where Ann changes her mind:
      vote        mine  previous  change   score  voters
      Ann says 1    +2         -      +2      +2       1
      Bob says 1    +2         -      +2      +4       2
      Ann says 0    -2        +2      -4       0       2    a tie: nothing is settled any more
    """
    prediction = claims.prediction[today]
    touched, start, group = np.unique(prediction, return_index=True, return_inverse=True)
    base = _standing(claims, keys, morning, touched)
    is_vote, previous = claims.source[today] >= 0, claims.previous[today]
    replaces = is_vote & (previous >= 0) & (claims.until[previous] >= morning.day)
    adds = is_vote & claims.counts[today]
    weight = morning.trust.weights

    def running(of: Callable[[Ints], np.ndarray], at_first: np.ndarray) -> np.ndarray:
        change = np.zeros(today.size)
        change[adds] = of(today[adds])
        change[replaces] -= of(previous[replaces])
        total = np.cumsum(change)
        found: np.ndarray = (at_first + change[start] - total[start])[group] + total
        return found

    def on(side: int) -> Callable[[Ints], np.ndarray]:
        return lambda at: claims.side[at] == side

    place = np.arange(today.size)
    told = np.maximum.accumulate(np.where(is_vote, -1, place)) if place.size else place
    is_told = told >= start[group]
    outcome = np.where(is_told, claims.value[today[np.maximum(told, 0)]], newest[prediction])
    newest[prediction] = outcome  # of several for one prediction, numpy keeps the last
    return _States(
        prediction,
        claims.moment[today],
        today,
        running(lambda at: weight[claims.value[at], claims.source[at]], base.score),
        np.stack([running(on(side), base.votes[side]) for side in range(SIDES)]),
        outcome,
    )


def _standing(claims: Claims, keys: Keys, morning: Morning, about: Ints) -> _States:
    """What stands on a morning about some predictions of which there is no outcome yet, as of the moment before it."""
    first = claims.first
    of, at = pairs(np.arange(about.size), first[about], first[about + 1])
    stands = (claims.source[at] >= 0) & (claims.day[at] < morning.day) & (claims.until[at] >= morning.day)
    of, at = of[stands], at[stands]
    weight = morning.trust.weights[claims.value[at], claims.source[at]]
    n = about.size
    return _States(
        about,
        np.full(n, morning.day * DAY_US - 1),
        np.full(n, claims.day.size),
        morning.log_odds[keys.of[about]] + np.bincount(of, weight, n),
        np.bincount(claims.side[at] * n + of, minlength=SIDES * n).reshape(SIDES, n),
        np.full(n, -1),
    )


def _decided(parts: Sequence[_States], params: Label) -> pd.DataFrame:
    """Which label holds after each moment, how sure it is and who won, in order of prediction and time."""

    def joined(name: str) -> np.ndarray:
        return np.concatenate([getattr(one, name) for one in parts], axis=-1) if parts else np.zeros(0, "int64")

    prediction, at, outcome = joined("prediction"), joined("at"), joined("outcome")
    votes = joined("votes").reshape(SIDES, prediction.size)
    score, n_votes = joined("score").round(DIGITS), votes.sum(axis=0)
    confidence = sigmoid(np.abs(score)).round(6)
    is_sure = (n_votes >= params.min_votes) & (score != 0) & (confidence >= params.min_confidence)
    label = np.where(outcome >= 0, outcome, np.where(is_sure, score > 0, UNDECIDED))
    confidence = np.where(outcome >= 0, params.accuracy.outcome, confidence)
    won = [np.where(label == 1, votes[2 * voice + 1], votes[2 * voice]) > 0 for voice in (ANNOTATION, REPORT, BY_TEXT)]
    only_texts = votes[2 * BY_TEXT : 2 * BY_TEXT + 2].sum(axis=0) == n_votes
    order = np.lexsort([joined("order"), at, prediction])
    return (
        pd.DataFrame(
            {
                "prediction": prediction,
                "label": label.astype("int64"),
                "label_confidence": confidence,
                "label_source": np.select(
                    [outcome >= 0, *won, only_texts & (n_votes > 0)],
                    ["outcome", "annotation", "report", TEXT, TEXT],
                    "report",
                ),
                "n_votes": n_votes.astype("int64"),
                "revised_at": pd.to_datetime(at, unit="us", utc=True).astype("datetime64[us, UTC]"),
            }
        )
        .iloc[order]
        .reset_index(drop=True)
    )
