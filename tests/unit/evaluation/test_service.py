"""What the service needs: a candidate that it could not call is stopped, unless that step is declared; so is a slow one."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from flywheel.errors import DataError
from flywheel.evaluation.evidence import Verdict, open_rules
from flywheel.evaluation.gate import decide
from flywheel.evaluation.service import contract_kept, fast_enough
from flywheel.model.contract import Contract, Contracts
from tests.unit.evaluation.test_gate import (
    CONTRACTS,
    FINE_BEHAVIOUR,
    FINE_COHORTS,
    FINE_COST,
    FINE_PROBED,
    FINE_ROBUST,
    GATE,
    cost,
    evidence,
)

SIZE = {"type": "number", "required": True, "min": 1.0, "max": 9.0}
WEIGHT = SIZE | {"required": False}


def contract(version: str, **inputs: Any) -> Contract:
    return {"version": version, "inputs": inputs, "output": {"type": "probability", "min": 0.1, "max": 0.9}}


FIRST = contract("1.0", size=SIZE)
MORE = contract("1.1", size=SIZE, weight=WEIGHT)
RENAMED = contract("2.0", weight=SIZE)
BROKEN = contract("2.0", weight=SIZE, age=WEIGHT)


@pytest.mark.parametrize(
    ("now", "before", "declared", "verdict", "said"),
    [
        (FIRST, None, {}, "pass", "There is no champion yet; the first contract, 1.0, has 1 input."),
        (MORE, MORE, {}, "pass", "The contract stays 1.1: 2 inputs, as the champion has them."),
        (FIRST, FIRST, {}, "pass", "The contract stays 1.0: 1 input, as the champion has them."),
        (
            MORE,
            FIRST,
            {},
            "pass",
            "The contract becomes 1.1, and whoever calls the champion can call the candidate: weight is new and may be "
            "missing.",
        ),
        (
            BROKEN,
            FIRST,
            {},
            "fail",
            "The contract breaks, from 1.0 to 2.0: size is gone; weight is new and must not be missing (and age is new and "
            "may be missing); a service that calls the champion cannot call the candidate: keep the input, or say in conf/, "
            'under gate.breaking, why it is ready for "2.0".',
        ),
        (
            BROKEN,
            FIRST,
            {"2.0": "The app sends both."},
            "pass",
            "The contract breaks, and becomes 2.0: size is gone; weight is new and must not be missing (and age is new and "
            "may be missing); declared: The app sends both.",
        ),
        (
            RENAMED,
            FIRST,
            {"2.0": "The app sends it."},
            "pass",
            "The contract breaks, and becomes 2.0: size is gone; weight is new and must not be missing; declared: The app "
            "sends it.",
        ),
        (
            RENAMED,
            RENAMED,
            {"2.0": "The app sends it."},
            "pass",
            "The contract stays 2.0: 1 input, as the champion has them.",
        ),
    ],
)
def test_what_the_rule_says(
    now: Contract, before: Contract | None, declared: dict[str, str], verdict: Verdict, said: str
) -> None:
    """One sentence, in which every input is named that changed."""
    assert {"rule": "contract", "verdict": verdict, "severity": "block", "reason": said} == contract_kept(
        Contracts(now, before), declared
    )


@pytest.mark.parametrize("declared", ["1.0", "1.1", "3.0"])
def test_a_declaration_holds_for_one_step_alone(declared: str) -> None:
    """That of an earlier break, which is still in conf/, lets no later one through."""
    found = contract_kept(Contracts(BROKEN, FIRST), {declared: "The app was ready then."})
    assert "fail" == found["verdict"]


def test_a_champion_without_a_contract_is_compared_by_its_card_and_that_is_said() -> None:
    """The same inputs pass, an input that is gone fails; neither is a crash."""
    card = {"numeric": ["size"], "categorical": {}}
    for now, verdict in ((FIRST, "pass"), (BROKEN, "fail")):
        found = contract_kept(Contracts(now, card), {})
        assert verdict == found["verdict"]
        assert "; the champion has no contract.json" in found["reason"]


@pytest.mark.parametrize(
    ("now", "before"), [(MORE, None), (FIRST | {"version": "1.1"}, FIRST), (BROKEN, MORE | {"version": "4.0"})]
)
def test_a_version_that_does_not_follow_is_no_evidence(now: Contract, before: Contract | None) -> None:
    """Contract and champion are then of different runs."""
    with pytest.raises(DataError, match=r"contract\.json says version .* must be .*flywheel run"):
        contract_kept(Contracts(now, before), {})


def test_a_break_fails_a_gate_that_would_pass() -> None:
    """All else is a clear win; declared, the same evidence passes."""
    gates = [GATE, GATE.model_copy(update={"breaking": {"2.0": "The app is ready."}})]
    decided = [
        decide(
            evidence(),
            FINE_COHORTS,
            FINE_BEHAVIOUR,
            FINE_PROBED,
            FINE_ROBUST,
            FINE_COST,
            Contracts(BROKEN, FIRST),
            gate,
        )
        for gate in gates
    ]
    assert ["fail", "pass"] == [one["verdict"] for one in decided]


@pytest.mark.parametrize("wrong", [{"2": "why"}, {"2.0": " "}, {"two": "why"}, {2.0: "why"}, "why", None])
def test_a_declaration_names_a_version_and_a_reason(wrong: Any) -> None:
    """Anything else is refused before anything runs."""
    with pytest.raises(ValidationError):
        GATE.__class__.model_validate(GATE.model_dump() | {"breaking": wrong})


@pytest.mark.parametrize(
    ("found", "verdict", "said"),
    [
        (cost(), "pass", "The candidate does not take more than 3 times as long as the champion to answer."),
        (
            cost("one row", "10,000 rows"),
            "fail",
            "The candidate takes more than 3 times as long as the champion to answer one row and 10,000 rows; make the model "
            "smaller, or, if whoever waits can wait, raise evaluate.cost.max_ratio in conf/; flywheel cost shows the times.",
        ),
        (cost(champion=None), "pass", "Skipped: there is no champion whose answers could be faster."),
        (cost(why="the champion needs features: x"), "pass", "Skipped: the champion needs features: x."),
    ],
)
def test_what_the_rule_about_latency_says(found: Any, verdict: Verdict, said: str) -> None:
    """One sentence, in which no time is, so that it is the same on each machine."""
    assert {"rule": "latency", "verdict": verdict, "severity": "block", "reason": said} == fast_enough(found)


def test_a_slow_candidate_fails_a_gate_that_would_pass() -> None:
    """All else is a clear win; it is stopped for its latency alone."""
    evidences = (evidence(), FINE_COHORTS, FINE_BEHAVIOUR, FINE_PROBED, FINE_ROBUST)
    assert "pass" == decide(*evidences, FINE_COST, CONTRACTS, GATE)["verdict"]
    found = decide(*evidences, cost("10,000 rows"), CONTRACTS, GATE)
    assert ("fail", ["latency"]) == (found["verdict"], open_rules(found))


@pytest.mark.parametrize(
    "of_others", [cost(champion="other"), cost(champion=None), cost() | {"candidate": cost()["champion"]}]
)
def test_the_cost_of_other_models_is_no_evidence(of_others: Any) -> None:
    """It is then of another run than the metrics."""
    with pytest.raises(
        DataError, match=r"cost\.json is about candidate .*champion .* says that candidate c0ffee, champion"
    ):
        decide(evidence(), FINE_COHORTS, FINE_BEHAVIOUR, FINE_PROBED, FINE_ROBUST, of_others, CONTRACTS, GATE)
