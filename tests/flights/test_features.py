"""The example project's own features, on rows written here."""

from __future__ import annotations

import numpy as np
import pandas as pd

from flights.features import derive


def predictions(**columns: list[float | None]) -> pd.DataFrame:
    row_count = len(next(iter(columns.values())))
    usual = {
        "in_scheduled_departure_min": 600,
        "in_scheduled_arrival_min": 720,
        "in_wind_speed_mph": 10.0,
        "in_wind_direction_deg": 90.0,
        "in_temperature_f": 60.0,
        "in_dew_point_f": 50.0,
    }
    return pd.DataFrame({name: columns.get(name, [value] * row_count) for name, value in usual.items()}).astype(
        {name: "float64" for name in usual if not name.startswith("in_scheduled")}
    )


def test_planned_minutes_go_past_midnight() -> None:
    """A flight that leaves at 23:00 and arrives at 01:30 takes two and a half hours by the clocks."""
    derived = derive(predictions(in_scheduled_departure_min=[600, 1380], in_scheduled_arrival_min=[720, 90]))
    assert derived["planned_minutes"].tolist() == [120, 150]


def test_wind_is_a_vector() -> None:
    """Wind from the north, east, south and west has the sign of where it comes from."""
    derived = derive(predictions(in_wind_direction_deg=[360.0, 90.0, 180.0, 270.0]))
    assert derived["wind_north_mph"].tolist() == [10, 0, -10, 0]
    assert derived["wind_east_mph"].tolist() == [0, 10, 0, -10]


def test_calm_air_has_no_direction() -> None:
    """Without wind both components are zero, even if the direction is missing."""
    derived = derive(predictions(in_wind_speed_mph=[0.0], in_wind_direction_deg=[None]))
    assert derived[["wind_north_mph", "wind_east_mph"]].to_numpy().tolist() == [[0, 0]]


def test_missing_inputs_give_missing_features() -> None:
    """A wind of unknown direction or speed, or an unknown dew point, is not guessed."""
    derived = derive(
        predictions(in_wind_speed_mph=[10.0, None], in_wind_direction_deg=[None, 90.0], in_dew_point_f=[None, 50.0])
    )
    assert derived["wind_north_mph"].isna().all()
    assert derived["wind_east_mph"].isna().all()
    assert derived["dew_point_gap_f"].isna().tolist() == [True, False]


def test_a_row_does_not_see_the_others() -> None:
    """Any part of the rows, in any order, gives the same features under the same index, and the inputs stay as they were."""
    rng = np.random.default_rng(1)
    frame = predictions(
        in_wind_direction_deg=rng.uniform(0, 360, 50).tolist(), in_dew_point_f=rng.normal(50, 9, 50).tolist()
    )
    before = frame.copy()
    some = rng.permutation(50)[:20]
    pd.testing.assert_frame_equal(derive(frame.iloc[some]), derive(frame).iloc[some])
    pd.testing.assert_frame_equal(frame, before)
