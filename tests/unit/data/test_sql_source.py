"""Tables in a database: SQLite always, and a real PostgreSQL where there is one."""

from __future__ import annotations

import datetime as dt
import logging
import os
import re
import sqlite3
import threading
import traceback
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote
from zoneinfo import ZoneInfo

import pandas as pd
import pytest
import sqlalchemy as sa
import yaml

from flywheel import files
from flywheel.data import addresses
from flywheel.data.contract import coerce
from flywheel.data.evidence import read_late
from flywheel.data.settings import Column
from flywheel.data.sources import Part, retrying, rows, sql
from flywheel.data.sources import files as of_files
from flywheel.data.sources.sql import Sql, open_source
from flywheel.errors import ConfigError, DataError, RemoteError
from flywheel.stages.collect import CollectParams, main
from tests.peak import run as peak_of
from tests.planted import ROOT, contents, day, settings
from tests.postgres import PASSWORD, Postgres

VARIABLE = "WAREHOUSE_URL"
COLUMNS = {"prediction_id": "id", "served_at": "at", "in_size": "size"}
POSTGRES = pytest.param("postgres", marks=pytest.mark.slow)
BERLIN = ZoneInfo("Europe/Berlin")


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(retrying, "PAUSE_S", 0.01)


class Place:
    """A database to plant tables in."""

    def __init__(self, address: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv(VARIABLE, address)
        self.engine = sa.create_engine(address.replace("postgresql:", "postgresql+psycopg:"), poolclass=sa.NullPool)

    def plant(self, name: str, columns: dict[str, Any], values: Sequence[Sequence[Any]]) -> None:
        """A table with some rows."""
        table = sa.Table(name, sa.MetaData(), *(sa.Column(one, kind) for one, kind in columns.items()))
        table.drop(self.engine, checkfirst=True)
        table.create(self.engine)
        with self.engine.begin() as connection:
            connection.execute(table.insert(), [dict(zip(columns, row, strict=True)) for row in values])

    def do(self, *statements: str) -> None:
        """Run some statements."""
        with self.engine.begin() as connection:
            for one in statements:
                connection.execute(sa.text(one))


@pytest.fixture(params=["sqlite", POSTGRES])
def place(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Place:
    """Each kind of database."""
    if request.param == "sqlite":
        return Place("sqlite:///tables.db", monkeypatch)
    server: Place = request.getfixturevalue("server")
    return server


@pytest.fixture
def server(postgres: Postgres, monkeypatch: pytest.MonkeyPatch) -> Place:
    """PostgreSQL alone, without any table."""
    place = Place(postgres.address(), monkeypatch)
    place.do("drop schema public cascade", "create schema public")
    return place


only_postgres = [pytest.mark.slow]


def on_postgres(test: Callable[..., None]) -> Callable[..., None]:
    """Marks a test that needs a server."""
    for mark in only_postgres:
        test = mark(test)
    return test


def opened(table: str = "served", columns: Any = COLUMNS, more: Any = None, **options: Any) -> Sql:
    """A source of one table of predictions."""
    return open_source(
        {"address_env": VARIABLE, "predictions": {"table": table, "columns": columns, **options}, **(more or {})}
    )


def ids(found: Sql, n: int) -> list[str]:
    return [str(one) for one in found.predictions(day(n))["prediction_id"]]


def at(text: str) -> dt.datetime:
    """A moment of the planted month, in UTC."""
    return dt.datetime.fromisoformat(f"2030-01-{text}:00+00:00")


THREE = [("c", at("02T11"), 3), ("a", at("01T10"), 1), ("b", at("02T09"), None)]
KINDS = {"id": sa.String, "at": sa.DateTime(timezone=True), "size": sa.Integer}


def test_a_table_by_day_of_arrival(place: Place) -> None:
    """In the order of arrival, whatever order the table has; a day without rows is empty."""
    place.plant("served", KINDS, THREE)
    found = opened()
    assert (day(1), day(2)) == (found.first_day, found.last_day)
    assert (["a"], ["b", "c"], []) == (ids(found, 1), ids(found, 2), ids(found, 3))
    assert [None, 3.0] == [None if pd.isna(one) else float(one) for one in found.predictions(day(2))["in_size"]]
    assert at("02T09") == found.predictions(day(2))["served_at"].iloc[0].to_pydatetime()
    assert 0 == len(found.feedback(day(1)))


def test_the_same_days_as_from_files(place: Place) -> None:
    """Types, rows, outcomes and reports: every frame is that of the files with the same rows; also what is half set."""
    frame = pd.DataFrame(
        {
            "id": [f"p{n:03}" for n in range(200)],
            "at": [at("01T00") + dt.timedelta(minutes=61 * n) for n in range(200)],
            "score": [n / 7 for n in range(200)],
            "size": [n % 9 for n in range(200)],
            "place": [None if n % 5 == 0 else "nörth" for n in range(200)],
            "late": ["yes" if n % 3 else None for n in range(200)],
            "known": [at("02T01") + dt.timedelta(minutes=61 * n) if n % 4 else None for n in range(200)],
        }
    )
    said = pd.DataFrame(
        {
            "about": frame["id"],
            "when": [one + dt.timedelta(hours=1) for one in frame["at"]],
            "who": [n % 4 for n in range(200)],
            "says": ["LATE" if n % 2 else "fine" for n in range(200)],
        }
    )
    for name, one in (("served", frame), ("said", said)):
        one.to_parquet(f"{name}.parquet")
    moment = sa.DateTime(timezone=True)
    kinds = [sa.String, moment, sa.Float(53), sa.Integer, sa.Text, sa.String(9), moment]
    rows_of = [[None if pd.isna(one) else one for one in row] for row in frame.itertuples(index=False)]
    place.plant("served", dict(zip(frame.columns, kinds, strict=True)), rows_of[::-1])
    kinds = [sa.String, moment, sa.Integer, sa.String]
    place.plant("said", dict(zip(said.columns, kinds, strict=True)), list(said.itertuples(index=False)))
    columns = {"prediction_id": "id", "served_at": "at", "score": "score", "in_size": "size", "in_place": "place"}
    reports = {"prediction_id": "about", "received_at": "when", "source_id": "who", "value": "says"}
    about = {"columns": reports, "channel": "report", "values": {"late": 1, "fine": 0}}
    more = {"outcome": {"value": "late", "known_at": "known", "values": {"yes": 1, "no": 0}}}
    found = opened(columns=columns, more={**more, "feedback": [{"table": "said", **about}]})
    expected = of_files.open_source(
        {
            "predictions": {"path": "served.parquet", "columns": columns},
            **more,
            "feedback": [{"path": "said.parquet", **about}],
        }
    )
    assert (expected.first_day, expected.last_day) == (found.first_day, found.last_day)
    assert 8 == (found.last_day - found.first_day).days
    for n in range(1, 13):
        pd.testing.assert_frame_equal(expected.predictions(day(n)), found.predictions(day(n)))
        pd.testing.assert_frame_equal(expected.feedback(day(n)), found.feedback(day(n)))


@pytest.mark.parametrize("known", [{"known_at": "known"}, {"known_after": "16h"}])
def test_an_outcome_in_the_table_of_predictions_arrives_when_it_is_known(place: Place, known: dict[str, str]) -> None:
    """Nothing is said of what is not known yet; a word is a label. The data ends with the last predictions."""
    kinds = {**KINDS, "late": sa.String, "known": sa.DateTime(timezone=True)}
    late = [("yes", at("03T03")), ("no", at("02T02")), (None, None)]
    place.plant("served", kinds, [(*row, *said) for row, said in zip(THREE, late, strict=True)])
    found = opened(more={"outcome": {"value": "late", "values": {"yes": 1, "no": 0}, **known}})
    found.expect([day(2), day(3)])
    assert [("a", "outcome", 0.0)] == [tuple(row)[::1] for row in said_on(found, 2)]
    assert [("c", "outcome", 1.0)] == said_on(found, 3)
    assert (day(1), day(2)) == (found.first_day, found.last_day)
    assert {day(2): 1, day(3): 1} == dict(found.counts("feedback"))


def said_on(found: Sql, n: int) -> list[tuple[Any, ...]]:
    """What was said on a day: about which prediction, by which channel, and what."""
    rows = found.feedback(day(n))[["prediction_id", "channel", "value"]]
    return [tuple(row) for row in rows.itertuples(index=False)]


@pytest.mark.parametrize("month", [3, 10])
def test_local_times_over_a_change_of_clocks(place: Place, month: int) -> None:
    """Each row is on the UTC day of its moment; a local time that is not once is kept, on its day, for the contract."""
    change = dt.datetime(2030, month, {3: 31, 10: 27}[month], tzinfo=dt.UTC)
    moments = [change + dt.timedelta(minutes=30 * n) for n in range(-60, 120)]
    local = [one.astimezone(BERLIN).replace(tzinfo=None) for one in moments]
    odd = [dt.datetime(2030, month, change.day, 2, 30)] if month == 3 else []
    place.plant("served", {"id": sa.String, "at": sa.DateTime}, [(str(n), one) for n, one in enumerate(local + odd)])
    found = opened(columns={"prediction_id": "id", "served_at": "at"}, timezone="Europe/Berlin")
    days = [change.date() + dt.timedelta(days=n) for n in range(-2, 3)]
    found.expect(days[1:])
    served = [str(one) for name in days[1:] for one in found.predictions(name)["served_at"]]
    wanted = [one for one in moments if one.date() in days[1:]]
    understood = [one for one in served if "where clocks are changed" not in one]
    assert len(served) == len(wanted) + len(odd)
    assert {1: 1, 0: 4}[len(odd)] == len(served) - len(understood)
    assert {one.isoformat() for one in wanted} >= {pd.Timestamp(one).isoformat() for one in understood}
    counts = found.counts("predictions")
    assert [counts[name] for name in days] == [len(found.predictions(name)) for name in days]


@pytest.mark.parametrize(
    ("kind", "write", "options"),
    [
        (sa.BigInteger, lambda one: int(one.timestamp()), {"time": "s"}),
        (sa.BigInteger, lambda one: int(one.timestamp()) * 1000, {"time": "ms"}),
        (sa.Numeric(12, 0), lambda one: int(one.timestamp()), {"time": "s"}),
        (sa.Text, lambda one: one.isoformat(), {}),
        (sa.Text, lambda one: one.replace(tzinfo=None).isoformat(" "), {}),
        (sa.Text, lambda one: one.astimezone(BERLIN).isoformat(), {}),
        (sa.Text, lambda one: one.astimezone(BERLIN).strftime("%d.%m.%Y %H:%M"), {"time": "%d.%m.%Y %H:%M"}),
        (sa.DateTime, lambda one: one.astimezone(BERLIN).replace(tzinfo=None), {}),
    ],
)
def test_moments_of_every_kind_have_their_days(place: Place, kind: Any, write: Any, options: dict[str, str]) -> None:
    """As numbers since 1970, as texts in any style, as local times: the window that is wanted has all of its rows."""
    moments = [at("01T00") + dt.timedelta(hours=n) for n in range(24 * 6)]
    place.plant("served", {"id": sa.Integer, "at": kind}, [(n, write(one)) for n, one in enumerate(moments)])
    zone = (
        {"timezone": "Europe/Berlin"} if write(at("01T00")) in ("01.01.2030 01:00", dt.datetime(2030, 1, 1, 1)) else {}
    )
    found = opened(columns={"prediction_id": "id", "served_at": "at"}, **options, **zone)
    assert (day(1), day(6)) == (found.first_day, found.last_day)
    found.expect([day(3), day(4)])
    assert [sorted(map(str, range(24 * n, 24 * n + 24))) for n in (2, 3)] == [sorted(ids(found, n)) for n in (3, 4)]
    assert sorted(map(str, range(24))) == sorted(ids(found, 1))  # nobody expected it
    assert {day(n): 24 for n in range(1, 7)} == dict(found.counts("predictions"))


@pytest.mark.parametrize("kind", [sa.DateTime(timezone=True), sa.Text])
def test_rows_that_come_late_are_seen_in_a_database(place: Place, kind: Any) -> None:
    """A day is asked for again because there are more rows of it now."""
    write = str if kind is sa.Text else (lambda one: one)
    kinds = {**KINDS, "at": kind}
    place.plant("served", kinds, [(name, write(when), size) for name, when, size in THREE])
    options = {"address_env": VARIABLE, "predictions": {"table": "served", "columns": COLUMNS}}
    assert "2 new days of 2, 0 duplicates dropped" in collected(options)
    place.plant("served", kinds, [(name, write(when), 1) for name, when, _ in [*THREE, ("z", at("01T23"), 1)]])
    assert "0 new days of 2, 0 duplicates dropped; 1 row came late" in collected(options)
    assert {"predictions": {"rows": 1, "days": {"2030-01-01": 1}}} == read_late()


def test_late_rows_of_many_days_are_read_from_a_database_in_one_go(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not once for each day; days that were expected before are forgotten."""
    place.plant("served", KINDS, THREE)
    options = {"address_env": VARIABLE, "predictions": {"table": "served", "columns": COLUMNS}}
    collected(options)
    reads: list[int] = []
    spooled = Sql._spooled
    monkeypatch.setattr(Sql, "_spooled", lambda *said: reads.append(1) or spooled(*said))  # type: ignore[func-returns-value]
    place.plant("served", KINDS, [*THREE, ("y", at("01T23"), 1), ("z", at("02T23"), 1)])
    assert "2 rows came late" in collected(options)
    assert [1] == reads


def test_other_days_of_a_database_can_be_expected_later(place: Place) -> None:
    """They were not read the first time, and are not taken for empty."""
    place.plant("served", KINDS, THREE)
    found = opened()
    found.expect([day(1)])
    assert ["a"] == ids(found, 1)
    found.expect([day(2)])
    assert ["b", "c"] == ids(found, 2)


def test_a_row_without_a_moment_has_not_arrived(place: Place) -> None:
    """It is read once its moment is set."""
    place.plant("served", KINDS, [*THREE, ("d", None, 1)])
    found = opened()
    assert ["a", "b", "c"] == ids(found, 1) + ids(found, 2)
    place.do("update served set at = '2030-01-03 10:00:00' where id = 'd'")
    assert ["d"] == ids(opened(), 3)


def test_types_are_kept_and_ids_are_texts(place: Place) -> None:
    """A decimal number is a number among inputs, and exact in an id."""
    kinds = {
        "n": sa.Numeric(20, 0),
        "part": sa.Integer,
        "at": sa.DateTime,
        "price": sa.Numeric(8, 2),
        "open": sa.Boolean,
    }
    big = 123456789 if place.engine.name == "sqlite" else 12345678901234567890
    place.plant(
        "served", kinds, [(big, 7, dt.datetime(2030, 1, 1), 12.5, True), (5, None, dt.datetime(2030, 1, 1), None, None)]
    )
    columns = {"prediction_id": ["n", "part"], "served_at": "at", "in_price": "price", "in_open": "open"}
    found = opened(columns=columns).predictions(day(1)).sort_values("in_price")
    assert [f"{big}|7", None] == [None if pd.isna(one) else one for one in found["prediction_id"]]
    assert (12.5, True) == tuple(found[["in_price", "in_open"]].iloc[0])


def test_nothing_is_put_into_a_statement(place: Place) -> None:
    """A table and columns whose names would end it work as they are."""
    table, column = 'x\'; drop table "served"; --', 'at"; select %(a)s :b {c} ?'
    place.plant("served", KINDS, THREE)
    place.plant(table, {"id": sa.String, column: sa.DateTime(timezone=True), "size": sa.Integer}, THREE)
    found = opened(table, {**COLUMNS, "served_at": column})
    found.expect([day(2)])
    assert (day(1), ["b", "c"]) == (found.first_day, ids(found, 2))
    assert ["a"] == ids(opened(), 1)


def test_a_table_in_a_schema(place: Place) -> None:
    """By its schema's name and its own; SQLite calls its own schema main."""
    place.plant("served", KINDS, THREE)
    assert ["a"] == ids(opened("main.served" if place.engine.name == "sqlite" else "public.served"), 1)


@pytest.mark.parametrize(
    ("table", "columns", "said"),
    [
        ("gone", COLUMNS, "has no table 'gone' .*found:.*served.*If it was renamed"),
        ("nowhere.served", COLUMNS, "has no table 'nowhere.served'"),
        ("served", {**COLUMNS, "in_size": "width"}, "served has no column 'width'; found: id, at, size"),
        ("empty", COLUMNS, "empty has no row"),
    ],
)
def test_what_is_not_there_is_named(place: Place, table: str, columns: dict[str, str], said: str) -> None:
    """With what is there instead."""
    place.plant("served", KINDS, THREE)
    place.plant("empty", KINDS, [("x", None, 1)])
    with pytest.raises(DataError, match=said):
        _ = opened(table, columns).first_day


def test_a_time_that_nobody_understands_is_shown(place: Place) -> None:
    """At the end of a table of texts, where it would be outside of every window; in a table of nothing else as well."""
    kinds = {"id": sa.String, "at": sa.String, "size": sa.Integer}
    place.plant("served", kinds, [("a", "2030-01-01", 1), ("b", "soon", 1)])
    with pytest.raises(DataError, match="served: 'soon' in column 'at' cannot be understood"):
        _ = opened().first_day
    with pytest.raises(DataError, match="no time of 2 rows can be understood"):
        _ = opened(time="%d.%m.%Y").first_day


def test_a_day_is_the_same_whatever_is_read_with_it(place: Place) -> None:
    """A local time that is not once makes texts of its own day's moments alone, and in every window."""
    hours = [dt.datetime(2030, 3, 29, 12) + dt.timedelta(hours=5 * n) for n in range(20)]
    place.plant(
        "served", {"id": sa.Integer, "at": sa.DateTime}, [*enumerate(hours), (99, dt.datetime(2030, 3, 31, 2, 30))]
    )
    options: dict[str, Any] = {"columns": {"prediction_id": "id", "served_at": "at"}, "timezone": "Europe/Berlin"}
    whole = opened(**options)
    days = [whole.first_day + dt.timedelta(days=n) for n in range((whole.last_day - whole.first_day).days + 1)]
    for one in days:
        alone = opened(**options)
        alone.expect([one])
        pd.testing.assert_frame_equal(whole.predictions(one), alone.predictions(one))
    assert 1 == sum(pd.api.types.is_string_dtype(whole.predictions(one)["served_at"]) for one in days)


def test_a_part_of_a_database_expects_the_days_before_it_too(place: Place) -> None:
    """Feedback about what was served before the first day is left out."""
    place.plant("served", KINDS, THREE)
    place.plant("said", {"id": sa.String, "at": sa.DateTime(timezone=True)}, [("a", at("02T12")), ("b", at("02T13"))])
    columns = {"prediction_id": "id", "received_at": "at", "value": "id"}
    part = Part(opened(more={"feedback": [{"table": "said", "columns": columns, "channel": "report"}]}), day(2), 1)
    part.expect([day(2)])
    assert ["b"] == part.feedback(day(2))["prediction_id"].tolist()


def test_a_mixed_column_of_sqlite_is_text_on_its_day_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """SQLite lets anything into a column of numbers; nothing is lost, and other days stay numbers."""
    place = Place("sqlite:///tables.db", monkeypatch)
    place.do(
        "create table served (id text, at text, size integer)",
        "insert into served values ('a', '2030-01-01 10:00', 1), ('b', '2030-01-02 10:00', 'many'), "
        "('c', '2030-01-02 11:00', 2), ('d', '2030-01-02 12:00', 2.5)",
    )
    found = opened()
    assert (1, ["many", "2", "2.5"]) == (
        found.predictions(day(1))["in_size"][0],
        found.predictions(day(2))["in_size"].tolist(),
    )
    assert pd.api.types.is_integer_dtype(found.predictions(day(1))["in_size"])


def test_a_file_that_is_not_there_is_not_made(monkeypatch: pytest.MonkeyPatch) -> None:
    """SQLite would make an empty one."""
    monkeypatch.setenv(VARIABLE, "sqlite:///none.db")
    with pytest.raises(DataError, match=r"none\.db: there is no such file"):
        _ = opened().first_day
    assert not Path("none.db").exists()
    Path("none.db").write_text("this is no database, but a text that is as long as its head would have to be" * 20)
    with pytest.raises(DataError, match="file is not a database"):
        _ = opened().first_day


def test_a_locked_sqlite_file_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """After the time that the options give."""
    place = Place("sqlite:///tables.db", monkeypatch)
    place.plant("served", KINDS, THREE)
    with sqlite3.connect("tables.db", isolation_level=None) as other:
        other.execute("begin exclusive")
        with pytest.raises(RemoteError, match="locked by somebody else, for longer than 1 s"):
            _ = opened(more={"lock_timeout_s": 1}).first_day
        other.execute("rollback")
    assert ["a"] == ids(opened(), 1)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"address": "postgresql://ann:hunter2@host/db"}, "address: found an address with a password.*address_env"),
        ({"address": "postgresql://host/db?password=hunter2"}, "address: found an address with a password"),
        ({"address": "mssql+pyodbc:///?odbc_connect=SERVER%3Dh%3BPWD%3Dhunter2"}, "found an address with a password"),
        ({"adress": "postgresql://ann:hunter2@host/db"}, "adress: found an address with a password"),
        ({}, "address: either address or address_env"),
        ({"address": "sqlite:///x.db", "address_env": "X"}, "not both"),
        ({"address_env": "lower"}, "address_env: found 'lower'"),
        ({"address_env": "NOT_SET_HERE"}, "NOT_SET_HERE is empty or unset"),
        ({"address": "tables.db"}, "tables.db: this is no address of a database"),
        ({"address": "gopher://host/db"}, "gopher://host/db: SQLAlchemy knows no such kind"),
        ({"address": "mysql+pymysql://host/db"}, "its driver is missing .*pymysql"),
        ({"address_env": "WRONG_PORT"}, "the database of WRONG_PORT: this is no address"),
        ({"address": "host=127.0.0.1 user=ann password=hunter2"}, "address: found an address with a password"),
        ({"address": "postgresql://ann:hunter2 or so@host/db"}, "address: found an address with a password"),
        ({"address_env": "TWO_SIGNS"}, "the database of TWO_SIGNS: there is more than one @ .* as %40"),
        ({"address": "postgresql://ann:a@hunter2@host/db"}, "address: found an address with a password"),
        ({"address": "sqlite:///x.db", "lock_timeout_s": 0}, "lock_timeout_s: found 0"),
    ],
)
def test_a_wrong_option_is_named_without_its_password(
    options: dict[str, Any], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Which option, what is allowed, what to do."""
    monkeypatch.setenv("WRONG_PORT", "postgresql://ann:hunter2@host:port/db")
    monkeypatch.setenv("TWO_SIGNS", "postgresql://ann:a@hunter2@127.0.0.1:1/db")
    with pytest.raises(ConfigError, match=said) as caught:
        open_source({"predictions": {"table": "served", "columns": COLUMNS}, **options})
    assert "hunter2" not in str(caught.value)


def test_the_example_of_the_documents_is_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever copies it has no error to read."""
    monkeypatch.setenv(VARIABLE, "postgresql://user:password@host/name")
    [example] = re.findall(
        r"^```yaml\n(source:.*?)^```", (ROOT / "docs/your-data.md").read_text(), re.MULTILINE | re.DOTALL
    )
    options = yaml.safe_load(example)["source"]["options"]
    assert 3 == len(open_source(options)._asked)


def collected(options: dict[str, Any], as_of: int = 3) -> str:
    """Run the stage on a database."""
    params = settings(CollectParams, clock={"as_of": day(as_of).isoformat()}, collect={"allow_demo_key": True})
    source = params.source.model_copy(update={"factory": "sql", "options": options})
    return main(params.model_copy(update={"source": source}))


def test_what_is_stored_names_the_variable_alone(place: Place) -> None:
    """The identity of the events has the options, in which there is no address."""
    place.plant("served", KINDS, THREE)
    options = {"address_env": VARIABLE, "predictions": {"table": "served", "columns": COLUMNS}}
    assert collected(options).startswith("2 new days of 2")
    assert VARIABLE == files.read_json(files.EVENTS / "source.json")["options.address_env"]
    address = os.environ[VARIABLE].encode()
    assert [] == [name for name, held in contents(Path()).items() if address in held or PASSWORD.encode() in held]
    assert collected({**options, "lock_timeout_s": 60}).startswith(
        "0 new days of 2"
    )  # how it is asked is no other world


@on_postgres
def test_a_password_is_shown_nowhere(
    server: Place, postgres: Postgres, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Not when it is wrong, when the server is elsewhere, or when a statement fails: in no message, cause or log."""
    caplog.set_level(logging.DEBUG)
    server.plant("served", KINDS, THREE)
    server.do("create view broken as select id, at, 1 / (size - 3) as size from served")
    secret = "wr0ng:pass@word"
    hidden = quote(secret, safe="")
    addresses = {
        "lets nobody in with these credentials": (ConfigError, postgres.address(secret)),
        "does not answer, or went away.*asked 6 times": (RemoteError, f"postgresql://ann:{hidden}@127.0.0.1:1/db"),
        "does not exist": (ConfigError, postgres.address().replace("/postgres", "/nodatabase")),
        "has no table": (DataError, postgres.address()),
        "division by zero": (DataError, postgres.address()),
        "no address of a database": (ConfigError, f"postgresql://ann:{secret}@host:port/db"),
    }
    said = []
    for words, (kind, address) in addresses.items():
        monkeypatch.setenv(VARIABLE, address)
        with pytest.raises(kind, match=words) as caught:
            ids(opened({"has no table": "gone", "division by zero": "broken"}.get(words, "served")), 2)
        said += traceback.format_exception(caught.value)
    text = "".join([*said, caplog.text])
    assert len(addresses) <= text.count("Error: ")
    assert [] == [one for one in (secret, hidden, PASSWORD, quote(PASSWORD, safe="")) if one in text]


@on_postgres
def test_a_locked_table_is_told_so(server: Place) -> None:
    """The wait is as long as the options say, and then a sentence; afterwards the same source reads on."""
    server.plant("served", KINDS, THREE)
    found = opened(more={"lock_timeout_s": 1})
    with server.engine.begin() as other:
        other.execute(sa.text("lock table served in access exclusive mode"))
        with pytest.raises(RemoteError, match="served is locked by somebody else, for longer than 1 s"):
            ids(found, 1)
    assert ["a"] == ids(found, 1)


@on_postgres
def test_types_of_postgresql_are_kept_or_texts(server: Place) -> None:
    """A domain is what it restricts; what Arrow has no type for is a text."""
    server.do(
        "create type mood as enum ('good', 'bad')",
        "create domain share as numeric check (value <= 1)",
        "create table served (id uuid, at timestamptz, part share, said mood, more jsonb, tags text[], took interval, "
        "born date, small smallint, big numeric)",
        "insert into served values ('6b1c5c0e-0000-4000-8000-000000000001', '2030-01-01', 0.25, 'good', "
        """'{"b": "ä", "a": 1}', '{x,y}', '90 minutes', '1999-12-31', 3, 'NaN')""",
    )
    names = ["part", "said", "more", "tags", "took", "born", "small", "big"]
    columns = {"prediction_id": "id", "served_at": "at", **{f"in_{name}": name for name in names}}
    [row] = opened(columns=columns).predictions(day(1)).to_dict("records")
    assert "6b1c5c0e-0000-4000-8000-000000000001" == row["prediction_id"]
    expected = [0.25, "good", '{"a": 1, "b": "ä"}', '["x", "y"]', "1:30:00", dt.date(1999, 12, 31), 3]
    assert expected == [row[f"in_{name}"] for name in names[:-1]]
    assert pd.isna(row["in_big"])


@on_postgres
@pytest.mark.parametrize("kind", ["double precision", "real", "numeric"])
def test_infinity_in_a_column_of_numbers_is_no_number(server: Place, kind: str) -> None:
    """The contract rejects its row, also where the column may be null; what is not a number is null."""
    server.do(
        f"create table served (id text, at timestamptz, size {kind})",
        "insert into served values ('a', '2030-01-01 01:00', 'Infinity'), ('b', '2030-01-01 02:00', '-Infinity'), "
        "('c', '2030-01-01 03:00', 1.5), ('d', '2030-01-01 04:00', 'NaN'), ('e', '2030-01-01 05:00', null)",
    )
    typed, broken = coerce(opened().predictions(day(1)), {"in_size": Column(type="number", nullable=True)})
    assert [(0, "not of type number"), (1, "not of type number")] == list(
        zip(broken["row"], broken["rule"], strict=True)
    )
    assert [False, False, True, False, False] == list(typed["in_size"].notna())


@on_postgres
@pytest.mark.parametrize("kind", ["timestamptz", "timestamp", "date"])
def test_a_moment_beyond_the_calendar_has_not_arrived(server: Place, kind: str) -> None:
    """PostgreSQL knows infinity, on no day, and days before Christ: the other rows come, and the run tells of these."""
    never = ["infinity", "-infinity", "0044-03-15 BC", "9999-12-31", "29999-01-01"]
    values = ", ".join(f"('{one}', '{one}', 1, null)" for one in never)
    server.do(
        f"create table served (id text, at {kind}, size int, born {kind})",
        "insert into served values ('a', '2030-01-01', 1, 'infinity'), ('b', '2030-01-02', 2, '0044-03-15 BC'), "
        f"('c', '2030-01-02', 3, '1999-01-01'), ('d', null, 4, null), {values}",
    )
    columns = {**COLUMNS, "in_born": "born"}
    for zone in ("UTC", "Asia/Tokyo"):
        found = opened(columns=columns, timezone=zone)
        n = 1 if zone == "UTC" or kind == "timestamptz" else 0
        assert (day(n) if n else dt.date(2029, 12, 31), {"served.at": 5}) == (found.first_day, found.left_out)
        assert {"b", "c"} == set(ids(found, 1 + n))
        assert 3 == sum(found.counts("predictions").values())
        born = found.predictions(day(1 + n)).set_index("prediction_id")["in_born"].astype(str)
        assert ("0044-03-15", "1999-01-01") == (born["b"][:10], born["c"][:10])
        _, broken = coerce(found.predictions(day(1 + n)), {"in_born": Column(type="datetime", nullable=True)})
        assert ["not of type datetime"] == list(broken["rule"])
    options = {"address_env": VARIABLE, "predictions": {"table": "served", "columns": COLUMNS}}
    assert "5 rows with a moment beyond the calendar in served.at left out" in collected(options)


def test_a_text_beyond_the_calendar_has_not_arrived(place: Place) -> None:
    """SQLite has texts for all moments; also a part of the source tells of them."""
    kinds = {"id": sa.String, "at": sa.String, "size": sa.Integer}
    never = [(one, one, 1) for one in ("9999-12-31", "9999-12-31 23:59:59", "1900-01-01")]
    place.plant("served", kinds, [("a", "2030-01-01", 1), ("b", "2030-01-02 10:00", 1), *never])
    found = opened()
    assert (day(1), day(2), {"served.at": 3}) == (found.first_day, found.last_day, found.left_out)
    assert (["b"], {"served.at": 3}) == (ids(found, 2), Part(found, day(2), 1).left_out)
    assert {day(1): 1, day(2): 1} == dict(found.counts("predictions"))


def test_a_text_beyond_the_calendar_is_rejected_where_texts_cannot_be_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a database of which nobody knows what is after a 9: all rows are read, and the contract says which is wrong."""
    place = Place("sqlite:///tables.db", monkeypatch)
    kinds = {"id": sa.String, "at": sa.String, "size": sa.Integer}
    place.plant("served", kinds, [("a", "2030-01-01", 1), ("b", "2030-01-02 10:00", 1), ("c", "9999-12-31", 1)])
    found = opened()
    found._database.dialect = "another"
    assert (day(1), day(2)) == (found.first_day, found.last_day)
    moments = found.predictions(day(2)).set_index("prediction_id")["served_at"].astype(str)
    assert ("2030-01-02T10:00", "9999-12-31, which is beyond the calendar") == (moments["b"][:16], moments["c"])


@pytest.mark.parametrize(("unit", "never"), [("s", 253402300799), ("ms", 253402300799000), ("s", -1)])
def test_a_number_beyond_the_calendar_has_not_arrived(place: Place, unit: str, never: int) -> None:
    """The last second of the year 9999, or before 1970."""
    first = 1893456000 * {"s": 1, "ms": 1000}[unit]
    place.plant(
        "served", {"id": sa.String, "at": sa.BigInteger, "size": sa.Integer}, [("a", first, 1), ("b", never, 1)]
    )
    found = opened(time=unit)
    assert (day(1), day(1), ["a"]) == (found.first_day, found.last_day, ids(found, 1))


@on_postgres
def test_a_table_of_another_schema_is_named_with_it(server: Place) -> None:
    """Or the schemas in which it could be."""
    server.plant("served", KINDS, THREE)
    server.do("drop schema if exists sales cascade", "create schema sales", "create table sales.offers (id text)")
    with pytest.raises(DataError, match=r"found: served; it is there as sales\.offers\. Correct table"):
        _ = opened("offers").first_day
    with pytest.raises(DataError, match=r"found: served; other schemas: sales\. Correct table"):
        _ = opened("gone").first_day
    server.do("drop schema sales cascade")


@on_postgres
@pytest.mark.parametrize("option", ["nonsense=1", "sslmode=nonsense"])
def test_a_wrong_option_of_a_connection_is_no_fault_of_the_table(
    server: Place, option: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is in the address."""
    monkeypatch.setenv(VARIABLE, f"{os.environ[VARIABLE]}?{option}")
    with pytest.raises(ConfigError, match=r"WAREHOUSE_URL: .*nonsense.*Correct what is behind the \? of the address"):
        _ = opened().first_day


@on_postgres
@pytest.mark.filterwarnings("error")
def test_a_type_that_nobody_knows_is_a_text_and_no_warning(server: Place) -> None:
    """Nobody could do anything about it."""
    server.do(
        "create table served (id text, at timestamptz, size int, place point)",
        "insert into served values ('a', '2030-01-01', 1, '(1,2)')",
    )
    assert ["(1,2)"] == opened(columns={**COLUMNS, "in_place": "place"}).predictions(day(1))["in_place"].tolist()


@on_postgres
def test_a_table_that_may_not_be_read_is_told_so(server: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the right that is missing."""
    server.plant("served", KINDS, THREE)
    server.do(
        "drop role if exists guest",
        "create role guest login password 'guest'",
        "grant usage on schema public to public",
    )
    monkeypatch.setenv(
        VARIABLE, os.environ[VARIABLE].replace(os.environ[VARIABLE].split("@")[0], "postgresql://guest:guest")
    )
    with pytest.raises(ConfigError, match=r"permission denied for table served. Allow this user"):
        ids(opened(), 1)


def many(server: Place, n: int) -> None:
    """A table with many rows in five days, and its reports."""
    server.do(
        "create table served as select 'p' || g as id, timestamptz '2030-01-01+00' + g * interval '5 days' / "
        f"{n} as at, g % 9 as size from generate_series(0, {n - 1}) g",
        "create table said as select id, at, 1 as value from served",
    )


def test_an_address_may_name_files_and_hosts() -> None:
    """Only what is secret is one."""
    plain = ("postgresql://password-store/db?sslkey=my.key&application_name=passengers", "sqlite:///tokens.db")
    assert [False, False] == [addresses.holds_secret(one) for one in plain]


def test_a_password_of_one_letter_leaves_the_words_of_an_error_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else whoever reads it knows the letter by what is missing."""
    monkeypatch.setattr(retrying, "TRIES", 1)
    monkeypatch.setenv(VARIABLE, "postgresql://ann:e@127.0.0.1:1/db")
    with pytest.raises(RemoteError, match="connection failed"):
        _ = opened().first_day


SAID = {
    "feedback": [
        {
            "table": "said",
            "columns": {"prediction_id": "id", "received_at": "at", "value": "value"},
            "channel": "report",
        }
    ]
}


def interrupt(monkeypatch: pytest.MonkeyPatch, on: set[int], how: Callable[[], None]) -> list[int]:
    """Do something when some parts of rows have come: the list is how many have."""
    came, arrow = [0], rows.arrow

    def counted(*given: Any) -> Any:
        came[0] += 1
        if came[0] in on:
            how()
        return arrow(*given)

    monkeypatch.setattr(rows, "arrow", counted)
    monkeypatch.setattr(sql, "BATCH", 100)
    return came


def hang_up(server: Place) -> Callable[[], None]:
    """Ends every other connection to the server."""
    return lambda: server.do(
        "select pg_terminate_backend(pid) from pg_stat_activity where pid <> pg_backend_pid() and backend_type = "
        "'client backend'"
    )


@on_postgres
@pytest.mark.parametrize("on", [{3}, {8}, {1, 12}])
def test_a_connection_lost_in_the_middle_is_begun_again(
    server: Place, on: set[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the predictions or in the feedback: nothing is lost, nothing is doubled."""
    many(server, 500)
    before = opened(more=SAID)
    expected = [(before.predictions(day(n)), before.feedback(day(n))) for n in range(1, 6)]
    came = interrupt(monkeypatch, on, hang_up(server))
    found = opened(more=SAID)
    for n, (served, said) in enumerate(expected, 1):
        pd.testing.assert_frame_equal(served, found.predictions(day(n)))
        pd.testing.assert_frame_equal(said, found.feedback(day(n)))
    assert 12 < came[0]
    assert (500, 500) == (sum(len(one) for one, _ in expected), sum(len(one) for _, one in expected))


@on_postgres
def test_a_server_that_goes_away_is_told_so_and_read_when_it_is_back(
    server: Place, postgres: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It stops in the middle of a collect and stays away; once it is back, the next collect has every row once."""
    many(server, 500)
    options = {"address_env": VARIABLE, "predictions": {"table": "served", "columns": COLUMNS}, **SAID}
    with monkeypatch.context() as patched:
        interrupt(patched, {4}, postgres.stop)
        with pytest.raises(RemoteError, match=r"does not answer, or went away.*asked 6 times.*nothing is lost"):
            collected(options, 5)
    postgres.start()
    assert collected(options, 5).startswith("4 new days of 4")
    assert 400 == sum(len(files.read_parquet(path)) for path in (files.EVENTS / "predictions").iterdir())


@on_postgres
def test_a_server_that_is_back_after_some_seconds_is_waited_for(
    server: Place, postgres: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when a standby takes over."""
    monkeypatch.setattr(retrying, "PAUSE_S", 0.5)
    server.plant("served", KINDS, THREE)
    postgres.stop()
    later = threading.Timer(2.0, postgres.start)
    later.start()
    try:
        assert day(1) == opened().first_day
    finally:
        later.join()


@on_postgres
def test_both_tables_are_of_one_moment(server: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is written between the reading of the predictions and of the feedback is in neither."""
    many(server, 500)
    added = [
        "insert into served values ('new', '2030-01-02', 1)",
        "insert into said values ('new', '2030-01-02 01:00', 1)",
    ]
    interrupt(monkeypatch, {1}, lambda: server.do(*added))
    found = opened(more=SAID)
    assert "new" not in [*found.predictions(day(2))["prediction_id"], *found.feedback(day(2))["prediction_id"]]
    assert 1 == opened(more=SAID).feedback(day(2))["prediction_id"].tolist().count("new")


@on_postgres
def test_only_the_window_that_is_wanted_is_read(server: Place) -> None:
    """A row beyond it whose size nobody can compute is met by whoever wants all days, and by nobody else."""
    server.plant("served", KINDS, [*THREE, ("d", at("05T00"), 0)])
    server.do("create view sized as select id, at, 6 / size as size from served")
    found = opened("sized")
    assert (day(1), day(5)) == (found.first_day, found.last_day)
    found.expect([day(n) for n in (1, 2, 3, 4)])
    assert ["b", "c"] == ids(found, 2)
    with pytest.raises(DataError, match=r"sized: the database cannot give it .division by zero"):
        ids(opened("sized"), 2)


COUNT = """
import datetime as dt, sys
from flywheel.data.sources import sql
sql.MEMORY = 2**22
columns = {"prediction_id": "id", "served_at": "at", "in_size": "size"}
found = sql.open_source({"address_env": "WAREHOUSE_URL", "predictions": {"table": sys.argv[1], "columns": columns}})
n = sum(len(found.predictions(dt.date(2030, 1, 1) + dt.timedelta(days=one))) for one in range(40))
print(n)
"""


@on_postgres
def test_memory_does_not_grow_with_the_table(server: Place) -> None:
    """Four times the rows of the same number a day: what does not fit waits on disk."""
    peaks = []
    for n in (100_000, 400_000):
        server.do(
            f"create table many_{n} as select g || repeat('x', 200) as id, timestamptz '2030-01-01+00' + g * interval "
            f"'8640 ms' as at, g % 9 as size from generate_series(0, {n - 1}) g",
        )
        count, peak = peak_of(COUNT, f"many_{n}")
        assert n == count
        peaks.append(peak)
    assert peaks[1] - peaks[0] < 40, peaks  # MiB; the rows themselves are as many


@pytest.fixture(autouse=True)
def _no_connection_is_left(request: pytest.FixtureRequest) -> Iterator[None]:
    """Whatever happened, the source has hung up."""
    yield
    if "postgres" in request.fixturenames:
        address = request.getfixturevalue("postgres").address().replace("postgresql:", "postgresql+psycopg:")
        with sa.create_engine(address, poolclass=sa.NullPool).connect() as connection:
            left = connection.execute(
                sa.text(
                    "select count(*) from pg_stat_activity where backend_type = 'client backend' and pid <> pg_backend_pid()"
                )
            )
            assert 0 == left.scalar()
