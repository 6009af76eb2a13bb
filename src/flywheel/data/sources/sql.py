"""Tables in a database at any address that SQLAlchemy knows. Only the days that are wanted are read, and each once a run.

`source.options` names the tables and their columns. A row whose moment of arrival is null has not arrived yet: it is read once
that is set. See docs/your-data.md.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any

import numpy as np
import pandas as pd
import pyarrow as pa
import sqlalchemy as sa
from pydantic import Field, model_validator

from flywheel.data import addresses, tables
from flywheel.data.sources import mapping, rows
from flywheel.data.sources.database import Database
from flywheel.data.sources.spool import Spool
from flywheel.errors import DataError
from flywheel.params import Count, Params, parse

BATCH = 20_000  # rows
MEMORY = 256 * 2**20  # bytes of rows, of all tables; more of them go to disk
DAY, NOW = dt.timedelta(days=1), dt.timedelta(0)
# What is beyond has not arrived. A little less than the calendar, since a little more is read of local times.
EVER = dt.datetime(1970, 1, 3, tzinfo=dt.UTC), dt.datetime(2199, 12, 29, tzinfo=dt.UTC)
WHERE = "source.options in conf/project/"
BY_BYTES = ("sqlite", "postgresql")  # which compare texts byte by byte, if one asks for it
PREDICTIONS, FEEDBACK = slice(0, 1), slice(1, None)  # of what is asked for
YEARS = dt.datetime(1, 1, 2), dt.datetime(9999, 12, 30)
WRITABLE = pd.Timestamp("0001-01-01", tz="UTC"), pd.Timestamp("9999-12-31 23:59:59.999999", tz="UTC")
Ends = (
    tuple[dt.date, ...] | None
)  # the first and the last day of a table, nothing if it is empty; None: only its rows say it


class Where(Params):
    """Which table."""

    # Its name, or its schema and its name: sales.orders.
    table: Annotated[str, Field(min_length=1)]


class PredictionsTable(Where, mapping.PredictionsOptions):
    """The predictions."""


class FeedbackTable(Where, mapping.FeedbackOptions):
    """The feedback, or a part of it."""


class SqlOptions(Params):
    """What `source.options` may hold. Feedback may be tables of its own, columns of the predictions, or both."""

    # The address, such as sqlite:///tables.db, or the environment variable that holds it: only there it may have a password.
    address: str | None = None
    address_env: Annotated[str, Field(pattern=addresses.VARIABLE)] | None = None
    # How long to wait for a table that somebody has locked.
    lock_timeout_s: Count = 10
    predictions: PredictionsTable
    outcome: mapping.OutcomeOptions | None = None
    feedback: Annotated[tuple[FeedbackTable, ...], Field(strict=False)] = ()

    @model_validator(mode="after")
    def _check_address(self) -> SqlOptions:
        if (self.address is None) == (self.address_env is None):
            raise ValueError(
                "address: either address or address_env (the environment variable with it) must be given, not both"
            )
        return self


@dataclass(frozen=True)
class Asked:
    """What one statement asks a table for."""

    table: str
    columns: list[str]
    texts: set[str]  # the columns that become texts
    at: str  # the column that says when a row arrived
    moments: mapping.Moments  # how
    later: dt.timedelta  # by how much it arrived later than that column says
    value: str | None  # a column that must not be null
    mapped: Callable[[pa.Table], tuple[pa.Table, np.ndarray]]


def open_source(options: Mapping[str, Any]) -> Sql:
    """The source that `options` describe. ConfigError names a wrong option, and never a password; nothing is read yet."""
    addresses.check_open(options, f"Fix {WHERE}.")
    return Sql(parse(SqlOptions, options, lambda key: f"Fix {WHERE}."))


class Sql:
    """Predictions and feedback by day of arrival. All tables are read in one go, when the first day is asked for."""

    def __init__(self, options: SqlOptions) -> None:
        """Nothing is read yet."""
        address = options.address or addresses.address_of(options.address_env or "")
        named = options.address or f"the database of {options.address_env}"
        self._database = Database(address, named, options.lock_timeout_s)
        self._options, self._asked = options, asked(options)
        self._ends: list[Ends] | None = None
        self._wanted: set[dt.date] | None = None
        self._read: list[tuple[Spool, pa.Schema]] | None = None
        self._beyond: dict[str, int] = {}

    @property
    def left_out(self) -> dict[str, int]:
        """Of each column of arrival that has some, how many of its moments are beyond the calendar: these rows never arrive."""
        self._limits()
        return {table: n for table, n in self._beyond.items() if n}

    @property
    def first_day(self) -> dt.date:
        """The first UTC day on which something arrived. DataError where nothing ever did."""
        return min(self._days(slice(None)))

    @property
    def last_day(self) -> dt.date:
        """The last UTC day of which predictions are there. DataError where there is none."""
        return max(self._days(PREDICTIONS))

    def expect(self, days: Sequence[dt.date]) -> None:
        """Only these days will be asked for: others are not read. Days that were left out before are read when asked for."""
        if self._wanted is not None and not self._wanted.issuperset(days):
            self._read = None
        self._wanted = set(days)
        for spool, _ in self._read or ():
            spool.keep(days)

    def predictions(self, day: dt.date) -> pd.DataFrame:
        """The predictions served on a UTC day, with raw user ids."""
        found = self._of(day, PREDICTIONS)
        return mapping.no_predictions(self._options.predictions) if found is None else found

    def feedback(self, day: dt.date) -> pd.DataFrame:
        """The feedback received on a UTC day, with raw source ids and raw text."""
        found = self._of(day, FEEDBACK)
        return mapping.no_feedback(self._options.feedback) if found is None else found

    def counts(self, table: str) -> Mapping[dt.date, int]:
        """How many rows of a table arrived on each day that has any, as the database has them now."""
        some = self._asked[PREDICTIONS if table == "predictions" else FEEDBACK]
        found = self._database.read(lambda connection: [self._counted(connection, one) for one in some])
        return sum(found, Counter())

    def _counted(self, connection: sa.Connection, one: Asked) -> Counter[dt.date]:
        """How many rows of one table arrived on each day: counted there, if days are the same there, else by their moments."""
        table, kinds = self._table(connection, one)
        at, kind = table.c[one.at], kinds[one.at]
        is_utc = pa.types.is_timestamp(kind) and (kind.tz is not None or one.moments.timezone == "UTC")
        if is_utc and self._database.dialect == "postgresql":
            day = sa.cast(at + one.later if one.later else at, sa.Date)
            counted = (
                sa.select(day, sa.func.count()).where(*there(table, one, kind, self._database.dialect)).group_by(day)
            )
            return Counter(dict(connection.execute(counted).tuples().all()))
        spool = Spool()
        spool.keep([])
        for part in _streamed(
            connection, sa.select(at).where(*there(table, one, kind, self._database.dialect)), at, kind
        ):
            moments, days = mapping.moments(pa.chunked_array([rows.array([row[0] for row in part], kind)]), one.moments)
            if one.later:
                moments, days = mapping.later(moments, days, pd.Timedelta(one.later))
            spool.add(pa.table({one.at: moments}), days)
        return spool.rows

    def _days(self, some: slice) -> list[dt.date]:
        ends = self._limits()[some]
        found = [day for one in ends for day in one or ()]
        if None in ends:
            found += [day for spool, _ in self._rows()[some] for day in spool.rows]
        if not found:
            raise DataError(f"{self._asked[0].table} has no row. There is nothing to learn from yet.")
        return found

    def _limits(self) -> list[Ends]:
        """The first and the last day of each table, without reading it."""
        if self._ends is None:
            self._ends = self._database.read(lambda connection: [self._limit(connection, one) for one in self._asked])
        return self._ends

    def _limit(self, connection: sa.Connection, one: Asked) -> Ends:
        table, kinds = self._table(connection, one)
        if rows.bounds(kinds[one.at], one.moments, *EVER) is None:
            return None
        at = table.c[one.at]
        arrived = there(table, one, kinds[one.at], self._database.dialect)
        ends = connection.execute(sa.select(sa.func.min(at), sa.func.max(at)).where(*arrived)).one()
        never = beyond(table, one, kinds[one.at], self._database.dialect)
        if never is not None:
            n = connection.execute(sa.select(sa.func.count()).select_from(table).where(*never)).scalar_one()
            self._beyond[f"{one.table}.{one.at}"] = n
        if ends[0] is None:
            return ()
        if any(isinstance(value, str) and rows.has_offset(value) for value in ends):
            return None  # the order of such texts is not that of their moments
        if any(isinstance(value, str) and is_beyond(value, one.moments) for value in ends):
            return None  # of this row the contract says what is wrong, once all rows are read
        return tuple(self._day(value, kinds[one.at], one) for value in ends)

    def _day(self, value: Any, kind: pa.DataType, one: Asked) -> dt.date:
        """The day of a moment. DataError if it cannot be understood."""
        [[moment], [day]] = mapping.moments(pa.chunked_array([rows.array([value], kind)]), one.moments)
        if isinstance(moment.as_py(), dt.datetime):
            found: dt.date = (moment.as_py() + one.later).date()
            return found
        if np.isnat(day):
            raise DataError(
                f"{one.table}: {value!r} in column {one.at!r} cannot be understood as a moment. Correct timezone, time or "
                f"columns under {WHERE}, or the table."
            )
        local: dt.date = (pd.Timestamp(day) + one.later).date()
        return local

    def _of(self, day: dt.date, some: slice) -> pd.DataFrame | None:
        if self._wanted is not None and day not in self._wanted:  # nobody expected it: it is read alone
            self._wanted, self._read = {day}, None
        found = [rows.in_order(parts, kinds) for spool, kinds in self._rows()[some] if (parts := spool.parts(day))]
        return tables.together(found).reset_index(drop=True) if found else None

    def _rows(self) -> list[tuple[Spool, pa.Schema]]:
        """The rows of each table by day of arrival, and their types. They fit together: they are of one moment."""
        if self._read is None:
            ends = self._limits()
            self._read = self._database.read(
                lambda connection: [
                    self._spooled(connection, one, None if end is None else self._wanted)
                    for one, end in zip(self._asked, ends, strict=True)
                ]
            )
            for (spool, _), one in zip(self._read, self._asked, strict=True):
                if spool.waiting:
                    raise DataError(
                        f"{one.table}: no time of {spool.waiting:,} rows can be understood, such as {spool.example!r}. "
                        f"Correct timezone, time or columns under {WHERE}, or the table."
                    )
        return self._read

    def _spooled(self, connection: sa.Connection, one: Asked, wanted: set[dt.date] | None) -> tuple[Spool, pa.Schema]:
        """The rows of one table, read from its first one; those of `wanted` days alone, if they can be told apart there."""
        spool = Spool(MEMORY // len(self._asked))
        if self._wanted is not None:
            spool.keep(self._wanted)
        table, kinds = self._table(connection, one)
        at = table.c[one.at]
        odd = self._odd(one, kinds)
        statement = sa.select(*selected(table, odd)).where(*there(table, one, kinds[one.at], self._database.dialect))
        if wanted:
            start, end = (
                dt.datetime.combine(day, dt.time(), dt.UTC) - one.later for day in (min(wanted), max(wanted) + DAY)
            )
            low, high = rows.bounds(kinds[one.at], one.moments, start, end) or (None, None)
            statement = statement.where(at >= low, at < high)
        for part in _streamed(connection, statement, at, kinds[one.at]):
            spool.add(*one.mapped(rows.arrow(part, kinds, odd)))
        return spool, one.mapped(rows.arrow([], kinds))[0].schema

    def _odd(self, one: Asked, kinds: dict[str, pa.DataType]) -> list[str]:
        """The columns in which Python may have no value for what is there: infinity, or a day before the year 1."""
        is_odd = self._database.dialect == "postgresql"
        temporal = [name for name, kind in kinds.items() if pa.types.is_timestamp(kind) or pa.types.is_date(kind)]
        return [name for name in temporal if is_odd and name != one.at]

    def _table(self, connection: sa.Connection, one: Asked) -> tuple[sa.Table, dict[str, pa.DataType]]:
        """A table with the columns that are read, and their types. DataError when it or one of them is not there."""
        self._database.about = one.table
        name, schema, types = self._database.columns(connection, one.table)
        mapping.check_there(one.columns, types, one.table)
        dialect = self._database.dialect
        columns = [rows.column_of(column, types[column], dialect) for column in one.columns]
        kinds = {column: rows.kind_of(types[column], dialect, column in one.texts) for column in one.columns}
        return sa.Table(name, sa.MetaData(), *columns, schema=schema), kinds


def _streamed(
    connection: sa.Connection, statement: sa.Select[Any], at: sa.Column[Any], kind: pa.DataType
) -> Iterator[Sequence[Any]]:
    """What a statement finds, some rows at a time; texts in the order of their moments."""
    if pa.types.is_string(kind):  # a row whose day nobody understands stays with the one before it
        statement = statement.order_by(at)
    streamed = {"stream_results": True, "yield_per": BATCH}
    with rows.quickly(), connection.execute(statement, execution_options=streamed) as result:
        yield from result.partitions()


def asked(options: SqlOptions) -> list[Asked]:
    """What is asked for: the predictions first, then their outcomes, then each table of feedback."""
    mine, outcome = options.predictions, options.outcome
    served_at = mapping.several(mine.columns["served_at"])[0]
    found = [
        Asked(
            mine.table,
            mapping.wanted(mine),
            texts(mine),
            served_at,
            mine,
            NOW,
            None,
            partial(mapping.predictions, options=mine),
        )
    ]
    if outcome is not None:
        ids = mapping.several(mine.columns["prediction_id"])
        at, value = mapping.said_by(mine, outcome)
        columns = list(dict.fromkeys([*ids, at, value]))
        later = mapping.length(outcome.known_after).to_pytimedelta() if outcome.known_after else NOW
        said = partial(mapping.outcomes, options=mine, outcome=outcome)
        moments = outcome if outcome.known_at else mine
        found.append(Asked(mine.table, columns, set(ids), at, moments, later, value, said))
    for one in options.feedback:
        at = mapping.several(one.columns["received_at"])[0]
        found.append(
            Asked(
                one.table, mapping.wanted(one), texts(one), at, one, NOW, None, partial(mapping.feedback, options=one)
            )
        )
    return found


def texts(options: mapping.TableOptions) -> set[str]:
    """The columns of a table that the loop has as texts."""
    numbers = (*mapping.NUMBERS, *tables.ARRIVED_AT.values())
    plain = {
        name: there for name, there in options.columns.items() if name not in numbers and not name.startswith("in_")
    }
    return {name for there in plain.values() for name in mapping.several(there)}


def selected(table: sa.Table, odd: Sequence[str]) -> list[sa.ColumnElement[Any]]:
    """The columns of a table, and behind them the texts of what is in the odd ones and no value of Python's."""
    usual = {name: sa.and_(table.c[name] >= YEARS[0], table.c[name] <= YEARS[1]) for name in odd}
    plain = [
        sa.case((usual[name], column)).label(name) if name in usual else column for name, column in table.c.items()
    ]
    return [
        *plain,
        *(sa.case((sa.not_(is_usual), sa.cast(table.c[name], sa.Text))) for name, is_usual in usual.items()),
    ]


def there(table: sa.Table, one: Asked, kind: pa.DataType, dialect: str) -> list[sa.ColumnElement[bool]]:
    """Which rows have arrived, of a column of arrival of this type."""
    ever = within(table.c[one.at], one, kind, dialect)
    return [*_set(table, one), *([] if ever is None else [ever])]


def beyond(table: sa.Table, one: Asked, kind: pa.DataType, dialect: str) -> list[sa.ColumnElement[bool]] | None:
    """Which rows will never arrive: their moment is beyond the calendar, such as infinity. None where that is seen later."""
    ever = within(table.c[one.at], one, kind, dialect)
    return None if ever is None else [*_set(table, one), sa.not_(ever)]


def within(at: sa.Column[Any], one: Asked, kind: pa.DataType, dialect: str) -> sa.ColumnElement[bool] | None:
    """Whether a moment is in the calendar; None where the database cannot compare moments: then that is seen row by row."""
    bounds = rows.bounds(kind, one.moments, *EVER)
    if bounds is None:
        return None
    if not pa.types.is_string(kind):
        return sa.and_(at >= bounds[0], at < bounds[1])
    if dialect not in BY_BYTES:  # in texts of others, who knows what is after a 9
        return None
    if dialect == "postgresql":
        at = sa.collate(sa.cast(at, sa.Text), "C")  # type: ignore[assignment]
    # / and : are beside the digits. None of these is a number, which SQLite would compare in another way.
    return sa.not_(sa.or_(sa.and_(at >= "2200-", at < ":"), sa.and_(at >= "/", at < "1970-")))


def is_beyond(text: str, moments: mapping.Moments) -> bool:
    """Whether a text is a moment that no calendar of the loop has."""
    column, in_utc = pa.chunked_array([pa.array([text])]), moments.model_copy(update={"timezone": "UTC"})
    [day], [ever] = (mapping.moments(column, in_utc, span)[1] for span in (mapping.CALENDAR, WRITABLE))
    return bool(np.isnat(day) and not np.isnat(ever))


def _set(table: sa.Table, one: Asked) -> list[sa.ColumnElement[bool]]:
    return [table.c[name].is_not(None) for name in (one.at, one.value) if name is not None]
