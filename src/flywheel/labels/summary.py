"""What the labels are based on, and who said it: `reports/labels.json` and `reports/feedback.json`."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from flywheel.data import tables
from flywheel.labels.claims import TEXT, VOICES
from flywheel.labels.conclude import Concluded


def summarize(
    current: pd.DataFrame, predictions: pd.DataFrame, claims: pd.DataFrame, concluded: Concluded
) -> dict[str, Any]:
    """`reports/labels.json`: coverage, where labels come from, how certain they are, and how far the voices agree.

    `claims` are outcomes and what voices say (`texts.said.with_texts`).
    """
    shares = current["label_source"].value_counts(normalize=True).sort_index()
    delay = (current["known_at"] - current["served_at"]).dt.total_seconds() / 3600
    return {
        "predictions": len(predictions),
        "labels": len(current),
        "coverage": len(current) / len(predictions) if len(predictions) else 0.0,
        "positive_share": current["label"].mean(),
        "mean_confidence": current["label_confidence"].mean(),
        "median_hours_to_label": delay.median(),
        "by_source": {
            source: {
                "labels": int((current["label_source"] == source).sum()),
                "share": float(share),
                "positive_share": current.loc[current["label_source"] == source, "label"].mean(),
            }
            for source, share in shares.items()
        },
        "agreement": agreement(claims),
        "trust": trust(current, concluded),
    }


def trust(current: pd.DataFrame, concluded: Concluded) -> dict[str, Any]:
    """How far sources are believed on the last morning, and what that trust would conclude, had it been there all the time."""
    claims = concluded.claims
    group = claims.sources["group"].to_numpy()
    claimed = np.bincount(claims.source[~claims.is_outcome], minlength=len(group))
    voices = {}
    for code, name in enumerate(VOICES):
        mine = (group == code) & (claimed > 0)
        if name == TEXT and not mine.any():  # most projects let texts say nothing
            continue
        coins = {"sensitivity": concluded.trust.sensitivity, "specificity": concluded.trust.specificity}
        voices[name] = {
            "sources": int(mine.sum()),
            **{
                coin: {f"p{q}": float(np.quantile(of[mine], q / 100)) if mine.any() else None for q in (5, 50, 95)}
                for coin, of in coins.items()
            },
        }
    then = concluded.hindsight
    now, first = (
        labels.set_index("prediction_id")["label"].reindex(then.index)
        for labels in (current, concluded.revisions.drop_duplicates("prediction_id"))
    )
    return {
        "mornings": concluded.mornings,
        "unsettled": concluded.unsettled,
        "voices": voices,
        "hindsight": {
            "predictions": len(then),
            "labels": int(now.notna().sum()),
            "labels_in_hindsight": int((then >= 0).sum()),
            "other_way": int((now.notna() & (then >= 0) & (now != then)).sum()),
            "first_other_way": int((first.notna() & (then >= 0) & (first != then)).sum()),
        },
    }


def agreement(claims: pd.DataFrame) -> dict[str, Any]:
    """How often each voice agrees with the outcome, and how often two votes on one prediction agree."""
    votes = claims[claims["channel"].isin(VOICES)]
    outcome = tables.in_order(claims[claims["channel"] == "outcome"], ["received_at", "feedback_id"])
    outcome = outcome.drop_duplicates("prediction_id", keep="last")
    truth = votes["prediction_id"].map(outcome.set_index("prediction_id")["value"])
    with_outcome = {}
    for channel in VOICES:
        is_comparable = (votes["channel"] == channel) & truth.notna()
        if channel == TEXT and not (votes["channel"] == TEXT).any():
            continue
        agrees = votes.loc[is_comparable, "value"] == truth[is_comparable]
        with_outcome[channel] = {"votes": int(is_comparable.sum()), "share": agrees.mean() if len(agrees) else None}
    counts = votes.groupby("prediction_id")["value"].agg(["size", "sum"])
    yes, n = counts["sum"], counts["size"]
    pairs = (n * (n - 1) / 2).sum()
    agreeing = (yes * (yes - 1) / 2 + (n - yes) * (n - yes - 1) / 2).sum()
    return {
        "with_outcome": with_outcome,
        "between_votes": {"pairs": int(pairs), "share": agreeing / pairs if pairs else None},
    }


def describe_feedback(feedback: pd.DataFrame, current: pd.DataFrame) -> dict[str, Any]:
    """`reports/feedback.json`: who says how much, how often reporters are right, and how people rate the app."""
    by_channel = {}
    for channel in tables.CHANNELS:
        mine = feedback[feedback["channel"] == channel]
        volume = mine["source_id"].value_counts()
        by_channel[channel] = {
            "events": len(mine),
            "sources": len(volume),
            "top_1pct_share": volume.head(max(1, len(volume) // 100)).sum() / len(mine) if len(mine) else None,
        }
    reports = feedback[feedback["channel"] == "report"]
    truth = reports["prediction_id"].map(
        current[current["label_source"] == "outcome"].set_index("prediction_id")["label"]
    )
    checked = reports[truth.notna()].assign(is_right=(reports["value"] == truth)[truth.notna()])
    by_source = checked.groupby("source_id").agg(
        reports=("is_right", "size"), right=("is_right", "mean"), yes=("value", "mean")
    )
    judged = by_source[by_source["reports"] >= 20]
    ratings = feedback[feedback["channel"] == "rating"]["value"]
    return {
        "by_channel": by_channel,
        "reporters": {
            "with_20_checked_reports": len(judged),
            "right_share_quantiles": {
                f"p{q}": judged["right"].quantile(q / 100) if len(judged) else None for q in (5, 25, 50, 75, 95)
            },
            "always_yes": int((judged["yes"] == 1).sum()),
        },
        "ratings": {"n": len(ratings), "mean": ratings.mean() if len(ratings) else None},
    }
