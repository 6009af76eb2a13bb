"""How long models take to answer, as a service asks them: one row, and many at once; and how large they are.

A time is true of one machine and one moment, so it is no evidence, and goes to `.flywheel/cost.json`. What holds on any machine
is a ratio: candidate and champion answer in turn, in one process, on the same rows, so that what slows the one slows the other.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
from pandas.api.types import is_numeric_dtype
from typing_extensions import TypedDict

from flywheel import files, shapes
from flywheel.evaluation.evidence import Cost, Measure, Size
from flywheel.evaluation.settings import ModelCost
from flywheel.model import artifact
from flywheel.model.card import DOES, identity

ROWS: dict[Measure, int] = {"one row": 1, "10,000 rows": 10_000}
ROUNDS = 3
TRIES = (
    2,
    30,
)  # of each model in a round, of which the best one counts: so many however slow it is, and at most so many
SECONDS = 0.3  # after which a round begins no other try
HOUR, MILLION = 3600, 1_000_000

Round = dict[str, float]
"""The best time of each model in a round, in milliseconds, by the model's name."""


class Latency(TypedDict):
    """How long the models take: the best time of all rounds in milliseconds, and the ratio of the best ones in each round."""

    candidate_ms: float
    champion_ms: float | None
    ratios: list[float]


class Timed(TypedDict):
    """`.flywheel/cost.json`: the latencies, and which models they are of."""

    candidate: str | None
    champion: str | None
    latency: dict[Measure, Latency]


def measure(
    table: pd.DataFrame, candidate: artifact.Model, champion: artifact.Model | None, params: ModelCost
) -> tuple[Cost, Timed]:
    """The cost of both models, of which the files are in `models/`; and the times, on the rows of a table.

    Noise only adds to a time, so the best time of all rounds has the least of it. A candidate counts as slower where its best
    time is beyond the limit times that of the champion. A ratio that is close to the limit may fall on either side.
    """
    why = unaskable(champion, table) if champion else None
    why = f"the champion {why}" if why else None
    models = {"candidate": candidate} | ({"champion": champion} if champion and not why else {})
    found = {name: race(models, table, name) for name in ROWS}
    mine, other = size(files.CANDIDATE, candidate), size(files.CHAMPION, champion) if champion else None
    latency = {name: summary(rounds) for name, rounds in found.items()}
    cost: Cost = {
        "max_ratio": params.max_ratio,
        "candidate": mine,
        "champion": other,
        "why_not_measured": why,
        "slower": [name for name, one in latency.items() if is_slower(one, params.max_ratio)],
    }
    return cost, {
        "candidate": mine["identity"],
        "champion": other["identity"] if other else None,
        "latency": latency,
    }


def race(models: Mapping[str, artifact.Model], table: pd.DataFrame, asked: Measure) -> list[Round]:
    """The best time of each model, round by round. They answer in turn, and who begins changes with each try.

    A table with fewer rows than are asked is repeated.
    """
    rows = table.iloc[np.arange(ROWS[asked]) % len(table)].reset_index(drop=True)
    return [_round(models, rows) for _ in range(ROUNDS)]


def _round(models: Mapping[str, artifact.Model], rows: pd.DataFrame) -> Round:
    best = dict.fromkeys(models, float("inf"))
    order, end = list(models), time.perf_counter() + SECONDS
    fewest, most = TRIES
    for at in range(most):
        if at >= fewest and time.perf_counter() > end:
            break
        for name in order:
            started = time.perf_counter()
            artifact.predict(models[name], rows)
            best[name] = min(best[name], 1000 * (time.perf_counter() - started))
        order.reverse()
    return best


def summary(rounds: list[Round]) -> Latency:
    """What the rounds of a candidate, and of a champion if it was asked, say."""
    has_other = "champion" in rounds[0]
    return {
        "candidate_ms": min(one["candidate"] for one in rounds),
        "champion_ms": min(one["champion"] for one in rounds) if has_other else None,
        "ratios": [one["candidate"] / one["champion"] for one in rounds] if has_other else [],
    }


def is_slower(found: Latency, limit: float) -> bool:
    """Whether a candidate takes more than so many times as long as the champion; not where there is no champion."""
    other = found["champion_ms"]
    return other is not None and found["candidate_ms"] > limit * other


def unaskable(model: artifact.Model, table: pd.DataFrame) -> str | None:
    """Why a model that is not of today cannot answer for the rows of a table, as a part of a sentence; None if it can."""
    lacking = artifact.missing_columns(table, model.card)
    if lacking:
        return f"needs features that no longer exist: {', '.join(lacking)}"
    words = [name for name in model.card["features"]["numeric"] if not is_numeric_dtype(table[name])]
    return f"needs numbers that are words now: {', '.join(words)}" if words else None


def size(folder: Path, model: artifact.Model) -> Size:
    """How large a model is whose files are in a folder."""
    return {
        "identity": identity(folder),
        "bytes": sum((folder / name).stat().st_size for name in DOES),
        "trees": model.booster.num_trees(),
    }


def price(seconds: float, params: ModelCost) -> float:
    """What the machine costs for so many seconds, in the currency of `price_per_hour`."""
    return seconds * params.price_per_hour / HOUR


def price_of_a_million(milliseconds: float, asked: Measure, params: ModelCost) -> float:
    """What a million predictions cost, where so many at a time take so long."""
    return price(milliseconds / 1000 * MILLION / ROWS[asked], params)


def read_timed() -> Timed | None:
    """What was timed here last; None where nothing was. DataError when the file has another shape."""
    return shapes.read_if_there(files.LATENCY, Timed, shapes.DELETE)
