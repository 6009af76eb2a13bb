"""The evidence about a candidate, as types: what `evaluate` and `gate` write into `reports/`; and its metrics in words."""

from __future__ import annotations

from typing import Annotated, Literal, NotRequired

from pydantic import AfterValidator
from typing_extensions import TypedDict

from flywheel import files, shapes

HIGHER_IS_BETTER = {
    "auc": True,
    "average_precision": True,
    "log_loss": False,
    "brier": False,
    "ece": False,
    "precision": True,
    "recall": True,
    "utility": True,
}
IN_WORDS = {
    "auc": "AUC",
    "average_precision": "average precision",
    "log_loss": "log loss",
    "brier": "Brier score",
    "ece": "calibration error",
    "precision": "precision of alerts",
    "recall": "recall of alerts",
    "alert_rate": "share of alerts",
    "utility": "utility per 1,000 predictions",
}
Verdict = Literal["pass", "fail", "inconclusive"]


class Interval(TypedDict):
    """A value with its interval; null where undefined."""

    value: float | None
    low: float | None
    high: float | None


ByMetric = Annotated[dict[str, Interval], AfterValidator(shapes.having(IN_WORDS))]
ValueByMetric = Annotated[dict[str, float | None], AfterValidator(shapes.having(IN_WORDS))]


class CandidateSaid(TypedDict):
    """Which candidate was measured."""

    as_of: str
    identity: str | None


class ChampionSaid(TypedDict):
    """Which champion it was compared with, or why not; all null if there is none."""

    version: str | None
    identity: str | None
    why_not_compared: str | None


class Window(TypedDict):
    """The evaluation window, and what was labelled in it."""

    start: str
    end: str
    predictions: int
    rows: int
    days: int
    positives: int


class About(TypedDict):
    """What was measured."""

    candidate: CandidateSaid
    champion: ChampionSaid
    confidence: float
    window: Window


class Measured(TypedDict):
    """`reports/metrics.json`: the metrics of each model on the same rows, and the candidate's differences from the others."""

    about: About
    candidate: ByMetric
    champion: NotRequired[ByMetric]
    served: ByMetric
    base_rate: ByMetric
    difference: Annotated[dict[str, ByMetric], AfterValidator(shapes.having(["served"]))]


class CohortMeasured(TypedDict):
    """One cohort: its counts, the metrics of each model, and the candidate's differences with intervals."""

    rows: int
    days: int
    positives: int
    candidate: ValueByMetric
    champion: NotRequired[ValueByMetric]
    served: ValueByMetric
    difference: dict[str, ByMetric]


Cohorts = dict[str, dict[str, CohortMeasured]]
"""`reports/cohorts.json`: each group of cohorts by name, and in it each cohort by its value."""


class Shift(TypedDict):
    """How a model's scores respond to a changed input."""

    share_moved: float
    share_as_expected: float | None
    mean_shift: float


class BehaviourMeasured(TypedDict):
    """One behaviour: what was set, what is expected, and how the models respond."""

    column: str
    set: float
    expect: Literal["higher", "lower", "same"]
    candidate: Shift
    champion: NotRequired[Shift]


Behaviours = dict[str, BehaviourMeasured]
"""`reports/behaviour.json`: each behaviour by its name."""


class Rule(TypedDict):
    """What one rule of the gate says."""

    rule: str
    verdict: Verdict
    reason: str


class Decision(TypedDict):
    """`reports/decision.json`: the verdict, every rule with its reason, and what was compared."""

    verdict: Verdict
    reference: Literal["champion", "served"]
    champion: str | None
    candidate: str | None
    as_of: str
    rules: list[Rule]


def read_evidence() -> tuple[Measured, Cohorts, Behaviours]:
    """What `evaluate` wrote. DataError when a file is missing or has another shape."""
    return (
        shapes.read(files.METRICS, Measured),
        shapes.read(files.COHORTS, Cohorts),
        shapes.read(files.BEHAVIOUR, Behaviours),
    )


def read_decision() -> Decision:
    """What `gate` wrote. DataError when the file is missing or has another shape."""
    return shapes.read(files.DECISION, Decision)


def open_rules(decision: Decision) -> list[str]:
    """The names of the rules that are not a pass: what keeps the gate closed."""
    return [rule["rule"] for rule in decision["rules"] if rule["verdict"] != "pass"]


def verdict_in_words(decision: Decision) -> str:
    """The verdict, and behind a colon every rule that is not a pass."""
    return ": ".join(filter(None, [decision["verdict"], ", ".join(open_rules(decision))]))
