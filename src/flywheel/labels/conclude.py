"""From all feedback about a prediction to what happened, how sure that is, and since when it is known."""

from __future__ import annotations

import numpy as np
import pandas as pd

from flywheel.data import tables
from flywheel.labels.revisions import _revisions
from flywheel.labels.settings import Label

VOTES = ("outcome", "report", "annotation")


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
    votes = tables.in_order(votes.assign(prediction=codes), ["prediction", "received_at", "feedback_id"])
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
