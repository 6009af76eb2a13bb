"""The day files of the features."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import pandas as pd

from flywheel import files
from flywheel.data.ledger import digest_of
from flywheel.errors import DataError
from flywheel.files import FEATURES, as_frame, read_table

if TYPE_CHECKING:  # the libraries of tables load slowly, and the commands use only paths and JSON
    import pandas as pd


LEDGER = files.FEATURES / "ledger.json"


def digest(day: dt.date) -> str | None:
    """What the file of a day is, in short; None where there is none."""
    return digest_of(files.FEATURES / f"{day}.parquet")


def read_features(start: dt.date, end: dt.date) -> pd.DataFrame:
    """The features of the predictions served from `start` up to, not including, `end`. DataError when there are none."""
    import pyarrow as pa

    paths = sorted(path for path in FEATURES.glob("*.parquet") if start <= dt.date.fromisoformat(path.stem) < end)
    if not paths:
        raise DataError(
            f"{FEATURES} has no day from {start} to {end}. Move clock.as_of, or make them with: flywheel run"
        )
    return as_frame(pa.concat_tables([read_table(path) for path in paths], promote_options="permissive"))
