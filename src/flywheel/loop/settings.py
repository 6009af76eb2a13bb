"""The whole of params.yaml: what `flywheel compose` must produce."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from flywheel.data.settings import Collect, Contract, Privacy, Source, Validate
from flywheel.evaluation.settings import Evaluate, Gate
from flywheel.features.settings import Features
from flywheel.labels.settings import Label, Queue, Voices
from flywheel.model.settings import Model, Train, Windows
from flywheel.monitoring.settings import Monitor, Trigger
from flywheel.params import Clock, Params, Project
from flywheel.report.settings import Report

Tier = Literal["routine", "drift", "urgent"]


class Forget(Params):
    models: Literal["now", "next retrain"]


class Automation(Params):
    auto_merge: Annotated[tuple[Tier, ...], Field(strict=False)]
    urgent_rollback: bool


class AllParams(Params):
    """The whole of `params.yaml`: what `flywheel compose` must produce."""

    clock: Clock
    project: Project
    source: Source
    collect: Collect
    forget: Forget
    privacy: Privacy
    contract: Contract
    validate_: Annotated[Validate, Field(alias="validate")]
    label: Label
    queue: Queue
    voices: Voices
    features: Features
    windows: Windows
    train: Train
    model: Model
    evaluate: Evaluate
    gate: Gate
    monitor: Monitor
    report: Report
    trigger: Trigger
    automation: Automation

    @model_validator(mode="after")
    def _check_across_sections(self) -> AllParams:
        inputs = {name for name in self.contract.predictions if name.startswith("in_")}
        for group, allowed in (("numeric", ("number", "integer")), ("categorical", ("string",))):
            for column in getattr(self.features, group):
                declared = self.contract.predictions.get(f"in_{column}")
                if declared is not None and declared.type not in allowed:
                    raise ValueError(
                        f"features.{group}: '{column}' is of type {declared.type}; allowed is {' or '.join(allowed)}"
                    )
        named = {
            "features.numeric": self.features.numeric,
            "features.categorical": self.features.categorical,
            **{f"features.history.{i}.key": item.key for i, item in enumerate(self.features.history)},
        }
        for key, columns in named.items():
            for column in columns:
                if f"in_{column}" not in inputs:
                    known = ", ".join(sorted(name.removeprefix("in_") for name in inputs))
                    raise ValueError(f"{key}: '{column}' is not an input column. Columns: {known}")
        for name, topic in self.voices.topics.items():
            if topic.input is not None and f"in_{topic.input}" not in inputs:
                known = ", ".join(sorted(one.removeprefix("in_") for one in inputs))
                raise ValueError(
                    f"voices.topics.{name}.input: '{topic.input}' is not an input column. Columns: {known}"
                )
        if self.project.derive is None:  # what that function adds is known to stage evaluate alone, which checks again
            acceptable = ["candidate", "served_at", "served_score", *sorted(self.features.columns)]
            for name in self.evaluate.leaks.accepted:
                if name not in acceptable:
                    known = ", ".join(acceptable)
                    raise ValueError(
                        f"evaluate.leaks.accepted: '{name}' is not an input of the model. Allowed: {known}"
                    )
        return self
