"""What the room of releases may be told: the name of the project, under which its tags are, and the rules of the gate."""

from __future__ import annotations

from flywheel.evaluation.settings import Gate
from flywheel.labels.settings import Label
from flywheel.params import Clock, Params, Project


class ReleaseParams(Params):
    """All that releasing, rolling back and auditing read of the tree's `params.yaml`."""

    project: Project


class DecisionParams(Params):
    """What deciding again needs."""

    gate: Gate


class ThanksParams(Params):
    """What thanking users needs."""

    clock: Clock
    project: Project
    label: Label
