"""Shares of right answers where what is right is itself only likely: estimates and intervals."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from flywheel.labels.claims import Ints
from flywheel.labels.shares import Estimate
from flywheel.labels.truth import Floats

CONFIDENCE = 0.95
LEAST = 20  # below, even who was always right may be wrong in one case of six (the lower end of Wilson's interval)
ALIKE = 1e-3  # predictions that are all equally unsure cannot tell sensitivity from specificity


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
