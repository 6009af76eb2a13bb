"""A source whose truth is planted: a parcel is late the likelier the heavier it is and the farther it goes.

Some days a depot is slow, which its recent labels give away. Everything is drawn from one seed.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from flywheel.params import Count, Params, parse

DEPOTS = ("east", "north", "south")
EFFECT = np.array([0.0, 0.8, -0.8])
SPOKEN = ("late again, call +49 30 1234567", "fine", "mail me at anna@example.org", "where is it?")


class ParcelOptions(Params):
    """What `source.options` may hold."""

    seed: Count
    rows_a_day: Count
    first_day: str
    days: Count


def open_source(options: Mapping[str, Any]) -> Parcels:
    """The source that `options` describe. ConfigError names a wrong option."""
    return Parcels(parse(ParcelOptions, options))


class Parcels:
    """Predictions and feedback by day of arrival."""

    def __init__(self, options: ParcelOptions) -> None:
        """Draw all days at once."""
        self.first_day = dt.date.fromisoformat(options.first_day)
        self.last_day = self.first_day + dt.timedelta(days=options.days - 1)
        rng = np.random.default_rng(options.seed)
        self._world = _draw(self.first_day, options.days, options.rows_a_day, rng)
        self._said = _react(self._world, rng).sort_values(["received_at", "feedback_id"], ignore_index=True)

    def predictions(self, day: dt.date) -> pd.DataFrame:
        """The predictions served on a UTC day, with raw user ids; one of them is too heavy to be true."""
        return _of(self._world, "served_at", day).drop(columns="label")

    def feedback(self, day: dt.date) -> pd.DataFrame:
        """The feedback received on a UTC day, some of it twice, and one about a parcel that nobody knows."""
        mine = _of(self._said, "received_at", day)
        orphan = mine.head(1).assign(feedback_id=f"orphan-{day}", prediction_id="nobody knows it")
        return pd.concat([mine, orphan, mine.iloc[5:7]], ignore_index=True)

    def counts(self, table: str) -> Mapping[dt.date, int]:
        """How many rows of a table there are on each day."""
        days = [self.first_day + dt.timedelta(days=n) for n in range((self.last_day - self.first_day).days + 1)]
        given = self.predictions if table == "predictions" else self.feedback
        return {day: len(given(day)) for day in days}

    def truth(self) -> pd.DataFrame:
        """prediction_id and is_late (0 or 1) of every parcel; the loop never sees it."""
        return self._world[["prediction_id"]].assign(is_late=self._world["label"])


def _of(frame: pd.DataFrame, column: str, day: dt.date) -> pd.DataFrame:
    start = pd.Timestamp(day, tz="UTC")
    first, end = frame[column].searchsorted([start, start + pd.Timedelta(days=1)])
    return frame.iloc[first:end].reset_index(drop=True)


def _draw(first_day: dt.date, n_days: int, rows_a_day: int, rng: np.random.Generator) -> pd.DataFrame:
    """All parcels, in the order in which they were served, each with its true label."""
    n = n_days * rows_a_day
    day = np.repeat(np.arange(n_days), rows_a_day)
    seconds = np.sort(rng.integers(5 * 3600, 20 * 3600, (n_days, rows_a_day))).ravel()
    served_at = pd.Timestamp(first_day, tz="UTC") + pd.to_timedelta(day * 86_400 + seconds, unit="s")
    depot = rng.integers(0, len(DEPOTS), n)
    slow = rng.normal(0, 0.6, (n_days, len(DEPOTS)))[day, depot]
    weight, distance = rng.gamma(2.0, 5.0, n).round(1) + 0.1, rng.integers(5, 800, n)
    logit = -1.2 + 0.2 * (weight - 10) + EFFECT[depot] + slow + 0.004 * (distance - 400)
    failed = rng.random(n) < 0.01
    is_last = np.arange(n) % rows_a_day == rows_a_day - 1
    return pd.DataFrame(
        {
            "prediction_id": [f"{moment:%Y%m%d}-{k % rows_a_day:03}" for k, moment in enumerate(served_at)],
            "served_at": served_at.astype("datetime64[us, UTC]"),
            "user_id": [f"user {number}" for number in rng.integers(0, 200, n)],
            "model_version": "by-depot",
            "score": np.where(failed, np.nan, (1 / (1 + np.exp(1.0 - EFFECT[depot]))).round(4)),
            "latency_ms": rng.lognormal(3.5, 0.4, n).round(1),
            "error": pd.Series("timeout", index=range(n), dtype="str").where(failed),
            "in_depot": np.array(DEPOTS)[depot],
            "in_weight_kg": np.where(is_last, 9999.0, weight),
            "in_distance_km": distance,
            "in_stops": rng.integers(1, 9, n),
            "label": (rng.random(n) < 1 / (1 + np.exp(-logit))).astype("int64"),
        }
    )


def _react(world: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """Everything that is said about some parcels: outcomes of most, three reports and annotations of others."""
    n = len(world)
    has_outcome = rng.random(n) < 0.8
    parts = [_channel(world[has_outcome], "outcome", "scanner", 1.0, (1, 8), rng)]
    others = world[~has_outcome]
    parts += [_channel(others, "report", f"user {k}", 0.85, (1, 12), rng) for k in range(3)]
    parts += [_channel(others[::4], "annotation", name, 0.95, (2, 20), rng) for name in ("ann", "bob")]
    rated, told = _channel(world[::9], "rating", "user 9", 0.8, (1, 20), rng), world[4::25]
    parts.append(rated.assign(value=1 - 2 * rated["value"]))
    ticket = _channel(told, "ticket", "user 8", 1.0, (1, 20), rng)
    words = pd.Series(np.array(SPOKEN)[rng.integers(0, len(SPOKEN), len(told))], index=ticket.index, dtype="str")
    parts.append(ticket.assign(value=np.nan, text=words))
    return pd.concat(parts, ignore_index=True)


def _channel(
    about: pd.DataFrame, channel: str, source: str, accuracy: float, hours: tuple[int, int], rng: np.random.Generator
) -> pd.DataFrame:
    """One claim about each of some parcels by one source, so many hours after it was served."""
    is_right = rng.random(len(about)) < accuracy
    late = pd.to_timedelta(rng.integers(hours[0] * 60, hours[1] * 60, len(about)), unit="min")
    return pd.DataFrame(
        {
            "feedback_id": [f"{channel}-{source}-{name}" for name in about["prediction_id"]],
            "prediction_id": about["prediction_id"].to_numpy(),
            "received_at": (about["served_at"] + late).astype("datetime64[us, UTC]").array,
            "channel": channel,
            "source_id": source,
            "value": np.where(is_right, about["label"], 1 - about["label"]).astype("float64"),
            "text": pd.Series([None] * len(about), dtype="str"),
        }
    )
