"""Settings of the labels: the section label."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from flywheel.params import Count, Days, Names, Params, Share

Accuracy = Annotated[float, Field(gt=0.5, lt=1)]
FalseAlarm = Annotated[float, Field(gt=0, le=0.05)]


class LabelAccuracy(Params):
    outcome: Accuracy
    report: Accuracy
    annotation: Accuracy


class OneAnswer(Params):
    false_alarm: FalseAlarm
    min_claims: Count
    memory_days: Days


class FastClaims(Params):
    per_minute: Annotated[int, Field(ge=2)]


class RegularClaims(Params):
    gaps: Annotated[int, Field(ge=5)]
    max_gap_h: Annotated[float, Field(gt=0)]
    false_alarm: FalseAlarm


class SharedErrors(Params):
    days: Days
    members: Annotated[int, Field(ge=3)]
    false_alarm: FalseAlarm


class Lockstep(Params):
    days: Days
    members: Annotated[int, Field(ge=3)]
    meetings: Annotated[int, Field(ge=2)]
    predictions: Count
    agreement: Share
    false_alarm: FalseAlarm


class Quarantine(Params):
    """A rule that is null is off."""

    rest_days: Days
    one_answer: OneAnswer | None
    fast: FastClaims | None
    regular: RegularClaims | None
    shared_errors: SharedErrors | None
    lockstep: Lockstep | None


class Label(Params):
    min_votes: Count
    min_confidence: Annotated[float, Field(gt=0.5, lt=1)]
    accuracy: LabelAccuracy
    prior_by: Names
    prior_weight: Annotated[float, Field(gt=0)]
    revisit_days: Annotated[tuple[Count, ...], Field(strict=False)]
    max_iterations: Count
    quarantine: Quarantine
