"""The table of features, one row a prediction: inputs, calendar, history, and the project's own."""

from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo

import pandas as pd

from flywheel import files
from flywheel.data import tables
from flywheel.errors import ConfigError
from flywheel.features.history import history, window_length
from flywheel.features.settings import RESERVED, Calendar, Features
from flywheel.labels.revisions import spans
from flywheel.project import load_function


def compute_days(new: list[dt.date], params: Features, derive: str | None) -> list[tuple[dt.date, pd.DataFrame]]:
    """The features of each new day, from its predictions and earlier labels."""
    if not new:
        return []
    predictions = tables.read_days(files.VALID, "predictions", new)
    keys = sorted({name for item in params.history for name in item.key})
    longest = max((window_length(w) for item in params.history for w in item.windows), default=pd.Timedelta(0))
    revisions = files.read_parquet(files.LABELS)
    revisions = revisions[revisions["known_at"] >= tables.timestamp(new[0]) - longest]
    held = spans(revisions)
    asked = tables.read_days(files.VALID, "predictions", None, ["prediction_id", *(f"in_{key}" for key in keys)])
    known = held.merge(asked.rename(columns=lambda name: name.removeprefix("in_")), on="prediction_id")
    table = featurize(predictions, known, params)
    if derive:
        derived = load_function(derive, "project.derive")(predictions)
        check_derived(derived, predictions, derive, {*table.columns, *RESERVED})
        table = pd.concat([table, derived], axis=1)
    by_day = dict(list(table.groupby(table["served_at"].dt.date)))
    return [(day, by_day.get(day, table.iloc[:0])) for day in new]


def featurize(predictions: pd.DataFrame, known: pd.DataFrame, params: Features) -> pd.DataFrame:
    """Features as declared in conf, one row a prediction, on the index of `predictions`.

    Columns: prediction_id, served_at, served_score, then numeric and categorical inputs without their prefix, calendar
    parts of `served_at` in local time, and history (see `flywheel.features.history`). `known` has the label spans with the key
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
    """ConfigError when the project's function does not return one row a prediction, or reuses a column's name."""
    if not isinstance(derived, pd.DataFrame) or not derived.index.equals(predictions.index):
        raise ConfigError(f"project.derive: {name} must return one row for each prediction, on the same index.")
    words = [name for name in derived.columns if not pd.api.types.is_numeric_dtype(derived[name].dtype)]
    if words:
        raise ConfigError(f"project.derive: {name} must return numbers; these columns are not: {', '.join(words)}.")
    twice = sorted(taken & set(derived.columns))
    if twice:
        raise ConfigError(f"project.derive: {name} returns columns that already exist: {', '.join(twice)}.")
