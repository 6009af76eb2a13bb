"""Stage `evaluate`: candidate against champion, served score and base rate, on the same rows, with intervals.

Run it with `python -m flywheel.stages.evaluate`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from flywheel import files
from flywheel.errors import DataError
from flywheel.evaluation.behaviour import behave
from flywheel.evaluation.cohorts import by_cohort
from flywheel.evaluation.compare import compare, curve_points, evaluation_rows, reference_of, why_not_comparable
from flywheel.evaluation.evidence import shown
from flywheel.evaluation.leaks import probe
from flywheel.evaluation.settings import Evaluate
from flywheel.features.days import read_features
from flywheel.model import artifact
from flywheel.model.card import identity
from flywheel.model.settings import Windows
from flywheel.params import Clock, Params
from flywheel.stages import run_stage


class EvaluateParams(Params):
    """`params.yaml` as the stage `evaluate` sees it."""

    clock: Clock
    windows: Windows
    evaluate: Evaluate


def main(params: EvaluateParams) -> str:
    """Write `metrics.json`, `cohorts.json`, `behaviour.json`, `leaks.json` and the points of `curves/` into `reports/`."""
    start, end = params.windows.evaluation(params.clock.as_of)
    features = read_features(start, end)
    table = evaluation_rows(features, files.read_parquet(files.LABELS), end, params.evaluate)
    if table.empty or table["label"].nunique() < 2:
        raise DataError(
            f"the evaluation window {start} to {end} has {len(table)} labelled rows of fewer than two classes. "
            "See reports/labels.json, move clock.as_of, or widen windows.evaluation_days."
        )
    candidate, champion = artifact.load(files.CANDIDATE), artifact.load_if_there(files.CHAMPION)
    obstacle = why_not_comparable(champion, table, start)
    models = {"candidate": candidate} | ({"champion": champion} if champion and not obstacle else {})
    scores = {name: artifact.predict(one, table) for name, one in models.items()}
    if table["served_score"].notna().any():
        scores["served"] = table["served_score"].to_numpy()
    scores["base_rate"] = np.full(len(table), candidate.card["positive_share"])
    read = candidate.card["features"]
    inputs = table[[*read["numeric"], *read["categorical"]]]
    about: dict[str, Any] = {
        "candidate": {"as_of": candidate.card["as_of"], "identity": identity(files.CANDIDATE)},
        "champion": {
            "version": champion.card["version"] if champion else None,
            "identity": identity(files.CHAMPION),
            "why_not_compared": obstacle,
        },
        "confidence": params.evaluate.bootstrap.confidence,
        "block_days": {
            "intervals": params.evaluate.bootstrap.block_days,
            "check": params.evaluate.bootstrap.check_block_days,
        },
        "window": {
            "start": start.isoformat(),
            "end": end.isoformat(),
            "predictions": len(features),
            "rows": len(table),
            "days": int(table["served_at"].dt.date.nunique()),
            "positives": int(table["label"].sum()),
        },
        "cohorts": sorted(params.evaluate.cohorts),
        "behaviours": sorted(params.evaluate.behaviours),
        "inputs": sorted(inputs.columns),
    }
    files.write_json(files.METRICS, {"about": about, **compare(table, scores, params.evaluate)})
    files.write_json(files.COHORTS, by_cohort(table, scores, params.evaluate))
    files.write_json(files.BEHAVIOUR, behave(table, models, params.evaluate.behaviours))
    probed = probe(inputs, table["served_at"], table["label"].to_numpy(), params.evaluate.leaks)
    files.write_json(files.LEAKS, probed)
    files.empty_folder(files.CURVES)
    for name, found in curve_points(table, scores, params.evaluate).items():
        for curve, points in found.items():
            files.write_json(files.CURVES / name / f"{curve}.json", points, digits=5)
    return f"{len(table):,} rows over {about['window']['days']} days, against {shown(reference_of(scores))}"


if __name__ == "__main__":
    run_stage(main, EvaluateParams)
