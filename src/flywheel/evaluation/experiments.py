"""Experiments side by side: what each is good for, and which of them are on the Pareto front."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from flywheel.evaluation.evidence import Cohorts, Decision, Interval, Measured, Reference, named, reference_of

STEP = 0.1  # latencies that differ by no more than about this share are the same


@dataclass(frozen=True)
class Found:
    """What the reports of an experiment say; None is what they do not say.

    `worst` is the cohort that is large enough to judge with the highest log loss; `rows` says on which rows all was measured.
    """

    auc: float | None
    log_loss: float | None
    difference: Interval
    reference: Reference
    worst: tuple[str, float] | None
    utility: float | None
    verdict: str
    rows: tuple[str, str, int, int]


@dataclass(frozen=True)
class Experiment:
    """An experiment, or the commit that is checked out: what it changed, what was found, its bytes, and its latency.

    `latency_ms` is that of one row, in milliseconds. `why` says what is not there, and why; `found` is None where it cannot be
    compared at all.
    """

    name: str
    changed: str = ""
    found: Found | None = None
    bytes: int | None = None
    latency_ms: float | None = None
    why: str | None = None


def found_in(measured: Measured, cohorts: Cohorts, decision: Decision) -> Found:
    """What the reports of an experiment say of its candidate."""
    reference, window, mine = reference_of(measured), measured["about"]["window"], measured["candidate"]
    small = {one["cohort"] for one in decision.get("too_small", [])}
    losses = [(name, one["candidate"]["log_loss"]) for name, one in named(cohorts).items() if name not in small]
    known = [(name, loss) for name, loss in losses if loss is not None]
    return Found(
        auc=mine["auc"]["value"],
        log_loss=mine["log_loss"]["value"],
        difference=measured["difference"][reference]["log_loss"],
        reference=reference,
        worst=max(known, key=lambda one: one[1]) if known else None,
        utility=mine["utility"]["value"],
        verdict=decision["verdict"],
        rows=(window["start"], window["end"], window["rows"], window["positives"]),
    )


Goals = tuple[float, ...]


def goals(one: Experiment) -> Goals | None:
    """What is to be small: log loss, that of the worst cohort, utility lost, bytes, and latency; None if nothing was found.

    Times are noisy: those in the same step of a tenth (on a logarithmic scale) are the same time. Two that are closer may still
    lie on both sides of a step. Steps, and no tolerance around each time, because then what is better stays better in a row of
    three. What is not known is worse than any value.
    """
    if one.found is None:
        return None
    worst = one.found.worst[1] if one.found.worst else None
    utility = None if one.found.utility is None else -one.found.utility
    step = None if one.latency_ms is None else float(round(math.log(one.latency_ms) / math.log(1 + STEP)))
    size = None if one.bytes is None else float(one.bytes)
    return tuple(math.inf if value is None else value for value in (one.found.log_loss, worst, utility, size, step))


def dominates(one: Goals, other: Goals) -> bool:
    """Whether it is at least as good in everything, and better in something."""
    return all(a <= b for a, b in zip(one, other, strict=True)) and one != other


def front(experiments: Sequence[Experiment]) -> list[bool]:
    """Which are on the Pareto front: no other is at least as good in everything, and better in something.

    Only those that were measured on the rows of the first one that has been measured: on other rows any number is another.
    """
    first = next((one.found for one in experiments if one.found), None)
    asked = [goals(one) if one.found and first and one.found.rows == first.rows else None for one in experiments]
    known = [one for one in asked if one is not None]
    return [one is not None and not any(dominates(other, one) for other in known) for one in asked]


def changes(before: object, after: object, key: str = "") -> Iterable[str]:
    """Each value that differs between two nested mappings, as `key=value` with its dotted key; one that is gone has none."""
    if isinstance(before, dict) and isinstance(after, dict):
        for name in [*after, *(name for name in before if name not in after)]:
            yield from changes(before.get(name), after.get(name), f"{key}.{name}" if key else str(name))
    elif before != after:
        yield f"{key}={after}"
