"""Stage `featurize`: turn each prediction into features that use only what had arrived when it was served.

Run it with `python -m flywheel.stages.featurize`.
"""

from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo

import pandas as pd

from flywheel import events, files, labels
from flywheel.errors import ConfigError
from flywheel.history import history, window_length
from flywheel.params import Calendar, Features, FeaturizeParams
from flywheel.project import load_function
from flywheel.stages import run_stage

LEDGER = files.FEATURES / "ledger.json"


def main(params: FeaturizeParams) -> str:
    """Write one file a day to `data/features/`; computes only the days that are new, or all when code or conf changed."""
    upstream = files.read_metadata(files.LABELS)["fingerprint"]
    settings = {"features": params.features.model_dump(), "derive": params.project.derive}
    fingerprint = files.fingerprint("featurize", settings, upstream)
    ledger = files.read_json(LEDGER) if LEDGER.exists() else {}
    if ledger.get("fingerprint") != fingerprint:
        files.empty_folder(files.FEATURES)
        ledger = {"fingerprint": fingerprint, "days": {}}
        files.write_json(LEDGER, ledger)
    stored = [day for day in events.stored_days(files.VALID, "predictions") if day < params.clock.as_of]
    new = [day for day in stored if digest(day) is None or digest(day) != ledger["days"].get(day.isoformat())]
    if new:
        for day, rows in compute_days(params, new):
            files.write_parquet(files.FEATURES / f"{day}.parquet", rows)
        ledger["days"] = {day.isoformat(): digest(day) for day in stored}
        files.write_json(LEDGER, ledger)
    return f"{len(new)} new days of {len(stored)}"


def digest(day: dt.date) -> str | None:
    """What the file of a day is, in short; None where there is none."""
    return files.digest_of(files.FEATURES / f"{day}.parquet")


def compute_days(params: FeaturizeParams, new: list[dt.date]) -> list[tuple[dt.date, pd.DataFrame]]:
    """The features of each new day, from its predictions and the labels of the time before."""
    predictions = events.read_days(files.VALID, "predictions", new)
    keys = sorted({name for item in params.features.history for name in item.key})
    longest = max((window_length(w) for item in params.features.history for w in item.windows), default=pd.Timedelta(0))
    revisions = files.read_parquet(files.LABELS)
    revisions = revisions[revisions["known_at"] >= events.timestamp(new[0]) - longest]
    spans = labels.spans(revisions)
    asked = events.read_days(files.VALID, "predictions", None, ["prediction_id", *(f"in_{key}" for key in keys)])
    known = spans.merge(asked.rename(columns=lambda name: name.removeprefix("in_")), on="prediction_id")
    table = featurize(predictions, known, params.features)
    if params.project.derive:
        derived = load_function(params.project.derive, "project.derive")(predictions)
        check_derived(derived, predictions, params.project.derive, set(table.columns))
        table = pd.concat([table, derived], axis=1)
    by_day = dict(list(table.groupby(table["served_at"].dt.date)))
    return [(day, by_day.get(day, table.iloc[:0])) for day in new]


def featurize(predictions: pd.DataFrame, known: pd.DataFrame, params: Features) -> pd.DataFrame:
    """Features as declared in conf, one row a prediction, on the index of `predictions`.

    Columns: prediction_id, served_at, served_score, then numeric and categorical inputs without their prefix, calendar
    parts of `served_at` in local time, and history (see `flywheel.history`). `known` has the label spans with the key
    columns.
    """
    plain = {name: predictions[f"in_{name}"] for name in (*params.numeric, *params.categorical)}
    keys = {name: predictions[f"in_{name}"] for item in params.history for name in item.key}
    queries = pd.DataFrame({"served_at": predictions["served_at"], **keys})
    identity = {
        "prediction_id": predictions["prediction_id"],
        "served_at": predictions["served_at"],
        "served_score": predictions["score"],
    }
    return pd.concat(
        [
            pd.DataFrame(identity | plain),
            calendar(predictions["served_at"], params.calendar),
            history(queries, known, params.history),
        ],
        axis=1,
    )


def calendar(served_at: pd.Series, params: Calendar) -> pd.DataFrame:
    """Parts of the local time as numbers: hour 0-23, weekday 0 (Monday)-6, month 1-12."""
    local = served_at.dt.tz_convert(ZoneInfo(params.timezone))
    found = {part: getattr(local.dt, part).astype("float64") for part in params.parts}
    return pd.DataFrame({f"served_{part}": values for part, values in found.items()}, index=served_at.index)


def check_derived(derived: pd.DataFrame, predictions: pd.DataFrame, name: str, taken: set[str]) -> None:
    """ConfigError when the project's function does not give one row a prediction or reuses a column's name."""
    if not isinstance(derived, pd.DataFrame) or not derived.index.equals(predictions.index):
        raise ConfigError(f"project.derive: {name} must return one row for each prediction, on the same index.")
    words = [name for name in derived.columns if not pd.api.types.is_numeric_dtype(derived[name].dtype)]
    if words:
        raise ConfigError(f"project.derive: {name} must return numbers; these columns are none: {', '.join(words)}.")
    twice = sorted(taken & set(derived.columns))
    if twice:
        raise ConfigError(f"project.derive: {name} returns columns that are there already: {', '.join(twice)}.")


if __name__ == "__main__":
    run_stage(main, FeaturizeParams)
