"""A feature of parcels that `conf/` cannot declare."""

from __future__ import annotations

import pandas as pd


def derive(predictions: pd.DataFrame) -> pd.DataFrame:
    """With the same index: km_per_stop, the distance between two stops of the tour; null where an input is null."""
    return pd.DataFrame({"km_per_stop": predictions["in_distance_km"] / predictions["in_stops"]})
