"""What a rule of quarantine found: signs, and the stretches of time that they make together."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from flywheel.labels.poison.said import DAYS, Floats, Ints

OPEN = DAYS  # a morning after all others: it still goes on


def signs(
    source: Ints, first: Ints, known_at: Ints, until: Ints, reason: str, found: Mapping[str, Floats | Ints]
) -> pd.DataFrame:
    """Signs as one frame: source (its code), first, known_at, until, reason, and `found`, the numbers a sign rests on.

    Claims of the source are out from `first`, a moment, to `until`, a morning. `known_at` is the morning that found it: all
    but `until`, where that is still to come, depends on claims before it alone.
    """
    numbers = pd.DataFrame(found).to_dict(orient="records")
    return pd.DataFrame(
        {
            "source": np.asarray(source, np.int64),
            "first": np.asarray(first, np.int64),
            "known_at": np.asarray(known_at, np.int64),
            "until": np.asarray(until, np.int64),
            "reason": pd.Series([reason] * len(source), dtype="str"),
            "found": pd.Series(numbers, dtype=object),
        }
    )


def together(parts: list[pd.DataFrame]) -> pd.DataFrame:
    """All signs as one frame."""
    nothing = np.zeros(0, np.int64)
    return pd.concat([signs(nothing, nothing, nothing, nothing, "", {"claims": nothing}), *parts], ignore_index=True)


def stretches(found: pd.DataFrame) -> pd.DataFrame:
    """One sign for each stretch: a sign that is known before an earlier one of the same source and reason is over prolongs
    it.

    `first`, `known_at` and the numbers of a stretch are those of its first sign, so they never change.
    """
    ordered = found.sort_values(["source", "reason", "known_at", "first"], kind="stable", ignore_index=True)
    by = ordered.groupby(["source", "reason"], sort=False)["until"]
    before = by.cummax().groupby([ordered["source"], ordered["reason"]], sort=False).shift()
    stretch = (before.isna() | (ordered["known_at"] >= before)).cumsum()
    starts = ordered.groupby(stretch.to_numpy()).head(1)
    until = ordered.groupby(stretch.to_numpy())["until"].max()
    return starts.assign(until=until.to_numpy()).reset_index(drop=True)
