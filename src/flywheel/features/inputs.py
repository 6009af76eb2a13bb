"""What the features of each day were made from, in short: so only days whose features can have changed are made again."""

from __future__ import annotations

import datetime as dt
import hashlib
import itertools
import math
from collections.abc import Sequence

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from flywheel import files
from flywheel.data import tables
from flywheel.data.ledger import digest_at
from flywheel.features.history import window_length
from flywheel.features.settings import Features

MOVE = pa.schema({"about": pa.string(), "label": pa.int64(), "known_at": tables.MOMENT, "at": tables.MOMENT})


def inputs(days: Sequence[dt.date], revisions: pd.DataFrame, params: Features) -> dict[dt.date, str]:
    """All that the features of each day were made from, in short.

    That is the day's good predictions, and what was concluded, or taken back, about any prediction on that day and on the
    days before it, as far as the longest history reaches. So a correction of one day changes the digests of exactly the
    days whose features it can change.
    """
    keys = sorted({name for item in params.history for name in item.key})
    concluded = by_day(about(revisions, days, keys)) if params.history else {}
    reach = days_back(params)
    return {
        day: hashlib.sha256(
            " ".join(
                [
                    digest_at([tables.day_path(files.VALID, "predictions", day)]),
                    *(str(concluded.get(day - dt.timedelta(days=n))) for n in range(reach, -1, -1)),
                ]
            ).encode()
        ).hexdigest()[:16]
        for day in days
    }


def days_back(params: Features) -> int:
    """How many days before its own a prediction's history looks at: it begins so long before any moment of its day."""
    windows = [window_length(window) for item in params.history for window in item.windows]
    return math.ceil(max(windows, default=pd.Timedelta(0)) / pd.Timedelta(days=1))


def about(revisions: pd.DataFrame, days: Sequence[dt.date], keys: Sequence[str]) -> pd.DataFrame:
    """The revisions with a column `about`: the prediction, and the values that its histories are kept by.

    The values are those of another day's file, which may be corrected long before the label was known.
    """
    if not keys or not days:
        return revisions.assign(about=revisions["prediction_id"])
    columns = [f"in_{key}" for key in keys]
    asked = tables.read_days(files.VALID, "predictions", days, ["prediction_id", *columns])
    asked = asked.drop_duplicates("prediction_id")
    place = pd.Index(asked["prediction_id"]).get_indexer(pd.Index(revisions["prediction_id"]))
    found = pa.Table.from_pandas(asked, preserve_index=False).take(pa.array(place, mask=place < 0))
    texts = [pa.array(revisions["prediction_id"], pa.string()), *(found[name].cast("string") for name in columns)]
    named = pc.binary_join_element_wise(*texts, "\x1f", null_handling="replace", null_replacement="\x00")
    return revisions.assign(about=pd.Series(named.to_pylist(), index=revisions.index, dtype="str"))


def by_day(revisions: pd.DataFrame) -> dict[dt.date, str]:
    """A digest of the revisions of labels that began or ended on each day that has any.

    A revision that ends on a later day does not change the digest of the day on which it began: so a new day of feedback
    leaves the digests of past days as they are.
    """
    began = revisions[["about", "label", "known_at", "revised_at"]].set_axis(MOVE.names, axis=1)
    superseded = revisions.loc[revisions["superseded_at"].notna(), ["about", "superseded_at"]]
    ended = pd.DataFrame(
        {
            "about": superseded["about"],
            "label": -1,
            "known_at": superseded["superseded_at"],
            "at": superseded["superseded_at"],
        }
    )
    moves = pa.concat_tables(pa.Table.from_pandas(part, MOVE, preserve_index=False) for part in (began, ended))
    day = moves["at"].cast("date32").to_numpy()
    order = np.argsort(day, kind="stable")
    text = pc.binary_join_element_wise(
        *(moves[name].cast("int64").cast("string") for name in ("label", "known_at", "at")), moves["about"], " "
    )
    text = text.take(order).combine_chunks()
    starts = [*np.flatnonzero(np.diff(day[order].astype("int64"), prepend=-1)).tolist(), len(order)]
    found = {}
    for start, end in itertools.pairwise(starts):
        lines = "\n".join(text.slice(start, end - start).to_pylist())
        found[day[order[start]].item()] = hashlib.sha256(lines.encode()).hexdigest()[:16]
    return found
