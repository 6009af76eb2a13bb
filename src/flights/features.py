"""Features of flights that `conf/` cannot declare: each row by itself, from the inputs of that row."""

from __future__ import annotations

import numpy as np
import pandas as pd


def derive(predictions: pd.DataFrame) -> pd.DataFrame:
    """Features of each prediction, with the same index; null where an input is null.

    planned_minutes: scheduled minutes from departure to arrival by the two local clocks, so time zones are in it.
    wind_north_mph, wind_east_mph: the wind as a vector, positive when it blows from the north or from the east. 350 and 10
    degrees are neighbours here, and calm air has no direction. dew_point_gap_f: near zero, there may be fog.
    """
    departure, arrival = predictions["in_scheduled_departure_min"], predictions["in_scheduled_arrival_min"]
    speed = predictions["in_wind_speed_mph"]
    angle = np.deg2rad(predictions["in_wind_direction_deg"].mask(speed == 0, 0.0))
    return pd.DataFrame(
        {
            "planned_minutes": (arrival - departure) % (24 * 60),
            "wind_north_mph": (speed * np.cos(angle)).round(3),
            "wind_east_mph": (speed * np.sin(angle)).round(3),
            "dew_point_gap_f": predictions["in_temperature_f"] - predictions["in_dew_point_f"],
        },
        index=predictions.index,
    )
