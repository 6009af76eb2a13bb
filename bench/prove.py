"""Does the gate stop what must be stopped, and let through what must pass? On the project's own history.

`python bench/prove.py`, in a folder where a run as of the end of the data has ended, prints one JSON. Today's recipe and worse
versions of it are fitted as of the first day of each of the last seven windows, with `TREES` trees each, and scored on the
window. A gate has a clock (the end of one of the last three windows), the five windows before it, and days that are drawn in
weeks with replacement within each window: so one hundred gates are variations of one year, not a hundred years. Each is decided
by the comparisons of `conf/` that block, on all windows and on the latest, with blocks of both lengths.
"""

from __future__ import annotations

import datetime as dt
import json
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any

import numpy as np
import pandas as pd

from flywheel import files
from flywheel.data import tables
from flywheel.evaluation import intervals, metrics
from flywheel.evaluation.compare import evaluation_rows
from flywheel.evaluation.gate import compared
from flywheel.evaluation.settings import Evaluate, Gate
from flywheel.features.days import read_features
from flywheel.features.settings import column_names
from flywheel.model import artifact, fit
from flywheel.params import Params, load
from flywheel.stages.train import TrainParams

TREES = 150
WINDOWS, POOLED, DRAWS = 7, 5, 34
SAMPLES = 400  # of days, for the intervals of a gate; conf's 2,000 take five times as long
WEEK = 7
GAIN = 0.01  # of AUC: what the planted gain is worth
# What share of the gates must end so, at least or at most.
LIMITS = {
    "the same recipe, another seed": ("pass", "at most", 0.05),
    "without history": ("pass", "at most", 0.01),
    "a tenth of the labels turned round": ("pass", "at most", 0.01),
    "a shuffled feature": ("pass", "at most", 0.01),
    "a feed that stopped": ("pass", "at most", 0.01),
    "scores to the power 1.3": ("pass", "at most", 0.01),
    "a gain of 0.01 AUC": ("pass", "at least", 0.90),
    "a refresh of 28 days": ("pass", "at least", 0.85),
    "a refresh of 7 days": ("pass", "at least", 0.80),
}


class Judged(Params):
    """What evaluate and gate read of params.yaml."""

    evaluate: Evaluate
    gate: Gate


P, J = load(TrainParams), load(Judged)
BOOTSTRAP = J.evaluate.bootstrap.model_copy(update={"samples": SAMPLES})
SETTINGS = metrics.Settings(J.evaluate.costs, J.evaluate.ece_bins)
STEP = dt.timedelta(days=P.windows.evaluation_days)
DAYS = tables.days_in(files.FEATURES)
END = DAYS[-1] + dt.timedelta(days=1)
SERVED = read_features(DAYS[0], END)
REVISIONS = fit.with_places(files.read_parquet(files.LABELS), SERVED)
NUMERIC, CATEGORICAL = fit.feature_names(SERVED, P.features.categorical)
HISTORY = [name for one in P.features.history for window in one.windows for name in column_names(one.key, window)]


@cache
def fitted(day: dt.date, seed: int = 1, version: str = "") -> tuple[Any, Any, int]:
    """A fit as of a day, the features it reads, and how many rows it learned from."""
    rows = fit.labelled_rows(SERVED, REVISIONS, day - dt.timedelta(days=P.windows.train_days), day)
    rows = flipped(rows) if version == "flipped" else rows
    read = [name for name in (*NUMERIC, *CATEGORICAL) if version != "without history" or name not in HISTORY]
    features = fit.describe_features(rows.features[read], CATEGORICAL)
    return fit.fit(rows, features, P.model, seed, TREES, threads=1), features, len(rows.label)


def score(day: dt.date, asked: pd.DataFrame, seed: int = 1, version: str = "") -> np.ndarray:
    """Scores of a fit as of a day on rows that came later."""
    booster, features, n_rows = fitted(day, seed, version)
    ends = fit.straight(n_rows)
    return np.interp(artifact.predict_raw(booster, artifact.matrix(asked, features)), ends["x"], ends["y"])


def flipped(rows: fit.Rows) -> fit.Rows:
    """A tenth of the labels turned round."""
    is_wrong = np.random.default_rng(5).random(len(rows.label)) < 0.1
    return fit.Rows(rows.features, np.where(is_wrong, 1 - rows.label, rows.label), rows.weight)


def shuffled(table: pd.DataFrame, name: str) -> pd.DataFrame:
    """The values of one column in another order."""
    return table.assign(**{name: np.random.default_rng(6).permutation(table[name].to_numpy())})


def blurred(scores: np.ndarray, label: np.ndarray, loss: float) -> np.ndarray:
    """Scores with so much noise in their log odds that the AUC is less by `loss`."""
    odds, noise = np.log(scores / (1 - scores)), np.random.default_rng(7).normal(0, 1, len(scores))

    def with_noise(size: float) -> np.ndarray:
        return 1 / (1 + np.exp(-(odds + size * noise)))

    def auc(found: np.ndarray) -> float:
        counted = metrics.count(found, label, np.zeros(len(label), dtype=int), 1)
        return float(metrics.auc(counted.positives.sum(0), counted.negatives.sum(0)))

    low, high, whole = 0.0, 2.0, auc(scores)
    for _ in range(20):
        middle = (low + high) / 2
        low, high = (middle, high) if whole - auc(with_noise(middle)) < loss else (low, middle)
    return with_noise(low)


def scored() -> tuple[pd.DataFrame, dict[str, np.ndarray]]:
    """The rows of all windows in order of time (`window` 0 is the latest), and the scores of each version of the recipe."""
    parts: list[pd.DataFrame] = []
    found: dict[str, list[np.ndarray]] = {}
    for k in reversed(range(WINDOWS)):
        start = END - (k + 1) * STEP
        rows = evaluation_rows(read_features(start, start + STEP), REVISIONS, END, J.evaluate)
        parts.append(rows.assign(window=k))
        with ThreadPoolExecutor(2) as pool:  # the fits of this window, two at once
            needed = [(start,), (start - STEP,), (start - dt.timedelta(days=WEEK),), (start, 2)]
            needed += [(start, 1, "without history"), (start, 1, "flipped")]
            list(pool.map(lambda one: fitted(*one), needed))
        top = next(
            name for name in fit.importance(fitted(END - WINDOWS * STEP)[0]) if name in set(NUMERIC) - set(HISTORY)
        )
        versions = {
            "base": score(start, rows),
            "base, 28 days older": score(start - STEP, rows),
            "base, 7 days older": score(start - dt.timedelta(days=WEEK), rows),
            "the same recipe, another seed": score(start, rows, 2),
            "without history": score(start, rows, version="without history"),
            "a tenth of the labels turned round": score(start, rows, version="flipped"),
            "a shuffled feature": score(start, shuffled(rows, top)),
            "a feed that stopped": score(start, rows.assign(**dict.fromkeys(HISTORY, np.nan))),
        }
        for name, one in versions.items():
            found.setdefault(name, []).append(one)
    table = pd.concat(parts, ignore_index=True)[["served_at", "label", "window"]]
    scores = {name: np.concatenate(one) for name, one in found.items()}
    scores["scores to the power 1.3"] = scores["base"] ** 1.3
    scores["base, blurred"] = blurred(scores["base"], table["label"].to_numpy(), GAIN)
    return table, scores


def counted(table: pd.DataFrame, scores: Mapping[str, np.ndarray]) -> dict[str, metrics.Counts]:
    """Labels by day of the windows and score, to the thousandth."""
    day = (table["served_at"].dt.date - (END - WINDOWS * STEP)).map(lambda gone: gone.days).to_numpy()
    label, n_days = table["label"].to_numpy(), WINDOWS * STEP.days
    return {name: metrics.count(np.round(one, 3), label, day, n_days) for name, one in scores.items()}


def drawn(latest: int, rng: np.random.Generator) -> np.ndarray:
    """The days of a gate, its first window first: weeks of each of its windows, drawn with replacement."""
    found = []
    for window in reversed(range(latest, latest + POOLED)):
        first = (WINDOWS - 1 - window) * STEP.days
        starts = rng.integers(0, STEP.days, -(-STEP.days // WEEK))
        found.append(first + ((starts[:, None] + np.arange(WEEK)) % STEP.days).ravel()[: STEP.days])
    return np.concatenate(found)


def decide(kind: str, mine: metrics.Counts, other: metrics.Counts, days: np.ndarray) -> str:
    """What the comparisons of a kind say together of the candidate on the days of a gate."""

    def resampled(one: metrics.Counts, chosen: np.ndarray) -> intervals.Resampled:
        part = metrics.Counts(one.scores, one.positives[chosen], one.negatives[chosen])
        n = len(chosen)
        weights = np.vstack([intervals.day_weights(n, BOOTSTRAP), intervals.check_weights(n, BOOTSTRAP)])
        samples = intervals.bootstrap(part, weights, SETTINGS)
        return intervals.Resampled(
            metrics.measure(part, SETTINGS),
            {name: value[:SAMPLES] for name, value in samples.items()},
            {name: value[SAMPLES:] for name, value in samples.items()},
        )

    def differences(chosen: np.ndarray) -> dict[str, Any]:
        one, two = resampled(mine, chosen), resampled(other, chosen)
        ways = {"difference": intervals.of_difference, "check": intervals.of_difference_checked}
        return {
            key: {"champion": {name: way(name, one, two, BOOTSTRAP.confidence) for name in one.estimates}}
            for key, way in ways.items()
        }

    found: Any = {"about": {"confidence": BOOTSTRAP.confidence}, **differences(days)}
    found["windows"] = [differences(days[-STEP.days :])]
    asked = [
        rule for rule in J.gate.rules(kind).values() if rule.scope in ("pooled", "latest") and rule.severity == "block"
    ]
    verdicts = {compared(rule, found, {}, "champion", J.gate)["verdict"] for rule in asked}
    return "fail" if "fail" in verdicts else "inconclusive" if "inconclusive" in verdicts else "pass"


def main() -> None:
    """Fit, decide one hundred gates of each kind, and print what came out."""
    started = time.perf_counter()
    table, scores = scored()
    fitted = time.perf_counter()
    by_day = counted(table, scores)
    pairs = {name: ("change", name, "base") for name in LIMITS if name in scores}
    pairs |= {
        "a gain of 0.01 AUC": ("change", "base", "base, blurred"),
        "a refresh of 28 days": ("refresh", "base", "base, 28 days older"),
        "a refresh of 7 days": ("refresh", "base", "base, 7 days older"),
    }
    said = {}
    for name, (kind, mine, other) in pairs.items():
        rng = np.random.default_rng(8)
        verdicts = [
            decide(kind, by_day[mine], by_day[other], drawn(latest, rng))
            for latest in range(WINDOWS - POOLED + 1)
            for _ in range(DRAWS)
        ]
        verdict, which, limit = LIMITS[name]
        share = verdicts.count(verdict) / len(verdicts)
        said[name] = {
            "kind": kind,
            **{one: verdicts.count(one) for one in ("pass", "fail", "inconclusive")},
            "limit": f"{which} {limit:.0%} {verdict}",
            "holds": share <= limit if which == "at most" else share >= limit,
        }
    auc = {name: round(metrics.measure(one, SETTINGS)["auc"], 4) for name, one in by_day.items()}
    loss = {name: round(metrics.measure(one, SETTINGS)["log_loss"], 4) for name, one in by_day.items()}
    seconds = {"fits": round(fitted - started), "gates": round(time.perf_counter() - fitted)}
    print(json.dumps({"rows": len(table), "auc": auc, "log_loss": loss, "gates": said, "seconds": seconds}, indent=1))


main()
