"""How champion, service and world are doing, as types: what `monitor` and the trigger write into `reports/`."""

from __future__ import annotations

from typing import Annotated, Any, Literal, NotRequired

from pydantic import AfterValidator
from typing_extensions import TypedDict

from flywheel import files, shapes
from flywheel.evaluation.evidence import Interval
from flywheel.shapes import DayText


class Realised(TypedDict):
    """Realised quality of a model in one week."""

    auc: float | None
    brier: float | None
    ece: float | None


class QualityOfWeek(TypedDict):
    """Realised quality in one week; null where too few labels are sure."""

    week: DayText
    predictions: int
    labelled: int
    served: NotRequired[Realised | None]
    champion: NotRequired[Realised | None]


class ServiceOfWeek(TypedDict):
    """The service in one week; `days` says how many days of it the data has."""

    week: DayText
    days: int
    predictions: float
    error_rate: float | None
    latency_p50_ms: float | None
    latency_p95_ms: float | None
    mean_rating: Interval | None
    feedback: dict[str, int]


class RecentQuality(TypedDict):
    """The champion's realised AUC over the current window."""

    start: DayText
    end: DayText
    predictions: int
    labelled: int
    auc: Interval | None


class LatestDay(TypedDict):
    """The service on the last day. `error_rate` is null where nothing was served, and where errors are not logged.

    Files of earlier versions do not say whether they are.
    """

    day: DayText
    predictions: int
    logs_errors: NotRequired[bool]
    error_rate: float | None


class DriftWindow(TypedDict):
    """How much of the champion's importance is on columns that have drifted in one window."""

    start: DayText
    end: DayText
    rows: int
    columns: int
    drifted: int
    weighted_share: float | None


class SatisfiedCohort(TypedDict):
    """The mean rating (-1 to +1) of a cohort, and its gap to the best of its group; null where there are too few ratings."""

    cohort: str
    ratings: int
    rating: Interval | None
    gap: Interval | None


class Satisfied(TypedDict):
    """Satisfaction by cohort over the last days. The intervals of all gaps hold at once."""

    start: DayText
    end: DayText
    ratings: int
    min_ratings: int
    confidence: float
    groups: dict[str, list[SatisfiedCohort]]


class LearnedFrom(TypedDict):
    """The predictions that users wrote about, and of how many the models learned what happened."""

    predictions: int
    candidate: int
    champion: int


class Health(TypedDict):
    """`reports/monitor.json`. Files of earlier versions have no satisfaction by cohort, and do not say what was learned."""

    as_of: DayText
    champion: str | None
    quality: list[QualityOfWeek]
    service: list[ServiceOfWeek]
    recent: RecentQuality
    latest_day: LatestDay
    new_labels: int | None
    drift_windows: list[DriftWindow]
    unknown_categories: dict[str, float]
    satisfaction: NotRequired[Satisfied]
    learned: NotRequired[dict[str, LearnedFrom]]


class Histogram(TypedDict):
    """Shares of both samples in the same bins: categories, or bins between edges."""

    categories: NotRequired[list[str]]
    edges: NotRequired[list[float]]
    reference: list[float]
    current: list[float]


def has_bins(value: dict[str, Any]) -> dict[str, Any]:
    """A validator for a histogram: without bins there is nothing to draw."""
    if "categories" in value:
        n = len(value["categories"])
    elif "edges" in value:
        n = max(len(value["edges"]) - 1, 0)
    else:
        raise ValueError("it should have the key categories or the key edges")
    if {len(value["reference"]), len(value["current"])} != {n}:
        raise ValueError(f"it should have {n} shares of both samples, one for each bin")
    return value


class DriftOfColumn(TypedDict):
    """The distance between the two samples of a column; null where it cannot be measured."""

    column: str
    method: str
    distance: float | None
    is_drifted: bool
    null_share: list[float]
    histogram: Annotated[Histogram, AfterValidator(has_bins)]


class CurrentWindow(TypedDict):
    """The window that is looked at."""

    start: DayText
    end: DayText
    rows: int


class ReferenceWindow(CurrentWindow):
    """The window that it is compared with, and why that one."""

    why: str


class Drift(TypedDict):
    """`reports/drift.json`."""

    champion: str | None
    reference: ReferenceWindow
    current: CurrentWindow
    threshold: float
    columns: int
    drifted: int
    drifted_share: float
    by_column: list[DriftOfColumn]


Tier = Literal["urgent", "drift", "routine", "none"]


class TriggerRule(TypedDict):
    """What one rule of the trigger says."""

    rule: str
    tier: Tier
    calls: bool
    reason: str


class Alert(TypedDict):
    """What somebody must look at."""

    alert: str
    tier: Tier
    reason: str


class Triggered(TypedDict):
    """`reports/trigger.json`: what to do now, what was called for, why, every alert, and every rule with its numbers."""

    as_of: DayText
    tier: Tier
    called_for: Tier
    held_back: str | None
    reason: str
    alerts: list[Alert]
    rules: list[TriggerRule]


def realised_by_model(found: QualityOfWeek) -> dict[str, Realised | None]:
    """The realised quality of a week by the model's name: of what was served, and of the champion where it is judged."""
    champion = {"champion": found["champion"]} if "champion" in found else {}
    return {**({"served": found["served"]} if "served" in found else {}), **champion}


def read_health() -> Health:
    """What `monitor` wrote about champion and service. DataError when the file is missing or has another shape."""
    return shapes.read(files.MONITOR, Health)


def read_drift() -> Drift:
    """What `monitor` wrote about drift. DataError when the file is missing or has another shape."""
    return shapes.read(files.DRIFT, Drift)


def read_triggered() -> Triggered:
    """What the trigger decided. DataError when the file is missing or has another shape."""
    return shapes.read(files.TRIGGER, Triggered)
