"""The JSON Schema of `reports/decision.json`, for whoever reads decisions with other tools.

It is in `decision.schema.json`, beside this file, and made from the shape in the code. After a change of that shape, make it
again with `python -m flywheel.evaluation.schema`.
"""

from __future__ import annotations

import json
from pathlib import Path

from pydantic import TypeAdapter

from flywheel import files
from flywheel.evaluation.evidence import Decision

PLACE = Path(__file__).with_name("decision.schema.json")


def decision_schema() -> str:
    """The schema as it is written: JSON Schema, draft 2020-12."""
    made = {"$schema": "https://json-schema.org/draft/2020-12/schema", **TypeAdapter(Decision).json_schema()}
    return json.dumps(made, indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    files.write_text(PLACE, decision_schema())
