"""What is in a table: its columns, of what kind they are, and what values they have. Read in parts, so any size will do."""

from __future__ import annotations

import codecs
import csv
import io
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute

from flywheel.data.sources import files as source
from flywheel.data.sources import mapping, remote
from flywheel.data.sources.files import Where
from flywheel.data.sources.packed import reading
from flywheel.data.sources.part import is_in_share
from flywheel.data.sources.spool import together
from flywheel.errors import ConfigError, DataError
from flywheel.params import parse

IDS = 2_000_000  # ids of which it is looked up whether another table has them
LARGEST = 2**64 - 1
SAMPLE = 200_000  # rows that are held to look at
START = 1 << 20  # bytes of a CSV from which is guessed how it is written
HEAD = 20_000  # rows from which the kinds of columns are guessed
MANY = 1_000  # values of a column that are counted one by one
NUMERIC = ("integer", "number")
MIXED = 0.3  # a text of which so many values are numbers is said to be one by mistake
# Numbers for people: 1,234.5 and 1.234,5, with what they count before them or behind.
DIGITS = r"(\d+([.,]\d+)?|\d{1,3}([ .'’]\d{3})+(,\d+)?|\d{1,3}(,\d{3})+(\.\d+)?)"
COUNTED = r"([$€£¥₹]|EUR|USD|GBP|CHF|JPY)"
WRITTEN = rf"[+-]?({COUNTED} ?[+-]?{DIGITS}|{DIGITS} ?(%|{COUNTED})?)"
FEW_WRONG = 0.02  # a column of numbers may have so many values that are none
# What to do about an option of a source that is wrong, while there is no conf file.
ADVICE = {
    "path": "Give the path of a table: flywheel init PREDICTIONS [FEEDBACK]",
    "format": "Move it away, or name the others with a glob such as 'tables/*.csv'. How a database is read is in "
    "docs/your-data.md.",
    "delimiter": "Say what is between two values, such as --delimiter ';', or correct the file.",
    "encoding": "Say how its letters are written, such as --encoding cp1252, or correct the file.",
}
DELIMITERS = ",;\t|"
STANDS_FOR_NOTHING = ("NA", "N/A", "#N/A", "n/a", "?", "-", "None", "none")
DATES = ("%d.%m.%Y", "%m/%d/%Y", "%d/%m/%Y", "%d-%m-%Y", "%d.%m.%y", "%m/%d/%y", "%d/%m/%y", "%d-%b-%Y", "%d %b %Y",
         "%b %d, %Y")  # fmt: skip
COMPACT, COMPACT_DAYS = "%Y%m%d", (19_700_101, 21_991_231)  # a day as a whole number, as warehouses have it
CLOCKS = ("", " %H:%M", " %H:%M:%S", " %I:%M %p", " %I:%M:%S %p")
TIMES = ("iso", *(date + clock for date in DATES for clock in CLOCKS), "%Y%m%d%H%M%S", "%Y-%m-%d %H:%M:%S %Z",
         "%Y-%m-%d %H:%M:%S.%f %Z", "%a, %d %b %Y %H:%M:%S %z")  # fmt: skip
EPOCHS = {"s": (1e9, 4e9), "ms": (1e12, 4e12), "us": (1e15, 4e15)}
# What pandas and R call a column that numbers the rows of a file. Those of two files have the same numbers and nothing else.
NUMBERED = re.compile(r"(?i)|unnamed:? ?\d+|level_\d+|index|x|\.\.\.1|row ?(number|no|nr)?")
TIMELY = re.compile(r"(?i)time|date|_at$|^at$|when|stamp|^ts$|day|hour|known|since|created|received|served")


@dataclass
class Column:
    """What a column is like, over all rows of its table."""

    name: str
    # time, integer, number, boolean, text or empty
    kind: str = "empty"
    # how its times are written: iso, s, ms, us, or a format; and the same column as if they were written in other ways that
    # fit the first rows, such as the day before the month
    time: str = "iso"
    rivals: list[Column] = field(default_factory=list)
    has_offset: bool = False
    rows: int = 0
    nulls: int = 0
    wrong: int = 0
    wrong_example: str = ""
    wrong_row: int = 0
    numbers: int = 0  # values of a text that are numbers, or are written nearly so
    low: float = math.inf
    high: float = -math.inf
    # How often each value occurs; None where there are too many of them to count.
    counts: dict[str, int] | None = field(default_factory=dict)
    is_unique: bool = True
    repeats: int = 0  # rows with a value that came before
    is_whole: bool = True  # all of its numbers are, though some may be written as 12.0
    has_points: bool = False
    seen: list[np.ndarray] = field(default_factory=list)  # hashes of all values, while the table is read

    @property
    def is_mixed(self) -> bool:
        """Whether it seems to be a column of numbers in which too many values are none to be one."""
        there = max(self.rows - self.nulls, 1)
        share = self.numbers / there if self.kind == "text" else 1.0
        return self.kind in ("text", *NUMERIC) and self.wrong > FEW_WRONG * there and share >= MIXED

    @property
    def may_be_id(self) -> bool:
        """Whether its values may name rows: texts and whole numbers do, also those that a gap made 12.0."""
        return self.kind in ("text", "integer") or (self.kind == "number" and self.is_whole)

    @property
    def numbers_rows(self) -> bool:
        """Whether it only says which row of its file each row is."""
        return self.kind == "integer" and self.is_unique and NUMBERED.fullmatch(self.name.strip()) is not None

    @property
    def n_values(self) -> int:
        """How many different values; above `MANY` that is a lower bound."""
        return MANY + 1 if self.counts is None else len(self.counts)


@dataclass
class Profile:
    """A table: where it is, how it is written, its columns, and some of its rows (all, if they are few)."""

    where: Where
    columns: dict[str, Column]
    rows: int
    head: pd.DataFrame

    def sample(self, columns: list[str], ids: list[str]) -> pd.DataFrame:
        """Columns of all rows, or of a share of the ids where there are many: the same share in every table."""
        share = min(1.0, SAMPLE / max(self.rows, 1))
        parts = []
        for raw in source.batches(self.where, list(dict.fromkeys([*columns, *ids]))):
            parts.append(raw if share == 1 else of_share(raw, ids, share))
        found: pd.DataFrame = together(parts).to_pandas()
        return found

    def hashes(self, several: Sequence[Sequence[str]], share: float = 1.0) -> list[np.ndarray]:
        """Of some ids, each a column or several joined, the hashes of all that are there; or of a share of the ids.

        The same ids are in the same share in every table.
        """
        found: list[list[np.ndarray]] = [[] for _ in several]
        for raw in source.batches(self.where, list(dict.fromkeys(name for names in several for name in names))):
            for names, mine in zip(several, found, strict=True):
                words = mapping.joined(raw, tuple(names)).drop_null().to_pandas()
                hashed = pd.util.hash_array(words.to_numpy(dtype=object))
                mine.append(hashed[hashed <= np.uint64(share * LARGEST)] if share < 1 else hashed)
        return [np.concatenate([np.array([], dtype="uint64"), *mine]) for mine in found]


def of_share(raw: pa.Table, ids: list[str], share: float) -> pa.Table:
    """The rows whose ids are in a share."""
    names = mapping.joined(raw, tuple(ids)).to_pandas()
    return raw.filter(pa.array(is_in_share(names, share).to_numpy()))


@contextmanager
def without_conf() -> Iterator[None]:
    """What is wrong with a table, as a DataError that says what can be done while there is no conf file for it yet."""
    try:
        yield
    except source.Mistaken as error:
        raise DataError(f"{error.found}. {ADVICE[error.option]}") from None


@without_conf()
def profile(path: str, written: Mapping[str, str] | None = None) -> Profile:
    """Look at a table, written as a person says in `written`. DataError when it cannot be read, or has no row."""
    where = sniffed(path, written or {})
    try:
        found = looked_at(where)
    except source.Mistaken as error:
        if error.option != "encoding" or "encoding" in (written or {}) or where.encoding != "utf-8":
            raise
        found = looked_at(where.model_copy(update={"encoding": "latin-1"}))  # below the part that was looked at
    extra = nothings(found)
    return looked_at(found.where.model_copy(update={"nulls": (*found.where.nulls, *extra)})) if extra else found


def looked_at(where: Where) -> Profile:
    """The profile of a table of which is known how it is written."""
    names = header(where)
    head: list[pa.Table] = []
    columns: dict[str, Column] = {}
    for raw in source.batches(where, names) if names else ():
        if sum(map(len, head)) < HEAD:
            head.append(raw.slice(0, HEAD))
        if not columns:
            columns = {name: guessed(name, raw[name].slice(0, HEAD)) for name in names}
        for name in names:
            if columns[name].kind == "empty" and raw[name].null_count < len(raw):  # its values begin here
                known = columns[name]
                columns[name] = guessed(name, raw[name].drop_null().slice(0, HEAD))
                columns[name].rows, columns[name].nulls = known.rows, known.nulls
            count(columns[name], raw[name])
    rows = max((one.rows for one in columns.values()), default=0)
    if not rows:
        raise DataError(f"{where.path} has no row. Give a table with rows to look at; feedback may be left out.")
    for column in columns.values():
        settle(column)
    return Profile(where, columns, rows, together(head).to_pandas())


def nothings(found: Profile) -> list[str]:
    """Words that stand for nothing in columns of numbers of a CSV, such as NA."""
    if (found.where.format or source.format_of(source.listed(found.where)[1][0])) != "csv":
        return []
    numbers = [one for one in found.columns.values() if one.kind in NUMERIC and one.wrong]
    return sorted(
        {word for one in numbers for word in (*(one.counts or {}), one.wrong_example)} & set(STANDS_FOR_NOTHING)
    )


def sniffed(path: str, written: Mapping[str, str]) -> Where:
    """How a table is written: its delimiter, decimals and encoding, if it is a CSV; what a person says goes first."""
    where = parse(Where, {"path": path})
    filesystem, names = source.listed(where)
    if source.format_of(names[0]) != "csv":
        return where
    with reading(names[0]):
        start = remote.asked(filesystem, names[0], lambda: beginning_of(filesystem, names[0]))
    encoding = written.get("encoding") or encoding_of(start)
    try:
        lines = start.decode(encoding, "replace").lstrip("\ufeff").splitlines()[:200]
    except LookupError:
        raise ConfigError(
            f"--encoding: found {encoding!r}; allowed are utf-8, latin-1, cp1252, utf-16 and the like."
        ) from None
    best = written.get("delimiter") or max(DELIMITERS, key=lambda one: evenness(lines, one))
    guessed = {"delimiter": best, "encoding": encoding, "decimal": decimal_of(lines, best)}
    return parse(Where, {"path": path, **guessed, **written}, lambda key: f"Correct --{key}.")


def beginning_of(filesystem: Any, name: str) -> bytes:
    """The first bytes of a file."""
    with source.open_file(filesystem, name, name) as file:
        found: bytes = file.read(START)
        return found


def encoding_of(start: bytes) -> str:
    """How the letters of a text are written, from how it begins."""
    if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    some = start[: 2 * (HEAD // 2)]  # without a mark: latin letters have a zero as one of their two bytes
    for places, name in ((some[1::2], "utf-16-le"), (some[::2], "utf-16-be")):
        if len(places) and places.count(0) > len(places) / 2:
            return name
    try:
        codecs.getincrementaldecoder("utf-8")().decode(start, final=len(start) < START)
    except UnicodeDecodeError:
        return "latin-1"
    return "utf-8"


def decimal_of(lines: list[str], delimiter: str) -> str:
    """What is before the decimals; a comma between values is none."""
    if len(delimiter) != 1 or delimiter == ",":
        return "."
    cells = [cell for row in csv.reader(lines[1:], delimiter=delimiter) for cell in row]
    return "," if any(re.fullmatch(r"[+-]?\d+,\d+", cell) for cell in cells) else "."


def evenness(lines: list[str], delimiter: str) -> float:
    """How well a delimiter cuts the lines: into the same number of cells, and more than one."""
    widths = [len(row) for row in csv.reader(lines, delimiter=delimiter) if row]
    if not widths or widths[0] == 1:
        return 0.0
    return sum(width == widths[0] for width in widths) / len(widths) + widths[0] / 1000


def header(where: Where) -> list[str]:
    """The names of the columns. DataError where one is there twice, or a file lacks one that the first has."""
    filesystem, names = source.listed(where)
    first = columns_of(filesystem, names[0], where)
    for name in names[1:]:
        if (where.format or source.format_of(name)) == "jsonl":  # it has no header: a column may come later
            continue
        missing = set(first) - set(columns_of(filesystem, name, where))
        if missing:
            raise DataError(
                f"{name} has no column {sorted(missing)[0]!r}, which {names[0]} has. Give all files of {where.path} the same "
                "columns."
            )
    return first


def columns_of(filesystem: Any, name: str, where: Where) -> list[str]:
    """The names of the columns of one file."""
    with reading(name):
        found = remote.asked(filesystem, name, lambda: _columns_of(filesystem, name, where))
    return [*found, *(one for one in source.of_folders(name, where) if one not in found)]


def _columns_of(filesystem: Any, name: str, where: Where) -> list[str]:
    kind = where.format or source.format_of(name)
    with source.open_file(filesystem, name, name) as file:
        if kind == "csv":
            return csv_columns(file, name, where)
        if kind == "parquet":
            import pyarrow.parquet as pq

            try:
                found = pq.read_schema(file).names
            except pa.ArrowInvalid as error:
                raise source.half(name, error) from None
            mapping.check_once(found, name)
            return [one for one in found if not one.startswith("__index_level_")]  # of pandas
        rows = [source.read_object(line, n, name) for n, line in zip(range(1, 201), file, strict=False) if line.strip()]
    return list(dict.fromkeys(one for row in rows for one in row))


def csv_columns(file: Any, name: str, where: Where) -> list[str]:
    """The names in the first row of a CSV, in which a quoted name may have several lines."""
    text = io.TextIOWrapper(file, encoding=where.encoding, errors="replace", newline="")
    try:
        found = next(csv.reader(text, delimiter=where.delimiter), [])
    except csv.Error as error:
        raise DataError(f"{name}: the names of its columns cannot be read ({error}). Correct its first row.") from None
    found = [one.removeprefix("\ufeff") for one in found]
    mapping.check_once(found, name)
    return found


def guessed(name: str, column: pa.ChunkedArray) -> Column:
    """The kind of a column, from its first rows."""
    found = Column(name)
    kind = column.type
    there = column.drop_null()
    if pa.types.is_timestamp(kind) or pa.types.is_date(kind):
        found.kind, found.has_offset = "time", pa.types.is_timestamp(kind) and kind.tz is not None
    elif pa.types.is_boolean(kind):
        found.kind = "boolean"
    elif pa.types.is_integer(kind):
        found.kind = "integer"
    elif pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        found.kind = "number"
    elif len(there):
        words = mapping.texts(there).to_pandas()
        numbers = pd.to_numeric(words.where(~words.isin(STANDS_FOR_NOTHING)), errors="coerce")
        is_nothing = words.isin(STANDS_FOR_NOTHING)
        n_wrong = int((numbers.isna() & ~is_nothing).sum())
        if n_wrong <= FEW_WRONG * len(words) and numbers.notna().any():
            found.kind = "number"  # whole numbers are told apart in the end
        else:
            styles = times_of(words[~is_nothing])
            found.kind = "time" if styles else "text"
            found.time = styles[0] if styles else "iso"
            found.has_offset = has_offsets(words[~is_nothing], found.time) if styles else False
            found.rivals = [Column(name, "time", one, counts=None, is_unique=False) for one in styles[1:]]
    if found.kind in ("integer", "number") and TIMELY.search(name) and len(there):
        numbers = pd.to_numeric(words_of(there), errors="coerce").dropna()
        for unit, (low, high) in EPOCHS.items():
            if len(numbers) and low <= numbers.min() <= numbers.max() <= high:
                found.kind, found.time, found.has_offset = "time", unit, True
        low, high = COMPACT_DAYS
        if len(numbers) and low <= numbers.min() <= numbers.max() <= high and share_of(words_of(there), COMPACT) == 1:
            found.kind, found.time = "time", COMPACT
    return found


def words_of(there: pa.ChunkedArray) -> pd.Series:
    """Values as texts."""
    found: pd.Series = mapping.texts(there).to_pandas()
    return found


def times_of(words: pd.Series) -> list[str]:
    """The ways in which times may be written, the likeliest first; none where these are no times."""
    found = []
    for style in TIMES if len(words) else ():
        if all(share_of(words.head(n), style) > least for n, least in ((20, 0), (2_000, 1 - FEW_WRONG))):
            found.append(style)
            if style == "iso":
                break
    return found


def share_of(words: pd.Series, style: str) -> float:
    """Which share of some texts are times, written in one way."""
    at = pd.to_datetime(words, format="ISO8601" if style == "iso" else style, errors="coerce", utc=True)
    return float(at.notna().mean())


def has_offsets(words: pd.Series, style: str) -> bool:
    """Whether most times say how far they are from UTC; the end of a date does not."""
    some = words.head(2_000)
    says = pa.compute.match_substring_regex(pa.array(some, "string"), mapping.OFFSET).to_pandas()
    is_iso = style == "iso" and bool(says.mean() > 0.5 and some.str.len().max() > len("2013-01-01"))
    return is_iso or style.lower().endswith("%z")


def count(found: Column, column: pa.ChunkedArray) -> None:
    """Take some more rows into account."""
    before = found.rows
    found.rows += len(column)
    there = column.drop_null()
    found.nulls += len(column) - len(there)
    if not len(there):
        return
    words = mapping.texts(there).to_pandas()
    if found.is_unique:
        found.seen.append(pd.util.hash_array(words.to_numpy(dtype=object)))
    if found.counts is not None:
        for value, n in words.value_counts().items():
            found.counts[str(value)] = found.counts.get(str(value), 0) + int(n)
        if len(found.counts) > MANY:
            found.counts = None
    if found.kind in NUMERIC:
        numbers = pd.to_numeric(words, errors="coerce")
        note_wrong(found, numbers.isna(), words, column, before)
        widen(found, numbers[np.isfinite(numbers)])
        found.is_whole &= bool((numbers % 1 == 0).all())
        if pa.types.is_floating(column.type) or pa.types.is_decimal(column.type):
            found.has_points = True
        elif not pa.types.is_integer(column.type):
            found.has_points |= bool(words.str.contains(".", regex=False).any())
    elif found.kind == "time":
        how = parse(mapping.Moments, {"time": found.time})
        at, _ = mapping.moments(pa.chunked_array(there.chunks), how, mapping.ANY_TIME)  # an input may be a day of birth
        came = at.to_pandas()
        moments = pd.to_datetime(came, utc=True, errors="coerce")
        note_wrong(found, moments.isna(), came, column, before)
        seconds = moments.dropna().astype("datetime64[us, UTC]").astype("int64") / 1e6
        widen(found, seconds)
        for rival in found.rivals:
            count(rival, column)
    elif found.kind == "text":
        is_number = pd.to_numeric(words, errors="coerce").notna()
        found.numbers += int((is_number | words.str.fullmatch(WRITTEN)).sum())
        note_wrong(found, ~is_number, words, column, before)


def note_wrong(found: Column, is_wrong: pd.Series, words: pd.Series, column: pa.ChunkedArray, before: int) -> None:
    """Values that are not of the column's kind, or a text's that are no number, with the first of them and its row."""
    found.wrong += int(is_wrong.sum())
    if is_wrong.any() and not found.wrong_example:
        first = int(np.flatnonzero(is_wrong)[0])
        found.wrong_example = str(words.iloc[first])
        found.wrong_row = before + int(np.flatnonzero(column.is_valid())[first]) + 1


def widen(found: Column, numbers: pd.Series) -> None:
    """The range of a column with some more numbers."""
    if len(numbers):
        found.low, found.high = min(found.low, float(numbers.min())), max(found.high, float(numbers.max()))


def settle(found: Column) -> None:
    """What can be said of a column once all of its rows were seen."""
    hashes = np.concatenate(found.seen) if found.seen else np.array([], dtype="uint64")
    found.repeats = len(hashes) - len(np.unique(hashes))
    found.is_unique = len(hashes) > 0 and found.nulls == 0 and not found.repeats
    found.seen = []
    best = min(found.rivals, key=lambda one: one.wrong, default=found)
    if best.wrong < found.wrong:  # in the first rows, no day was above 12
        for name in ("time", "low", "high", "wrong", "wrong_example", "wrong_row"):
            setattr(found, name, getattr(best, name))
    found.rivals = []
    if found.kind in NUMERIC:
        found.kind = "number" if found.has_points else "integer"
