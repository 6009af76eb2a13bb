"""The floor: the same work as the pipeline, in one plain script without stages, files between them, or checks.

It reads the same events, concludes labels, joins, computes the same features, fits the same LightGBM, computes the same
metrics with intervals, and measures the same drift. What the pipeline takes beyond this is the price of its structure.
Run by bench.py, in a folder where the pipeline has run.
"""

from __future__ import annotations

import time

started = time.perf_counter()

import numpy as np
import pandas as pd

from flights.features import derive
from flywheel import files
from flywheel.data import tables
from flywheel.data.sources import open_source
from flywheel.evaluation import metrics
from flywheel.evaluation.cohorts import by_cohort
from flywheel.evaluation.compare import (
    compare,
    evaluation_rows,
    settings_of,
)
from flywheel.features.table import featurize
from flywheel.labels.conclude import conclude
from flywheel.labels.revisions import spans
from flywheel.loop.settings import AllParams
from flywheel.model import artifact
from flywheel.model.fit import (
    Rows,
    describe_features,
    fit,
    split,
    training_rows,
)
from flywheel.monitoring import drift
from flywheel.monitoring.windows import (
    drift_windows,
    reference_days,
)
from flywheel.params import load


def main() -> None:
    """Do the work once and print the seconds."""
    params = load(AllParams)
    as_of = params.clock.as_of
    source = open_source(params.source)
    days = tables.day_range(source.first_day, as_of)
    predictions = pd.concat([source.predictions(day) for day in days], ignore_index=True)
    feedback = pd.concat([source.feedback(day) for day in days], ignore_index=True).drop_duplicates("feedback_id")
    revisions = conclude(feedback, params.label)
    known = spans(revisions).merge(
        predictions.rename(columns=lambda name: name.removeprefix("in_")), on="prediction_id"
    )
    table = pd.concat([featurize(predictions, known, params.features), derive(predictions)], axis=1)

    start, end = (tables.timestamp(day) for day in params.windows.evaluation(as_of))
    learned = table[table["served_at"] < start]
    learned = training_rows(learned, revisions, start.date())
    described = describe_features(learned.drop(columns=["label", "label_confidence"]), params.features.categorical)
    part = split(learned["served_at"], start.date(), params.train)
    rows = Rows(learned, learned["label"].to_numpy(), learned["label_confidence"].to_numpy(), part)
    booster, calibration = fit(rows, described, params.model, params.train, [])
    candidate = artifact.Model(booster, calibration, {"features": described})

    judged = evaluation_rows(table[table["served_at"] >= start], revisions, end.date(), params.evaluate)
    champion = artifact.load_if_there(files.CHAMPION)
    scores = {"candidate": artifact.predict(candidate, judged)}
    if champion is not None:
        scores["champion"] = artifact.predict(champion, judged)
    scores["served"] = judged["served_score"].to_numpy()
    scores["base_rate"] = np.full(len(judged), learned["label"].mean())
    compare(judged, scores, params.evaluate)
    by_cohort(judged, scores, params.evaluate)
    settings = settings_of(params.evaluate)
    metrics.measure(
        metrics.count(scores["candidate"], judged["label"].to_numpy(), np.zeros(len(judged), int), 1), settings
    )

    current = table[table["served_at"] >= end - pd.Timedelta(days=params.windows.current_days)]
    drift.measure(learned[table.columns], current, params.features.categorical, params.monitor.drift)
    drift_windows(
        table,
        reference_days(champion, as_of, params.windows)[0],
        champion,
        as_of,
        params.features.categorical,
        params.monitor,
    )
    print(f"{time.perf_counter() - started:.3f}")


main()
