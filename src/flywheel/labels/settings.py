"""Settings of the labels: the section label."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from flywheel.params import Count, Params

Accuracy = Annotated[float, Field(gt=0.5, lt=1)]


class LabelAccuracy(Params):
    outcome: Accuracy
    report: Accuracy
    annotation: Accuracy


class Label(Params):
    min_votes: Count
    accuracy: LabelAccuracy
