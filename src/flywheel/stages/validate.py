"""Stage `validate`: split what arrived into good and rejected rows, and say how healthy the data is.

Run it with `python -m flywheel.stages.validate`.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from flywheel import files
from flywheel.data import tables, tombstones
from flywheel.data.evidence import CheckedDay, read_corrections, read_late
from flywheel.data.identity import read_identity
from flywheel.data.ledger import fingerprint, open_days, to_do
from flywheel.data.quality import in_words, summarize
from flywheel.data.settings import Contract, Privacy, Validate
from flywheel.data.validation import LEDGER, check_days, inputs, outputs
from flywheel.errors import DataError
from flywheel.params import Clock, Params
from flywheel.stages import run_stage


class ValidateParams(Params):
    """`params.yaml` as the stage `validate` sees it."""

    clock: Clock
    privacy: Privacy
    contract: Contract
    validate_: Annotated[Validate, Field(alias="validate")]


def main(params: ValidateParams) -> str:
    """Write `data/valid/`, `data/rejected/` and `reports/quality.json`; checks only new days, and from a changed day on."""
    mark = fingerprint("validate", [params.contract.model_dump(), params.privacy.model_dump()], read_identity())
    ledger = open_days(LEDGER, CheckedDay, mark)
    collected = [day for day in tables.stored_days(files.EVENTS, "feedback") if day < params.clock.as_of]
    stale = to_do(collected, ledger, {day: inputs(day) for day in collected}, outputs)
    # A day is checked against the ids of all earlier days, so every day after the first stale one is stale too.
    new = [day for day in collected if stale and day >= stale[0]]
    before = [day for day in collected if day not in new]
    made = check_days(params.contract, new, before, params.privacy) if new else {}
    days = {day.isoformat(): made[day] if day in made else ledger[day.isoformat()] for day in collected}
    files.write_json(LEDGER, {"fingerprint": mark, "days": days})
    quality = summarize(days, params.clock.as_of, params.validate_, read_late(), read_corrections())
    forgotten = tombstones.describe(tombstones.read())
    if forgotten is not None:
        quality["forgotten"] = forgotten
    files.write_json(files.QUALITY, quality)
    total = quality["total"]
    recent = quality["recent"]
    if recent["rejected_share"] > params.validate_.max_rejected_share:
        raise DataError(
            f"{recent['rejected_share']:.1%} of the rows of the last {params.validate_.recent_days} days were "
            f"rejected; allowed is {params.validate_.max_rejected_share:.1%} (validate.max_rejected_share). "
            f"Broken most often: {in_words(recent['worst'])}. All are in {files.REJECTED}, with the rule each one broke. "
            "Fix the source, or the contract if the data has changed for good."
        )
    return f"{total['rows'] - total['rejected']:,} good rows, {total['rejected']:,} rejected, days checked: {len(new)}"


if __name__ == "__main__":
    run_stage(main, ValidateParams)
