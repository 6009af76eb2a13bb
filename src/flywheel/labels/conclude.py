"""From all feedback about a prediction to what happened, how certain that is, and since when it is known."""

from __future__ import annotations

import numpy as np
import pandas as pd

from flywheel.data import tables
from flywheel.labels.revisions import revisions_of
from flywheel.labels.settings import Label

VOTES = ("outcome", "report", "annotation")


def conclude(feedback: pd.DataFrame, params: Label) -> pd.DataFrame:
    """Every revision of every label: prediction_id, label (0/1), label_confidence, label_source, n_votes, known_at,
    revised_at, superseded_at; in order of prediction and time.

    An outcome decides; the newest one counts. Without one, at least `min_votes` voters are needed and their weighted majority
    decides. A voter who is right with probability p has the weight log(p / (1 - p)), which is the best weight for independent
    voters (Nitzan and Paroush, 1982). The confidence is the probability of the winner, starting from even odds. A voter who
    speaks again replaces the earlier vote. A tie decides nothing.

    `label_source` is the channel that won: `outcome`; else `annotation` where at least one annotator's standing vote is
    for the label; else `report`. An annotator who was outvoted by reports is not the source of what the reports say.
    """
    votes = feedback[feedback["channel"].isin(VOTES)]
    codes, names = pd.factorize(votes["prediction_id"], sort=True)
    votes = tables.in_order(votes.assign(prediction=codes), ["prediction", "received_at", "feedback_id"])
    prediction = votes["prediction"]
    is_outcome = votes["channel"] == "outcome"
    claim = votes["value"]
    outcome = claim.where(is_outcome).groupby(prediction).ffill()

    # What stands after each vote is a running sum, over the votes on a prediction in order of time, of what that vote
    # changes: +1 or -1 for a new voter; for one who spoke before, the new vote minus the old one. Three reports on one
    # prediction, where Ann changes her mind:
    #   vote        mine  previous  change   net  voters   for 1   for 0
    #   Ann says 1    +1         -      +1    +1       1       1       0
    #   Bob says 1    +1         -      +1    +2       2       2       0
    #   Ann says 0    -1        +1      -2     0       2       1       1    a tie: nothing is settled any more
    # A voter is a source on a prediction; the code of both is one number, since codes of sources are below their count.
    # Nobody says that two claims without a source come from the same one, so each is a voter of its own.
    source = votes["source_id"].fillna("feedback " + votes["feedback_id"])
    voter = pd.factorize(source)[0] + prediction.to_numpy("int64") * (source.nunique() + 1)
    sign = (2 * claim - 1).where(~is_outcome, 0)
    score = np.zeros(len(votes))
    n_votes = np.zeros(len(votes), dtype="int64")
    annotated = {1: np.zeros(len(votes)), 0: np.zeros(len(votes))}
    for channel in ("report", "annotation"):
        is_mine = votes["channel"] == channel
        mine = sign.where(is_mine, 0)
        previous = mine[is_mine].groupby(voter[is_mine]).shift().reindex(votes.index)
        # Votes are summed as whole numbers, and weighed only then, so that a tie is exactly a tie: a sum of logarithms
        # might differ from zero in its last digit.
        net = _running(mine - previous.fillna(0), prediction)
        accuracy = getattr(params.accuracy, channel)
        score = score + net * np.log(accuracy / (1 - accuracy))
        n_votes = n_votes + _running((is_mine & previous.isna()).astype("int64"), prediction)
        if channel == "annotation":
            for claimed, said in ((1, 1), (0, -1)):
                stands = (mine == said).astype("int64") - (previous == said).astype("int64")
                annotated[claimed] = _running(stands, prediction)

    has_outcome = outcome.notna().to_numpy()
    by_majority = np.where((n_votes >= params.min_votes) & (score != 0), (score > 0).astype("int64"), -1)
    label = np.where(has_outcome, outcome.fillna(0).to_numpy(), by_majority).astype("int64")
    confidence = np.where(has_outcome, params.accuracy.outcome, 1 / (1 + np.exp(-np.abs(score))))
    is_annotated = np.where(label == 1, annotated[1], annotated[0]) > 0
    states = pd.DataFrame(
        {
            "prediction": prediction,
            "label": label,
            "label_confidence": np.round(confidence, 6),
            "label_source": np.select([has_outcome, is_annotated], ["outcome", "annotation"], "report"),
            "n_votes": n_votes,
            "revised_at": votes["received_at"],
        }
    )
    return revisions_of(states, names)


def _running(changes: pd.Series, prediction: pd.Series) -> np.ndarray:
    """What stands after each vote: the changes summed up over the votes on its prediction so far."""
    total: np.ndarray = changes.groupby(prediction).cumsum().to_numpy()
    return total
