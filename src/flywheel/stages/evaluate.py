"""Stage `evaluate`: candidate against champion, served score and base rate, on the same rows, with intervals.

Run it with `python -m flywheel.stages.evaluate`.
"""

from __future__ import annotations

import datetime as dt
from typing import Any

import numpy as np
import pandas as pd

from flywheel import events, files, labels, metrics, model
from flywheel.errors import ConfigError, DataError
from flywheel.params import Behaviour, Cohort, Evaluate, EvaluateParams
from flywheel.stages import run_stage

Scores = dict[str, np.ndarray]


def main(params: EvaluateParams) -> str:
    """Write `reports/metrics.json`, `cohorts.json`, `behaviour.json` and the points of the plots in `reports/curves/`."""
    start, end = params.windows.evaluation(params.clock.as_of)
    features = files.read_features(start, end)
    table = evaluation_rows(features, files.read_parquet(files.LABELS), end, params.evaluate)
    if table.empty or table["label"].nunique() < 2:
        raise DataError(
            f"the evaluation window {start} to {end} has {len(table)} labelled rows of fewer than two classes. "
            "See reports/labels.json, move clock.as_of, or widen windows.evaluation_days."
        )
    candidate, champion = model.load(files.CANDIDATE), model.load_if_there(files.CHAMPION)
    obstacle = why_not_comparable(champion, table, start)
    models = {"candidate": candidate} | ({"champion": champion} if champion and not obstacle else {})
    scores = {name: model.predict(one, table) for name, one in models.items()}
    scores["served"] = table["served_score"].to_numpy()
    scores["base_rate"] = np.full(len(table), candidate.card["positive_share"])
    about: dict[str, Any] = {
        "candidate": {"as_of": candidate.card["as_of"], "identity": model.identity(files.CANDIDATE)},
        "champion": {
            "version": champion.card["version"] if champion else None,
            "identity": model.identity(files.CHAMPION),
            "why_not_compared": obstacle,
        },
        "confidence": params.evaluate.bootstrap.confidence,
        "window": {
            "start": start.isoformat(),
            "end": end.isoformat(),
            "predictions": len(features),
            "rows": len(table),
            "days": int(table["served_at"].dt.date.nunique()),
            "positives": int(table["label"].sum()),
        },
    }
    files.write_json(files.METRICS, {"about": about, **compare(table, scores, params.evaluate)})
    files.write_json(files.COHORTS, by_cohort(table, scores, params.evaluate))
    files.write_json(files.BEHAVIOUR, behave(table, models, params.evaluate.behaviours))
    files.empty_folder(files.CURVES)
    for name, found in curve_points(table, scores, params.evaluate).items():
        for curve, points in found.items():
            files.write_json(files.CURVES / name / f"{curve}.json", points, digits=5)
    return f"{len(table):,} rows over {about['window']['days']} days, against {reference_of(scores)}"


def evaluation_rows(features: pd.DataFrame, revisions: pd.DataFrame, end: dt.date, params: Evaluate) -> pd.DataFrame:
    """Features, served score and label of the rows to measure on: those with a score and a label that is sure enough."""
    known = labels.known_before(revisions, events.timestamp(end))
    known = known[known["label_confidence"] >= params.min_confidence]
    table = features.merge(known[["prediction_id", "label"]], on="prediction_id")
    return table[table["served_score"].notna()].reset_index(drop=True)


def why_not_comparable(champion: model.Model | None, table: pd.DataFrame, start: dt.date) -> str | None:
    """Why the champion cannot be compared on these rows, in one sentence; None when it can (or when there is none)."""
    if champion is None:
        return None
    lacking = model.missing_columns(table, champion.card)
    if lacking:
        return f"the champion needs features that are gone: {', '.join(lacking)}"
    if dt.date.fromisoformat(champion.card["labels_known_before"]) > start:
        until = champion.card["labels_known_before"]
        return f"the champion was trained on days up to {until}, and the evaluation window starts on {start}"
    return None


def reference_of(scores: Scores) -> str:
    """What the candidate is compared with: the champion where there is one, else what was served."""
    return "champion" if "champion" in scores else "served"


def settings_of(params: Evaluate) -> metrics.Settings:
    """What the metrics need to know."""
    return metrics.Settings(params.costs, params.ece_bins)


def day_codes(served_at: pd.Series) -> tuple[np.ndarray, int]:
    """The day of each row as 0 .. n - 1, and n."""
    codes, days = pd.factorize(served_at.dt.date, sort=True)
    return codes, len(days)


def compare(table: pd.DataFrame, scores: Scores, params: Evaluate) -> dict[str, Any]:
    """Each model's metrics and the candidate's differences to the others, as value, low and high.

    All models are resampled with the same days, so the interval of a difference is that of paired differences.
    """
    settings = settings_of(params)
    day, n_days = day_codes(table["served_at"])
    label = table["label"].to_numpy()
    weights = metrics.day_weights(n_days, params.bootstrap)
    values, samples = {}, {}
    for name, score in scores.items():
        counts = metrics.count(score, label, day, n_days)
        values[name] = metrics.measure(counts, settings)
        samples[name] = metrics.bootstrap(counts, weights, settings)
    confidence = params.bootstrap.confidence

    def triple(value: float, drawn: np.ndarray) -> dict[str, float | None]:
        low, high = metrics.interval(drawn, confidence)
        return {"value": value, "low": low, "high": high}

    found: dict[str, Any] = {
        name: {metric: triple(value, samples[name][metric]) for metric, value in values[name].items()}
        for name in scores
    }
    found["difference"] = {
        other: {
            metric: triple(value - values[other][metric], samples["candidate"][metric] - samples[other][metric])
            for metric, value in values["candidate"].items()
        }
        for other in scores
        if other not in ("candidate", "base_rate")
    }
    return found


def cohort_names(column: pd.Series, cohort: Cohort) -> pd.Series:
    """The cohort of each row: the value itself, or the band `500-1000` that a number falls into (left edge included)."""
    if cohort.edges is None:
        return column
    edges = [-np.inf, *cohort.edges, np.inf]
    middle = [f"{low:g}-{high:g}" for low, high in zip(cohort.edges, cohort.edges[1:], strict=False)]
    names = [f"under {cohort.edges[0]:g}", *middle, f"{cohort.edges[-1]:g} and more"]
    return pd.cut(column, edges, right=False, labels=names).astype("str")


def by_cohort(table: pd.DataFrame, scores: Scores, params: Evaluate) -> dict[str, Any]:
    """The comparison within each cohort, with its counts. ConfigError when a cohort's column is not a feature."""
    found: dict[str, Any] = {}
    others = [name for name in scores if name != "base_rate"]
    for name, cohort in params.cohorts.items():
        if cohort.column not in table.columns:
            raise ConfigError(
                f"evaluate.cohorts.{name}: '{cohort.column}' is not a column. Columns: {', '.join(sorted(table.columns))}. "
                "Fix conf/project/."
            )
        if cohort.edges is not None and not pd.api.types.is_numeric_dtype(table[cohort.column].dtype):
            raise ConfigError(
                f"evaluate.cohorts.{name}: '{cohort.column}' has no numbers to cut at edges. Leave out its edges. "
                "Fix conf/project/."
            )
        groups = cohort_names(table[cohort.column], cohort)
        found[name] = {}
        for value in sorted(groups.dropna().unique()):
            mine = (groups == value).to_numpy()
            rows = table[mine].reset_index(drop=True)
            compared = compare(rows, {other: scores[other][mine] for other in others}, params)
            difference = compared.pop("difference")
            found[name][value] = {
                "rows": len(rows),
                "days": int(rows["served_at"].dt.date.nunique()),
                "positives": int(rows["label"].sum()),
                **{model_name: {m: t["value"] for m, t in one.items()} for model_name, one in compared.items()},
                "difference": difference,
            }
    return found


def behave(table: pd.DataFrame, models: dict[str, model.Model], behaviours: dict[str, Behaviour]) -> dict[str, Any]:
    """What happens to the scores when one input is set to a value: the share of rows that answer as expected.

    A behavioural test in the sense of CheckList (Ribeiro et al., 2020): it needs no label. A row that does not change
    counts as expected for `higher` and `lower` too.
    """
    found: dict[str, Any] = {}
    before = {name: model.predict(one, table) for name, one in models.items()}
    for name, behaviour in behaviours.items():
        numbers = models["candidate"].card["features"]["numeric"]
        if behaviour.column not in numbers:  # setting it would change nothing, and look like a pass
            raise ConfigError(
                f"evaluate.behaviours.{name}: '{behaviour.column}' is not a column of numbers that the model reads. "
                f"Columns: {', '.join(sorted(numbers))}. Fix conf/project/."
            )
        changed = table.assign(**{behaviour.column: behaviour.set})
        found[name] = {"column": behaviour.column, "set": behaviour.set, "expect": behaviour.expect}
        for model_name, one in models.items():
            shift = model.predict(one, changed) - before[model_name]
            as_expected = {"higher": shift >= 0, "lower": shift <= 0, "same": shift == 0}[behaviour.expect]
            found[name][model_name] = {"share_as_expected": as_expected.mean(), "mean_shift": shift.mean()}
    return found


def curve_points(table: pd.DataFrame, scores: Scores, params: Evaluate) -> dict[str, dict[str, list[dict[str, float]]]]:
    """Points of each curve of each model, for DVC plots and the report."""
    day, n_days = day_codes(table["served_at"])
    label = table["label"].to_numpy()
    return {
        name: metrics.curves(metrics.count(score, label, day, n_days), params.ece_bins)
        for name, score in scores.items()
        if name != "base_rate"
    }


if __name__ == "__main__":
    run_stage(main, EvaluateParams)
