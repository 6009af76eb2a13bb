"""Stage `gate`: turn the evidence of `evaluate` into a decision.

Run it with `python -m flywheel.stages.gate`. The rules are in `flywheel.evaluation.gate`.
"""

from __future__ import annotations

from flywheel import files
from flywheel.evaluation.evidence import read_evidence, verdict_in_words
from flywheel.evaluation.gate import decide
from flywheel.evaluation.settings import Gate
from flywheel.model.contract import read_contracts
from flywheel.params import Params
from flywheel.stages import run_stage


class GateParams(Params):
    """`params.yaml` as the stage `gate` sees it."""

    gate: Gate


def main(params: GateParams) -> str:
    """Write `reports/decision.json`."""
    decision = decide(*read_evidence(), read_contracts(), params.gate)
    files.write_json(files.DECISION, decision)
    return verdict_in_words(decision)


if __name__ == "__main__":
    run_stage(main, GateParams)
