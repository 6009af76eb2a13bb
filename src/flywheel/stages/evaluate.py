"""Stage `evaluate`: the stand-ins of candidate and champion, served score and base rate, on the same rows, with intervals.

Run it with `python -m flywheel.stages.evaluate`.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pandas as pd

from flywheel import files
from flywheel.evaluation.behaviour import behave
from flywheel.evaluation.calibration import calibration, reliability
from flywheel.evaluation.cohorts import by_cohort, reliability_by_cohort
from flywheel.evaluation.compare import Scores, compare, curve_points, reference_of
from flywheel.evaluation.cost import measure
from flywheel.evaluation.decisions import decision_curve, flips_of
from flywheel.evaluation.evidence import shown
from flywheel.evaluation.gaps import gaps
from flywheel.evaluation.intervals import WEIGHT
from flywheel.evaluation.leaks import probe
from flywheel.evaluation.pooled import as_it_is, by_window, pool, span
from flywheel.evaluation.propensity import Weighed
from flywheel.evaluation.robustness import robustness
from flywheel.evaluation.selection import describe, weigh_rows
from flywheel.evaluation.settings import Evaluate
from flywheel.evaluation.slices import find_slices
from flywheel.model import artifact
from flywheel.model.card import identity
from flywheel.model.index import read_index
from flywheel.params import Clock, Params
from flywheel.stages import run_stage


class EvaluateParams(Params):
    """`params.yaml` as the stage `evaluate` sees it."""

    clock: Clock
    evaluate: Evaluate


def main(params: EvaluateParams) -> str:
    """Write into `reports/`, as JSON, metrics, cohorts, behaviour, leaks, robustness, slices, cost and the points of `curves/`.

    And `selection.json`, who has a label; `data/weights.parquet` says how much each labelled row counts. What is true of this
    machine alone, the times of the models, goes to `.flywheel/`.
    """
    index, revisions = read_index(), files.read_parquet(files.LABELS)
    candidate, champion = artifact.load(files.CANDIDATE), artifact.load_if_there(files.CHAMPION)
    pooled = pool(index, params.clock.as_of, revisions, champion, params.evaluate)
    said = revisions, files.read_parquet(files.WITHOUT_OUTCOME)
    read = candidate.card["features"]
    weights: list[pd.DataFrame] = []  # of the windows, and of those that the champion has not seen

    def weigh(rows: pd.DataFrame, scores: Scores, served: pd.DataFrame) -> Weighed:
        found = weigh_rows(rows, scores, served, said, params.clock.as_of, read, params.evaluate)
        weights.append(rows[["prediction_id"]].assign(weight=found.weight))
        return found

    weighed = weigh(pooled.table, pooled.scores, pooled.served)
    is_weighed = params.evaluate.selection.weigh
    if is_weighed:
        pooled = replace(pooled, table=pooled.table.assign(**{WEIGHT: weighed.weight}))
    table, scores = pooled.table, pooled.scores
    models = {"candidate": candidate} | ({"champion": champion} if champion and not pooled.obstacle else {})
    inputs = table[[*read["numeric"], *read["categorical"]]]
    about: dict[str, Any] = {
        "candidate": {"as_of": candidate.card["as_of"], "identity": identity(files.CANDIDATE)},
        "champion": {
            "version": champion.card["version"] if champion else None,
            "identity": identity(files.CHAMPION),
            "why_not_compared": pooled.obstacle,
        },
        "confidence": params.evaluate.bootstrap.confidence,
        "block_days": {
            "intervals": params.evaluate.bootstrap.block_days,
            "check": params.evaluate.bootstrap.check_block_days,
        },
        "kind": index["kind"],
        "recipe": index["recipe"],
        "window": span(pooled),
        "left_out": [*pooled.left_out, *index["left_out"]],
        "why_as_it_is": index["why_as_it_is"],
        "cohorts": sorted(params.evaluate.cohorts),
        "behaviours": sorted(params.evaluate.behaviours),
        "inputs": sorted(inputs.columns),
    }
    cohorts = by_cohort(table, scores, params.evaluate)  # first: it refuses what conf has wrong about them
    measured = {
        "about": about,
        **compare(table, scores, params.evaluate),
        "gaps": gaps(table, scores, params.evaluate),
        "calibration": calibration(table, scores, params.evaluate),
        "flips": flips_of(table, scores, params.evaluate),
        "windows": by_window(pooled, candidate, params.clock.as_of, params.evaluate),
        "as_it_is": as_it_is(
            index, pooled, revisions, champion, params.clock.as_of, params.evaluate, weigh if is_weighed else None
        ),
    }
    files.write_json(files.METRICS, measured)
    files.write_json(files.SELECTION, describe(table, scores, pooled.served, weighed, params.evaluate))
    of_which = ["windows", "as_it_is"][: len(weights)]
    files.write_parquet(files.WEIGHTS, pd.concat(weights, keys=of_which, names=["of"]).reset_index(level=0))
    files.write_json(files.COHORTS, cohorts)
    files.write_json(files.BEHAVIOUR, behave(pooled.latest, models, params.evaluate.behaviours))
    label, served_score = table["label"].to_numpy(), table["served_score"]
    probed = probe(inputs, table["served_at"], label, params.evaluate.leaks, served_score)
    files.write_json(files.LEAKS, probed)
    files.write_json(files.ROBUSTNESS, robustness(pooled.latest, candidate, params.evaluate))
    files.write_json(files.SLICES, find_slices(table, sorted(inputs.columns), scores, params.evaluate))
    cost, timed = measure(pooled.table, candidate, champion, params.evaluate.cost)
    files.write_json(files.COST, cost)
    files.write_json(files.LATENCY, timed)
    files.empty_folder(files.CURVES)
    for name, found in curve_points(table, scores, params.evaluate).items():
        for curve, points in {**found, "reliability": reliability(table, scores[name], params.evaluate)}.items():
            files.write_json(files.CURVES / name / f"{curve}.json", points, digits=5)
    within = reliability_by_cohort(table, scores["candidate"], params.evaluate)
    files.write_json(files.CURVES / "cohorts.json", within, digits=5)
    files.write_json(files.CURVES / "decision.json", decision_curve(table, scores, params.evaluate), digits=5)
    n = len(pooled.parts)
    return f"{len(table):,} rows of {n} {'window' if n == 1 else 'windows'}, against {shown(reference_of(scores))}"


if __name__ == "__main__":
    run_stage(main, EvaluateParams)
