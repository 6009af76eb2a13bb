"""Sources whose claims come faster, or more regularly, than people make them.

Only reports are looked at: annotators hand in what they did in batches.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from flywheel.labels.poison.said import REPORT, Floats, Ints, Said, next_morning
from flywheel.labels.poison.signs import signs
from flywheel.labels.settings import FastClaims, RegularClaims


def fast(said: Said, params: FastClaims, rest_days: int) -> pd.DataFrame:
    """Sources of reports with more than `per_minute` claims within 60 seconds."""
    source, time = _reports(said)
    back = params.per_minute
    last = np.arange(back, len(source)) if len(source) > back else np.zeros(0, np.int64)
    last = last[(source[last] == source[last - back]) & (time[last] - time[last - back] < 60_000_000)]
    frame = pd.DataFrame({"source": source[last], "first": time[last - back], "known_at": next_morning(time[last])})
    daily = frame.groupby(["source", "known_at"], as_index=False).agg(first=("first", "min"), claims=("first", "size"))
    known_at = daily["known_at"].to_numpy(np.int64)
    numbers = {"claims": daily["claims"].to_numpy() + back}
    return signs(
        daily["source"].to_numpy(), daily["first"].to_numpy(), known_at, known_at + rest_days, "too fast", numbers
    )


def regular(said: Said, params: RegularClaims, rest_days: int) -> pd.DataFrame:
    """Sources of reports whose gaps between claims are more alike than chance makes them.

    Of `gaps` independent gaps with an exponential distribution, as those of a Poisson process, the longest exceeds the
    shortest by at most r times their mean with probability (1 - exp(-r)) ** (gaps - 1): by its lack of memory the spread is
    the largest of gaps - 1 such gaps. A source is found when that is at most `false_alarm`. Gaps of `max_gap_h` hours or more
    are a person's habit ("every morning"), and those of no time at all are a batch.
    """
    source, time = _reports(said)
    if len(source) <= params.gaps:
        return signs(source[:0], source[:0], source[:0], source[:0], "too regular", {"gaps": source[:0]})
    gap = np.diff(time).astype(np.float64)
    is_other = (np.diff(source) != 0) | (gap <= 0) | (gap >= params.max_gap_h * 3.6e9)
    gap = np.where(is_other, np.nan, gap)
    windows = np.lib.stride_tricks.sliding_window_view(gap, params.gaps)
    whole = _whole(gap, params.gaps)
    spread, mean = np.ptp(windows[whole], axis=1), windows[whole].mean(axis=1)
    chance = (-np.expm1(-spread / mean)) ** (params.gaps - 1)
    is_found = chance <= params.false_alarm
    at, chance, mean = whole[is_found], chance[is_found], mean[is_found]
    frame = pd.DataFrame(
        {
            "source": source[at],
            "known_at": next_morning(time[at + params.gaps]),
            "first": time[at],
            "probability": chance,
            "mean_gap_s": mean / 1e6,
        }
    )
    daily = frame.groupby(["source", "known_at"], as_index=False).agg(
        first=("first", "min"), probability=("probability", "min"), mean_gap_s=("mean_gap_s", "min")
    )
    known_at = daily["known_at"].to_numpy(np.int64)
    numbers = {"gaps": np.full(len(daily), params.gaps)} | {
        name: daily[name].to_numpy() for name in ("mean_gap_s", "probability")
    }
    return signs(
        daily["source"].to_numpy(), daily["first"].to_numpy(), known_at, known_at + rest_days, "too regular", numbers
    )


def _reports(said: Said) -> tuple[Ints, Ints]:
    """Source and time of all reports, also those that repeat themselves, by source and time."""
    order = np.argsort(said.all_source, kind="stable")
    order = order[said.channels[said.all_source[order]] == REPORT]
    return said.all_source[order], said.all_time[order]


def _whole(gap: Floats, width: int) -> Ints:
    """Where so many gaps in a row are all of the kind that is looked at."""
    broken = np.append(0, np.isnan(gap).cumsum())
    return np.flatnonzero(broken[width:] == broken[:-width])
