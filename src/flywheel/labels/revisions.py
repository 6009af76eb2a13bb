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


def _revisions(states: pd.DataFrame, names: pd.Index) -> pd.DataFrame:
    """Keep the states that differ from the one before, and say until when each held. A label of -1 means: not settled."""
    said = ["label", "label_confidence", "label_source"]
    is_first = states["prediction"] != states["prediction"].shift()
    is_change = (states[said] != states[said].shift()).any(axis=1) & ~(
        (states["label"] == -1) & (states["label"].shift() == -1)
    )
    kept = states[(is_first & (states["label"] != -1)) | (~is_first & is_change)].reset_index(drop=True)
    same_prediction = kept["prediction"] == kept["prediction"].shift(-1)
    kept["superseded_at"] = kept["revised_at"].shift(-1).where(same_prediction)
    continues = (kept["label"] == kept["label"].shift()) & (kept["prediction"] == kept["prediction"].shift())
    kept["known_at"] = kept["revised_at"].where(~continues).ffill()
    kept = kept[kept["label"] != -1]
    kept.insert(0, "prediction_id", names.to_numpy()[kept["prediction"]] if len(kept) else "")
    order = [
        "prediction_id",
        "label",
        "label_confidence",
        "label_source",
        "n_votes",
        "known_at",
        "revised_at",
        "superseded_at",
    ]
    return kept[order].reset_index(drop=True)
