"""Thanks to those whose feedback a released model learned from, and who were right: nobody else gets one."""

from __future__ import annotations

import datetime as dt

import pandas as pd
from typing_extensions import TypedDict

from flywheel import files, shapes
from flywheel.data import tables
from flywheel.errors import ConfigError
from flywheel.labels.claims import TEXT, VOICES
from flywheel.labels.quarantine import out_since
from flywheel.labels.revisions import known_before
from flywheel.model.card import Card, read_champion
from flywheel.release.commits import Commit
from flywheel.release.tags import versions


class Thanks(TypedDict):
    """A message to one user, named as the data names them: by a hash, or an annotator by name."""

    user: str
    model: str
    version: str
    claims: int
    message: str


class Release(TypedDict):
    """A released model: its name and version, its training window, and the day before which it knew labels."""

    name: str
    version: str
    start: dt.date
    end: dt.date
    known_before: dt.date


def release_of(name: str, version: str) -> Release:
    """What a released version learned from, by the card at the commit of its tag, or by the champion's in this tree.

    ConfigError when nothing says what that version is.
    """
    known, champion = versions(name), read_champion()
    if version in known:
        commit, path = Commit(known[version]), f"{files.CANDIDATE.as_posix()}/card.json"
        card = shapes.check(commit.json(path), Card, f"{path} of {version}", "Fetch all tags and run again.")
    elif champion is not None and champion["version"] == version:
        card = champion
    else:
        here = [champion["version"]] if champion and champion["version"] else []
        listed = ", ".join(dict.fromkeys([*known, *here]))
        raise ConfigError(
            f"--version: found {version!r}; released versions: {listed or 'none'}. Fetch all tags: git fetch --tags"
        )
    start, end = (dt.date.fromisoformat(day) for day in card["training_window"])
    last = dt.date.fromisoformat(card["labels_known_before"])
    return {"name": name, "version": version, "start": start, "end": end, "known_before": last}


def thanks(
    claims: pd.DataFrame,
    served: pd.DataFrame,
    revisions: pd.DataFrame,
    quarantine: pd.DataFrame,
    release: Release,
    as_of: dt.date,
) -> list[Thanks]:
    """One message for each user with a claim that counted, in order of the user; `claims` as from `texts.said.with_texts`.

    A claim counted where the release learned from a label that votes decided, it was among these votes (the user's last one
    before the model was made), and it says what the label says now, at `as_of`, and said then. Where an outcome had decided, no
    vote was needed. Nobody is known by a claim without a source, and a claim that is in `quarantine` (as `label` wrote it) does
    not count. Of texts the newest about a prediction counts, and none of somebody who voted on it.
    """
    moment = tables.timestamp(release["known_before"])
    start, end = tables.timestamp(release["start"]), tables.timestamp(release["end"])
    in_window = served.loc[(served["served_at"] >= start) & (served["served_at"] < end), "prediction_id"]
    then = known_before(revisions, moment)
    then = then[then["prediction_id"].isin(in_window) & (then["label_source"] != "outcome")]
    now = known_before(revisions, tables.timestamp(as_of))
    learned = then.merge(now[["prediction_id", "label"]], on="prediction_id", suffixes=("", "_now"))
    right = learned.loc[learned["label"] == learned["label_now"], ["prediction_id", "label"]]
    votes = claims[claims["channel"].isin(VOICES) & (claims["received_at"] < moment)]
    votes = votes[votes["prediction_id"].isin(right["prediction_id"])]
    votes = votes[out_since(votes, quarantine).isna()]
    votes = tables.in_order(votes, ["received_at", "feedback_id"])
    is_text, pair = votes["channel"] == TEXT, ["prediction_id", "source_id"]
    has_voted = pd.MultiIndex.from_frame(votes[pair]).isin(pd.MultiIndex.from_frame(votes.loc[~is_text, pair]))
    replaced = is_text & votes[is_text].duplicated("prediction_id", keep="last").reindex(votes.index, fill_value=False)
    votes = votes[votes["source_id"].notna() & ~(is_text & has_voted) & ~replaced]
    votes = votes.drop_duplicates([*pair, "channel"], keep="last").merge(right, on="prediction_id")
    counted = votes[votes["value"] == votes["label"]].drop_duplicates(["prediction_id", "source_id"])
    told = counted.groupby("source_id", sort=True).size()
    return [
        {
            "user": str(user),
            "model": release["name"],
            "version": release["version"],
            "claims": int(n),
            "message": _message(int(n), release),
        }
        for user, n in told.items()
    ]


def _message(n: int, release: Release) -> str:
    made = f"{release['name']} {release['version']}"
    if n == 1:
        return f"Thank you: what you told us was right, and {made} has learned from it."
    return f"Thank you: {n:,} things that you told us were right, and {made} has learned from them."
