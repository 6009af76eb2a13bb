"""How reliable annotators are: how often they are right, whether that changes, where they err, how far they agree, how long
they take.

An annotator is compared with what is otherwise known of a prediction: its outcome, else what would be concluded had he never
spoken, neither as an annotator nor as a user. So nobody confirms himself.
"""

from __future__ import annotations

import datetime as dt
import math
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
import pandas as pd

from flywheel.labels.claims import DAY_US, NEVER, VOICES, Claims, Ints
from flywheel.labels.conclude import Concluded
from flywheel.labels.evidence import Alpha, Annotator, Annotators, Change, Hotspot, Hotspots
from flywheel.labels.settings import Label
from flywheel.labels.shares import Estimate, difference
from flywheel.labels.trust import beliefs_of
from flywheel.labels.truth import Floats, Prior, believe, infer

CONFIDENCE = 0.95
LISTED = 20  # annotators, and hotspots: a table that is still read
RECENT_DAYS = 28
LEAST = 20  # below, even who was always right may be wrong in one case of six (the lower end of Wilson's interval)
RESAMPLES, SEED = 1000, 2011
ANNOTATION = VOICES.index("annotation")
ALIKE = 1e-3  # predictions that are all equally unsure cannot tell sensitivity from specificity


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

    `predictions` has prediction_id, served_at and the columns in_ of `prior_by`.
    """
    claims = concluded.claims
    is_mine = (claims.until == NEVER) & ~claims.is_outcome
    is_mine[is_mine] = claims.sources["group"].to_numpy()[claims.source[is_mine]] == ANNOTATION
    mine = np.flatnonzero(is_mine)
    source = claims.sources["source_id"].to_numpy()[claims.source[mine]]
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


def _said(concluded: Concluded, at: Ints, who: Ints, params: Label) -> _Said:
    """The annotations at these places, with the chance of 1 that is otherwise known; only for the busiest, it takes a while."""
    claims = concluded.claims
    outcome = np.full(len(claims.names), -1)
    told = np.flatnonzero((claims.until == NEVER) & claims.is_outcome)
    outcome[claims.prediction[told]] = claims.value[told]
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
            chance[mine] = _chance(concluded, others, outcome, params)[claims.prediction[at[mine]]]
    return _Said(who, claims.prediction[at], claims.value[at], claims.moment[at], chance, has_outcome)


def _chance(concluded: Concluded, votes: Ints, outcome: Ints, params: Label) -> Floats:
    """How likely 1 is for each prediction if only these votes had been cast; nan where none of them is about it.

    All is inferred again, also the trust in who speaks and what is to be expected (`truth.infer`).
    """
    claims, keys = concluded.claims, concluded.keys
    group = claims.sources["group"].to_numpy()
    n, n_keys = group.size, keys.cohort.size
    about, source, value = claims.prediction[votes], claims.source[votes], claims.value[votes]
    is_sure = outcome[about] >= 0
    code = (outcome[about] * 2 + value) * n + source
    checked = np.bincount(code[is_sure], minlength=4 * n).reshape(2, 2, n).astype("float64")
    told = np.flatnonzero(outcome >= 0)
    outcomes = np.bincount(outcome[told] * n_keys + keys.of[told], minlength=2 * n_keys).reshape(2, n_keys)
    beliefs = beliefs_of(params)
    free, prediction = np.unique(about[~is_sure], return_inverse=True)
    truth = infer(
        prediction,
        source[~is_sure],
        value[~is_sure],
        keys.of[free],
        Prior(outcomes, keys.cohort, params.prior_weight),
        checked,
        group,
        beliefs,
        believe(checked, group, beliefs),
        params.max_iterations,
    )
    found = np.full(len(claims.names), np.nan)
    # Voices that err together look surer than they are.
    found[free] = np.clip(truth.probability, 1 - params.accuracy.outcome, params.accuracy.outcome)
    return found


def _agreement(said: _Said) -> tuple[Floats, Floats]:
    """Whether each annotation is on the likelier side, and how likely that side is; where nothing is known, an even chance."""
    chance = np.where(said.known, said.chance, 0.5)
    return ((chance > 0.5) == (said.value == 1)).astype("float64"), np.maximum(chance, 1 - chance)


@dataclass(frozen=True)
class Shares:
    """Estimated shares, how much each rests on (in cases that are certain), and the variance it would have.

    The variance is `at_zero + slope * share + bend * share**2`, for any true share.
    """

    value: Floats
    size: Floats
    at_zero: Floats
    slope: Floats
    bend: Floats

    @property
    def enough(self) -> np.ndarray:
        """Where there is enough to say something; a sum of floats that counts 20 may be a hair below."""
        found: np.ndarray = np.round(self.size, 6) >= LEAST
        return found

    def estimate(self, at: int, confidence: float) -> Estimate:
        """The share with its score interval: all true shares that do not make it a surprise. Wilson's, where all is certain."""
        value = float(self.value[at])
        z2 = NormalDist().inv_cdf((1 + confidence) / 2) ** 2
        square, linear = 1 - z2 * float(self.bend[at]), 2 * value + z2 * float(self.slope[at])
        rest = value**2 - z2 * float(self.at_zero[at])
        root = math.sqrt(max(linear**2 - 4 * square * rest, 0.0))
        low, high = ((linear + sign * root) / (2 * square) for sign in (-1, 1))
        return {"value": value, "low": max(low, 0.0), "high": min(high, 1.0)}


def _shares(value: Floats, pull: Floats, lean: Floats, start: Floats, group: Ints, usual: float) -> Shares:
    """Shares that are sums of answers times `pull`, by group; each answer is yes with probability `lean * share + start`."""
    n = value.size
    square = pull * pull
    at_zero = np.bincount(group, square * start * (1 - start), n)
    slope = np.bincount(group, square * lean * (1 - 2 * start), n)
    bend = -np.bincount(group, square * lean * lean, n)
    variance = at_zero + slope * usual + bend * usual**2
    size = np.divide(usual * (1 - usual), variance, out=np.zeros(n), where=variance > 0)
    return Shares(np.clip(value, 0, 1), size, at_zero, slope, bend)


def share_right(agrees: Floats, sure: Floats, group: Ints, n: int, usual: float) -> Shares:
    """By group, the share of annotations that are right.

    `agrees` says whether an annotation is on the side that is `sure` to that degree. An annotator who is right in a share `a`
    of cases agrees in `a * sure + (1 - a) * (1 - sure)` of them, which is linear in `a`: weighted least squares, with weights
    as for the `usual` share. To count agreement alone would take the errors of others for his. Where all is certain, it is
    what counting gives.
    """
    lean, start = 2 * sure - 1, 1 - sure
    chance = usual * lean + start
    weight = lean / (chance * (1 - chance))
    total = np.bincount(group, weight * lean, n)
    pull = np.divide(weight, total[group], out=np.zeros(weight.size), where=total[group] > 0)
    return _shares(np.bincount(group, pull * (agrees - start), n), pull, lean, start, group, usual)


def coins(chance: Floats, value: Ints, usual: float) -> tuple[Estimate | None, Estimate | None]:
    """Sensitivity and specificity with intervals; None where there is too little.

    `chance` is how likely 1 is from what others say. An annotator says 1 with the probability `chance * sensitivity +
    (1 - chance) * (1 - specificity)`: weighted least squares, as in `share_right`. The interval of one takes the other as it
    was found.
    """
    design = np.stack([chance, 1 - chance])
    likely = np.array([usual, 1 - usual]) @ design
    weighted = design / (likely * (1 - likely))
    normal = weighted @ design.T + 1e-12 * np.eye(2)
    if np.linalg.det(normal) < ALIKE * normal[0, 0] * normal[1, 1]:
        return None, None
    pull = np.linalg.inv(normal) @ weighted
    says_one = np.clip(pull @ value, 0, 1)  # of what is 1, and of what is 0
    everything = np.zeros(chance.size, dtype="int64")
    one = _shares(says_one[:1], pull[0], design[0], design[1] * says_one[1], everything, usual)
    # Turned round, so that it is about saying 0 of what is 0.
    zero = _shares(1 - says_one[1:], pull[1], design[1], design[0] * (1 - says_one[0]), everything, usual)
    counted = design.sum(axis=1)  # without anything of a kind there is no variance either
    found = [
        shares.estimate(0, CONFIDENCE) if shares.enough[0] and round(n, 6) >= LEAST else None
        for shares, n in ((one, counted[0]), (zero, counted[1]))
    ]
    return found[0], found[1]


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


def agreement(claims: Claims, at: Ints) -> Alpha:
    """Krippendorff's alpha of the annotations at these places, with a bootstrap interval over predictions, of a fixed seed.

    Predictions with the same answers are drawn together, by how many there are: the same distribution, in any order.
    """
    n_predictions = len(claims.names)
    counts = np.bincount(claims.prediction[at] * 2 + claims.value[at], minlength=2 * n_predictions).reshape(-1, 2)
    counts = counts[counts.sum(axis=1) >= 2]
    n = len(counts)
    if n < LEAST:
        return {"predictions": n, "alpha": None}
    patterns, times = np.unique(counts, axis=0, return_counts=True)
    value = float(alpha(patterns, times[np.newaxis])[0])
    if np.isnan(value):
        return {"predictions": n, "alpha": None}
    drawn = alpha(patterns, np.random.default_rng(SEED).multinomial(n, times / n, RESAMPLES))
    tail = (1 - CONFIDENCE) / 2
    low, high = np.nanquantile(drawn, [tail, 1 - tail])
    return {"predictions": n, "alpha": {"value": value, "low": float(low), "high": float(high)}}


def alpha(patterns: Ints, times: Ints) -> Floats:
    """Krippendorff's alpha of nominal data (Krippendorff, 2011), one for each row of `times`: 1 is perfect, 0 is chance.

    `patterns` says how often each value was given to one unit, shape (patterns, values); `times` how many units are like that,
    shape (draws, patterns). Units with fewer than two values cannot be compared and do not count; missing values need nothing
    else. nan where all values are the same: there is nothing to agree about.
    """
    size = patterns.sum(axis=1)
    is_pair = size >= 2
    patterns, size, times = patterns[is_pair], size[is_pair], times[:, is_pair]
    # The coincidences of different values within units, and in all: n is the number of values that have a partner.
    observed = times @ ((size**2 - (patterns**2).sum(axis=1)) / (size - 1))
    totals = times @ patterns
    n = totals.sum(axis=1)
    expected = (n**2 - (totals**2).sum(axis=1)) / np.maximum(n - 1, 1)
    with np.errstate(invalid="ignore"):
        found: Floats = 1 - observed / np.where(expected > 0, expected, np.nan)
    return found
