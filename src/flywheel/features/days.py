"""The day files of the features."""

from __future__ import annotations

import datetime as dt
import hashlib
import itertools
from collections.abc import Sequence

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from flywheel import files
from flywheel.data import tables
from flywheel.data.ledger import digest_at
from flywheel.errors import DataError
from flywheel.files import FEATURES, as_frame, read_table

LEDGER = files.FEATURES / "ledger.json"


MOVE = pa.schema({"prediction_id": pa.string(), "label": pa.int64(), "known_at": tables.MOMENT, "at": tables.MOMENT})


def inputs(days: Sequence[dt.date], revisions: pd.DataFrame) -> dict[dt.date, str]:
    """What the features of each day were made from that no earlier day has, in short.

    That is the day's good predictions, and what was concluded, or taken back, about any prediction on that day. What a
    feature knows of other days is in the digests of those days, all of them earlier.
    """
    concluded = by_day(revisions)
    return {
        day: hashlib.sha256(
            f"{digest_at([tables.day_path(files.VALID, 'predictions', day)])} {concluded.get(day)}".encode()
        ).hexdigest()[:16]
        for day in days
    }


def by_day(revisions: pd.DataFrame) -> dict[dt.date, str]:
    """A digest of the revisions of labels that began or ended on each day that has any.

    A revision that ends on a later day does not change the digest of the day on which it began: so a new day of feedback
    leaves the digests of past days as they are.
    """
    began = revisions[["prediction_id", "label", "known_at", "revised_at"]].set_axis(MOVE.names, axis=1)
    superseded = revisions.loc[revisions["superseded_at"].notna(), ["prediction_id", "superseded_at"]]
    ended = pd.DataFrame(
        {
            "prediction_id": superseded["prediction_id"],
            "label": -1,
            "known_at": superseded["superseded_at"],
            "at": superseded["superseded_at"],
        }
    )
    moves = pa.concat_tables(pa.Table.from_pandas(part, MOVE, preserve_index=False) for part in (began, ended))
    day = moves["at"].cast("date32").to_numpy()
    order = np.argsort(day, kind="stable")
    text = pc.binary_join_element_wise(
        *(moves[name].cast("int64").cast("string") for name in ("label", "known_at", "at")), moves["prediction_id"], " "
    )
    text = text.take(order).combine_chunks()
    starts = [*np.flatnonzero(np.diff(day[order].astype("int64"), prepend=-1)).tolist(), len(order)]
    found = {}
    for start, end in itertools.pairwise(starts):
        lines = "\n".join(text.slice(start, end - start).to_pylist())
        found[day[order[start]].item()] = hashlib.sha256(lines.encode()).hexdigest()[:16]
    return found


def outputs(day: dt.date) -> str:
    """What the features of a day are, in short."""
    return digest_at([files.FEATURES / f"{day}.parquet"])


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
