"""The JSON Schema of a decision: it is the shape in the code, takes what the gate writes, refuses what the shape refuses."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from typing import Any

import pytest
from jsonschema import Draft202012Validator, FormatChecker

from flywheel import shapes
from flywheel.errors import DataError
from flywheel.evaluation.evidence import Decision
from flywheel.evaluation.gate import decide
from flywheel.evaluation.schema import PLACE, decision_schema
from tests.unit.evaluation.test_gate import (
    CONTRACTS,
    FINE_BEHAVIOUR,
    FINE_COHORTS,
    FINE_COST,
    FINE_PROBED,
    FINE_ROBUST,
    GATE,
    evidence,
)

AGAIN = "Make it again with: python -m flywheel.evaluation.schema"


def problems(decision: Any) -> list[str]:
    """What the committed schema says against a decision."""
    schema = json.loads(PLACE.read_text(encoding="utf-8"))
    return [one.message for one in Draft202012Validator(schema, format_checker=FormatChecker()).iter_errors(decision)]


def decided(**difference: Any) -> Decision:
    return decide(
        evidence(**difference), FINE_COHORTS, FINE_BEHAVIOUR, FINE_PROBED, FINE_ROBUST, FINE_COST, CONTRACTS, GATE
    )


def test_the_committed_schema_is_that_of_the_shape() -> None:
    """Whoever changes the shape is told how to make the schema again."""
    assert decision_schema() == PLACE.read_text(encoding="utf-8"), f"{PLACE.name} is out of date. {AGAIN}"
    Draft202012Validator.check_schema(json.loads(decision_schema()))


@pytest.mark.parametrize("auc", [(0.01, 0.03), (-0.03, -0.01), (-0.03, 0.01)], ids=["pass", "fail", "inconclusive"])
def test_what_the_gate_decides_fits(auc: tuple[float, float]) -> None:
    """Whatever the verdict is."""
    assert [] == problems(decided(auc=auc))


EDITS: dict[str, Callable[[dict[str, Any]], object]] = {
    "another verdict": lambda d: d.update(verdict="maybe"),
    "another reference": lambda d: d.update(reference="luck"),
    "a day that is none": lambda d: d.update(as_of="2013-02-30"),
    "a day as a number": lambda d: d.update(as_of=20130501),
    "no candidate": lambda d: d.pop("candidate"),
    "a champion as a number": lambda d: d.update(champion=1),
    "rules as a mapping": lambda d: d.update(rules={}),
    "a rule without its reason": lambda d: d["rules"][0].pop("reason"),
    "another kind": lambda d: d.update(kind="upgrade"),
    "a rule with another severity": lambda d: d["rules"][0].update(severity="shrug"),
    "a rule with another verdict": lambda d: d["rules"][0].update(verdict="ok"),
}


@pytest.mark.parametrize("name", EDITS)
def test_schema_and_shape_refuse_the_same(name: str) -> None:
    """One decision, edited in one place."""
    found: Any = copy.deepcopy(decided())
    assert [] == problems(found)
    EDITS[name](found)
    assert problems(found)
    with pytest.raises(DataError):
        shapes.check(found, Decision, "decision")
