"""Tables in files: CSV, Parquet or JSON lines, here or at any address that fsspec knows. Read once a run.

`source.options` names the files and their columns; `flywheel init` writes them. See docs/your-data.md.
"""

from __future__ import annotations

import datetime as dt
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Annotated, Any, Literal
from urllib.parse import unquote

import pandas as pd
import pyarrow as pa
from pydantic import Field, model_validator

from flywheel.data import addresses, tables
from flywheel.data.sources import mapping, remote
from flywheel.data.sources.packed import PACKED, reading, unpacked
from flywheel.data.sources.spool import Spool
from flywheel.errors import ConfigError, DataError
from flywheel.params import Params, parse

FORMATS = {
    "csv": "csv",
    "tsv": "csv",
    "txt": "csv",
    "parquet": "parquet",
    "pq": "parquet",
    "jsonl": "jsonl",
    "ndjson": "jsonl",
}
NO_VALUE = "__HIVE_DEFAULT_PARTITION__"
Open = Callable[[], AbstractContextManager[Any]]
BATCH = 65_536  # rows
BLOCK = 16 * 2**20  # bytes of CSV


class Mistaken(DataError):
    """A table is not as the options say: what was found, and the option that may be wrong."""

    def __init__(self, found: str, option: str, advice: str) -> None:
        """`advice` is for whoever has a conf file; `flywheel init` has advice of its own."""
        super().__init__(f"{found}. {advice}")
        self.found, self.option = found, option


class Where(Params):
    """Where a table is, and how it is written."""

    # A file, a folder, or a glob such as tables/2026-*.csv; s3://… and the like need their package of fsspec's. Or the
    # environment variable that holds it: only there it may have a password or a token.
    path: Annotated[str, Field(min_length=1)] | None = None
    path_env: Annotated[str, Field(pattern=addresses.VARIABLE)] | None = None
    # null: the ending of the name says it.
    format: Literal["csv", "parquet", "jsonl"] | None = None
    # Of a CSV: what is between two values, what is before the decimals, how letters are written, and what stands for nothing.
    delimiter: Annotated[str, Field(min_length=1, max_length=1)] = ","
    decimal: Literal[".", ","] = "."
    encoding: str = "utf-8"
    nulls: Annotated[tuple[str, ...], Field(strict=False)] = ("", "NULL", "null", "NaN", "nan")

    @model_validator(mode="after")
    def _check_path(self) -> Where:
        if (self.path is None) == (self.path_env is None):
            raise ValueError("path: either path or path_env (the environment variable with it) must be given, not both")
        return self

    @property
    def address(self) -> str:
        """Where the table is, with what gives access to it. ConfigError where its variable is unset."""
        return self.path or addresses.address_of(
            self.path_env or "", "path_env", "https://user:password@host/table.csv"
        )

    @property
    def named(self) -> str:
        """What messages call the table."""
        return self.path or f"the table of {self.path_env}"

    def without_secrets(self) -> AbstractContextManager[None]:
        """What is wrong with the table is said without what gives access to it."""
        return addresses.hidden(addresses.secrets_of(self.address) if self.path is None else [])


class PredictionsFile(Where, mapping.PredictionsOptions):
    """The predictions."""


class FeedbackFile(Where, mapping.FeedbackOptions):
    """The feedback, or a part of it."""


class FilesOptions(Params):
    """What `source.options` may hold. Feedback may be tables of its own, columns of the predictions, or both."""

    predictions: PredictionsFile
    outcome: mapping.OutcomeOptions | None = None
    feedback: Annotated[tuple[FeedbackFile, ...], Field(strict=False)] = ()


def open_source(options: Mapping[str, Any]) -> Files:
    """The source that `options` describe. ConfigError names a wrong option; nothing is read yet."""
    addresses.check_open(options, "Fix source.options in conf/project/.")
    return Files(parse(FilesOptions, options, lambda key: "Fix source.options in conf/project/."))


class Files:
    """Predictions and feedback by day of arrival, sorted into days when the first of them is asked for."""

    def __init__(self, options: FilesOptions) -> None:
        """Nothing is read yet."""
        self._options = options
        self._spools: tuple[Spool, Spool] | None = None
        self._wanted: set[dt.date] | None = None

    @property
    def first_day(self) -> dt.date:
        """The first UTC day on which something arrived. DataError where nothing ever did."""
        return min(self._days(self._read()))

    @property
    def last_day(self) -> dt.date:
        """The last UTC day of which predictions are there. DataError where there is none."""
        return max(self._days(self._read()[:1]))

    def expect(self, days: Sequence[dt.date]) -> None:
        """Only these days will be asked for: of the others no row is kept. Days that were not kept are read again."""
        if self._wanted is not None and not self._wanted.issuperset(days):
            self._spools = None
        self._wanted = set(days)
        for spool in self._spools or ():
            spool.keep(days)

    def predictions(self, day: dt.date) -> pd.DataFrame:
        """The predictions served on a UTC day, with raw user ids."""
        found = self._with(day)[0].of(day)
        return mapping.no_predictions(self._options.predictions) if found is None else found

    def feedback(self, day: dt.date) -> pd.DataFrame:
        """The feedback received on a UTC day, with raw source ids and raw text."""
        found = self._with(day)[1].of(day)
        return mapping.no_feedback(self._options.feedback) if found is None else found

    def counts(self, table: str) -> Mapping[dt.date, int]:
        """How many rows of a table arrived on each day that has any, as the files have them now."""
        return self._read()[tables.TABLES.index(table)].rows

    def _days(self, some: Sequence[Spool]) -> list[dt.date]:
        found = [day for spool in some for day in spool.rows]
        if not found:
            raise DataError(f"{self._options.predictions.named} has no row. There is nothing to learn from yet.")
        return found

    def _with(self, day: dt.date) -> tuple[Spool, Spool]:
        if self._wanted is not None and day not in self._wanted:  # nobody expected it: all is read again
            self._spools = self._wanted = None
        return self._read()

    def _read(self) -> tuple[Spool, Spool]:
        if self._spools is None:
            served, said = Spool(), Spool()
            if self._wanted is not None:
                served.keep(self._wanted)
                said.keep(self._wanted)
            mine, outcome = self._options.predictions, self._options.outcome
            for raw in batches(mine, mapping.wanted(mine, outcome)):
                served.add(*mapping.predictions(raw, mine))
                if outcome is not None:
                    said.add(*mapping.outcomes(raw, mine, outcome))
            for table in self._options.feedback:
                for raw in batches(table, mapping.wanted(table)):
                    said.add(*mapping.feedback(raw, table))
            for spool, place in ((served, mine.named), (said, "feedback")):
                if spool.waiting:
                    raise DataError(
                        f"{place}: no time of {spool.waiting:,} rows can be understood, such as {spool.example!r}. Correct "
                        "timezone, time or columns under source.options in conf/project/, or the table."
                    )
            self._spools = served, said
        return self._spools


def batches(where: Where, columns: list[str]) -> Iterator[pa.Table]:
    """The rows of a table in the order of its files' names, a part at a time, in these columns.

    A CSV has no types: its values are texts, and the contract says what they must be. DataError says which file is wrong.
    """
    with where.without_secrets():
        filesystem, names = listed(where)
        for name in names:
            kind = where.format or format_of(name) or "csv"

            with reading(name), remote.copied(filesystem, name) as (disk, copy):

                def opened(name: str = name, disk: Any = disk, copy: str = copy) -> AbstractContextManager[Any]:
                    return open_file(disk, copy, name)

                folders = of_folders(name, where)
                written = [one for one in columns if one not in folders]
                if not written:
                    raise DataError(
                        f"{name}: {', '.join(columns)} is said by its folder alone. Name a column of the file too."
                    )
                for raw in READERS[kind](opened, name, where, written):
                    yield mapping.simple(_with_folders(raw, folders, columns))


def _with_folders(raw: pa.Table, folders: Mapping[str, str | None], columns: list[str]) -> pa.Table:
    """The columns in their order: those of the file, and those that its folders say."""
    said = {one: pa.array([folders[one]] * len(raw), "string") for one in columns if one in folders}
    return pa.table({one: said[one] if one in said else raw[one] for one in columns})


def of_folders(name: str, where: Where) -> dict[str, str | None]:
    """The columns that the folders below a table's path say, as Hive and Spark write them: place=north/part-0.parquet."""
    path = re.split(r"[*?\[]", where.address)[0].split("/")
    parts = [part.partition("=") for part in file_of(name).split("/")[:-1] if part not in path]
    found = {column: unquote(value) for column, sign, value in parts if sign and column}
    return {column: None if value == NO_VALUE else value for column, value in found.items()}


def listed(where: Where) -> tuple[Any, list[str]]:
    """The file system of a table, and the names of its files, in order. DataError where there are none, or a stray one."""
    with where.without_secrets():
        return _listed(where)


def _listed(where: Where) -> tuple[Any, list[str]]:
    import fsspec

    try:
        filesystem, path = fsspec.core.url_to_fs(where.address, **remote.options_of(where.address))
        names = remote.asked(filesystem, where.named, lambda: _names(filesystem, path))
    except FileNotFoundError:
        names = []
    except (ImportError, ValueError) as error:
        raise ConfigError(
            f"path: {where.named}: {error}. Add the package to pyproject.toml, or correct the address."
        ) from None
    except OSError as error:
        raise DataError(f"{where.named} cannot be reached: {error}. Look at the address and the credentials.") from None
    if not names:
        raise Mistaken(
            f"{where.named}: there is no such file", "path", "Correct path under source.options in conf/project/."
        )
    stray = [] if where.format else [name for name in names if format_of(name) is None]
    if stray:
        raise Mistaken(
            f"{stray[0]} is not a table; allowed endings are {', '.join(FORMATS)}",
            "format",
            "Move it away, name the others with a glob such as tables/*.csv, or set format under source.options.",
        )
    return filesystem, names


def _names(filesystem: Any, path: str) -> list[str]:
    """The files of a table: those that fit a glob, those of a folder without hidden ones, or one; none if there is none.

    What is there under its very name is no glob: a folder may be called tables [2030].
    """
    is_literal = remote.is_here(filesystem) and filesystem.exists(path)
    if not is_literal and any(
        letter in path for letter in ("*[" if path.startswith(("http://", "https://")) else "*?[")
    ):
        return sorted(filesystem.glob(path))
    if filesystem.isdir(path):
        return sorted(one for one in filesystem.find(path) if not one.rsplit("/", 1)[-1].startswith((".", "_")))
    return [path] if remote.is_there(filesystem, path) else []


def format_of(name: str) -> str | None:
    """The format that the ending of a file's name says; None if it says none."""
    parts = file_of(name).lower().rsplit("/", 1)[-1].split(".")[1:]
    ending = [part for part in parts if part not in PACKED][-1:]
    return FORMATS.get(ending[0]) if ending else None


def file_of(name: str) -> str:
    """The name of a file without what an address asks behind it, such as ?version=3."""
    return name.partition("?")[0] if "://" in name else name


@contextmanager
def open_file(filesystem: Any, copy: str, name: str) -> Iterator[Any]:
    """The bytes of a file, or of a copy of it, unpacked where the ending of its name says that it is compressed."""
    with (
        filesystem.open(copy, "rb") as file,
        unpacked(file, name, file_of(name).lower().rsplit(".", 1)[-1]) as bytes_of,
    ):
        yield bytes_of


def _csv(opened: Open, name: str, where: Where, columns: list[str]) -> Iterator[pa.Table]:
    from pyarrow import csv

    reading = csv.ReadOptions(block_size=BLOCK, encoding=where.encoding)
    parsing = csv.ParseOptions(delimiter=where.delimiter, newlines_in_values=True)
    try:
        with opened() as file:
            mapping.check_there(columns, csv.open_csv(file, reading, parsing).schema.names, name)
        converting = csv.ConvertOptions(
            column_types={one: pa.string() for one in columns},
            include_columns=columns,
            null_values=list(where.nulls),
            strings_can_be_null=True,
        )
        with opened() as file:
            for batch in csv.open_csv(file, reading, parsing, converting):
                table = pa.Table.from_batches([batch])
                yield _with_points(table) if where.decimal == "," else table
    except (pa.ArrowInvalid, UnicodeError, LookupError) as error:
        said = str(error).splitlines()[0]
        is_letters = "UTF8" in said or isinstance(error, (UnicodeError, LookupError))
        option = "encoding" if is_letters else "delimiter"
        raise Mistaken(
            f"{name} is not the CSV that it should be ({said})",
            option,
            f"Set {option} under source.options in conf/project/, or correct the file.",
        ) from None


def _with_points(table: pa.Table) -> pa.Table:
    """Numbers with a decimal comma as numbers with a point; anything else stays."""
    import pyarrow.compute as pc

    number = r"^([+-]?\d+),(\d+(?:[eE][+-]?\d+)?)$"
    return pa.table({name: pc.replace_substring_regex(table[name], number, r"\1.\2") for name in table.column_names})


def _parquet(opened: Open, name: str, where: Where, columns: list[str]) -> Iterator[pa.Table]:
    import pyarrow.parquet as pq

    try:
        with opened() as file, pq.ParquetFile(file) as found:
            mapping.check_there(columns, found.schema_arrow.names, name)
            for batch in found.iter_batches(BATCH, columns=columns):
                yield pa.Table.from_batches([batch]).replace_schema_metadata(
                    None
                )  # pandas would make columns its index
    except pa.ArrowInvalid as error:
        raise half(name, error) from None


def half(name: str, error: pa.ArrowInvalid) -> DataError:
    """What to say of a Parquet file that is not whole."""
    return DataError(
        f"{name} is not a whole Parquet file ({str(error).splitlines()[0]}). Perhaps it is still being written: run again "
        "when it is."
    )


def _jsonl(opened: Open, name: str, where: Where, columns: list[str]) -> Iterator[pa.Table]:
    rows: list[dict[str, Any]] = []
    seen: set[str] = set()
    with opened() as file:
        for number, line in enumerate(file, 1):
            if line.strip():
                found = read_object(line, number, name)
                with _not_too_deep(number, name):
                    rows.append({column: plain(found[column]) for column in columns if column in found})
                seen |= found.keys()
            if len(rows) == BATCH:
                yield _of_objects(rows, columns)
                rows = []
    mapping.check_there(columns, sorted(seen), name)
    if rows:
        yield _of_objects(rows, columns)


def read_object(line: bytes, number: int, name: str) -> dict[str, Any]:
    """The object in a line. DataError if there is none."""
    try:
        with _not_too_deep(number, name):
            found = json.loads(line)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise DataError(f"{name}: line {number} is not a JSON object. Correct the file.")
    return found if all(map(str.isascii, found)) else {mapping.encodable(key): one for key, one in found.items()}


@contextmanager
def _not_too_deep(number: int, name: str) -> Iterator[None]:
    try:
        yield
    except RecursionError:
        raise DataError(
            f"{name}: in line {number}, lists or objects are nested too deeply. Correct the file."
        ) from None


def plain(value: Any) -> Any:
    """A value of JSON as a number, a truth or a text. It depends on nothing else: pyarrow would give all objects of a batch
    the same keys.
    """
    if isinstance(value, str):
        return mapping.encodable(value)
    if isinstance(value, (dict, list)):
        return mapping.nested(value)
    return value


def _of_objects(rows: list[dict[str, Any]], columns: list[str]) -> pa.Table:
    """Objects as a table; a column whose values differ in type becomes text."""
    return pa.table({name: _of_values([row.get(name) for row in rows]) for name in columns})


def _of_values(values: list[Any]) -> pa.Array:
    kinds = {type(one) for one in values} - {type(None)}
    if len(kinds) <= 1 or kinds == {int, float}:
        try:
            return pa.array(values)
        except (pa.ArrowInvalid, OverflowError):  # a whole number with too many digits for the others
            pass
    numbers = pa.chunked_array([pa.array([one if isinstance(one, float) else None for one in values], "float64")])
    words = mapping.texts(numbers).to_pylist()
    return pa.array(
        [_in_words(one) if word is None else word for one, word in zip(values, words, strict=True)], "string"
    )


def _in_words(value: str | int | None) -> str | None:
    return str(value).lower() if isinstance(value, bool) else None if value is None else str(value)


READERS: dict[str, Callable[[Open, str, Where, list[str]], Iterator[pa.Table]]] = {
    "csv": _csv,
    "parquet": _parquet,
    "jsonl": _jsonl,
}
