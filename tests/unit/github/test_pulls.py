"""What a commit's status says where somebody accepted the candidate."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from flywheel.github.pulls import gate_state
from flywheel.release.acceptance import Acceptance, Standing

OPEN = {
    "verdict": "inconclusive",
    "rules": [{"rule": "AUC", "verdict": "inconclusive", "severity": "block", "reason": "AUC may be worse."}],
}
HOLDS = Standing(Acceptance("Ada", "cheaper", dt.date(2030, 1, 31)))
EXPIRED = Standing(problem="it expired")


@pytest.mark.parametrize(
    ("stands", "problem", "expected"),
    [
        (Standing(), None, ("failure", "inconclusive: AUC may be worse.")),
        (HOLDS, None, ("success", "inconclusive, accepted: cheaper")),
        (EXPIRED, None, ("failure", "inconclusive: it expired")),
        (EXPIRED, "the loop is halted", ("failure", "the loop is halted")),
        (HOLDS, "the loop is halted", ("failure", "the loop is halted")),
    ],
)
def test_an_acceptance_opens_the_gate_only_while_it_holds(
    stands: Standing, problem: str | None, expected: tuple[str, str]
) -> None:
    """What is wrong with it is said, unless something is wrong with the run itself."""
    decision: Any = OPEN
    assert expected == gate_state(decision, stands, problem)
