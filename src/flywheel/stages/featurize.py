"""Stage `featurize`: turn each prediction into features that use only what had arrived when it was served.

Run it with `python -m flywheel.stages.featurize`.
"""

from __future__ import annotations

from flywheel import files
from flywheel.data import tables
from flywheel.data.ledger import fingerprint
from flywheel.features.days import LEDGER, digest
from flywheel.features.settings import Features
from flywheel.features.table import compute_days
from flywheel.params import Clock, Params, Project
from flywheel.stages import run_stage


class FeaturizeParams(Params):
    """`params.yaml` as the stage `featurize` sees it."""

    clock: Clock
    project: Project
    features: Features


def main(params: FeaturizeParams) -> str:
    """Write one file a day to `data/features/`; computes only the days that are new, or all when code or conf changed."""
    upstream = files.read_metadata(files.LABELS)["fingerprint"]
    settings = {"features": params.features.model_dump(), "derive": params.project.derive}
    mark = fingerprint("featurize", settings, upstream)
    ledger = files.read_json(LEDGER) if LEDGER.exists() else {}
    if ledger.get("fingerprint") != mark:
        files.empty_folder(files.FEATURES)
        ledger = {"fingerprint": mark, "days": {}}
        files.write_json(LEDGER, ledger)
    stored = [day for day in tables.stored_days(files.VALID, "predictions") if day < params.clock.as_of]
    new = [day for day in stored if digest(day) is None or digest(day) != ledger["days"].get(day.isoformat())]
    if new:
        for day, rows in compute_days(new, params.features, params.project.derive):
            files.write_parquet(files.FEATURES / f"{day}.parquet", rows)
        ledger["days"] = {day.isoformat(): digest(day) for day in stored}
        files.write_json(LEDGER, ledger)
    return f"{len(new)} new days of {len(stored)}"


if __name__ == "__main__":
    run_stage(main, FeaturizeParams)
