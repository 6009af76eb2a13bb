"""Stage `label`: conclude from all feedback what happened, how sure that is, and since when it is known.

Run it with `python -m flywheel.stages.label`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from flywheel import events, files, labels
from flywheel.params import Label, LabelParams
from flywheel.stages import run_stage

VOTES = ("outcome", "report", "annotation")


def main(params: LabelParams) -> str:
    """Write `data/labels.parquet`, `reports/labels.json` and `reports/feedback.json`."""
    upstream = files.read_json(files.VALID / "ledger.json")["fingerprint"]
    fingerprint = files.fingerprint("label", params.label.model_dump(), upstream)
    days = [day for day in events.stored_days(files.VALID, "feedback") if day < params.clock.as_of]
    columns = ["feedback_id", "prediction_id", "received_at", "channel", "source_id", "value"]
    feedback = events.read_days(files.VALID, "feedback", days, columns)
    predictions = events.read_days(files.VALID, "predictions", days, ["prediction_id", "served_at"])
    revisions = conclude(feedback, params.label).merge(predictions, on="prediction_id", how="left")
    files.write_parquet(files.LABELS, revisions, {"fingerprint": fingerprint})
    current = labels.known_before(revisions, events.timestamp(params.clock.as_of))
    found = summarize(current, predictions, feedback)
    files.write_json(files.LABEL_REPORT, found)
    files.write_json(files.FEEDBACK_REPORT, describe_feedback(feedback, current))
    return f"{len(current):,} labels for {len(predictions):,} predictions ({found['coverage']:.1%})"


def conclude(feedback: pd.DataFrame, params: Label) -> pd.DataFrame:
    """Every revision of every label: prediction_id, label (0/1), label_confidence, label_source, n_votes, known_at,
    revised_at, superseded_at; in order of prediction and time.

    An outcome settles it; the newest one counts. Without one, at least `min_votes` voters must have spoken, and their
    weighted majority decides: a voter who is right with probability p weighs log(p / (1 - p)), which is the best weight
    for independent voters (Nitzan and Paroush, 1982). The confidence is the probability of the winner if, before anybody
    spoke, both were equally likely. A voter who speaks again replaces the earlier vote. A tie settles nothing.
    """
    votes = feedback[feedback["channel"].isin(VOTES)]
    codes, names = pd.factorize(votes["prediction_id"], sort=True)
    votes = events.in_order(votes.assign(prediction=codes), ["prediction", "received_at", "feedback_id"])
    prediction = votes["prediction"]
    is_outcome = votes["channel"] == "outcome"
    claim = votes["value"]
    outcome = claim.where(is_outcome).groupby(prediction).ffill()

    voter = pd.factorize(votes["source_id"])[0] + prediction.to_numpy("int64") * (votes["source_id"].nunique() + 1)
    sign = (2 * claim - 1).where(~is_outcome, 0)
    score = np.zeros(len(votes))
    n_votes = np.zeros(len(votes), dtype="int64")
    n_annotations = np.zeros(len(votes), dtype="int64")
    for channel in ("report", "annotation"):
        is_mine = votes["channel"] == channel
        mine = sign.where(is_mine, 0)
        previous = mine[is_mine].groupby(voter[is_mine]).shift().reindex(votes.index)
        # Votes are summed as whole numbers, so that a tie is exactly a tie.
        net = (mine - previous.fillna(0)).groupby(prediction).cumsum()
        is_new_voter = (is_mine & previous.isna()).astype("int64").groupby(prediction).cumsum().to_numpy()
        accuracy = getattr(params.accuracy, channel)
        score = score + net.to_numpy() * np.log(accuracy / (1 - accuracy))
        n_votes = n_votes + is_new_voter
        if channel == "annotation":
            n_annotations = is_new_voter

    has_outcome = outcome.notna().to_numpy()
    by_majority = np.where((n_votes >= params.min_votes) & (score != 0), (score > 0).astype("int64"), -1)
    label = np.where(has_outcome, outcome.fillna(0).to_numpy(), by_majority).astype("int64")
    confidence = np.where(has_outcome, params.accuracy.outcome, 1 / (1 + np.exp(-np.abs(score))))
    source = np.select([has_outcome, n_annotations > 0], ["outcome", "annotation"], "report")
    states = pd.DataFrame(
        {
            "prediction": prediction,
            "label": label,
            "label_confidence": np.round(confidence, 6),
            "label_source": source,
            "n_votes": n_votes,
            "revised_at": votes["received_at"],
        }
    )
    return _revisions(states, names)


def _revisions(states: pd.DataFrame, names: pd.Index) -> pd.DataFrame:
    """Keep the states that differ from the one before, and say until when each held. A label of -1 means: not settled."""
    said = ["label", "label_confidence", "label_source"]
    is_first = states["prediction"] != states["prediction"].shift()
    is_change = (states[said] != states[said].shift()).any(axis=1) & ~(
        (states["label"] == -1) & (states["label"].shift() == -1)
    )
    kept = states[(is_first & (states["label"] != -1)) | (~is_first & is_change)].reset_index(drop=True)
    same_prediction = kept["prediction"] == kept["prediction"].shift(-1)
    kept["superseded_at"] = kept["revised_at"].shift(-1).where(same_prediction)
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


def summarize(current: pd.DataFrame, predictions: pd.DataFrame, feedback: pd.DataFrame) -> dict[str, Any]:
    """`reports/labels.json`: coverage, where labels come from, how sure they are, and how far the channels agree."""
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
        "agreement": agreement(feedback),
    }


def agreement(feedback: pd.DataFrame) -> dict[str, Any]:
    """How often reports and annotations say the same as the outcome, and how often two votes on one prediction agree."""
    votes = feedback[feedback["channel"].isin(("report", "annotation"))]
    outcome = events.in_order(feedback[feedback["channel"] == "outcome"], ["received_at", "feedback_id"])
    outcome = outcome.drop_duplicates("prediction_id", keep="last")
    truth = votes["prediction_id"].map(outcome.set_index("prediction_id")["value"])
    with_outcome = {}
    for channel in ("report", "annotation"):
        is_comparable = (votes["channel"] == channel) & truth.notna()
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
    """`reports/feedback.json`: who says how much, how often each kind of voice is right, what people say about the app."""
    by_channel = {}
    for channel in events.CHANNELS:
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


if __name__ == "__main__":
    run_stage(main, LabelParams)
