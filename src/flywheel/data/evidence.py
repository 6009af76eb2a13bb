"""How healthy the data is, as types: what `validate` writes into `reports/`, and the ledgers next to the day files."""

from __future__ import annotations

from typing import NotRequired

from typing_extensions import TypedDict

from flywheel import files, shapes
from flywheel.shapes import DayText


class Entry(TypedDict):
    """One day in a ledger: digests of what it was made from, and of what was made."""

    inputs: str
    outputs: str


class Example(TypedDict):
    """One row that broke a rule: its id and the value of the column as it came, where that cannot be personal."""

    id: str | None
    value: str


class CountedTable(TypedDict):
    """What one day of one table was like. `rules` counts rejected rows by rule; `null_shares` names columns with nulls."""

    rows: int
    rejected: int
    duplicates: int
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
    """Rows, rejected rows, dropped duplicates and broken rules over some days."""

    rows: int
    rejected: int
    rejected_share: float
    duplicates: int
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


class Quality(TypedDict):
    """`reports/quality.json`. `silence` is by feed: both tables, and each channel of feedback that ever spoke.

    Files of earlier versions have no `silence`, and say nothing of the `worst` rules.
    """

    as_of: DayText
    silence: NotRequired[dict[str, Silence]]
    total: Total
    recent: Recent
    unusual_volume: list[UnusualDay]
    days: list[Day]


def read_quality() -> Quality:
    """What `validate` wrote. DataError when the file is missing or has another shape."""
    return shapes.read(files.QUALITY, Quality)
