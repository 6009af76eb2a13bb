"""How healthy the data is, as types: what `validate` writes into `reports/`, and the ledgers next to the day files."""

from __future__ import annotations

from typing import Annotated, NotRequired

from pydantic import AfterValidator
from typing_extensions import TypedDict

from flywheel import files, shapes
from flywheel.shapes import DayText


class Entry(TypedDict):
    """One day in a ledger: digests of what it was made from, and of what was made."""

    inputs: str
    outputs: str


class CollectedDay(TypedDict):
    """One day in the ledger of `collect`: digests of its two files, and how many rows the source gave for each table.

    Of a part of a source (`source.first_day`, `source.share`) it is how many the whole source has. The numbers are missing
    where the source cannot count, and in ledgers of earlier versions.
    """

    predictions: str
    feedback: str
    rows: NotRequired[Annotated[dict[str, int], AfterValidator(shapes.having(("predictions", "feedback")))]]


class Late(TypedDict):
    """Rows of a table that came after their day was collected: how many, and how many on each day."""

    rows: int
    days: dict[DayText, int]


class CorrectedFile(TypedDict):
    """One file of a corrected day: its digest and its number of rows, before and after; and how many of these rows are new,
    gone, or say something else."""

    digests: Annotated[list[str], AfterValidator(shapes.of_length(2))]
    rows: Annotated[list[int], AfterValidator(shapes.of_length(2))]
    changed: int


class Correction(TypedDict):
    """A span of days that was collected again: who did it and why, at which clock, and each file that changed, by day and
    table."""

    first: DayText
    last: DayText
    as_of: DayText
    who: str
    why: str
    days: dict[DayText, dict[str, CorrectedFile]]


class Example(TypedDict):
    """One row that broke a rule: its id and the value of the column as it came, where that cannot be personal."""

    id: str | None
    value: str


class CountedTable(TypedDict):
    """What one day of one table was like. `rules` counts rejected rows by rule; `null_shares` names columns with nulls.

    `personal` counts by kind what was replaced in texts before they were stored; days of earlier versions did not count it.
    """

    rows: int
    rejected: int
    duplicates: int
    personal: NotRequired[dict[str, int]]
    rules: dict[str, int]
    null_shares: dict[str, float]


class CheckedTable(CountedTable):
    """The same, with the first row that broke each rule, and how many good rows each feedback channel had."""

    examples: dict[str, Example]
    channels: dict[str, int]


class CheckedDay(Entry):
    """One day in the ledger of `validate`."""

    predictions: CheckedTable
    feedback: CheckedTable


class Span(TypedDict):
    """How many days there are, the first and the last of them."""

    n: int
    first: DayText | None
    last: DayText | None


class Totals(TypedDict):
    """Rows, rejected rows, dropped duplicates, personal data replaced in texts (by kind) and broken rules over some days."""

    rows: int
    rejected: int
    rejected_share: float
    duplicates: int
    personal: NotRequired[dict[str, int]]
    rules: dict[str, int]


class Total(Totals):
    """The totals over all days."""

    days: Span


class BrokenRule(TypedDict):
    """A rule that rows broke: in which table, how many rows, and the latest example with its day."""

    table: str
    rule: str
    rows: int
    day: DayText
    example: Example


class Recent(Totals):
    """The totals over the last days (`days` says how many), and the three rules that were broken most."""

    days: int
    worst: NotRequired[list[BrokenRule]]


class DayOfTable(CountedTable):
    """One table on one day; `volume` is usual, low, high, empty or too early to tell."""

    volume: str


class Day(TypedDict):
    """Both tables on one day."""

    day: DayText
    predictions: DayOfTable
    feedback: DayOfTable


class UnusualDay(TypedDict):
    """A day of a table with an unusual number of rows."""

    day: DayText
    table: str
    rows: int
    volume: str


class Silence(TypedDict):
    """How long a feed has been silent: its last day with good rows, the whole days since, and what is usual."""

    last_day: DayText | None
    days: int | None
    usual_days: int | None
    is_silent: bool


class Forgotten(TypedDict):
    """How many people were forgotten, as of which clocks the first and the last, and how many of them each released model had
    learned from."""

    people: int
    first: DayText
    last: DayText
    models: dict[str, int]


class Quality(TypedDict):
    """`reports/quality.json`. `silence` is by feed: both tables, and each channel of feedback that ever spoke.

    `forgotten` is there once somebody was.
    `late` is by table, and names only those that have late rows. Files of earlier versions have no `silence`, and say nothing
    of the `worst` rules, of late rows and of corrections.
    """

    as_of: DayText
    late: NotRequired[dict[str, Late]]
    corrections: NotRequired[list[Correction]]
    forgotten: NotRequired[Forgotten]
    silence: NotRequired[dict[str, Silence]]
    total: Total
    recent: Recent
    unusual_volume: list[UnusualDay]
    days: list[Day]


def read_late() -> dict[str, Late]:
    """What `collect` found late. DataError when the file has another shape."""
    return shapes.read_if_there(files.LATE_LEDGER, dict[str, Late], shapes.DELETE) or {}


def read_corrections() -> list[Correction]:
    """The corrections of history, in their order. DataError when the file has another shape."""
    return shapes.read_if_there(files.CORRECTIONS, list[Correction]) or []


def read_quality() -> Quality:
    """What `validate` wrote. DataError when the file is missing or has another shape."""
    return shapes.read(files.QUALITY, Quality)
