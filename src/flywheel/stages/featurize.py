"""Stage `featurize`: turn each prediction into features, using only what had arrived when it was served.

Run it with `python -m flywheel.stages.featurize`.
"""

from __future__ import annotations

from flywheel import files
from flywheel.data import tables
from flywheel.data.evidence import Entry
from flywheel.data.ledger import changed, fingerprint, open_days
from flywheel.data.ledger import digest as digest_code
from flywheel.features.days import LEDGER, outputs
from flywheel.features.inputs import inputs
from flywheel.features.settings import Features
from flywheel.features.table import compute_days
from flywheel.params import Clock, Params, Project
from flywheel.project import own_files
from flywheel.stages import run_stage


class FeaturizeParams(Params):
    """`params.yaml` as the stage `featurize` sees it."""

    clock: Clock
    project: Project
    features: Features


def main(params: FeaturizeParams) -> str:
    """Write one file a day to `data/features/`; computes only days that are new or can have changed."""
    upstream = files.read_metadata(files.LABELS).get("fingerprint", "")
    code = own_files(params.project.derive, "project.derive", params.project.code)
    settings = {"features": params.features.model_dump(), "derive": params.project.derive, "code": digest_code(code)}
    mark = fingerprint("featurize", settings, upstream)
    derived_by = digest_code(code) if params.project.derive else None
    stored = [day for day in tables.stored_days(files.VALID, "predictions") if day < params.clock.as_of]
    came = inputs(stored, files.read_parquet(files.LABELS), params.features)
    kept = open_days(LEDGER, Entry, mark)
    new = changed(stored, kept, came, outputs)
    tables.days_in(files.FEATURES)  # a stray file stops the run before anything is written
    if new or len(kept) != len(stored):
        for day, rows in compute_days(new, params.features, params.project.derive):
            files.write_parquet(files.FEATURES / f"{day}.parquet", rows)
        tables.drop_other_days(files.FEATURES, stored)
        days = {day.isoformat(): {"inputs": came[day], "outputs": outputs(day)} for day in stored}
        files.write_json(LEDGER, {"fingerprint": mark, "derived_by": derived_by, "days": days})
    return f"{len(new)} new days of {len(stored)}"


if __name__ == "__main__":
    run_stage(main, FeaturizeParams)
