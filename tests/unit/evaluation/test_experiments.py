"""Experiments side by side: what is found of each, and who is on the Pareto front."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from flywheel.evaluation.experiments import Experiment, Found, changes, dominates, found_in, front, goals
from tests.unit.evaluation.test_gate import cohort, evidence

ROWS = ("2030-01-01", "2030-01-29", 900, 300)


def found(log_loss: float | None = 0.5, worst: float = 0.6, utility: float = 10.0, **changes: Any) -> Found:
    difference: Any = {"value": 0.0, "low": -0.1, "high": 0.1}
    values = {"auc": 0.7, "difference": difference, "reference": "champion", "verdict": "pass", "rows": ROWS}
    return Found(**{**values, "log_loss": log_loss, "worst": ("a = b", worst), "utility": utility, **changes})


def experiment(size: int | None = 1000, latency: float | None = 1.0, **changes: Any) -> Experiment:
    return Experiment("one", found=found(**changes), bytes=size, latency_ms=latency)


# Few values of each, so that ties and rows of three are common.
SOME = st.builds(
    experiment,
    size=st.sampled_from([None, 1000, 2000]),
    latency=st.sampled_from([None, 1.0, 1.04, 1.06, 1.2]),
    log_loss=st.sampled_from([None, 0.4, 0.5]),
    worst=st.sampled_from([0.6, 0.7]),
    utility=st.sampled_from([10.0, 20.0]),
    rows=st.sampled_from([ROWS, ROWS, ROWS, ("2030-01-01", "2030-01-29", 901, 300)]),
)


@given(st.lists(st.one_of(SOME, st.just(Experiment("lost", why="it failed"))), max_size=8))
def test_no_marked_one_is_dominated_and_a_marked_one_dominates_each_other(some: list[Experiment]) -> None:
    """Among those that were measured on the rows of the first; the others are never marked."""
    marks = front(some)
    first = next((one.found for one in some if one.found), None)
    known = [(goals(one), mark) for one, mark in zip(some, marks, strict=True) if _is_like(one, first)]
    best = [its for its, mark in known if mark]
    for its, mark in known:
        assert its is not None
        assert mark != any(dominates(other, its) for other in best if other is not None)
    assert not any(mark for one, mark in zip(some, marks, strict=True) if not _is_like(one, first))
    assert bool(best) == bool(known)


def _is_like(one: Experiment, first: Found | None) -> bool:
    return bool(one.found and first and one.found.rows == first.rows)


def test_each_goal_alone_keeps_an_experiment_on_the_front() -> None:
    """The first is beaten in one thing at a time, never in all; what is worse in one and better in none is not on it."""
    others = [
        experiment(log_loss=0.4, size=2000),
        experiment(worst=0.5, size=2000),
        experiment(utility=20.0, size=2000),
        experiment(size=900, latency=2.0),
        experiment(latency=0.5, size=2000),
    ]
    assert [True] * 6 == front([experiment(), *others])
    for worse in ({"log_loss": 0.6}, {"worst": 0.7}, {"utility": 9.0}, {"size": 1001}, {"latency": 1.3}):
        assert [True, False] == front([experiment(), experiment(**worse)])


def test_a_latency_within_a_tenth_is_the_same() -> None:
    """So noise alone brings none to the front; what is not known is worse than any value."""
    assert [True, False] == front([experiment(), experiment(latency=0.97, size=1001)])
    assert [True, True] == front([experiment(), experiment(latency=0.8, size=1001)])
    assert [True, False] == front([experiment(), experiment(latency=None)])
    assert [True, True] == front([experiment(), experiment(latency=1.02)])


def test_the_worst_cohort_is_one_that_can_be_judged() -> None:
    """The one with the highest log loss, unless the gate finds it too small."""
    cohorts: Any = {
        "place": {
            name: cohort(-0.01, 0.01) | {"candidate": {"log_loss": loss}}
            for name, loss in (("a", 0.5), ("b", 0.9), ("c", 0.7), ("d", None))
        }
    }
    metrics: Any = evidence(log_loss=(-0.03, -0.01))
    metrics["candidate"] |= {"log_loss": {"value": 0.55}, "utility": {"value": 7.0}}
    metrics["about"]["window"] |= {"start": "2030-01-01", "end": "2030-01-29"}
    decision: Any = {"verdict": "fail", "too_small": [{"cohort": "place = b", "rows": 3, "rarer": 1}]}
    said = found_in(metrics, cohorts, decision)
    assert ("place = c", 0.7) == said.worst
    assert (0.55, 7.0, "fail", "champion") == (said.log_loss, said.utility, said.verdict, said.reference)
    assert (-0.03, -0.01) == (said.difference["low"], said.difference["high"])
    assert None is found_in(metrics, {}, decision).worst


def test_what_changed_is_named_by_its_dotted_key() -> None:
    """New values, new keys, and keys that are gone; what is the same is not."""
    before = {"model": {"trees": 3, "leaves": 7}, "gone": 1, "same": [1, 2]}
    after = {"model": {"trees": 5, "leaves": 7, "more": {"a": 1}}, "same": [1, 2]}
    assert ["model.trees=5", "model.more={'a': 1}", "gone=None"] == [*changes(before, after)]
