"""Reaching a database: its address, one read-only transaction at a time, and what it says when it does not answer.

An address may hold a password: it is never shown, and what the database says is shown without it.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy import exc

from flywheel.data import addresses
from flywheel.data.sources import retrying
from flywheel.errors import ConfigError, DataError, FlywheelError, RemoteError

T = TypeVar("T")
CONNECT_S = 10  # for a server that does not answer at all
SHOWN = 20  # names in a message
REFUSED = re.compile(
    r"(?i)authentication failed|no password|access denied|pg_hba|not permitted to log in|(role|database) \S+ does not exist"
)
SYSTEM = re.compile(
    r"(?i)(pg_|information_schema$|mysql$|performance_schema$|sys$)"
)  # schemas of no table of one's own
WRONG_OPTION = re.compile(r"(?i)invalid connection option|invalid \S+ value: ")
LOCKED = re.compile(r"(?i)lock timeout|lock wait timeout|database (table )?is locked")
STOPPED, FORBIDDEN = "57014", "42501"  # PostgreSQL's words for a statement that took too long, and for a missing right
# A vanished server is noticed within a minute or so; without these, after hours.
ALIVE = {"keepalives_idle": 30, "keepalives_interval": 10, "keepalives_count": 3}
# How all statements of a transaction see the database as it was when it began. SQLite needs nothing.
OF_ONE_MOMENT: dict[str, dict[str, Any]] = {
    "postgresql": {"isolation_level": "REPEATABLE READ", "execution_options": {"postgresql_readonly": True}},
    "mysql": {"isolation_level": "REPEATABLE READ"},
    "mariadb": {"isolation_level": "REPEATABLE READ"},
}


class Database:
    """A database that is read and never written."""

    def __init__(self, address: str, named: str, lock_timeout_s: int) -> None:
        """Nothing is connected yet. `named` is what messages call it. ConfigError when there is no such kind of database."""
        self.about = named  # what is being asked for
        self._named, self._lock_timeout_s = named, lock_timeout_s
        try:
            url = sa.make_url(address)
            if url.drivername in ("postgresql", "postgres"):
                url = url.set(drivername="postgresql+psycopg")
            self._secrets = _secrets(address, url)
            if "@" in (url.host or ""):
                raise ConfigError(
                    f"{named}: there is more than one @ before the host. Write an @ that is part of the password, or of the "
                    "user's name, as %40."
                )
            self.dialect = url.get_backend_name()
            self._file = _file(url) if self.dialect == "sqlite" else None
            self._engine = sa.create_engine(
                url,
                poolclass=sa.NullPool,
                hide_parameters=True,
                connect_args=_arguments(url, self.dialect, lock_timeout_s),
                **OF_ONE_MOMENT.get(self.dialect, {}),
            )
        except exc.NoSuchModuleError:
            raise ConfigError(
                f"{named}: SQLAlchemy knows no such kind of database. Correct the beginning of the address, such as "
                "postgresql://, or add the package that brings it to pyproject.toml."
            ) from None
        except ImportError as error:
            raise ConfigError(
                f"{named}: its driver is missing (no module {error.name!r}). Add it to pyproject.toml; for PostgreSQL it is "
                "psycopg[binary]."
            ) from None
        except (exc.ArgumentError, ValueError, TypeError):  # they may say the address
            raise ConfigError(
                f"{named}: this is no address of a database. Write it like postgresql://user@host/name or "
                "sqlite:///tables.db; letters such as @ and / in a password are written %40 and %2F."
            ) from None
        if self.dialect == "sqlite":
            sa.event.listen(self._engine, "connect", _read_only)
            sa.event.listen(self._engine, "begin", _begin)

    def read(self, work: Callable[[sa.Connection], T]) -> T:
        """What `work` finds in one read-only transaction, in which nothing changes, where the database has such.

        When the database goes away, the work begins again in a new transaction, a few times. RemoteError when that does not
        help or a table is locked; ConfigError when it lets nobody in; DataError when what is asked for is not there.
        """
        if self._file is not None and not self._file.is_file():
            raise DataError(f"{self._file}: there is no such file. Correct the address under source.options.")
        try:
            return retrying.patiently(lambda: self._once(work), self._may_pass)
        except exc.SQLAlchemyError as error:
            raise self._said(error) from None

    def columns(self, connection: sa.Connection, table: str) -> tuple[str, str | None, dict[str, Any]]:
        """The name of a table, its schema, and the type of each of its columns. DataError lists what there is instead."""
        inspector = sa.inspect(connection)
        schema, dot, name = table.partition(".")
        is_schema = bool(dot) and schema in inspector.get_schema_names()
        for place in [(name, schema), (table, None)] if is_schema else [(table, None)]:
            try:
                with warnings.catch_warnings():  # of types that SQLAlchemy does not know: they are texts here
                    warnings.simplefilter("ignore", exc.SAWarning)
                    found = inspector.get_columns(*place)
            except exc.NoSuchTableError:
                continue
            return *place, {one["name"]: one["type"] for one in found}
        known = schema if is_schema else None
        there = sorted([*inspector.get_table_names(known), *inspector.get_view_names(known)])
        more = f" and {len(there) - SHOWN} more" if len(there) > SHOWN else ""
        raise DataError(
            f"{self._named} has no table {table!r} that its user may see; found: {', '.join(there[:SHOWN]) or 'none'}{more}"
            f"{_elsewhere(inspector, table, known)}. Correct table under source.options in conf/project/, or allow the user to "
            "see it. If it was renamed, nothing is lost."
        )

    def _once(self, work: Callable[[sa.Connection], T]) -> T:
        with self._transaction() as connection:
            return work(connection)

    @contextmanager
    def _transaction(self) -> Iterator[sa.Connection]:
        with self._engine.connect() as connection:
            if self.dialect == "postgresql":
                said = {"lock_timeout": f"{self._lock_timeout_s}s", "timezone": "UTC"}
                connection.execute(sa.select(*(sa.func.set_config(name, value, True) for name, value in said.items())))
            yield connection

    def _may_pass(self, error: BaseException) -> bool:
        """Whether the database has gone away, and may be back soon."""
        if not isinstance(error, exc.DBAPIError) or self.dialect == "sqlite":
            return False
        is_away = error.connection_invalidated or isinstance(error, exc.OperationalError | exc.InterfaceError)
        return is_away and not (
            WRONG_OPTION.search(_told(error)) or _is_locked(error) or _is_refused(error) or _state(error) == STOPPED
        )

    def _said(self, error: exc.SQLAlchemyError) -> FlywheelError:
        """An error in a sentence that says what to do, and no secret."""
        text, state = self._shown(error), _state(error)
        locked = RemoteError(
            f"{self.about} is locked by somebody else, for longer than {self._lock_timeout_s} s ({text}). Run again when "
            "they are done, or raise lock_timeout_s under source.options; nothing is lost."
        )
        refused = ConfigError(
            f"{self._named}: the database lets nobody in with these credentials ({text}). Correct the user, the password "
            "or the name of the database in the address."
        )
        too_long = RemoteError(
            f"{self.about}: the database took too long and gave up ({text}). An index on the column of arrival helps; "
            "nothing is lost."
        )
        away = RemoteError(
            f"{self._named} does not answer, or went away ({text}); it was asked {retrying.TRIES} times. Run again when "
            "it is back; nothing is lost."
        )
        if WRONG_OPTION.search(text):
            found: FlywheelError = ConfigError(f"{self._named}: {text}. Correct what is behind the ? of the address.")
        elif _is_locked(error):
            found = locked
        elif _is_refused(error):
            found = refused
        elif state == STOPPED:
            found = too_long
        elif self._may_pass(error):
            found = away
        elif state == FORBIDDEN:
            found = ConfigError(f"{self.about}: {text}. Allow this user to select from it.")
        else:
            found = DataError(
                f"{self.about}: the database cannot give it ({text}). Correct table, columns or time under source.options "
                "in conf/project/, or the table; nothing is lost."
            )
        return found

    def _shown(self, error: exc.SQLAlchemyError) -> str:
        """What the database or its driver says, without any secret."""
        return addresses.masked(_told(error), self._secrets)


def _secrets(address: str, url: sa.URL) -> list[str]:
    """What no message may show, the longest first: the whole address, a password and the like, as they may be written."""
    return [address, *([str(url.password)] if url.password else []), *addresses.secrets_of(address)]


def _elsewhere(inspector: sa.Inspector, table: str, known: str | None) -> str:
    """Where else a table of this name is, or else in which schemas one could be; nothing where there is only one."""
    here = known or inspector.default_schema_name
    own = [one for one in inspector.get_schema_names() if one != here and not SYSTEM.match(one)]
    name = table.rpartition(".")[2]
    same = [one for one in own if name in (*inspector.get_table_names(one), *inspector.get_view_names(one))]
    if same:
        return f"; it is there as {', '.join(f'{one}.{name}' for one in same[:SHOWN])}"
    return f"; other schemas: {', '.join(own[:SHOWN])}" if own else ""


def _arguments(url: sa.URL, dialect: str, lock_timeout_s: int) -> dict[str, Any]:
    """What the driver is told, where its address does not say otherwise."""
    if dialect == "sqlite":
        return {"timeout": lock_timeout_s}
    given: dict[str, Any] = {"connect_timeout": CONNECT_S} if dialect in ("postgresql", "mysql", "mariadb") else {}
    if dialect == "postgresql":
        given |= ALIVE
    return {name: value for name, value in given.items() if name not in url.query}


def _file(url: sa.URL) -> Path | None:
    """The file of an SQLite database, which would be made if it was not there; None where it is not a plain one."""
    name = url.database
    return Path(name) if name and name != ":memory:" and not name.startswith("file:") else None


def _read_only(connection: Any, _: object) -> None:
    connection.isolation_level = None  # else the driver begins no transaction before a select
    connection.execute("PRAGMA query_only = ON")


def _begin(connection: sa.Connection) -> None:
    connection.execute(sa.text("BEGIN"))


def _state(error: exc.SQLAlchemyError) -> str | None:
    """The five letters by which PostgreSQL says what is wrong; None where the driver hands on none."""
    return getattr(getattr(error, "orig", None), "sqlstate", None)


def _is_locked(error: exc.SQLAlchemyError) -> bool:
    return _state(error) == "55P03" or bool(LOCKED.search(_told(error)))


def _is_refused(error: exc.SQLAlchemyError) -> bool:
    is_connecting = isinstance(error, exc.DBAPIError) and error.statement is None
    return _state(error) in ("28P01", "28000", "3D000") or (is_connecting and bool(REFUSED.search(_told(error))))


def _told(error: exc.SQLAlchemyError) -> str:
    """What the database or its driver says, in one line: SQLAlchemy adds the statement, and PostgreSQL a part of it."""
    own = error.orig if isinstance(error, exc.DBAPIError) else error
    alone = getattr(getattr(own, "diag", None), "message_primary", None)
    return " ".join(str(alone or own).split()).rstrip(".")
