"""The day files of the features."""

from __future__ import annotations

import datetime as dt

import pandas as pd
import pyarrow as pa
from typing_extensions import TypedDict

from flywheel import files, shapes
from flywheel.data import tables
from flywheel.data.ledger import digest_at
from flywheel.errors import DataError
from flywheel.files import FEATURES, as_frame, read_table

LEDGER = files.FEATURES / "ledger.json"


class FeatureLedger(TypedDict):
    """What is asked of the ledger of the features beside its days."""

    derived_by: str | None


def outputs(day: dt.date) -> str:
    """What the features of a day are, in short."""
    return digest_at([files.FEATURES / f"{day}.parquet"])


def derived_by() -> str | None:
    """The digest of the project's own code that derived the features; None where it has none. DataError for another shape."""
    found = shapes.read(LEDGER, FeatureLedger, shapes.DELETE)
    return found["derived_by"]


def read_features(start: dt.date, end: dt.date) -> pd.DataFrame:
    """The features of the predictions served from `start` up to, not including, `end`. DataError when there are none."""
    days = [day for day in tables.days_in(FEATURES) if start <= day < end]
    if not days:
        raise DataError(
            f"{FEATURES} has no day from {start} to {end}. Move clock.as_of, or make them with: flywheel run"
        )
    return as_frame(
        pa.concat_tables([read_table(FEATURES / f"{day}.parquet") for day in days], promote_options="permissive")
    )
