"""The shapes of what this room writes for others: `reports/quality.json`, and the ledgers beside the day files."""

from __future__ import annotations

from typing import TypedDict


class Entry(TypedDict):
    """One day in a ledger: digests of what it was made from, and of what was made."""

    inputs: str
    outputs: str


class Ledger(TypedDict):
    """The ledger of a stage that works day by day. `fingerprint` stands for its code and settings."""

    fingerprint: str
    days: dict[str, Entry]


class Example(TypedDict):
    """One row that broke a rule: its id and the value of the column as it came, where that cannot be personal."""

    id: str | None
    value: str


class TableDay(TypedDict):
    """What one day of one table was like. `rules` counts rejected rows by rule; `null_shares` names columns with nulls."""

    rows: int
    rejected: int
    duplicates: int
    rules: dict[str, int]
    null_shares: dict[str, float]


class CheckedTable(TableDay):
    """The same, with the first row that broke each rule, and how many good rows each channel of feedback gave."""

    examples: dict[str, Example]
    channels: dict[str, int]


class CheckedDay(Entry):
    """One day in the ledger of `validate`."""

    predictions: CheckedTable
    feedback: CheckedTable


class CheckedLedger(TypedDict):
    """The ledger of `validate`."""

    fingerprint: str
    days: dict[str, CheckedDay]


class ArrivedDay(TypedDict):
    """One day in the ledger of `collect`: digests of its two files."""

    predictions: str
    feedback: str


class Stretch(TypedDict):
    """How many days there are, and the first and the last of them."""

    n: int
    first: str | None
    last: str | None


class Totals(TypedDict):
    """Counts over some days, of both tables together."""

    rows: int
    rejected: int
    rejected_share: float
    duplicates: int
    rules: dict[str, int]


class AllTotals(Totals):
    """The totals of all days."""

    days: Stretch


class BrokenRule(TypedDict):
    """A rule that rows broke: in which table, how many rows, and the latest example with its day."""

    table: str
    rule: str
    rows: int
    day: str
    example: Example


class RecentTotals(Totals):
    """The totals of the last `days` days, and the three rules that were broken most."""

    days: int
    worst: list[BrokenRule]


class UnusualVolume(TypedDict):
    """A day on which a table had unusually many or few rows."""

    day: str
    table: str
    rows: int
    volume: str


class ListedTable(TableDay):
    """A table on one of the trailing days; `volume` is usual, low, high, empty or too early to tell."""

    volume: str


class ListedDay(TypedDict):
    """One of the trailing days."""

    day: str
    predictions: ListedTable
    feedback: ListedTable


class Silence(TypedDict):
    """For how long a feed has been silent: its last day with good rows, the whole days since, and what is usual."""

    last_day: str | None
    days: int | None
    usual_days: int | None
    is_silent: bool


class Quality(TypedDict):
    """`reports/quality.json`. `silence` is by feed: both tables, and each channel of feedback that ever spoke."""

    as_of: str
    total: AllTotals
    recent: RecentTotals
    silence: dict[str, Silence]
    unusual_volume: list[UnusualVolume]
    days: list[ListedDay]
