"""Versions of the recipe: as it is, and worse or better by what is planted. All are fitted on the project's own history."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from gates import measured

from flywheel import files
from flywheel.data import tables
from flywheel.features.days import derived_by, read_features
from flywheel.features.settings import column_names
from flywheel.model import fit
from flywheel.model.memo import Memo
from flywheel.model.recipe import Fit, recipe
from flywheel.model.vintages import Vintages, Way
from flywheel.stages.train import TrainParams

LEAK = "leak"
MOST_TREES = 250  # that a fit grows, to save time: proof.json says how many the fits of the span wanted


@dataclass(frozen=True)
class History:
    """All that the project's features and labels tell, and its recipe."""

    params: TrainParams
    served: pd.DataFrame
    revisions: pd.DataFrame
    alone: pd.DataFrame  # the labels that voices alone would give

    @classmethod
    def read(cls, params: TrainParams) -> History:
        """From `data/`."""
        days = tables.days_in(files.FEATURES)
        served = read_features(days[0], days[-1] + dt.timedelta(days=1))
        revisions = fit.with_places(files.read_parquet(files.LABELS), served)
        return cls(params, served, revisions, files.read_parquet(files.WITHOUT_OUTCOME))

    @property
    def first(self) -> dt.date:
        """The first day."""
        day: dt.date = self.served["served_at"].min().date()
        return day

    @property
    def end(self) -> dt.date:
        """The day after the last."""
        day: dt.date = self.served["served_at"].max().date()
        return day + dt.timedelta(days=1)

    @cached_property
    def step(self) -> dt.timedelta:
        """The length of a window."""
        return dt.timedelta(days=self.params.windows.evaluation_days)

    @cached_property
    def counted(self) -> dict[tuple[str, ...], list[str]]:
        """The columns that count labels, by the key for which they count."""
        return {
            one.key: [name for window in one.windows for name in column_names(one.key, window)]
            for one in self.params.features.history
        }

    def made(self) -> Vintages:
        """What makes vintages of this history."""
        return Vintages(self.params.project.name, self.served, self.revisions, Memo())

    def way(self, *, seed: int | None = None, without: tuple[str, ...] = (), n_trees: int | None = None) -> Way:
        """The recipe, with another seed, without some features, or with just so many trees."""
        p = self.params
        train, model = p.train, p.model.model_copy(update={"max_trees": min(p.model.max_trees, MOST_TREES)})
        train = train if seed is None else train.model_copy(update={"seed": seed})
        if n_trees is not None:
            train = train.model_copy(update={"earlier_fits": 0})
            model = model.model_copy(update={"trees": n_trees, "max_trees": n_trees})
        own = recipe(p.features, p.project.derive, derived_by(), p.label, model, train, p.windows)
        how = Fit(train=train, model=model, train_days=p.windows.train_days, step_days=p.windows.evaluation_days)
        numeric, categorical = fit.feature_names(self.served, p.features.categorical)
        return Way(
            own | {"features": {**own["features"], "without": without}},
            how,
            tuple(one for one in numeric if one not in without),
            categorical,
        )

    def with_wrong_labels(self, share: float, first: dt.date | None = None, end: dt.date | None = None) -> History:
        """With this share of the predictions labelled the wrong way round, of those served in some days or of all."""
        served_at = self.served["served_at"]
        chosen = np.random.default_rng(5).random(len(served_at)) < share
        if first and end:
            chosen &= served_at.between(tables.timestamp(first), tables.timestamp(end), inclusive="left").to_numpy()
        is_wrong = chosen[self.revisions["place"]]
        label = self.revisions["label"]
        return replace(self, revisions=self.revisions.assign(label=label.where(~is_wrong, 1 - label)))

    def with_leak(self) -> History:
        """With an input that is the label, but for one row in a hundred; where there is no label it says nothing."""
        last = self.revisions.drop_duplicates("place", keep="last")
        label = np.full(len(self.served), np.nan)
        label[last["place"]] = last["label"]
        is_other = np.random.default_rng(6).random(len(label)) < 0.01
        return replace(self, served=self.served.assign(**{LEAK: np.where(is_other, 1 - label, label)}))

    def stale(self, rows: pd.DataFrame, start: dt.date) -> pd.DataFrame:
        """Rows as they are scored when what counts labels has stood still since `start`: each key keeps its last counts."""
        before = self.served[self.served["served_at"] < tables.timestamp(start)]
        for key, names in self.counted.items():
            if key:
                last = before.groupby([*key], observed=True)[names].last()
                found = rows[[*key]].merge(last, left_on=[*key], right_index=True, how="left")[names]
            else:
                found = pd.DataFrame([before[names].iloc[-1]] * len(rows))
            rows = rows.assign(**{name: found[name].to_numpy() for name in names})
        return rows


@dataclass(frozen=True)
class Laborious:
    """A booster that does its work several times over, and answers the same."""

    booster: Any
    times: int

    def predict(self, table: np.ndarray) -> np.ndarray:
        """The scores, at the last time."""
        return [np.asarray(self.booster.predict(table)) for _ in range(self.times)][-1]

    def num_trees(self) -> int:
        """Of the booster."""
        return int(self.booster.num_trees())


def shuffled(rows: pd.DataFrame, name: str) -> pd.DataFrame:
    """The values of one input in another order."""
    return rows.assign(**{name: np.random.default_rng(7).permutation(rows[name].to_numpy())})


def blurred(scores: np.ndarray, label: np.ndarray, metric: str, loss: float) -> np.ndarray:
    """Scores with so much noise in their log odds that a metric (auc or log_loss) is worse by `loss`, or nearly."""
    odds, noise = np.log(scores / (1 - scores)), np.random.default_rng(8).normal(0, 1, len(scores))

    def with_noise(size: float) -> np.ndarray:
        return 1 / (1 + np.exp(-(odds + size * noise)))

    low, high, whole = 0.0, 4.0, measured(scores, label)[metric]
    for _ in range(20):
        middle = (low + high) / 2
        is_less = abs(measured(with_noise(middle), label)[metric] - whole) < loss
        low, high = (middle, high) if is_less else (low, middle)
    return with_noise(low)
