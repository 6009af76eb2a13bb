"""What the loop concluded about each prediction, and when it knew.

`data/labels.parquet` keeps every revision: a conclusion holds from `revised_at` until `superseded_at` (null: it still
holds). `known_at` is when the loop came to this label; later feedback may confirm it (a revision with the same
`known_at`) or overturn it. So the state of knowledge at any past moment can be read, and it never changes afterwards.
"""

from __future__ import annotations

import pandas as pd

FOREVER = pd.Timestamp("2200-01-01", tz="UTC")


def known_before(revisions: pd.DataFrame, moment: pd.Timestamp) -> pd.DataFrame:
    """One row for each prediction that had a label just before `moment`: the revision that held then."""
    holds = (revisions["revised_at"] < moment) & ~(revisions["superseded_at"] < moment)
    return revisions[holds]


def spans(revisions: pd.DataFrame) -> pd.DataFrame:
    """One row for each stretch of time in which a prediction had the same label: prediction_id, label, known_at, until.

    `until` is far in the future where the label still holds.
    """
    ordered = revisions.assign(until=revisions["superseded_at"].fillna(FOREVER))
    is_start = ordered["known_at"] == ordered["revised_at"]
    stretch = is_start.cumsum()
    until = ordered.groupby(stretch.to_numpy())["until"].max()
    starts = ordered.loc[is_start, ["prediction_id", "label", "known_at"]]
    return starts.assign(until=until.to_numpy())
