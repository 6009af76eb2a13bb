"""History features, point in time: at what rate, and how many times, did it happen to the same key lately?

A label counts in a window from the moment it was known. For a prediction served at `t`, the window `24h` holds the labels
with `t - 24h <= known_at < t` that were still valid at `t`. What arrived at `t` or later changes nothing.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from flywheel.features.settings import History, column_names


def window_length(window: str) -> pd.Timedelta:
    """The length of a window written as `3h` or `7d`."""
    n = int(window[:-1])
    return pd.Timedelta(days=n) if window.endswith("d") else pd.Timedelta(hours=n)


def history(queries: pd.DataFrame, known: pd.DataFrame, items: Sequence[History]) -> pd.DataFrame:
    """Rate and count columns for each key and window, on the index of `queries`.

    `queries` has `served_at` and the key columns; `known` has `label`, `known_at`, `until` (see `labels.spans`) and the
    key columns. A rate is null where the count is 0. The labels in a window are the difference of two running counts,
    found by binary search: O((n + m) log m), no loop over rows.
    """
    columns: dict[str, np.ndarray] = {}
    at = _microseconds(queries["served_at"])
    starts, until = _microseconds(known["known_at"]), _microseconds(known["until"])
    is_positive = known["label"].to_numpy() == 1
    for item in items:
        asked, told = _codes(queries, known, item.key)
        search = _Search(asked, at)
        began, began_positive = search.count_before(told, starts, is_positive)
        for window in item.windows:
            length = window_length(window) // pd.Timedelta(1, "us")
            ends = np.minimum(until, starts + length)
            ended, ended_positive = search.count_before(told, ends, is_positive)
            n, n_positive = began - ended, began_positive - ended_positive
            rate, count = column_names(item.key, window)
            columns[rate] = np.divide(n_positive, n, out=np.full(len(n), np.nan), where=n > 0)
            columns[count] = n.astype("float64")
    return pd.DataFrame(columns, index=queries.index)


class _Search:
    """Queries (key code, moment), sorted once, so that binary searches over them are fast.

    A moment is replaced by its rank among the moments of the queries, so that key and rank always fit into one number.
    For example, with queries about key 0 at 10:00 and at 12:00 and about key 1 at 12:00, `width` is 4, and

        query          number       label known   number
        key 0, 10:00   0 + 0 + 1    key 0, 09:30  0 + 0   before both queries about key 0
        key 0, 12:00   0 + 1 + 1    key 0, 10:00  0 + 1   not before 10:00, since 1 is not below 1; before 12:00
        key 1, 12:00   4 + 1 + 1    key 0, 12:30  0 + 2   before none
                                    key 1, 11:00  4 + 1   before the query about key 1

    The labels before a query are those whose number is below its own and not below that of its key's start (0, 0, 4): the
    difference of two positions in the sorted numbers of the labels.
    """

    def __init__(self, codes: np.ndarray, at: np.ndarray) -> None:
        self.moments, rank = np.unique(at, return_inverse=True)
        self.width = len(self.moments) + 2
        self.start, self.asked = codes * self.width, codes * self.width + rank + 1
        self.order = np.argsort(self.asked, kind="stable")

    def count_before(self, codes: np.ndarray, at: np.ndarray, is_positive: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """For each query, how many moments of its key are strictly earlier, and how many of those are positive."""
        # How many of the queries' moments are not after this one: it is before the query of rank r, from 0, if that is at
        # most r. The queries' numbers are one higher, so that "at most" is "below", as the left side of a search has it.
        told = codes * self.width + np.searchsorted(self.moments, at, side="right")
        order = np.argsort(told, kind="stable")
        ordered = told[order]
        position = np.searchsorted(ordered, self.asked[self.order], side="left")
        base = np.searchsorted(ordered, self.start[self.order], side="left")
        running = np.concatenate(([0], np.cumsum(is_positive[order])))
        n = np.empty(len(self.asked), dtype="int64")
        n_positive = np.empty(len(self.asked), dtype="int64")
        n[self.order] = position - base
        n_positive[self.order] = running[position] - running[base]
        return n, n_positive


def _microseconds(moments: pd.Series) -> np.ndarray:
    return moments.astype("datetime64[us, UTC]").astype("int64").to_numpy()


def _codes(queries: pd.DataFrame, known: pd.DataFrame, key: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """The key of each row as one integer, the same for the same key in both frames."""
    total = np.zeros(len(queries) + len(known), dtype="int64")
    for column in key:
        codes, values = pd.factorize(
            pd.concat([queries[column], known[column]], ignore_index=True), use_na_sentinel=False
        )
        total = total * len(values) + codes
    codes, _ = pd.factorize(total)
    return codes[: len(queries)], codes[len(queries) :]
