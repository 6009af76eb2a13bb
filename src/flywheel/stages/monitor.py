"""Stage `monitor`: has the data moved since the champion was trained, and how is the service doing?

Run it with `python -m flywheel.stages.monitor`.
"""

from __future__ import annotations

from flywheel import files
from flywheel.data import tables
from flywheel.evaluation.settings import Evaluate
from flywheel.features.days import read_features
from flywheel.features.settings import Features
from flywheel.labels.revisions import known_before
from flywheel.model import artifact
from flywheel.model.card import trained_on
from flywheel.model.settings import Windows
from flywheel.monitoring import drift
from flywheel.monitoring.learned import learned_from
from flywheel.monitoring.quality import new_labels, quality_by_week, recent
from flywheel.monitoring.satisfaction import satisfaction
from flywheel.monitoring.service import latest_day, ratings_of, service_by_week
from flywheel.monitoring.settings import Monitor
from flywheel.monitoring.windows import between, drift_windows, reference_days, unknown_categories
from flywheel.params import Clock, Params
from flywheel.stages import run_stage


class MonitorParams(Params):
    """`params.yaml` as the stage `monitor` sees it."""

    clock: Clock
    features: Features
    windows: Windows
    evaluate: Evaluate
    monitor: Monitor


def main(params: MonitorParams) -> str:
    """Write `reports/monitor.json` (quality, service, satisfaction by week) and `reports/drift.json`."""
    as_of = params.clock.as_of
    champion = artifact.load_if_there(files.CHAMPION)
    reference_window, why = reference_days(champion, as_of, params.windows)
    current_window = params.windows.current(as_of)
    days = [day for day in tables.stored_days(files.VALID, "predictions") if day < as_of]
    features = artifact.add_score(read_features(days[0], as_of), champion)
    reference, current = (between(features, *window) for window in (reference_window, current_window))
    found = {
        "champion": champion.card["version"] if champion else None,
        "reference": {
            "start": str(reference_window[0]),
            "end": str(reference_window[1]),
            "rows": len(reference),
            "why": why,
        },
        "current": {"start": str(current_window[0]), "end": str(current_window[1]), "rows": len(current)},
        **drift.measure(reference, current, params.features.categorical, params.monitor.drift),
    }
    files.write_json(files.DRIFT, found, digits=5)
    revisions = files.read_parquet(files.LABELS)
    known = known_before(revisions, tables.timestamp(as_of))
    health = {
        "as_of": as_of.isoformat(),
        "champion": found["champion"],
        "quality": quality_by_week(features, known, params.evaluate, params.monitor, champion),
        "service": service_by_week(days, as_of, params.evaluate.bootstrap.confidence),
        "recent": recent(features, known, current_window, params.evaluate, params.monitor),
        "latest_day": latest_day(days),
        "new_labels": new_labels(known, champion),
        "drift_windows": drift_windows(
            features, reference_window, champion, as_of, params.features.categorical, params.monitor.drift
        ),
        "unknown_categories": unknown_categories(current, champion),
        "satisfaction": satisfaction(
            ratings_of(days[-params.monitor.satisfaction.days :]),
            features,
            as_of,
            params.evaluate,
            params.monitor.satisfaction,
        ),
        "learned": learned_from(
            files.read_parquet(files.VOICES),
            features,
            revisions,
            params.windows.training(as_of),
            trained_on(champion.card) if champion else None,
        ),
    }
    files.write_json(files.MONITOR, health)
    return f"{found['drifted']} of {found['columns']} columns drifted, {len(health['service'])} weeks"


if __name__ == "__main__":
    run_stage(main, MonitorParams)
