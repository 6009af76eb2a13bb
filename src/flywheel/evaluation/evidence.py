"""The evidence about a candidate, as types: what `evaluate` and `gate` write into `reports/`; and its metrics in words."""

from __future__ import annotations

from typing import Annotated, Any, Literal, NotRequired, get_args

from pydantic import AfterValidator, Field
from typing_extensions import TypedDict

from flywheel import files, shapes
from flywheel.model.index import Kind, LeftOut
from flywheel.shapes import DayText

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
Severity = Literal["block", "warn"]
Reference = Literal["champion", "served", "base_rate"]
Method = Literal["all are labelled", "outcomes", "outcomes and voices", "none"]  # how propensities are learned
REFERENCES: tuple[Reference, ...] = get_args(Reference)  # what the candidate has to beat: the first that is there
REFERENCE_IN_WORDS = {"champion": "the champion", "served": "the served score", "base_rate": "the base rate"}


class Interval(TypedDict):
    """A value with its interval; null where undefined."""

    value: float | None
    low: float | None
    high: float | None


ByMetric = Annotated[dict[str, Interval], AfterValidator(shapes.having(IN_WORDS))]
ValueByMetric = Annotated[dict[str, float | None], AfterValidator(shapes.having(IN_WORDS))]


class CandidateSaid(TypedDict):
    """Which candidate was measured."""

    as_of: DayText
    identity: str | None


class ChampionSaid(TypedDict):
    """Which champion it was compared with, or why not; all null if there is none."""

    version: str | None
    identity: str | None
    why_not_compared: str | None


class Window(TypedDict):
    """The days of an evaluation window, or of all together, and what was labelled in them."""

    start: DayText
    end: DayText
    predictions: Annotated[int, Field(ge=1)]
    rows: int
    days: int
    positives: int


class BlockDays(TypedDict):
    """How many days a block of the bootstrap has, and one of the check."""

    intervals: Annotated[int, Field(ge=1)]
    check: Annotated[int, Field(ge=1)]


class About(TypedDict):
    """What was measured."""

    candidate: CandidateSaid
    champion: ChampionSaid
    confidence: Annotated[float, Field(gt=0.5, lt=1)]
    block_days: BlockDays
    kind: Kind
    recipe: str
    window: Window
    left_out: list[LeftOut]
    why_as_it_is: str | None
    cohorts: list[str]
    behaviours: list[str]
    inputs: list[str]


GapMetric = Literal["alert_rate", "recall", "calibration"]
GAPS_IN_WORDS: dict[GapMetric, str] = {
    "alert_rate": "share of alerts",
    "recall": "recall of alerts",
    "calibration": "mean score minus share of positives",
}


class Gap(TypedDict):
    """How far apart the cohorts of a group are: largest value less smallest, between which, and what became of it."""

    candidate: float
    highest: str
    lowest: str
    reference: float | None
    change: Interval | None
    p_larger: float | None


class GroupGaps(TypedDict):
    """The cohorts of a group that are compared, and the gaps between them; none where there are fewer than two."""

    cohorts: list[str]
    gaps: dict[GapMetric, Gap]


class Flips(TypedDict):
    """How many decisions change from the reference to the candidate, in either direction, and how many of these are right."""

    to_alert: int
    to_alert_right: int
    to_quiet: int
    to_quiet_right: int


class Recalibrated(TypedDict):
    """The line that would put a score right, in log odds: 0 and 1 where it is right as it is."""

    intercept: Interval
    slope: Interval


def _with_something(value: dict[str, Any]) -> dict[str, Any]:
    """A validator for differences: the candidate was compared with something."""
    if not value:
        raise ValueError(f"it should have one of the keys {', '.join(REFERENCES)}")
    return value


def shown(reference: Reference) -> str:
    """The reference as a table or a sentence names it, without an article."""
    return reference.replace("_", " ")


MODELS = ("candidate", *REFERENCES)


class Agreement(TypedDict):
    """How a younger vintage follows an older one: mean difference of their log odds, and slope of the one on the other.

    `labels` is the slope of what happened on the older one's log odds; null where it cannot be fitted.
    """

    shift: float
    slope: float
    labels: float | None


class WindowMeasured(Window):
    """One window: the metrics of each model, and the candidate's differences from the others with intervals.

    `agreement` is how the vintage that is one window younger follows the candidate's stand-in; null where there is none.
    """

    candidate: ValueByMetric
    champion: NotRequired[ValueByMetric]
    served: NotRequired[ValueByMetric]
    base_rate: ValueByMetric
    difference: dict[Reference, ByMetric]
    check: dict[Reference, ByMetric]
    agreement: Agreement | None


class AsItIs(Window):
    """The candidate's stand-ins against the champion itself, on the windows that the champion has not seen."""

    difference: ByMetric
    check: ByMetric


class Measured(TypedDict):
    """`reports/metrics.json`: the metrics of each model on the same rows, and the candidate's differences from the others.

    The rows are those of all windows, on which the vintages that stand in for candidate and champion are measured. `check` has
    the differences with intervals from blocks of days of another length, `windows` each window by itself, the latest first.
    `as_it_is` is null where there is no such day, and where the champion itself is what all is about. `gaps` is how far apart
    the cohorts of each group are; `calibration` the line that would put each model's score right;
    `flips` how many decisions change.
    """

    about: About
    candidate: ByMetric
    champion: NotRequired[ByMetric]
    served: NotRequired[ByMetric]
    base_rate: ByMetric
    difference: Annotated[dict[Reference, ByMetric], AfterValidator(_with_something)]
    check: Annotated[dict[Reference, ByMetric], AfterValidator(_with_something)]
    windows: Annotated[list[WindowMeasured], Field(min_length=1)]
    as_it_is: AsItIs | None
    gaps: dict[str, GroupGaps]
    calibration: dict[str, Recalibrated]
    flips: Flips


class CohortMeasured(TypedDict):
    """One cohort: its counts, the metrics of each model, and the candidate's differences with intervals.

    `p_worse` is how likely chance alone makes the candidate look so much worse, before any correction for many cohorts.
    """

    rows: int
    days: int
    positives: int
    candidate: ValueByMetric
    champion: NotRequired[ValueByMetric]
    served: NotRequired[ValueByMetric]
    base_rate: NotRequired[ValueByMetric]
    difference: dict[Reference, ByMetric]
    p_worse: dict[Reference, Annotated[dict[str, float | None], AfterValidator(shapes.having(HIGHER_IS_BETTER))]]
    calibration: dict[str, Recalibrated]
    flips: Flips


Cohorts = dict[str, dict[str, CohortMeasured]]
"""`reports/cohorts.json`: each group of cohorts by name, and in it each cohort by its value."""


class SliceRows(TypedDict):
    """How many rows slices were looked for on, and how many they were tested on."""

    looked: int
    tested: int


class SliceTested(TypedDict):
    """A slice: its rows, log losses and their difference on days where it was not looked for, and whether it is confirmed."""

    slice: str
    rows: int
    positives: int
    candidate: float
    reference: float
    difference: Interval
    p_worse: float | None
    p_corrected: float | None
    is_confirmed: bool


class Slices(TypedDict):
    """`reports/slices.json`: where the candidate loses most, looked for on every other block of days, tested on the others."""

    block_days: int
    rows: SliceRows
    slices: list[SliceTested]


class BothWays(TypedDict):
    """Some metrics of a model: of the labelled rows all alike, and weighted so that they stand for all predictions."""

    alike: dict[str, float | None]
    weighted: dict[str, float | None]


class LabelRate(TypedDict):
    """How many predictions a cohort has, and how many of them have a label that is sure enough."""

    predictions: int
    labelled: int


class Selected(TypedDict):
    """`reports/selection.json`: who has a label, and how much the labelled rows count for the rest.

    `effective` is how many rows that count alike would tell as much (Kish); `clipped` how many have a propensity below
    `min_propensity`. `is_weighed` says whether the metrics and the gate count rows like this, `why_not` why they cannot.
    """

    is_weighed: bool
    method: Method
    why_not: str | None
    min_propensity: float
    predictions: int
    labelled: int
    effective: float
    largest_weight: float
    clipped: int
    days_without_label: int
    models: dict[str, BothWays]
    cohorts: dict[str, dict[str, LabelRate]]


class Shift(TypedDict):
    """How a model's scores respond to a changed input."""

    share_moved: float
    share_as_expected: float | None
    mean_shift: float


class BehaviourMeasured(TypedDict):
    """One behaviour: what was set, what is expected of how many rows, and how the models respond."""

    column: str
    set: float
    expect: Literal["higher", "lower", "same"]
    rows: int
    candidate: Shift
    champion: NotRequired[Shift]


Behaviours = dict[str, BehaviourMeasured]
"""`reports/behaviour.json`: each behaviour by its name."""


class Response(TypedDict):
    """What a change of an input does: rows it changes, share of decisions that flip, largest jump, scores that are none."""

    rows: int
    flipped: float | None
    largest_jump: float | None
    no_score: int


class Robust(TypedDict):
    """`reports/robustness.json`: how the candidate responds to each way to change each input."""

    rows: int
    shift: float
    inputs: dict[str, dict[str, Response]]


class OneClass(TypedDict):
    """The rows on which an input is missing, or present: all of them have this label."""

    are: Literal["missing", "present"]
    label: int
    rows: int


class InputAlone(TypedDict):
    """One input: its AUC alone, whether one class lacks it, and what is odd about it."""

    auc: float | None
    one_class: OneClass | None
    hints: list[str]


class MomentAlone(TypedDict):
    """`served_at` alone: the AUC of the part of it that says most."""

    auc: float | None
    part: str


class Halves(TypedDict):
    """How many rows were learned from, and how many were measured on."""

    earlier: int
    later: int


class Probed(TypedDict):
    """`reports/leaks.json`: what each input alone says of the label, the limits, and what conf accepts with which reason.

    `served_score` is the AUC of the score that was served, null where there is none. Files of earlier versions lack it.
    """

    max_auc: float
    max_candidate_auc: float
    accepted: dict[str, str]
    rows: Halves
    later_from: DayText | None
    why_not_measured: str | None
    served_at: MomentAlone
    served_score: NotRequired[float | None]
    inputs: dict[str, InputAlone]


Measure = Literal["one row", "10,000 rows"]


class Size(TypedDict):
    """How large a model is: the bytes of its trees and calibration, and the trees."""

    identity: str | None
    bytes: int
    trees: int


class Cost(TypedDict):
    """`reports/cost.json`: how large the models are, and for what the candidate takes more than `max_ratio` times as long.

    It has no time, so that it is the same on each machine. `why_not_measured` says why the champion could not be asked.
    """

    max_ratio: float
    candidate: Size
    champion: Size | None
    why_not_measured: str | None
    slower: list[Measure]


class Rule(TypedDict):
    """What one rule of the gate says; one that only warns does not count for the verdict."""

    rule: str
    verdict: Verdict
    severity: Severity
    reason: str


class TooSmall(TypedDict):
    """A cohort that no rule judges, with its rows and those of the rarer class."""

    cohort: str
    rows: int
    rarer: int


class Decision(TypedDict):
    """`reports/decision.json`: the verdict, every rule with its reason, and what was compared.

    `too_small` are the cohorts that were measured and not judged.
    """

    verdict: Verdict
    kind: Kind
    reference: Reference
    champion: str | None
    candidate: str | None
    as_of: DayText
    rules: list[Rule]
    too_small: NotRequired[list[TooSmall]]


def by_model(found: Measured) -> dict[str, ByMetric]:
    """The metrics of each model that was measured, by the model's name."""
    found_by_name: dict[str, Any] = dict(found)
    return {name: found_by_name[name] for name in MODELS if name in found}


def values_by_model(found: CohortMeasured | WindowMeasured) -> dict[str, ValueByMetric]:
    """The metrics of each model that was measured in a cohort or a window, by the model's name."""
    found_by_name: dict[str, Any] = dict(found)
    return {name: found_by_name[name] for name in MODELS if name in found}


def named(cohorts: Cohorts) -> dict[str, CohortMeasured]:
    """Every cohort by the name that a sentence gives it: `origin = JFK`."""
    return {f"{group} = {value}": one for group, members in cohorts.items() for value, one in members.items()}


def reference_of(measured: Measured) -> Reference:
    """What the candidate has to beat: the champion, else what was served, else the base rate."""
    return next(name for name in REFERENCES if name in measured["difference"])


class Score(TypedDict):
    """A point of the score histogram: the middle of a bin, and the share of the rows in it."""

    score: float
    share: float


class Reliable(TypedDict):
    """A point of the reliability curve: mean score, share of positives with its interval, and rows of a bin."""

    score: float
    rate: float
    low: float | None
    high: float | None
    n: int


class Roc(TypedDict):
    """A point of the ROC curve."""

    fall_out: float
    recall: float


class Gained(TypedDict):
    """A point of the decision curve: what alerts from a threshold on gain over alerting nobody, per 1,000 predictions."""

    threshold: float
    gained: float
    low: float | None
    high: float | None


Gains = dict[str, list[Gained]]
"""`reports/curves/decision.json`: the decision curves of the candidate, of the reference and of `alert_all`."""


ReliableCohorts = dict[str, dict[str, list[Reliable]]]
"""`reports/curves/cohorts.json`: the candidate's reliability curve in each cohort, by group and value."""


class Curves(TypedDict):
    """`reports/curves/MODEL/`: the points of the curves of one model that the report draws."""

    roc: list[Roc]
    reliability: list[Reliable]
    scores: list[Score]


def read_curves(model: str) -> Curves:
    """The curves of one model. DataError when a file is missing or has another shape."""
    folder = files.CURVES / model
    return {
        "roc": shapes.read(folder / "roc.json", list[Roc]),
        "reliability": shapes.read(folder / "reliability.json", list[Reliable]),
        "scores": shapes.read(folder / "scores.json", list[Score]),
    }


def read_reliable_cohorts() -> ReliableCohorts:
    """The reliability curves of the cohorts. DataError when the file is missing or has another shape."""
    return shapes.read(files.CURVES / "cohorts.json", ReliableCohorts)


def read_gains() -> Gains:
    """The decision curves. DataError when the file is missing or has another shape."""
    return shapes.read(files.CURVES / "decision.json", Gains)


def read_evidence() -> tuple[Measured, Cohorts, Behaviours, Probed, Robust, Cost]:
    """What `evaluate` wrote. DataError when a file is missing or has another shape."""
    return (
        shapes.read(files.METRICS, Measured),
        shapes.read(files.COHORTS, Cohorts),
        shapes.read(files.BEHAVIOUR, Behaviours),
        shapes.read(files.LEAKS, Probed),
        shapes.read(files.ROBUSTNESS, Robust),
        read_cost(),
    )


def read_cost() -> Cost:
    """How large the models are. DataError when the file is missing or has another shape."""
    return shapes.read(files.COST, Cost)


def read_slices() -> Slices:
    """The slices that `evaluate` found. DataError when the file is missing or has another shape."""
    return shapes.read(files.SLICES, Slices)


def read_selection() -> Selected:
    """Who has a label. DataError when the file is missing or has another shape."""
    return shapes.read(files.SELECTION, Selected)


def read_decision() -> Decision:
    """What `gate` wrote. DataError when the file is missing or has another shape."""
    return shapes.read(files.DECISION, Decision)


def suspicions(found: Probed) -> dict[str, str]:
    """Each input, `served_at`, and the score that was served, that may know the answer, with why; what conf accepts as well.

    A served score is a model's answer, so its limit is that of the candidate.
    """
    aucs = {"served_at": found["served_at"]["auc"]} | {name: one["auc"] for name, one in found["inputs"].items()}
    said: dict[str, list[str]] = {
        name: [f"alone has an AUC of {auc:.4f} ({found['max_auc']:g} is the limit)"]
        for name, auc in aucs.items()
        if auc is not None and auc > found["max_auc"]
    }
    for name, one in found["inputs"].items():
        only = one["one_class"]
        if only is not None:
            lacks = f"is {only['are']} only where the label is {only['label']} ({only['rows']:,} rows)"
            said[name] = [*said.get(name, []), lacks]
    told = {name: f"{name} {' and '.join(reasons)}" for name, reasons in said.items()}
    score, limit = found.get("served_score"), found["max_candidate_auc"]
    if score is not None and score > limit:
        told["served_score"] = (
            f"the score that was served has an AUC of {score:.4f} ({limit:g} is the limit): if it was written when the label "
            "was known, nobody was served it, and comparisons with it mislead"
        )
    return told


def open_rules(decision: Decision) -> list[str]:
    """The names of the rules that are not a pass: what keeps the gate closed."""
    return [rule["rule"] for rule in decision["rules"] if rule["verdict"] != "pass" and rule["severity"] == "block"]


def verdict_in_words(decision: Decision) -> str:
    """The verdict, and behind a colon every rule that is not a pass."""
    return ": ".join(filter(None, [decision["verdict"], ", ".join(open_rules(decision))]))
