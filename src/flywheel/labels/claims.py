"""Feedback as claims: who says what about which prediction, as codes, and how long each claim stands."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from flywheel.data import tables

OUTCOME = "outcome"
TEXT = "text"  # what texts say that come with no claim: a voice for all of them (labels/texts/said.py)
VOTES = (OUTCOME, "report", "annotation")  # the channels that claim something
VOICES = (*VOTES[1:], TEXT)  # the groups of sources that vote; an outcome is no vote, it settles
ANNOTATION = VOICES.index("annotation")
DAY_US = 86_400_000_000
NEVER = np.iinfo(np.int64).max

Ints = np.ndarray


@dataclass(frozen=True)
class Claims:
    """All claims in order of prediction and time, one array element a claim; days are numbered from 1970.

    A vote stands from its arrival until the same voter speaks again about the same prediction, or until it is quarantined: on
    the morning of day d those stand of which `day < d <= until`. One that is quarantined when it arrives never counts, and
    its `until` is before its day. An outcome stands until there is a newer one, whoever it comes from.
    """

    names: pd.Index  # of the predictions
    # source_id (null: all who are not named, of this group and rubric), group (the place in VOICES) and rubric (null: none)
    sources: pd.DataFrame
    prediction: Ints
    source: Ints  # -1 for an outcome
    value: Ints
    moment: Ints  # microseconds since 1970
    day: Ints
    previous: Ints  # the place of the claim that this one replaces, or -1
    until: Ints
    out: Ints  # the morning as of which it is quarantined, or NEVER

    @cached_property
    def counts(self) -> np.ndarray:
        """Which claims count on the day on which they arrive."""
        found: np.ndarray = self.until >= self.day
        return found

    @cached_property
    def is_outcome(self) -> np.ndarray:
        """Which claims are outcomes."""
        found: np.ndarray = self.source < 0
        return found

    @cached_property
    def side(self) -> Ints:
        """The voice of each vote, as its place in VOICES, times two, and one more where it says 1; below 0 for an outcome."""
        group = np.append(self.sources["group"].to_numpy("int64"), -1)  # the last one is that of outcomes
        found: Ints = group[self.source] * 2 + self.value * (self.source >= 0)
        return found

    @cached_property
    def first(self) -> Ints:
        """The place of the first claim about each prediction, and behind the last one the number of claims."""
        found: Ints = np.searchsorted(self.prediction, np.arange(len(self.names) + 1))
        return found


def read(feedback: pd.DataFrame, out: pd.Series | None = None) -> Claims:
    """The claims in a table of feedback; `out` has for each row the morning as of which it is quarantined, null for most.

    A voter is somebody of a group. Nobody says that two claims without a source come from the same one, so each is a voter of
    its own; but trust in them is one for all of a group, since there is nobody to tell apart. An annotator under another
    version of the rubric is another source, whose record begins anew, and the same voter: the later answer replaces.

    All texts are one voter, without a name: about a prediction they say what the newest of them says, however many write.
    Nobody is heard twice: who has reported or annotated adds nothing by writing, and who does so after writing takes the text
    back.
    """
    nobody = pd.Series(pd.NaT, feedback.index, dtype="datetime64[us, UTC]")
    said = feedback.assign(out=nobody if out is None else out)[feedback["channel"].isin([*VOTES, TEXT])]
    codes, names = pd.factorize(said["prediction_id"], sort=True)
    said = tables.in_order(said.assign(prediction=codes), ["prediction", "received_at", "feedback_id"])
    said = said[~_has_spoken(said)]
    prediction = said["prediction"].to_numpy("int64")
    group = pd.Categorical(said["channel"], categories=VOICES).codes.astype("int64")
    is_vote, is_text = group >= 0, group == VOICES.index(TEXT)
    writers, ids = pd.factorize(said["source_id"])  # -1: not named
    people = np.where(is_text, -1, writers)
    if "rubric" not in said:
        said = said.assign(rubric=pd.Series(None, said.index, dtype="str"))
    rubric, rubrics = pd.factorize(said["rubric"], sort=True)
    person = people * len(VOICES) + group + len(VOICES)
    n_rubrics = len(rubrics) + 1  # and none
    by_rubric = person * n_rubrics + np.where(group == ANNOTATION, rubric + 1, 0)
    known, code = np.unique(np.where(is_vote, by_rubric, -1), return_inverse=True)
    source = code - (known.size > 0 and known[0] == -1)
    known = known[known >= 0]
    under, known = known % n_rubrics - 1, known // n_rubrics
    number = known // len(VOICES) - 1
    sources = pd.DataFrame(
        {
            "source_id": pd.Series(ids.to_numpy(dtype=object), dtype="str").reindex(number).to_numpy(),
            "group": known % len(VOICES),
            "rubric": pd.Series(list(rubrics), dtype="str").reindex(under).to_numpy(),
        }
    )
    moment = said["received_at"].to_numpy("datetime64[us]").astype("int64")
    day = moment // DAY_US
    alone = (len(ids) + 1) * len(VOICES) + np.arange(len(said))  # a voter of its own
    voter = np.where(is_vote, np.where(~is_text & (people < 0), alone, person), -1)
    previous = _before([prediction, voter])
    if is_text.any():
        previous = _taken_back(previous, prediction, np.where(writers < 0, -1 - alone, writers), is_vote, is_text)
    until = np.full(len(said), NEVER)
    replaces = previous >= 0
    until[previous[replaces]] = day[replaces]
    is_out = is_vote & said["out"].notna().to_numpy()  # what happened is not quarantined, whoever says it
    morning = np.full(len(said), NEVER)
    morning[is_out] = said.loc[is_out, "out"].to_numpy("datetime64[us]").astype("int64") // DAY_US
    until = np.minimum(until, np.where(is_out, morning - 1, NEVER))
    value = said["value"].to_numpy("int64")
    return Claims(names, sources, prediction, source, value, moment, day, previous, until, morning)


def _has_spoken(said: pd.DataFrame) -> np.ndarray:
    """Which claims are texts of somebody who has reported or annotated the same prediction before."""
    is_text = (said["channel"] == TEXT).to_numpy()
    found = np.zeros(len(said), dtype=bool)
    if is_text.any():
        by = ["prediction", "source_id"]
        votes = said.loc[said["channel"].isin(VOTES[1:]), by].dropna().assign(place=lambda one: one.index)
        first = votes.drop_duplicates(by)
        mine = said.loc[is_text, by].assign(at=lambda one: one.index).merge(first, on=by, how="left")
        found[is_text] = (mine["place"] < mine["at"]).to_numpy()
    return found


def _taken_back(previous: Ints, prediction: Ints, writer: Ints, is_vote: np.ndarray, is_text: np.ndarray) -> Ints:
    """`previous`, where a vote after a text of the same writer replaces that text, if no newer text has replaced it."""
    place = np.arange(previous.size)
    texts = np.flatnonzero(is_text)
    before = np.searchsorted(texts, place) - 1  # the last text before each claim, if it is about the same prediction
    last = np.where(before >= 0, texts[np.maximum(before, 0)], 0)
    takes = is_vote & ~is_text & (before >= 0) & (prediction[last] == prediction) & (writer[last] == writer)
    # Of several votes of one writer the first takes the text back; the next ones replace votes, as ever.
    first = takes & ~pd.Series(np.where(takes, last, -1 - place)).duplicated().to_numpy()
    found = np.where(first, last, previous)
    gone = is_text & (previous >= 0) & np.isin(previous, last[first])  # nothing is left to replace
    found[gone] = -1
    return found


def _before(keys: Sequence[Ints]) -> Ints:
    """The place of the last element before each one that has the same keys, or -1."""
    order = np.lexsort([np.arange(keys[0].size), *keys])
    same = np.ones(max(order.size - 1, 0), dtype=bool)
    for key in keys:
        same &= key[order][1:] == key[order][:-1]
    found = np.full(order.size, -1)
    found[order[1:][same]] = order[:-1][same]
    return found
