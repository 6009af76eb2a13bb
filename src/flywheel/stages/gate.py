"""Stage `gate`: turn the evidence of `evaluate` into a decision.

Run it with `python -m flywheel.stages.gate`. The rules are in `flywheel.gate`.
"""

from __future__ import annotations

from flywheel import files
from flywheel.evaluation.evidence import read_evidence
from flywheel.evaluation.gate import decide
from flywheel.evaluation.settings import Gate
from flywheel.params import Params
from flywheel.stages import run_stage


class GateParams(Params):
    """`params.yaml` as the stage `gate` sees it."""

    gate: Gate


def main(params: GateParams) -> str:
    """Write `reports/decision.json`."""
    decision = decide(*read_evidence(), params.gate)
    files.write_json(files.DECISION, decision)
    open_rules = [rule["rule"] for rule in decision["rules"] if rule["verdict"] != "pass"]
    return str(decision["verdict"]) + (f": {', '.join(open_rules)}" if open_rules else "")


if __name__ == "__main__":
    run_stage(main, GateParams)
