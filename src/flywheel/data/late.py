"""Rows that came after their day was collected: counted and kept in `data/late/`, until a backfill brings them in."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping

import pandas as pd

from flywheel import files
from flywheel.data import tables
from flywheel.data.annotations.arriving import Arriving
from flywheel.data.collection import Came, Hiding, came_on, joined, store
from flywheel.data.evidence import CollectedDay, Late
from flywheel.data.sources import Counted, Foretold, Source


def keep_late(source: Source, ledger: Mapping[str, CollectedDay], how: Hiding, answers: Arriving) -> dict[str, Late]:
    """Write the late rows of each collected day to `data/late/`, without personal data, and say how many there are.

    A day is asked for again only where the source has more rows of a table than it gave; late are those whose ids are not
    stored. Fewer rows, or as many other ones, are not late: what they are is for a person to say. Days of a source that
    cannot count have no late rows that anybody knows of. An answer of an annotator is late where its day was collected
    without it.
    """
    more = {
        table: more_than_before(source, table, ledger) if isinstance(source, Counted) else [] for table in tables.TABLES
    }
    if any(more.values()) and isinstance(source, Foretold):
        source.expect(sorted({day for days in more.values() for day in days}))
    found: dict[str, Late] = {}
    for table, days in more.items():
        counts = {}
        answered = answered_late(answers, ledger) if table == "feedback" else []
        for day in sorted({*days, *answered}):
            came = came_on(source, table, day, how) if day in days else Came(pd.DataFrame(), 0, 0)
            late = not_stored(joined(came, answers.on(day)) if day in answered else came, table, day, how)
            if len(late.rows):
                store(tables.day_path(files.LATE, table, day), late, f"late {table} of {day}", how)
                counts[day] = len(late.rows)
        keep_only(table, counts)
        if counts:
            by_name = {day.isoformat(): n for day, n in counts.items()}
            found[table] = {"rows": sum(counts.values()), "days": by_name}
    files.write_json(files.LATE_LEDGER, found)
    return found


def more_than_before(source: Counted, table: str, ledger: Mapping[str, CollectedDay]) -> list[dt.date]:
    """The collected days, in order, of which the source now has more rows of a table than it gave."""
    now = source.counts(table)
    noted = {dt.date.fromisoformat(name): entry["rows"][table] for name, entry in ledger.items() if "rows" in entry}
    return sorted(day for day, n in noted.items() if now.get(day, 0) > n)


def answered_late(answers: Arriving, ledger: Mapping[str, CollectedDay]) -> list[dt.date]:
    """The collected days, in order, of which annotators have handed in answers that are not stored."""
    found = []
    for day in sorted(day for day in answers.by_day if day.isoformat() in ledger):
        path = tables.day_path(files.EVENTS, "feedback", day)
        stored = set(files.read_parquet(path, ["feedback_id"])["feedback_id"])
        if answers.ids(day) - stored:
            found.append(day)
    return found


def not_stored(came: Came, table: str, day: dt.date, how: Hiding) -> Came:
    """Of what the source now gives of a day, the rows whose ids are not among the stored ones; none where there are no ids.

    What people say who were forgotten is not stored either, but that is not late."""
    path, name = tables.day_path(files.EVENTS, table, day), tables.ID[table]
    if name not in came.rows or name not in files.read_names(path):
        return Came(came.rows.iloc[:0], 0, 0)
    stored = files.read_parquet(path, [name])[name].astype("str")
    rows = came.rows[~came.rows[name].astype("str").isin(stored)]
    rows = rows[~how.forgotten.gone(rows)]
    return Came(rows, came.given, 0)


def keep_only(table: str, days: Iterable[dt.date]) -> None:
    """Delete the late rows of all days but these."""
    tables.drop_other_days(files.LATE / table, days)
