"""What happened, and how far each source is believed, from what sources say of the same predictions.

Dawid and Skene (1979), with two coins for each source: how often it says 1 of what is 1 (its sensitivity), and 0 of what is 0
(its specificity). The truth of a prediction and the coins of the sources are estimated in turn (expectation maximization).
What is known of a prediction for certain is left out of it: it counts in `checked`, what each source said of such predictions.
The two coins are about what a source says when it speaks; of one that seldom does, its speaking is a sign as well (`_speaks`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

TOLERANCE = 0.005  # once no probability moves by more, nothing is gained by going on
EVEN = 0.5
SURE = 0.99  # nobody is believed more than this, whatever the record
STRENGTH = (2.0, 200.0)  # of the belief in a whole group, in claims: sources that are all alike would make it infinite

Floats = np.ndarray
Ints = np.ndarray


@dataclass(frozen=True)
class Beliefs:
    """Where trust in the sources of each group begins: how often they are right, and how many claims that weighs."""

    accuracy: Floats  # by group
    weight: float
    rare: tuple[int, ...] = ()  # the groups of which it tells that they speak at all


@dataclass(frozen=True)
class Trust:
    """How far each source is believed: its sensitivity and specificity."""

    sensitivity: Floats
    specificity: Floats
    speaks: Floats | float = 0.0  # by source, what its speaking adds to the log odds of 1, whatever it says

    @cached_property
    def weights(self) -> Floats:
        """By value and source, shape (2, sources): what a claim adds to the log odds of 1.

        Who is right less often than a coin is not believed, and neither is the opposite of what he says: who could choose to
        be wrong where it is checked would otherwise decide what is concluded where it is not.
        """
        one, zero = self.sensitivity, self.specificity
        return np.stack(
            [
                np.minimum(np.log((1 - one) / zero) + self.speaks, 0.0),
                np.maximum(np.log(one / (1 - zero)) + self.speaks, 0.0),
            ],
        )


@dataclass(frozen=True)
class Prior:
    """What is to be expected of a prediction before anybody speaks, by its key: a cohort, on one day."""

    outcomes: Floats  # by value and key, shape (2, keys)
    cohort: Ints  # of each key
    weight: float

    def log_odds(self, probability: Floats, key: Ints) -> Floats:
        """The log odds of 1 by key, where the predictions with these keys are 1 with these probabilities.

        They are the share among the outcomes of the key, drawn towards that of the cohort, drawn towards that of all, drawn
        towards even odds. In a cohort the probabilities count as outcomes do: without any outcome, there is nothing else.
        """
        n = int(self.cohort.max(initial=-1)) + 1
        mine = self.cohort[key]
        positive = np.bincount(self.cohort, self.outcomes[1], n) + np.bincount(mine, probability, n)
        total = np.bincount(self.cohort, self.outcomes.sum(axis=0), n) + np.bincount(mine, minlength=n)
        overall = (positive.sum() + EVEN * self.weight) / (total.sum() + self.weight)
        share = (positive + overall * self.weight) / (total + self.weight)
        found = (self.outcomes[1] + share[self.cohort] * self.weight) / (self.outcomes.sum(axis=0) + self.weight)
        log_odds: Floats = np.log(found / (1 - found))
        return log_odds


@dataclass(frozen=True)
class Truth:
    """The probability of 1 for each prediction, what goes with it, and whether it has settled."""

    probability: Floats
    trust: Trust
    log_odds: Floats  # before anybody speaks, by key
    iterations: int
    converged: bool


def infer(
    prediction: Ints,
    source: Ints,
    value: Ints,
    key: Ints,
    prior: Prior,
    checked: Floats,
    group: Ints,
    beliefs: Beliefs,
    start: Trust,
    max_iterations: int,
) -> Truth:
    """The truth about predictions of which only claims are known: which `source` says which `value` of which `prediction`.

    Each prediction has a `key` of the `prior`; each source is of a `group`; `checked` is as in `believe`; `start` is the trust
    to begin with.

    Only predictions with two claims or more tell about sources and about what is to be expected. From claims that can be
    compared with nothing, any trust would follow.
    """
    n, n_predictions = group.size, key.size
    said = value * n + source
    tells = np.bincount(prediction, minlength=n_predictions) > 1
    its_prediction, its_said, its_key = prediction[tells[prediction]], said[tells[prediction]], key[tells]
    total = np.bincount(its_said, minlength=2 * n).reshape(2, n)
    log_odds = prior.log_odds(np.zeros(0), key[:0])
    speaks = _speaks(checked, prior.outcomes.sum(axis=1), group, beliefs)
    trust, probability = replace(start, speaks=speaks), sigmoid(log_odds)[key]
    for iteration in range(1, max_iterations + 1):
        before = probability
        told = np.bincount(prediction, trust.weights.ravel()[said], n_predictions)
        probability = sigmoid(log_odds[key] + told)
        positive = np.bincount(its_said, probability[its_prediction], 2 * n).reshape(2, n)
        trust = believe(checked + np.stack([total - positive, positive]), group, beliefs, speaks)
        log_odds = prior.log_odds(probability[tells], its_key)
        if np.abs(probability - before).max(initial=0.0) < TOLERANCE:
            return Truth(probability, trust, log_odds, iteration, converged=True)
    return Truth(probability, trust, log_odds, max_iterations, converged=False)


def believe(counts: Floats, group: Ints, beliefs: Beliefs, speaks: Floats | float = 0.0) -> Trust:
    """The trust that `counts` give, which have the shape (truth, value, sources): how often a source said what of what.

    A source with few claims is believed like its group (empirical Bayes): both coins have a Beta distribution over the sources
    of a group, with mean and strength by the method of moments (Kleinman, 1973).
    """
    sensitivity, specificity = (_coin(counts[one, one], counts[one, 1 - one], group, beliefs) for one in (1, 0))
    return Trust(sensitivity, specificity, speaks)


def _speaks(checked: Floats, outcomes: Floats, group: Ints, beliefs: Beliefs) -> Floats:
    """By source, the log of how much more often it speaks of what is 1 than of what is 0; `outcomes` has how many there are.

    Asked of rare groups alone, whose silence says nothing: people write when something went wrong, so a text is a sign before
    it is read, and one that can say only 1 can be believed. With few texts it is nearly 0.
    """
    found = np.zeros(group.size)
    spoke = checked.sum(axis=1)  # shape (truth, sources)
    asked = np.isin(group, beliefs.rare) & (spoke.sum(axis=0) > 0)
    usual = spoke[:, asked].sum(axis=0) / outcomes.sum()
    share = (spoke[:, asked] + beliefs.weight / 2) / (outcomes[:, None] + beliefs.weight / 2 / usual)
    found[asked] = np.log(share[1] / share[0])
    return found


def _coin(right: Floats, wrong: Floats, group: Ints, beliefs: Beliefs) -> Floats:
    n = right + wrong
    k = beliefs.accuracy.size
    n_group, right_group = np.bincount(group, n, k), np.bincount(group, right, k)
    mean = (right_group + beliefs.weight * beliefs.accuracy) / (n_group + beliefs.weight)
    spoke = n > 0
    share = np.divide(right, n, out=np.zeros_like(n), where=spoke)
    sources = np.bincount(group, spoke, k)
    spread = np.bincount(group, n * (share - mean[group]) ** 2, k) - np.maximum(sources - 1, 0) * mean * (1 - mean)
    room = n_group - np.divide(np.bincount(group, n * n, k), n_group, out=np.zeros(k), where=n_group > 0)
    variance = np.divide(spread, room, out=np.zeros(k), where=room > 0)
    strength = np.divide(mean * (1 - mean), variance, out=np.full(k, np.inf), where=variance > 0) - 1
    strength = np.where(sources > 1, np.clip(strength, *STRENGTH), beliefs.weight)
    found: Floats = np.clip((right + (strength * mean)[group]) / (n + strength[group]), 1 - SURE, SURE)
    return found


def sigmoid(log_odds: Floats) -> Floats:
    """The probability with these log odds."""
    found: Floats = 1 / (1 + np.exp(-log_odds))
    return found
