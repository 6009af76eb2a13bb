"""The floor: the same work as the pipeline, in one plain script without stages, files between them, or checks.

It reads the same events, concludes labels, joins, computes the same features, fits the same LightGBM, computes the same
metrics with intervals, and measures the same drift. What the pipeline takes beyond this is the price of its structure.
Run by bench.py, in a folder where the pipeline has run.
"""

from __future__ import annotations

import time

started = time.perf_counter()

import numpy as np  # noqa: E402
import pandas as pd  # noqa: E402

from flights.features import derive  # noqa: E402
from flywheel import drift, events, files, labels, metrics, model  # noqa: E402
from flywheel.params import AllParams, load  # noqa: E402
from flywheel.sources import open_source  # noqa: E402
from flywheel.stages import evaluate, featurize, label, monitor, train  # noqa: E402


def main() -> None:
    """Do the work once and print the seconds."""
    params = load(AllParams)
    as_of = params.clock.as_of
    source = open_source(params.source)
    days = events.day_range(source.first_day, as_of)
    predictions = pd.concat([source.predictions(day) for day in days], ignore_index=True)
    feedback = pd.concat([source.feedback(day) for day in days], ignore_index=True).drop_duplicates("feedback_id")
    revisions = label.conclude(feedback, params.label)
    known = labels.spans(revisions).merge(
        predictions.rename(columns=lambda name: name.removeprefix("in_")), on="prediction_id"
    )
    table = pd.concat([featurize.featurize(predictions, known, params.features), derive(predictions)], axis=1)

    start, end = (events.timestamp(day) for day in params.windows.evaluation(as_of))
    learned = table[table["served_at"] < start]
    learned = train.training_rows(learned, revisions, start.date())
    described = model.describe_features(
        learned.drop(columns=["label", "label_confidence"]), params.features.categorical
    )
    part = train.split(learned["served_at"], start.date(), params.train)
    rows = model.Rows(learned, learned["label"].to_numpy(), learned["label_confidence"].to_numpy(), part)
    booster, calibration = model.fit(rows, described, params.model, params.train, [])
    candidate = model.Model(booster, calibration, {"features": described})

    judged = evaluate.evaluation_rows(table[table["served_at"] >= start], revisions, end.date(), params.evaluate)
    champion = model.load_if_there(files.CHAMPION)
    scores = {"candidate": model.predict(candidate, judged)}
    if champion is not None:
        scores["champion"] = model.predict(champion, judged)
    scores["served"] = judged["served_score"].to_numpy()
    scores["base_rate"] = np.full(len(judged), learned["label"].mean())
    evaluate.compare(judged, scores, params.evaluate)
    evaluate.by_cohort(judged, scores, params.evaluate)
    settings = evaluate.settings_of(params.evaluate)
    metrics.measure(
        metrics.count(scores["candidate"], judged["label"].to_numpy(), np.zeros(len(judged), int), 1), settings
    )

    current = table[table["served_at"] >= end - pd.Timedelta(days=params.windows.current_days)]
    drift.measure(learned[table.columns], current, params.features.categorical, params.monitor.drift)
    monitor.drift_windows(table, monitor.reference_days(champion, params)[0], champion, params)
    print(f"{time.perf_counter() - started:.3f}")


main()
