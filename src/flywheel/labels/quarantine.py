"""Quarantine: whose claims are kept but not counted, since when and why; found each morning from what was known by then.

It is for what trust is too slow for: coordination, and patterns that no person makes. Sources that are merely often wrong are
weighed, not quarantined.
"""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np
import pandas as pd

from flywheel.labels.claims import TEXT
from flywheel.labels.evidence import Quarantined
from flywheel.labels.poison.lockstep import lockstep
from flywheel.labels.poison.one_answer import one_answer
from flywheel.labels.poison.pace import fast, regular
from flywheel.labels.poison.said import CHANNELS, DAY, REPORT, moments, prepare
from flywheel.labels.poison.shared_errors import shared_errors
from flywheel.labels.poison.signs import OPEN, stretches, together
from flywheel.labels.settings import Quarantine

Reason = Literal["always one answer", "too fast", "too regular", "wrong together", "lockstep"]
LISTED = 10  # stretches in the report
REASONS: tuple[Reason, ...] = get_args(Reason)


def quarantine(claims: pd.DataFrame, params: Quarantine) -> pd.DataFrame:
    """One row for each stretch of time in which the claims of a source do not count, in order of known_at.

    `claims` is in order of received_at and feedback_id: feedback_id, prediction_id, received_at, channel, source_id, value.
    What comes back: source_id, channel, first, until, known_at, reason, found. Claims received from `first` on and before
    `until` are out as of each morning from `known_at` on. `until` is a morning: null while the pattern goes on; one that is
    still to come moves on if the source is found again. All else depends on claims before `known_at` alone. `found` has the
    numbers that the reason rests on. Outcomes are never out, nor are claims without a source: nobody says that two of them
    come from one.
    """
    said = prepare(claims)
    rest = params.rest_days
    parts = [
        one_answer(said, params.one_answer) if params.one_answer else None,
        fast(said, params.fast, rest) if params.fast else None,
        regular(said, params.regular, rest) if params.regular else None,
        shared_errors(said, params.shared_errors, rest) if params.shared_errors else None,
        lockstep(said, params.lockstep, rest) if params.lockstep else None,
    ]
    found = stretches(together([part for part in parts if part is not None]))
    is_open = (found["until"] >= OPEN).to_numpy()
    until = pd.Series(moments(np.where(is_open, 0, found["until"]) * DAY)).mask(is_open)
    codes = found["source"].to_numpy(np.int64)
    rows = pd.DataFrame(
        {
            "source_id": pd.array(said.names[codes], dtype="str"),
            "channel": pd.array(np.array(CHANNELS, object)[said.channels[codes]], dtype="str"),
            "first": moments(found["first"].to_numpy()),
            "until": until,
            "known_at": moments(found["known_at"].to_numpy() * DAY),
            "reason": found["reason"],
            "found": found["found"],
        }
    )
    return rows.sort_values(["known_at", "source_id", "channel", "reason"], ignore_index=True)


def out_since(claims: pd.DataFrame, rows: pd.DataFrame) -> pd.Series:
    """For each claim the morning as of which it no longer counts; null where it always counts.

    `claims` needs source_id, channel and received_at. `rows` are those of `quarantine`; where a person has judged them
    (`verdicts.judge`), what was released counts. Whose reports do not count is not believed in writing either.
    """
    holds = rows[rows["decision"] != "release"] if "decision" in rows else rows
    place = np.arange(len(claims))
    concerned = claims["source_id"].isin(holds["source_id"]).to_numpy()
    mine = claims.loc[concerned, ["source_id", "channel", "received_at"]].assign(place=place[concerned])
    mine["channel"] = mine["channel"].where(mine["channel"] != TEXT, CHANNELS[REPORT])
    pairs = mine.merge(holds[["source_id", "channel", "first", "until", "known_at"]], on=["source_id", "channel"])
    is_in = (pairs["received_at"] >= pairs["first"]) & ~(pairs["received_at"] >= pairs["until"])
    since = pairs[is_in].groupby("place")["known_at"].min().reindex(place)
    return pd.Series(since.array, claims.index, dtype="datetime64[us, UTC]")


def describe(judged: pd.DataFrame, out: pd.Series, idle: list[str]) -> Quarantined:
    """`quarantine` of `reports/labels.json`: how much is kept and not counted, why, and the stretches, the latest found first.

    `judged` as from `verdicts.judge`, `out` as from `out_since`; `idle` are those that people judge and no rule has found.
    """
    holds = judged[judged["decision"] != "release"]
    latest = judged.sort_values(["known_at", "source_id"], ascending=[False, True], kind="stable").head(LISTED)
    return {
        "sources": int(holds["source_id"].nunique()),
        "claims": int(out.notna().sum()),
        "by_reason": {
            str(reason): int(mine["source_id"].nunique()) for reason, mine in holds.groupby("reason", sort=True)
        },
        "released": int(judged.loc[judged["decision"] == "release", "source_id"].nunique()),
        "confirmed": int(judged.loc[judged["decision"] == "confirm", "source_id"].nunique()),
        "idle": idle,
        "latest": [
            {
                "source": str(row["source_id"]),
                "channel": str(row["channel"]),
                "reason": str(row["reason"]),
                "first": _day(row["first"]),
                "until": None if pd.isna(row["until"]) else _day(row["until"]),
                "known_at": _day(row["known_at"]),
                "decision": None if pd.isna(row["decision"]) else str(row["decision"]),
            }
            for row in latest.to_dict(orient="records")
        ],
    }


def _day(moment: pd.Timestamp) -> str:
    return moment.date().isoformat()
