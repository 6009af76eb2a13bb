"""Settings of the model: the sections windows, train and model."""

from __future__ import annotations

import datetime as dt
from typing import Annotated

from pydantic import Field

from flywheel.params import Count, Days, Params


class Windows(Params):
    train_days: Days
    evaluation_days: Days
    current_days: Days

    def evaluation(self, as_of: dt.date) -> tuple[dt.date, dt.date]:
        """First day of the evaluation window and the day after its last."""
        return as_of - dt.timedelta(days=self.evaluation_days), as_of

    def training(self, as_of: dt.date) -> tuple[dt.date, dt.date]:
        """First day of the training window and the day after its last, on which the evaluation window starts."""
        end, _ = self.evaluation(as_of)
        return end - dt.timedelta(days=self.train_days), end

    def current(self, as_of: dt.date) -> tuple[dt.date, dt.date]:
        """First day of the window that monitoring looks at, and the day after its last."""
        return as_of - dt.timedelta(days=self.current_days), as_of


class Train(Params):
    earlier_fits: Annotated[int, Field(ge=0)]
    min_events_per_feature: Count
    seed: int


class Model(Params):
    trees: Count
    max_trees: Count
    learning_rate: Annotated[float, Field(gt=0, le=1)]
    num_leaves: Annotated[int, Field(ge=2)]
    min_child_samples: Count
    feature_fraction: Annotated[float, Field(gt=0, le=1)]
    bagging_fraction: Annotated[float, Field(gt=0, le=1)]
    lambda_l2: Annotated[float, Field(ge=0)]
