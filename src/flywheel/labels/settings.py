"""Settings of the labels: the section label."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from flywheel.params import Count, Names, Params

Accuracy = Annotated[float, Field(gt=0.5, lt=1)]


class LabelAccuracy(Params):
    outcome: Accuracy
    report: Accuracy
    annotation: Accuracy


class Label(Params):
    min_votes: Count
    min_confidence: Annotated[float, Field(gt=0.5, lt=1)]
    accuracy: LabelAccuracy
    prior_by: Names
    prior_weight: Annotated[float, Field(gt=0)]
    revisit_days: Annotated[tuple[Count, ...], Field(strict=False)]
    max_iterations: Count
