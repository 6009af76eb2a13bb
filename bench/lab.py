"""The recipe at any clock of the project's history: its vintages, what they say of any window, what a gate asks of them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from gates import Asked, Judged, Window
from planted import History

from flywheel.data import tables
from flywheel.evaluation.behaviour import behave
from flywheel.evaluation.compare import evaluation_rows
from flywheel.evaluation.cost import ROWS, is_slower, race, summary
from flywheel.evaluation.intervals import WEIGHT
from flywheel.evaluation.leaks import probe
from flywheel.evaluation.robustness import robustness
from flywheel.evaluation.selection import measurable, weigh_rows
from flywheel.model import artifact, contract, trees
from flywheel.model.contract import Contract, Contracts
from flywheel.model.vintages import Vintages, Way


@dataclass
class Lab:
    """A history with the vintages of one recipe. What a vintage says of the predictions of a window is asked once."""

    history: History
    made: Vintages
    way: Way
    judged: Judged
    models: dict[dt.date, artifact.Model] = field(default_factory=dict)
    answers: dict[tuple[dt.date, dt.date], np.ndarray] = field(default_factory=dict)

    def model(self, day: dt.date) -> artifact.Model:
        """The vintage as of a day."""
        if day not in self.models:
            self.models[day] = self.made.vintage(self.way, day)[0]
        return self.models[day]

    def is_long(self, start: dt.date, clock: dt.date) -> bool:
        """Whether a stand-in as of a window's start has enough days to learn from."""
        return trees.is_long(self.history.first, start, clock, self.way.how.train_days)

    def window(self, start: dt.date, known: dt.date, days: Mapping[str, dt.date]) -> Window:
        """The window from a day on, with labels as they are `known` before a day, and the scores of the vintages of `days`."""
        served_at = self.history.served["served_at"]
        end = start + self.history.step
        first, last = np.searchsorted(served_at, [tables.timestamp(start), tables.timestamp(end)])
        served = self.history.served.iloc[first:last].reset_index(names="place")
        rows = evaluation_rows(served, self.history.revisions, known, self.judged.evaluate)
        place = (rows.pop("place") - first).to_numpy()
        scores = {}
        for name, day in days.items():
            if (day, start) not in self.answers:
                self.answers[day, start] = score(self.model(day), served)
            scores[name] = self.answers[day, start][place]
        unseen = {name: scores[name] for name, day in days.items() if day <= start}
        return Window(start, end, self.weighed(rows, unseen, start, self.history.revisions, known), scores, len(served))

    def weighed(
        self,
        rows: pd.DataFrame,
        scores: Mapping[str, np.ndarray],
        start: dt.date,
        revisions: pd.DataFrame,
        known: dt.date,
    ) -> pd.DataFrame:
        """Labelled rows of the window from a day on, with how much each counts, as `evaluate` weighs them."""
        if not self.judged.evaluate.selection.weigh:
            return rows
        served_at = self.history.served["served_at"]
        first, last = np.searchsorted(served_at, [tables.timestamp(start), tables.timestamp(start + self.history.step)])
        served = measurable(self.history.served.iloc[first:last])
        said, read = (revisions, self.history.alone), self.model(start).card["features"]
        return rows.assign(**{WEIGHT: weigh_rows(rows, scores, served, said, known, read, self.judged.evaluate).weight})

    def asked(self, clock: dt.date, latest: pd.DataFrame, champion: dt.date | None) -> Asked:
        """What a gate asks of the vintage of a clock besides how it compares, on the rows of its latest window."""
        model, evaluate = self.model(clock), self.judged.evaluate
        read = model.card["features"]
        inputs = latest[[*read["numeric"], *read["categorical"]]]
        before = self.contract(champion, None) if champion else None
        return Asked(
            behave(latest, {"candidate": model}, evaluate.behaviours),
            probe(inputs, latest["served_at"], latest["label"].to_numpy(), evaluate.leaks),
            robustness(latest, model, evaluate),
            self.cost(latest, model, self.model(champion) if champion else None),
            Contracts(self.contract(clock, before), before),
        )

    def cost(self, rows: pd.DataFrame, candidate: artifact.Model, champion: artifact.Model | None) -> Any:
        """How long a model takes to answer for some rows, against another; as `evaluate` measures it."""
        models = {"candidate": candidate} | ({"champion": champion} if champion else {})
        limit = self.judged.evaluate.cost.max_ratio
        found = {name: summary(race(models, rows, name)) for name in ROWS}
        sizes = {who: {"identity": who, "bytes": 0, "trees": one.booster.num_trees()} for who, one in models.items()}
        return {
            "max_ratio": limit,
            "champion": None,
            **sizes,
            "why_not_measured": None,
            "slower": [name for name, one in found.items() if is_slower(one, limit)],
        }

    def contract(self, day: dt.date, before: Contract | None, without: tuple[str, ...] = ()) -> Contract:
        """The contract of a vintage, or of one that does without some inputs."""
        model, rows = self.model(day), self.made.learned(self.way, day).features
        read = model.card["features"]
        kept = {**read, "numeric": [name for name in read["numeric"] if name not in without]}
        return contract.learn(rows, kept, model.calibration, before)


def score(model: artifact.Model, rows: pd.DataFrame) -> np.ndarray:
    """What a model says, to the thousandth: fewer different scores are counted sooner."""
    return to_thousandths(artifact.predict(model, rows))


def to_thousandths(scores: np.ndarray) -> np.ndarray:
    """Scores rounded, and never certain."""
    found: np.ndarray = np.clip(np.round(scores, 3), 0.001, 0.999)
    return found
