"""The rows of the predictions that have a label, to look at: which label, and when it was known."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd
import pyarrow as pa

from flywheel.data.sources import mapping
from flywheel.labels.claims import VOTES
from flywheel.params import parse
from flywheel.start import joining
from flywheel.start.profile import Column, Profile

MOST = 0.9  # of the labels: after how long so many are known is how late labels come
# What is added to the rows of a table, under names that no column has.
SERVED, KNOWN, LABEL, NAMED, SAID = "(served_at)", "(known_at)", "(label)", "(id)", "(said)"


def rows_of(served: Profile, ids: list[str], at: Column, zone: str) -> pd.DataFrame:
    """The predictions, or a share of them, each with its id and its moment; those without a moment are left out."""
    frame = served.sample(list(served.columns), ids)
    when = _moments(frame[at.name], {"time": at.time, "timezone": zone})
    return frame.assign(**{NAMED: joining.as_ids(frame, ids), SERVED: when}).dropna(subset=[SERVED])


def labels_of(rows: pd.DataFrame, outcome: dict[str, Any]) -> pd.DataFrame:
    """The predictions that have an outcome, with their label and when it was known."""
    if "known_at" in outcome:
        known_at = _moments(rows[outcome["known_at"]], outcome)
    else:
        known_at = rows[SERVED] + mapping.length(outcome["known_after"])
    return _with_labels(rows.assign(**{KNOWN: known_at}), rows[outcome["value"]], outcome.get("values", {}))


def labels_from(rows: pd.DataFrame, said: Profile, table: dict[str, Any]) -> pd.DataFrame:
    """The predictions of which somebody said what happened, once for each that said so."""
    columns = table["columns"]
    about, value, at = columns["prediction_id"], columns["value"], columns["received_at"]
    extra = [columns["channel"]] if "channel" in columns else []
    claims = said.sample([about, value, at, *extra], [about])
    channel = claims[extra[0]] if extra else pd.Series(table["channel"], claims.index)
    claims = claims[channel.isin(VOTES)]
    known_at = _moments(claims[at], table)
    claims = pd.DataFrame({NAMED: joining.as_ids(claims, [about]), SAID: claims[value], KNOWN: known_at})
    joined = rows.merge(claims.dropna(subset=[NAMED]), on=NAMED)
    return _with_labels(joined, joined[SAID], table.get("values", {}))


def said_at(said: Profile, about: str, at: Column, zone: str) -> pd.DataFrame:
    """Which prediction each row of the feedback would name by a column, and when it was known."""
    claims = said.sample([about, at.name], [about])
    known_at = _moments(claims[at.name], {"time": at.time, "timezone": zone})
    return pd.DataFrame({NAMED: joining.as_ids(claims, [about]), KNOWN: known_at})


def lag_of(labelled: pd.DataFrame) -> int:
    """After how many days most labels are known, each for the first time; 0 where that is less than a day."""
    first = labelled.dropna(subset=[KNOWN]).sort_values(KNOWN).drop_duplicates(NAMED)
    days = (first[KNOWN] - first[SERVED]).dt.total_seconds().quantile(MOST) / 86_400 if len(first) else 0.0
    return math.ceil(days) if days >= 1 else 0


def _moments(values: pd.Series, written: dict[str, Any]) -> pd.Series:
    """Moments in UTC; those that cannot be understood are null."""
    options = parse(mapping.Moments, {key: written[key] for key in ("time", "timezone") if key in written})
    found, _ = mapping.moments(pa.chunked_array([pa.array(values, from_pandas=True)]), options)
    style = "ISO8601" if pa.types.is_string(found.type) else None
    return pd.Series(
        pd.to_datetime(found.to_pandas(), utc=True, errors="coerce", format=style).array, index=values.index
    )


def _with_labels(frame: pd.DataFrame, came: pd.Series, words: dict[str, int]) -> pd.DataFrame:
    numbers = mapping.values(pa.chunked_array([pa.array(came, from_pandas=True)]), words)  # type: ignore[arg-type]
    label = pd.to_numeric(numbers.to_pandas(), errors="coerce")
    found = frame.assign(**{LABEL: label.to_numpy()})
    return found[found[LABEL].isin((0, 1))].astype({LABEL: "int64"}).reset_index(drop=True)
