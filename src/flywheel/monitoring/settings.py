"""Settings of monitoring: the sections monitor and trigger."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from flywheel.data.settings import Validate
from flywheel.params import Clock, Count, Day, Days, Params, Share


class Drift(Params):
    sample_rows: Annotated[int, Field(ge=1001)]
    seed: int
    numeric_method: Literal["wasserstein", "psi", "jensenshannon", "hellinger"]
    categorical_method: Literal["psi", "jensenshannon", "hellinger", "TVD"]
    threshold: Annotated[float, Field(gt=0)]
    windows: Count
    window_days: Count


class Satisfaction(Params):
    days: Days
    min_ratings: Annotated[int, Field(ge=30)]
    min_days: Annotated[int, Field(ge=7)]


class Monitor(Params):
    drift: Drift
    satisfaction: Satisfaction
    min_labelled_share: Share
    min_positives: Count


class Freeze(Params):
    first: Day
    last: Day

    @model_validator(mode="after")
    def _check_order(self) -> Freeze:
        if self.last < self.first:
            raise ValueError("last must not be before first")
        return self


class Trigger(Params):
    max_error_rate: Share
    min_auc: Share
    drift_limit: Share
    drift_windows_needed: Count
    max_age_days: Count
    new_label_share: Annotated[float, Field(gt=0)]
    cool_down_days: Annotated[int, Field(ge=0)]
    urgent_cool_down_days: Annotated[int, Field(ge=0)]
    monthly_budget: Annotated[int, Field(ge=0)]
    freeze: Annotated[tuple[Freeze, ...], Field(strict=False)]


class TriggerParams(Params):
    """`params.yaml` as the command `flywheel trigger` sees it."""

    clock: Clock
    validate_: Annotated[Validate, Field(alias="validate")]
    trigger: Trigger
