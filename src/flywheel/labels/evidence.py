"""What the labels rest on and who said it, as types: what `label` writes into `reports/`."""

from __future__ import annotations

from typing import Literal, NotRequired

from typing_extensions import TypedDict

from flywheel import files, shapes
from flywheel.labels.shares import Estimate


class Source(TypedDict):
    """The labels that one kind of voice gave."""

    labels: int
    share: float
    positive_share: float


class WithOutcome(TypedDict):
    """How often a kind of voice says what the outcome says."""

    votes: int
    share: float | None


class BetweenVotes(TypedDict):
    """How often two votes on one prediction agree."""

    pairs: int
    share: float | None


class Agreement(TypedDict):
    """How far the channels agree."""

    with_outcome: dict[str, WithOutcome]
    between_votes: BetweenVotes


class Coin(TypedDict):
    """How often sources are right, over the sources: the middle one, and the range of nine in ten."""

    p5: float | None
    p50: float | None
    p95: float | None


class Voices(TypedDict):
    """How far the sources of one kind are believed: of what is 1 how often they say so, and of what is 0."""

    sources: int
    sensitivity: Coin
    specificity: Coin


class Hindsight(TypedDict):
    """Predictions without an outcome that somebody spoke about: labels now, and what today's trust would say of them.

    `other_way` are the labels that today's trust would turn round; `first_other_way` those that it would as they were first
    concluded.
    """

    predictions: int
    labels: int
    labels_in_hindsight: int
    other_way: int
    first_other_way: int


class TrustMade(TypedDict):
    """How trust in sources came about: the mornings, those on which it did not settle, and where it stands."""

    mornings: int
    unsettled: int
    voices: dict[str, Voices]
    hindsight: Hindsight


class Stretch(TypedDict):
    """Claims of one source that do not count: those of the days from `first` on, before `until` (null: it goes on)."""

    source: str
    channel: str
    reason: str
    first: str
    until: str | None
    known_at: str
    decision: str | None


class Quarantined(TypedDict):
    """Whose claims are kept and not counted, and what people say of it."""

    sources: int
    claims: int
    by_reason: dict[str, int]
    released: int
    confirmed: int
    idle: list[str]
    latest: list[Stretch]


Change = Literal["better", "worse", "not shown", "too few"]


class Annotator(TypedDict):
    """One annotator: what stands of his annotations, and how often he is right where something else is known.

    `known` are those about predictions with an outcome (`with_outcome`) or another voice; `recent_known` those of them that are
    recent. What there is too little for is null. `change` is how much more often he is right lately than before.
    """

    source: str
    annotations: int
    known: int
    with_outcome: int
    sensitivity: Estimate | None
    specificity: Estimate | None
    recent_known: int
    change: Estimate | None
    trend: Change
    median_days: float | None
    p90_days: float | None


class Hotspot(TypedDict):
    """A cohort in which an annotator is right less often than in the others of that column; `known` is as for annotators."""

    source: str
    column: str
    value: str
    known: int
    right: float
    right_elsewhere: float
    difference: Estimate


class Hotspots(TypedDict):
    """Pairs of an annotator and a cohort: those with enough to compare, those shown, and the worst of these."""

    compared: int
    shown: int
    worst: list[Hotspot]


class Alpha(TypedDict):
    """Krippendorff's alpha of annotators, over predictions with two annotations or more; null where there are too few."""

    predictions: int
    alpha: Estimate | None


class Annotators(TypedDict):
    """How reliable annotators are: the busiest one by one, the rest (`others`) counted. `least` is the limit of too few."""

    annotators: int
    annotations: int
    unnamed: int
    others: int
    others_annotations: int
    confidence: float
    least: int
    recent_days: int
    agreement: Alpha
    hotspots: Hotspots
    busiest: list[Annotator]


class Audited(TypedDict):
    """Predictions of the random audit that somebody answered, those of them that had a label, and the share that is right."""

    predictions: int
    labels: int
    right: Estimate | None
    confidence: float


class Answered(TypedDict):
    """Annotations under a rubric: how many answer what the loop asked, by its reason, and by version of the rubric."""

    annotations: int
    from_queue: int
    by_reason: dict[str, int]
    by_rubric: dict[str, int]
    audit: Audited


class LabelsMade(TypedDict):
    """`reports/labels.json`. `answers` is there where annotations have a rubric."""

    predictions: int
    labels: int
    coverage: float
    positive_share: float | None
    mean_confidence: float | None
    median_hours_to_label: float | None
    by_source: dict[str, Source]
    agreement: Agreement
    trust: TrustMade
    quarantine: Quarantined
    annotators: Annotators
    answers: NotRequired[Answered]


class Channel(TypedDict):
    """How much a channel says, and how far a few voices dominate it."""

    events: int
    sources: int
    top_1pct_share: float | None


class Reporters(TypedDict):
    """How often people with enough checked reports are right."""

    with_20_checked_reports: int
    right_share_quantiles: dict[str, float | None]
    always_yes: int


class Ratings(TypedDict):
    """What people think of the service."""

    n: int
    mean: float | None


class FeedbackSaid(TypedDict):
    """`reports/feedback.json`."""

    by_channel: dict[str, Channel]
    reporters: Reporters
    ratings: Ratings


def read_labels_made() -> LabelsMade:
    """What `label` wrote about labels. DataError when the file is missing or has another shape."""
    return shapes.read(files.LABEL_REPORT, LabelsMade)


def read_feedback_said() -> FeedbackSaid:
    """What `label` wrote about feedback. DataError when the file is missing or has another shape."""
    return shapes.read(files.FEEDBACK_REPORT, FeedbackSaid)
