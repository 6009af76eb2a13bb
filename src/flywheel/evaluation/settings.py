"""Settings of the evaluation: the sections evaluate and gate."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from flywheel.model.contract import Version
from flywheel.params import Count, Params, Share


class Costs(Params):
    alert_right: float
    alert_wrong: float
    missed: float
    quiet_right: float

    @model_validator(mode="after")
    def _check_that_alerts_can_pay(self) -> Costs:
        if not (self.alert_right > self.missed and self.quiet_right > self.alert_wrong):
            raise ValueError("alert_right must be above missed, and quiet_right above alert_wrong")
        return self

    @property
    def threshold(self) -> float:
        """The score from which an alert pays off on average: the optimal threshold of a calibrated score (Elkan, 2001)."""
        wrong, missed = self.quiet_right - self.alert_wrong, self.alert_right - self.missed
        return wrong / (wrong + missed)


class Bootstrap(Params):
    samples: Annotated[int, Field(ge=50)]
    block_days: Count
    check_block_days: Count
    confidence: Annotated[float, Field(gt=0.5, lt=1)]
    seed: int


class Cohort(Params):
    column: str
    edges: Annotated[tuple[float, ...], Field(strict=False, min_length=1)] | None = None

    @model_validator(mode="after")
    def _check_that_edges_rise(self) -> Cohort:
        if self.edges and any(low >= high for low, high in zip(self.edges, self.edges[1:], strict=False)):
            raise ValueError("edges must rise")
        return self


class Behaviour(Params):
    column: str
    set: float
    expect: Literal["higher", "lower", "same"]


def _check_reason(value: str) -> str:
    if not value.strip():
        raise ValueError("must be the reason why this is right, in words")
    return value


class Gaps(Params):
    min_share: Share
    min_positives: Count


class Slices(Params):
    bins: Annotated[int, Field(ge=2)]
    categories: Count
    min_share: Annotated[float, Field(gt=0, le=0.5)]
    tested: Count
    max_overlap: Share


class Robustness(Params):
    rows: Count
    shift: Annotated[float, Field(gt=0)]


class ModelCost(Params):
    """What a model may take; what right and wrong alerts are worth is in `Costs`."""

    max_ratio: Annotated[float, Field(gt=1)]
    price_per_hour: Annotated[float, Field(ge=0)]


class Leaks(Params):
    max_auc: Annotated[float, Field(gt=0.5, le=1)]
    max_candidate_auc: Annotated[float, Field(gt=0.5, le=1)]
    accepted: dict[str, Annotated[str, AfterValidator(_check_reason)]]


class Selection(Params):
    """Who has a label is not drawn by lot: whether each labelled row counts for those that have none."""

    weigh: bool
    min_propensity: Annotated[float, Field(gt=0, le=1)]


class Evaluate(Params):
    min_confidence: Annotated[float, Field(ge=0.5, le=1)]
    ece_bins: Count
    costs: Costs
    bootstrap: Bootstrap
    selection: Selection
    leaks: Leaks
    gaps: Gaps
    slices: Slices
    robustness: Robustness
    cost: ModelCost
    cohorts: dict[str, Cohort]
    behaviours: dict[str, Behaviour]


Metric = Literal["auc", "average_precision", "log_loss", "brier", "ece", "precision", "recall", "utility"]


MOST_MARGIN = 0.1  # of every metric but the utility, whose unit is the project's: a rule that allows more is none


class Comparison(Params):
    """One comparison of the gate: in what, where, what is asked, by what margin, and whether it blocks."""

    metric: Metric
    scope: Literal["pooled", "latest", "cohort", "as_it_is"]
    must: Literal["better", "not_worse", "unharmed"]
    margin: Annotated[float, Field(ge=0)]
    severity: Literal["block", "warn"]


def _check_rules(rules: dict[str, Comparison]) -> dict[str, Comparison]:
    seen: dict[tuple[str, str, str], str] = {}
    for name, one in rules.items():
        what = (one.metric, one.scope, one.must)
        if what in seen:
            raise ValueError(f"{seen[what]} and {name} ask the same thing, with one margin too many")
        seen[what] = name
        if one.scope in ("cohort", "as_it_is") and one.must != "unharmed":
            raise ValueError(f"{name}: in the scope {one.scope} it must be unharmed")
        if one.metric != "utility" and one.margin > MOST_MARGIN:
            raise ValueError(f"{name}: found a margin of {one.margin:g}; at most {MOST_MARGIN:g} is allowed")
    return rules


Comparisons = Annotated[dict[str, Comparison], AfterValidator(_check_rules)]


class Agreement(Params):
    """How far a candidate may be from its latest stand-in, in log odds: `times` as far as earlier vintages were from theirs.

    A `shift`, or a `stretch` (the logarithm of the slope), of less than this never counts. `labels`: how far, as a logarithm,
    the slope of the latest labels on the stand-in's log odds may be from what it was in earlier windows.
    """

    times: Annotated[float, Field(ge=1)]
    shift: Annotated[float, Field(gt=0)]
    stretch: Annotated[float, Field(gt=0)]
    labels: Annotated[float, Field(gt=0)]


class Gate(Params):
    min_labelled_share: Share
    min_days: Count
    min_positives: Count
    refresh: Comparisons
    change: Comparisons
    agreement: Agreement
    max_ece: Annotated[float, Field(gt=0, le=0.25)]
    cohort_min_share: Share
    cohort_min_positives: Count
    cohort_error: Annotated[float, Field(gt=0, lt=0.5)]
    gap_margin: Share
    max_flipped: Share
    behaviour_moved: Share
    behaviour_share: Share
    breaking: dict[Version, Annotated[str, AfterValidator(_check_reason)]]

    @model_validator(mode="after")
    def _check_that_something_is_asked(self) -> Gate:
        for kind, wanted in (("refresh", ("better", "not_worse")), ("change", ("better",))):
            if not any(
                one.scope == "pooled" and one.severity == "block" and one.must in wanted
                for one in self.rules(kind).values()
            ):
                raise ValueError(
                    f"gate.{kind}: no rule blocks what is not {' or '.join(wanted)} on the pooled windows, so the gate is open"
                )
        return self

    def rules(self, kind: str) -> dict[str, Comparison]:
        """The comparisons for a kind of candidate."""
        return self.refresh if kind == "refresh" else self.change
