"""What differs between two versions of the data, as rows of a table, and as Markdown for a pull request."""

from __future__ import annotations

from collections.abc import Sequence

from flywheel.monitoring.versions import Table
from flywheel.report.markdown import escape, number, percent, table

MOST = 10  # of the columns that moved, so many a table are listed
OVERVIEW = ("table", "days", "rows", "new", "gone", "other")
MOVED = ("table", "column", "distance", "nulls")
WORDS = 2  # of their columns, the first ones; the others are numbers


def overview(found: Sequence[Table]) -> list[list[str]]:
    """A row for each table that differs: its days, its rows on these days, and how many are new, gone or other ones."""
    return [
        [
            one.name,
            days(one),
            f"{one.n_rows[0]:,} → {one.n_rows[1]:,}",
            *(f"{n:,}" for n in (one.rows.came, one.rows.gone, one.rows.other)),
        ]
        for one in found
    ]


def moved(found: Sequence[Table]) -> list[list[str]]:
    """A row for each column that came, went or moved, the farthest first in each table, at most ten of a table."""
    rows = []
    for one in found:
        rows += [[one.name, name, "new", ""] for name in one.new_columns]
        rows += [[one.name, name, "gone", ""] for name in one.lost_columns]
        rows += [
            [one.name, column.name, number(column.distance, 4), " → ".join(percent(n, 1) for n in column.nulls)]
            for column in one.moved[:MOST]
        ]
        more = len(one.moved) - MOST
        rows += [[one.name, f"and {more} more", "", ""]] if more > 0 else []
    return rows


def days(one: Table) -> str:
    """The days of a table that came, went and changed, in words; a table in one file has none."""
    if one.name.endswith(".parquet"):
        return "one file"
    said = ((one.came, "new"), (one.gone, "gone"), (one.changed, "changed"))
    return ", ".join(f"{len(which)} {what} ({_span(which)})" for which, what in said if which)


def render(before: str, after: str, found: Sequence[Table]) -> str:
    """The difference as Markdown."""
    title = f"## Data: {escape(before)} → {escape(after)}\n\n"
    if not found:
        return f"{title}The data is the same.\n"
    columns = moved(found)
    return (
        title
        + "Rows are those of the days that differ, before and after; then how many are new, gone, or say something else.\n\n"
        + table(OVERVIEW, overview(found), WORDS)
        + (
            "\nColumns on these days, before and after. Distances are 0 where nothing moved: Wasserstein's in standard "
            "deviations for numbers and moments, Jensen-Shannon's for words.\n\n" + table(MOVED, columns, WORDS)
            if columns
            else "\nNo column has another distribution.\n"
        )
    )


def _span(which: Sequence[str]) -> str:
    return which[0] if len(which) == 1 else f"{which[0]} to {which[-1]}"
