"""How reliable annotators are: how often they are right, whether that changes, where they err, how far they agree, how long
they take.

An annotator is compared with what is otherwise known of a prediction: its outcome, else what the other voices say. His own
word is left out of that, also what he says as a user, so nobody confirms himself.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import numpy as np
import pandas as pd

from flywheel.labels.claims import DAY_US, NEVER, VOICES, Claims, Ints
from flywheel.labels.conclude import Concluded
from flywheel.labels.evidence import Alpha, Annotator, Annotators, Change, Hotspot, Hotspots
from flywheel.labels.settings import Label
from flywheel.labels.shares import Estimate, share_difference, wilson
from flywheel.labels.truth import Floats, sigmoid

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

    What is otherwise known of a prediction is its newest outcome; without one, the probability that follows from what is
    expected before anybody speaks and from the standing votes of all others, weighed by the trust of the last morning. So
    what counts against an annotator is as sure as that. That trust was learned with his votes too, by which others were
    measured; and others who err as he does make him look better. Quarantined claims count nowhere.

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
    said = _said(concluded, mine[is_named], rank[code])
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


def _said(concluded: Concluded, at: Ints, who: Ints) -> _Said:
    """The annotations at these places, each with the chance of 1 that follows from all that others say."""
    claims = concluded.claims
    about, of = np.unique(claims.prediction[at], return_inverse=True)
    place = np.full(len(claims.names), -1)
    place[about] = np.arange(about.size)
    stands = np.flatnonzero((claims.until == NEVER) & (place[claims.prediction] >= 0))
    outcomes, votes = stands[claims.is_outcome[stands]], stands[~claims.is_outcome[stands]]
    outcome = np.full(about.size, -1)
    outcome[place[claims.prediction[outcomes]]] = claims.value[outcomes]
    # Who annotates and also reports is one person, so both votes are left out.
    person = pd.factorize(claims.sources["source_id"])[0]
    key = place[claims.prediction[votes]] * (len(person) + 1) + person[claims.source[votes]]
    own, group = np.unique(key, return_inverse=True)
    mine = np.searchsorted(own, of * (len(person) + 1) + person[claims.source[at]])
    weight = concluded.trust.weights[claims.value[votes], claims.source[votes]]
    its = place[claims.prediction[votes]]
    others = np.bincount(its, minlength=about.size)[of] - np.bincount(group, minlength=own.size)[mine]
    told = np.bincount(its, weight, about.size)[of] - np.bincount(group, weight, own.size)[mine]
    chance = np.where(others > 0, sigmoid(concluded.log_odds[claims.prediction[at]] + told), np.nan)
    chance = np.where(outcome[of] >= 0, outcome[of], chance)
    return _Said(who, claims.prediction[at], claims.value[at], claims.moment[at], chance, outcome[of] >= 0)


def _agreement(said: _Said) -> tuple[Floats, Floats]:
    """Whether each annotation is on the likelier side, and how likely that side is; where nothing is known, an even chance."""
    chance = np.where(said.known, said.chance, 0.5)
    return ((chance > 0.5) == (said.value == 1)).astype("float64"), np.maximum(chance, 1 - chance)


def share_right(agrees: Floats, sure: Floats, group: Ints, n: int, accuracy: float) -> tuple[Floats, Floats]:
    """By group, the share of annotations that are right, and how many checked for certain would say as much (its size).

    `agrees` says whether an annotation is on the side that is `sure` to that degree. An annotator who is right in a share `a`
    of cases agrees in `a * sure + (1 - a) * (1 - sure)` of them, which is linear in `a`: weighted least squares, with weights
    as for one whose share is `accuracy`. To count agreement alone would take the errors of others for his. Where all is
    certain, share and size are those that counting gives.
    """
    lean = 2 * sure - 1
    usual = accuracy * lean + 1 - sure
    weight = lean / (usual * (1 - usual))
    total = np.bincount(group, weight * lean, n)
    found = np.bincount(group, weight * (agrees - (1 - sure)), n)
    share = np.clip(np.divide(found, total, out=np.zeros(n), where=total > 0), 0, 1)
    counted = np.bincount(group, lean * lean, n)
    drawn = (share * counted + 1) / (counted + 2)  # a share of 0 or 1 would have no variance
    chance = drawn[group] * lean + 1 - sure
    spread = np.bincount(group, weight * weight * chance * (1 - chance), n)
    size = np.divide(drawn * (1 - drawn) * total**2, spread, out=np.zeros(n), where=spread > 0)
    return share, size


def coins(chance: Floats, value: Ints, accuracy: float) -> tuple[Estimate | None, Estimate | None]:
    """Sensitivity and specificity with Wilson's interval of as many predictions as would say as much if all were certain.

    `chance` is how likely 1 is from what others say. An annotator says 1 with the probability `chance * sensitivity +
    (1 - chance) * (1 - specificity)`: weighted least squares, as in `share_right`. None where the size is below `LEAST`.
    """
    design = np.stack([chance, 1 - chance])
    usual = accuracy * chance + (1 - accuracy) * (1 - chance)
    weighted = design / (usual * (1 - usual))
    normal = weighted @ design.T + 1e-12 * np.eye(2)
    if np.linalg.det(normal) < ALIKE * normal[0, 0] * normal[1, 1]:
        return None, None
    inverse = np.linalg.inv(normal)
    ones = np.clip(inverse @ weighted @ value, 0, 1)  # how often he says 1, of what is 1 and of what is 0
    counted = design.sum(axis=1)
    drawn = (ones * counted + 1) / (counted + 2)
    says = drawn @ design
    spread = np.diag(inverse @ (weighted * says * (1 - says)) @ weighted.T @ inverse)
    size = np.divide(drawn * (1 - drawn), spread, out=np.zeros(2), where=spread > 0)
    size = np.minimum(size, counted)
    return _estimate(float(ones[0]), float(size[0])), _estimate(float(1 - ones[1]), float(size[1]))


def _estimate(share: float, size: float) -> Estimate | None:
    # The size is that of a sum of floats: what counts 20 may be a hair below.
    return wilson(share * size, size, CONFIDENCE) if _enough(size) else None


def _enough(size: float) -> bool:
    return round(size, 6) >= LEAST


def _busiest(
    said: _Said, right: Floats, sure: Floats, names: list[str], days: Floats, accuracy: float, end: dt.date
) -> list[Annotator]:
    is_recent = said.moment >= ((end - dt.date(1970, 1, 1)).days - RECENT_DAYS) * DAY_US
    n = len(names)
    listed = said.who < n
    group = said.who[listed] * 2 + is_recent[listed]
    share, size = (one.reshape(n, 2) for one in share_right(right[listed], sure[listed], group, 2 * n, accuracy))
    compared = [all(_enough(one) for one in row) for row in size]
    confidence = 1 - (1 - CONFIDENCE) / max(sum(compared), 1)  # Bonferroni
    found: list[Annotator] = []
    for who, name in enumerate(names):
        mine = said.who == who
        known = mine & said.known
        sensitivity, specificity = coins(said.chance[known], said.value[known], accuracy)
        took = days[mine & ~np.isnan(days)]
        change: Estimate | None = None
        if compared[who]:
            (before, recent), (before_n, recent_n) = share[who].tolist(), size[who].tolist()
            change = share_difference(recent * recent_n, recent_n, before * before_n, before_n, confidence)
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
    accuracy = params.accuracy.annotation
    pairs: list[tuple[Hotspot, float, float]] = []
    for column in params.prior_by:
        values, labels = pd.factorize(predictions[f"in_{column}"], sort=True)
        value = np.append(values, -1)[place]
        at = np.flatnonzero(said.known & (value >= 0) & (said.who < len(names)))
        k, n = len(labels), len(labels) * len(names)
        cell = said.who[at] * k + value[at]
        known = np.bincount(cell, minlength=n)
        share, size = share_right(right[at], sure[at], cell, n, accuracy)
        for one in np.flatnonzero(np.round(size, 6) >= LEAST).tolist():
            who = one // k
            rest = at[(said.who[at] == who) & (cell != one)]
            elsewhere, rest_size = share_right(right[rest], sure[rest], np.zeros(rest.size, int), 1, accuracy)
            if not _enough(rest_size[0]):
                continue
            hotspot: Hotspot = {
                "source": names[who],
                "column": column,
                "value": str(labels[one % k]),
                "known": int(known[one]),
                "right": float(share[one]),
                "right_elsewhere": float(elsewhere[0]),
                "difference": {"value": 0.0, "low": None, "high": None},
            }
            pairs.append((hotspot, float(size[one]), float(rest_size[0])))
    confidence = 1 - (1 - CONFIDENCE) / max(len(pairs), 1)  # Bonferroni
    shown = []
    for hotspot, size_here, size_there in pairs:
        here, there = hotspot["right"] * size_here, hotspot["right_elsewhere"] * size_there
        hotspot["difference"] = share_difference(here, size_here, there, size_there, confidence)
        if (hotspot["difference"]["high"] or 0.0) < 0:
            shown.append(hotspot)
    shown.sort(key=lambda one: (one["difference"]["value"], one["source"], one["column"], one["value"]))
    return {"compared": len(pairs), "shown": len(shown), "worst": shown[:LISTED]}


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
