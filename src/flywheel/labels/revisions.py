"""What the loop concluded about each prediction, and when.

`data/labels.parquet` keeps every revision. A conclusion holds from `revised_at` until `superseded_at` (null: it still holds).
`known_at` is when the loop reached this label; later feedback may confirm it (a revision with the same `known_at`) or
overturn it. So one can read what was known at any past moment, and that never changes afterwards.
"""

from __future__ import annotations

import pandas as pd

FOREVER = pd.Timestamp("2200-01-01", tz="UTC")


def known_before(revisions: pd.DataFrame, moment: pd.Timestamp) -> pd.DataFrame:
    """One row for each prediction that had a label just before `moment`: the revision that held then."""
    holds = (revisions["revised_at"] < moment) & ~(revisions["superseded_at"] < moment)
    return revisions[holds]


def sure(labels: pd.DataFrame, min_confidence: float) -> pd.DataFrame:
    """The labels that are at least so sure: those to measure on. Less sure ones still train, with less weight."""
    return labels[labels["label_confidence"] >= min_confidence]


def spans(revisions: pd.DataFrame) -> pd.DataFrame:
    """One row for each stretch of time in which a prediction had the same label: prediction_id, label, known_at, until.

    `until` is far in the future if the label still holds.
    """
    # A confirmation keeps known_at, so a stretch is a start and the confirmations after it (rows are in order of time):
    #   label 1  known 09:00  revised 09:00  superseded 10:00   start of stretch 1
    #   label 1  known 09:00  revised 10:00  superseded 12:00   confirms it: stretch 1 ends at 12:00
    #   label 0  known 12:00  revised 12:00  superseded null    start of stretch 2, which has no end
    ordered = revisions.assign(until=revisions["superseded_at"].fillna(FOREVER))
    is_start = ordered["known_at"] == ordered["revised_at"]
    stretch = is_start.cumsum()
    until = ordered.groupby(stretch.to_numpy())["until"].max()
    starts = ordered.loc[is_start, ["prediction_id", "label", "known_at"]]
    return starts.assign(until=until.to_numpy())


def revisions_of(states: pd.DataFrame, names: pd.Index) -> pd.DataFrame:
    """Keep the states that differ from the one before, with the time until which each held. A label of -1 means undecided.

    `states` has one row for each vote, in order of prediction and time: what is concluded once that vote is in.

    For example, two reports settle a label, a third confirms it, a tie takes it back, and an outcome settles it anew:

        revised_at  label            kept   superseded_at  known_at
        09:00       -1 (one report)  no: it says nothing, and nothing was said before
        09:10        1               yes    09:30          09:10
        09:30        1 (surer)       yes    10:00          09:10   confirms: the loop knew it since 09:10
        10:00       -1 (a tie)       only to end the row before it; it is dropped at the end
        11:00        1 (outcome)     yes    null           11:00   known anew, since it was taken back in between
    """
    said = ["label", "label_confidence", "label_source"]
    is_first = states["prediction"] != states["prediction"].shift()
    is_change = (states[said] != states[said].shift()).any(axis=1) & ~(
        (states["label"] == -1) & (states["label"].shift() == -1)
    )
    kept = states[(is_first & (states["label"] != -1)) | (~is_first & is_change)].reset_index(drop=True)
    same_prediction = kept["prediction"] == kept["prediction"].shift(-1)
    kept["superseded_at"] = kept["revised_at"].shift(-1).where(same_prediction)
    # Rows of -1 are still there: so a label that comes back after a tie does not continue the one before the tie.
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
