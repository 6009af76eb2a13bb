"""The cases that are put before a gate, and how the gates of a case end."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from gates import Asked, Judged, Pair, Window, drawn, few, judge
from planted import LEAK

from flywheel.evaluation.evidence import Cost, InputAlone, open_rules
from flywheel.model.contract import Contracts

GATES = 105
FEW = 300  # rows
YOUNGER, OLDER, LATELY = "a window younger", "a window older", "a week older"
REFRESH = Pair("refresh", "base", OLDER, YOUNGER)


@dataclass(frozen=True)
class Case:
    """Who is compared, in what share of the gates they may at most (or must at least) pass, and which rule has to be open."""

    pair: Pair
    share: float
    is_least: bool = False
    rule: str | None = None
    is_mutual: bool = (
        False  # every other gate asks the other way round: no chance difference between the two favours one
    )


def change(candidate: str, other: str = "base") -> Pair:
    """One version against another."""
    return Pair("change", candidate, other)


def refresh(candidate: str) -> Case:
    """The same recipe, with something broken around it: all that is asked is that it does no harm."""
    return Case(Pair("refresh", candidate, "base"), 0.01, rule="log loss not worse")


CASES = {
    "the same recipe with another seed, as a change": Case(change("another seed"), 0.05, is_mutual=True),
    "a dropped group of features": Case(change("without a group"), 0.01, rule="better log loss"),
    "a tenth of the training labels turned round": Case(
        Pair("refresh", "wrong labels", "base"), 0.01, rule="log loss not worse"
    ),
    "a shuffled feature": refresh("a shuffled feature"),
    "a feed that stands still": refresh("a stale feed"),
    "scores to the power 1.3": refresh("to the power 1.3"),
    "harm to one cohort": Case(Pair("refresh", "harmed", "worse elsewhere", YOUNGER), 0.05, rule="cohorts"),
    "a planted leak": Case(change("with a leak"), 0.01, rule="leaks"),
    "a contract that breaks": Case(REFRESH, 0.01, rule="contract"),
    "latency times 5": Case(REFRESH, 0.01, rule="latency"),
    "a poisoned last month": Case(replace(REFRESH, younger="poisoned"), 0.01, rule="agreement"),
    "300 rows": Case(change("base", "blurred"), 0.0, rule="enough evidence"),
    "a gain of 0.01 AUC": Case(replace(change("base", "blurred"), younger=YOUNGER), 0.90, is_least=True),
    "a refresh of 28 days": Case(REFRESH, 0.85, is_least=True),
    "a refresh of 7 days": Case(Pair("refresh", "base", LATELY, YOUNGER), 0.80, is_least=True),
}


@dataclass
class Clock:
    """From what a gate decides at a clock: the first days of its windows, the latest first, and what is asked of the candidate.

    `by_age` has the windows for which a champion that is so much older has enough days to learn from.
    """

    starts: Sequence[dt.date]
    asked: Asked
    poisoned: Window
    broken: Contracts
    slow: Cost
    leak: InputAlone
    by_age: Mapping[dt.timedelta, Sequence[dt.date]]


@dataclass(frozen=True)
class Cases:
    """All that gates are shown."""

    judged: Judged
    windows: Mapping[dt.date, Window]
    clocks: Mapping[dt.date, Clock]
    step: dt.timedelta
    harmed: str
    share_harmed: float

    def shown(self, name: str, clock: dt.date) -> tuple[list[Window], Asked]:
        """The windows of a case at a clock, and what is asked of its candidate."""
        one, pair = self.clocks[clock], CASES[name].pair
        age = {OLDER: self.step, LATELY: dt.timedelta(days=7)}.get(pair.other)
        windows = [self.windows[start] for start in (one.by_age[age] if age else one.starts)]
        asked = one.asked
        if name == "a poisoned last month":
            older = [replace(it, scores={**it.scores, "poisoned": it.scores[YOUNGER]}) for it in windows[1:]]
            return [one.poisoned, *older], asked
        if name == "a contract that breaks":
            return windows, replace(asked, contracts=one.broken)
        if name == "latency times 5":
            return windows, replace(asked, cost=one.slow)
        if name == "a planted leak":
            probed: Any = {**asked.probed, "inputs": {**asked.probed["inputs"], LEAK: one.leak}}
            robust: Any = {**asked.robust, "inputs": {**asked.robust["inputs"], LEAK: {}}}
            return windows, replace(asked, probed=probed, robust=robust)
        return windows, asked


def turned(pair: Pair) -> Pair:
    """The other one as candidate."""
    return replace(pair, candidate=pair.other, other=pair.candidate)


def share(cases: Cases, name: str) -> dict[str, Any]:
    """How the gates of a case end: verdicts, by clock too, and which rules were open how often."""
    case, rng = CASES[name], np.random.default_rng(9)
    verdicts: Counter[str] = Counter()
    opened: Counter[str] = Counter()
    passed = {}
    for clock in cases.clocks:
        windows, asked = cases.shown(name, clock)
        before = verdicts["pass"]
        for n in range(-(-GATES // len(cases.clocks))):
            mine = [drawn(one, rng) for one in windows]
            if name == "300 rows":
                mine = [few(one, FEW // len(mine), rng) for one in mine]
            pair = turned(case.pair) if case.is_mutual and n % 2 else case.pair
            decision = judge(mine, pair, asked, cases.judged, with_cohorts=case.rule == "cohorts")
            verdicts[decision["verdict"]] += 1
            opened.update(open_rules(decision))
        passed[clock.isoformat()] = verdicts["pass"] - before
    n = verdicts.total()
    is_right = verdicts["pass"] >= case.share * n if case.is_least else verdicts["pass"] <= case.share * n
    stopped = opened[case.rule] if case.rule else None
    return {
        "kind": case.pair.kind,
        **{one: verdicts[one] for one in ("pass", "fail", "inconclusive")},
        "passed_by_clock": passed,
        "open_rules": dict(opened.most_common()),
        "limit": f"{'at least' if case.is_least else 'at most'} {case.share:.0%} pass",
        "because": case.rule,
        "stopped_by_it": stopped,
        "holds": is_right and (stopped is None or stopped >= (1 - case.share) * n),
    }
