"""Settings of the model: the sections windows, train and model."""

from __future__ import annotations

import datetime as dt
from typing import Annotated

from pydantic import Field, model_validator

from flywheel.params import Count, Days, Params


class Windows(Params):
    train_days: Days
    evaluation_days: Days
    evaluation_windows: Annotated[int, Field(ge=1, le=100)]
    current_days: Days

    def evaluations(self, as_of: dt.date) -> list[tuple[dt.date, dt.date]]:
        """First day and the day after the last of each evaluation window, the latest first; one ends where the next begins."""
        step = dt.timedelta(days=self.evaluation_days)
        return [(as_of - (k + 1) * step, as_of - k * step) for k in range(self.evaluation_windows)]

    def training(self, as_of: dt.date) -> tuple[dt.date, dt.date]:
        """First day of the training window of a fit as of a day, and the day after its last, which is that day."""
        return as_of - dt.timedelta(days=self.train_days), as_of

    def current(self, as_of: dt.date) -> tuple[dt.date, dt.date]:
        """First day of the window that monitoring looks at, and the day after its last."""
        return as_of - dt.timedelta(days=self.current_days), as_of


class Pseudo(Params):
    """Labels that scores give to predictions without one; see `model/pseudo.py`."""

    below: Annotated[float, Field(gt=0, lt=0.5)]
    above: Annotated[float, Field(gt=0.5, lt=1)]
    weight: Annotated[float, Field(gt=0, le=0.5)]
    folds: Annotated[int, Field(ge=2, le=10)]


class Weigh(Params):
    """How labelled rows count for predictions without a label; see `model/weigh.py`."""

    min_propensity: Annotated[float, Field(gt=0, le=1)]


class Train(Params):
    earlier_fits: Annotated[int, Field(ge=0)]
    min_events_per_feature: Count
    seed: int
    pseudo: Pseudo | None = None
    weigh: Weigh | None = None

    @model_validator(mode="after")
    def _check_that_none_counts_twice(self) -> Train:
        if self.pseudo and self.weigh:
            raise ValueError(
                "train.weigh: found beside train.pseudo; allowed is one of them, because each lets a fit learn for predictions "
                "without a label, which would count twice. Set one of the two to null"
            )
        return self


class Model(Params):
    trees: Count
    max_trees: Count
    learning_rate: Annotated[float, Field(gt=0, le=1)]
    num_leaves: Annotated[int, Field(ge=2)]
    min_child_samples: Count
    feature_fraction: Annotated[float, Field(gt=0, le=1)]
    bagging_fraction: Annotated[float, Field(gt=0, le=1)]
    lambda_l2: Annotated[float, Field(ge=0)]
