"""Labels against the truth, on the project's whole span: how many, how often right, and how sure they are of it.

`python bench/labels.py`, in a folder where `label` has run as of the end of the data, prints one JSON. The truth is what the
source says in `truth()`, which is for tests and benches alone: prediction_id, and 0 or 1. Looked at are predictions without an
outcome that somebody spoke about. Beside the labels stands a plain majority of at least two votes. A source without `truth`
gives null.
"""

from __future__ import annotations

import json
import time
from typing import Any

import numpy as np
import pandas as pd

from flywheel import files
from flywheel.data import tables
from flywheel.data.sources import open_source
from flywheel.labels.claims import TEXT, VOTES
from flywheel.labels.texts.said import with_texts
from flywheel.labels.truth import Beliefs, Prior, believe, infer
from flywheel.params import load
from flywheel.stages.collect import CollectParams
from flywheel.stages.label import LabelParams

BINS = 20
LEAST_ROWS, LEAST_RIGHT = 50, 3
CLAIMS, SOURCES = 1_000_000, 20_000


def main() -> None:
    """Measure, and print."""
    source: Any = open_source(load(CollectParams).source)
    if not hasattr(source, "truth"):
        print("null")
        return
    told = source.truth()
    truth = pd.Series(told.iloc[:, 1].to_numpy(), pd.Index(told["prediction_id"]))
    columns = ["prediction_id", "received_at", "feedback_id", "channel", "source_id", "value", "text"]
    feedback = tables.read_days(files.VALID, "feedback", None, columns)
    settled = feedback.loc[feedback["channel"] == "outcome", "prediction_id"]
    votes = feedback[feedback["channel"].isin(VOTES) & ~feedback["prediction_id"].isin(settled)]
    votes = tables.in_order(votes, ["received_at", "feedback_id"])
    votes = votes.drop_duplicates(["prediction_id", "source_id", "channel"], keep="last")
    said = votes.groupby("prediction_id")["value"].agg(["size", "sum"])
    said = said[said.index.isin(truth.index)]
    majority = pd.Series(np.sign(2 * said["sum"] - said["size"]).where(said["size"] >= 2, 0), said.index)
    current = files.read_parquet(files.LABELS)
    current = current[current["superseded_at"].isna()].set_index("prediction_id")
    labels = current.reindex(said.index)
    found = {
        "predictions": len(said),
        "majority": accuracy(majority[majority != 0] > 0, truth),
        "labels": accuracy(labels["label"].dropna() == 1, truth)
        | {"calibration_error": calibration(labels.dropna(subset=["label"]), truth)},
        "where_majority_decides": accuracy((labels["label"].dropna() == 1)[majority != 0], truth),
        "where_majority_is_least_right": worst(majority[majority != 0] > 0, labels["label"], truth),
        "texts": texts(feedback, current, truth, settled),
        "claims": {"n": CLAIMS, "sources": SOURCES, "seconds": round(speed(), 2)},
    }
    print(json.dumps(found))


def accuracy(is_one: pd.Series, truth: pd.Series) -> dict[str, Any]:
    """How many, and how often right."""
    right = round(float((is_one == (truth.reindex(is_one.index) == 1)).mean()), 4) if len(is_one) else None
    return {"n": len(is_one), "right": right}


def texts(feedback: pd.DataFrame, labels: pd.DataFrame, truth: pd.Series, settled: pd.Series) -> dict[str, Any]:
    """How many texts claim something, and how often that is right; and the same of labels that rest on texts alone."""
    written = feedback[feedback["text"].notna() & feedback["prediction_id"].isin(truth.index)]
    claims = with_texts(written, load(LabelParams).label.texts)
    claims = claims[claims["channel"] == TEXT].set_index("prediction_id")
    mine = labels[labels["label_source"] == TEXT]
    sure = round(float(mine["label_confidence"].mean()), 4) if len(mine) else None
    return {
        "written": len(written),
        "claim": {str(value): accuracy(claims.loc[claims["value"] == value, "value"] == 1, truth) for value in (0, 1)},
        "without_outcome": int((~claims.index.isin(settled)).sum()),
        "labels": accuracy(mine["label"] == 1, truth) | {"mean_confidence": sure},
    }


def worst(majority: pd.Series, label: pd.Series, truth: pd.Series) -> list[dict[str, Any]]:
    """The days of a cohort of `label.prior_by` on which the majority was least right, and what was made of the same rows."""
    by = [f"in_{name}" for name in load(LabelParams).label.prior_by]
    served = tables.read_days(files.VALID, "predictions", None, ["prediction_id", "served_at", *by])
    served = served.set_index("prediction_id").reindex(majority.index)
    where = served[by].astype(str).agg(" ".join, axis=1) + served["served_at"].dt.strftime(" %Y-%m-%d")
    is_one = truth.reindex(majority.index) == 1
    cells = (majority == is_one).groupby(where).agg(["size", "mean"])
    cells = cells[cells["size"] >= LEAST_ROWS].sort_values("mean").head(LEAST_RIGHT)
    found = []
    for name, cell in cells.iterrows():
        mine = label.reindex(majority.index)[where == name].dropna()
        right = {"majority": round(float(cell["mean"]), 4), "labels": accuracy(mine == 1, truth)}
        found.append({"where": str(name), "n": int(cell["size"]), **right})
    return found


def calibration(labels: pd.DataFrame, truth: pd.Series) -> float:
    """How far the confidence is from how often labels are right, over bins of equal width."""
    right = (labels["label"] == truth.reindex(labels.index)).to_numpy()
    sure = labels["label_confidence"].to_numpy()
    bins = np.minimum((sure * BINS).astype("int64"), BINS - 1)
    n, hits, said = (np.bincount(bins, weights, BINS) for weights in (np.ones(len(bins)), right, sure))
    return round(float(np.abs(hits - said).sum() / n.sum()), 4)


def speed() -> float:
    """Seconds for truth and trust from many claims about predictions of which nothing else is known."""
    rng = np.random.default_rng(0)
    n = 2 * CLAIMS // 5
    prediction, source = rng.integers(0, n, CLAIMS), rng.integers(0, SOURCES, CLAIMS)
    truth, right = rng.random(n) < 0.3, rng.beta(10, 2, SOURCES)
    value = np.where(rng.random(CLAIMS) < right[source], truth[prediction], ~truth[prediction]).astype("int64")
    beliefs, nothing = Beliefs(np.array([0.85]), 20), np.zeros((2, 2, SOURCES))
    group = np.zeros(SOURCES, dtype="int64")
    prior = Prior(np.zeros((2, 1)), np.zeros(1, dtype="int64"), 20)
    start = believe(nothing, group, beliefs)
    began = time.perf_counter()
    infer(prediction, source, value, np.zeros(n, dtype="int64"), prior, nothing, group, beliefs, start, 50)
    return time.perf_counter() - began


main()
