"""Who said what about which prediction, and as of which morning it could be judged: what the rules of quarantine look at."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

# The channels that can be quarantined, in the order of their codes. An outcome is gold and never is.
CHANNELS = ("report", "annotation")
REPORT = 0
DAY = 86_400_000_000  # microseconds; a moment is in microseconds since 1970, UTC, and a morning in days since then
DAYS = 2**20  # more than any morning, so that a code and a morning make one number that sorts by both
NEVER = np.iinfo(np.int64).max
UNCHECKED, CONFIRMED, REFUTED = 0, 1, 2


@dataclass(frozen=True)
class Said:
    """The claims of known sources, in order of time, as whole numbers; one a source, channel and prediction: its first.

    `source` has a code for each source and channel, `prediction` one for each prediction. `morning` is the first that knows
    of a claim. `check` is the first that knows of both the claim and an outcome of its prediction, and `checked` what the
    outcomes before it say of the claim; where no outcome ever came, `check` is `morning`. Outcomes that contradict each other
    say nothing. `at_once` is what was known of the claim on its own `morning`. `all_source` and `all_time` have every claim,
    repeated ones too.
    """

    names: npt.NDArray[np.object_]
    channels: Ints
    source: Ints
    prediction: Ints
    value: Ints
    time: Ints
    morning: Ints
    check: Ints
    checked: Ints
    at_once: Ints
    all_source: Ints
    all_time: Ints

    def __len__(self) -> int:
        """How many claims there are."""
        return len(self.time)


def microseconds(moments: pd.Series) -> Ints:
    """UTC moments as microseconds since 1970."""
    found: Ints = moments.dt.tz_convert("UTC").dt.tz_localize(None).to_numpy().astype("datetime64[us]").astype(np.int64)
    return found


def moments(values: Ints) -> pd.DatetimeIndex:
    """The reverse of `microseconds`."""
    return pd.DatetimeIndex(np.asarray(values, np.int64).astype("datetime64[us]")).tz_localize("UTC")


def next_morning(time: Ints) -> Ints:
    """The first morning that knows of each moment: the midnight after it, in days since 1970."""
    return time // DAY + 1


def prepare(claims: pd.DataFrame) -> Said:
    """The claims as the rules want them. `claims` is in order of received_at and feedback_id."""
    prediction, ids = pd.factorize(claims["prediction_id"])
    by_name, names = pd.factorize(claims["source_id"])  # -1: no source
    channel = np.select([claims["channel"] == name for name in CHANNELS], range(len(CHANNELS)), -1)
    value, time = claims["value"].to_numpy().astype(np.int64), microseconds(claims["received_at"])
    known = (channel >= 0) & (by_name >= 0)
    all_source, pairs = pd.factorize((by_name * len(CHANNELS) + channel)[known])
    all_time = time[known]
    is_first = ~pd.Series(all_source * (len(ids) + 1) + prediction[known]).duplicated().to_numpy()
    chosen = np.flatnonzero(known)[is_first]
    about, said, at = prediction[chosen], value[chosen], time[chosen]
    morning = next_morning(at)

    settles = np.flatnonzero((claims["channel"] == "outcome").to_numpy())[::-1]  # the first one is written last
    outcome, outcome_at, contested_at = np.full(len(ids), -1), np.full(len(ids), NEVER), np.full(len(ids), NEVER)
    outcome[prediction[settles]], outcome_at[prediction[settles]] = value[settles], time[settles]
    contests = settles[value[settles] != outcome[prediction[settles]]]
    contested_at[prediction[contests]] = time[contests]
    has_outcome = outcome[about] >= 0
    check = np.where(has_outcome, next_morning(np.maximum(at, np.where(has_outcome, outcome_at[about], 0))), morning)
    verdict = np.where(said == outcome[about], CONFIRMED, REFUTED)
    checked = np.where(has_outcome & (contested_at[about] >= check * DAY), verdict, UNCHECKED)
    return Said(
        names=np.asarray(names, object)[pairs // len(CHANNELS)],
        channels=pairs % len(CHANNELS),
        source=all_source[is_first],
        prediction=about,
        value=said,
        time=at,
        morning=morning,
        check=check,
        checked=checked,
        at_once=np.where(check == morning, checked, UNCHECKED),
        all_source=all_source,
        all_time=all_time,
    )


def source_days(said: Said) -> Floats:
    """The weight of each claim: one a source and day, so that nobody sets what is usual by saying more than others."""
    key = pd.factorize(said.source * DAYS + said.morning)[0]
    weight: Floats = 1 / np.bincount(key, minlength=1)[key] if len(key) else np.zeros(0)
    return weight


def tail(n: Ints, hits: Ints, share: Floats) -> Floats:
    """At most how likely so many hits or more are in n independent tries, where a try hits with this share on average.

    It is the bound of Chernoff and Hoeffding (1963, theorem 1), which holds where the shares of the tries differ as well: it
    is never too small.
    """
    found = np.divide(hits, n, out=np.zeros(len(n)), where=n > 0)
    usual = np.clip(share, 1e-12, 1 - 1e-12)
    with np.errstate(divide="ignore", invalid="ignore"):
        up = np.where(found > 0, found * np.log(found / usual), 0)
        down = np.where(found < 1, (1 - found) * np.log((1 - found) / (1 - usual)), 0)
    return np.where(found > usual, np.exp(-n * (up + down)), 1.0)
