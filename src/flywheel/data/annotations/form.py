"""The form of `annotations/*.csv`: its columns, how cells are kept harmless in a spreadsheet, and how its rows are read."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal, get_args

from flywheel.errors import DataError

Asked = Literal["disagreement", "uncertainty", "quarantine", "thin cohort", "audit"]
REASONS: tuple[Asked, ...] = get_args(Asked)
AUDIT: Asked = "audit"
NEEDED = ("prediction_id", "value", "annotator", "answered_on", "rubric")
ANSWERS = ("prediction_id", "asked", "value", "annotator", "answered_on", "comment", "rubric", "drawn")
TO_FILL = ("value", "answered_on", "comment")  # what is empty until somebody answers
# A spreadsheet takes what begins so for a formula, and would run it (OWASP, CSV injection); some also the wide signs.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
_DELIMITERS = (",", ";", "\t")  # some countries' spreadsheets write others than commas

Row = tuple[int, dict[str, str]]  # its number as a spreadsheet counts, the header being row 1; and its cells


def harmless(text: str) -> str:
    """A cell that no spreadsheet runs: what looks like a formula gets an apostrophe in front. `as_written` takes it away."""
    return f"'{text}" if text.lstrip("'").startswith(_FORMULA) else text


def as_written(cell: str) -> str:
    """What `harmless` was given."""
    return cell[1:] if cell.startswith("'") and cell.lstrip("'").startswith(_FORMULA) else cell


def to_csv(columns: Sequence[str], rows: Iterable[Mapping[str, object]]) -> str:
    """Rows as the text of a file. Numbers stay numbers; of texts none is a formula."""
    lines = [columns, *([_cell(row.get(name)) for name in columns] for row in rows)]
    return "".join(",".join(map(_quoted, line)) + "\n" for line in lines)


def _cell(value: object) -> str:
    return harmless(value) if isinstance(value, str) else "" if value is None else str(value)


def _quoted(cell: str) -> str:
    """A cell in quotation marks where it needs them; Python's writer lets a bare carriage return pass."""
    return f'"{cell.replace(chr(34), chr(34) * 2)}"' if any(one in cell for one in ',;"\r\n\t') else cell


def lines_of(text: str) -> list[str]:
    """The lines of a file, each with its own end of line, which may be that of any system."""
    return list(io.StringIO(text, newline=""))


def delimiter_of(lines: Sequence[str]) -> str:
    """What stands between the cells of a file: what its header has most of, for a column's name may have a comma in it."""
    header = lines[0] if lines else ""
    return max(_DELIMITERS, key=header.count)


def from_csv(content: bytes, name: str) -> tuple[list[str], list[Row]]:
    """The columns of a file, and its rows that are not blank. DataError when it is no CSV in UTF-8; `name` is the file's."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        row = content[: error.start].count(b"\n") + 1
        raise DataError(f"{name}, row {row}: not UTF-8. Save it as CSV in UTF-8.") from None
    lines = lines_of(text)
    rows: list[Row] = []
    number = 0
    try:
        for number, cells in enumerate(csv.reader(lines, delimiter=delimiter_of(lines), strict=True), 1):
            if number == 1:
                columns = [one.strip() for one in cells]
            elif any(one.strip() for one in cells):
                if len(cells) > len(columns) and any(one.strip() for one in cells[len(columns) :]):
                    raise DataError(
                        f"{name}, row {number}: found {len(cells)} cells, but the header has {len(columns)}. Put cells that "
                        "hold a comma or a quotation mark into quotation marks."
                    )
                padded = [*cells, *[""] * (len(columns) - len(cells))]
                rows.append((number, dict(zip(columns, map(as_written, padded), strict=False))))
    except csv.Error as error:
        raise DataError(f"{name}, row {number + 1}: {error}. Save it as CSV in UTF-8.") from None
    if number == 0:
        raise DataError(f"{name} is empty. It needs at least the columns {', '.join(NEEDED)}.")
    twice = sorted({one for one in columns if one and columns.count(one) > 1})
    if twice:
        raise DataError(f"{name}, row 1: the column {twice[0]} is there twice. Keep one.")
    return columns, rows
