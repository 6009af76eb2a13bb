"""What people hand in, checked: each answer of `annotations/*.csv`, or an error that names file and row."""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import pandas as pd

from flywheel.data.annotations.form import AUDIT, NEEDED, REASONS, Row, from_csv
from flywheel.data.privacy import LONGEST_TEXT, Vocabulary, scrubbed
from flywheel.errors import DataError

HASH = re.compile(r"[0-9a-f]{16}")  # as `privacy.hash_ids` makes them
SHOWN = 10  # mistakes in one message
IMPORT = "flywheel import-annotations"
DRAWN = "flywheel: drawn for the audit"  # so that its mark is no hash of anything else


@dataclass(frozen=True)
class Answer:
    """One answer: what one annotator says of one prediction, under one version of the rubric, and where it stands."""

    file: str
    row: int
    prediction_id: str
    value: int
    annotator: str
    answered_on: dt.date
    rubric: str
    asked: str | None
    comment: str | None
    unit: str = "row"

    @property
    def place(self) -> str:
        """The file and the row, as messages name them."""
        return f"{self.file}, {self.unit} {self.row}"

    @property
    def feedback_id(self) -> str:
        """The same answer has the same id, wherever it stands; another value is another answer."""
        said = "\x1f".join((self.annotator, self.rubric, self.prediction_id, str(self.value)))
        return f"annotation-{hashlib.sha256(said.encode()).hexdigest()[:20]}"


def drawn(prediction_id: str, key: str) -> str:
    """The mark by which an answer shows that the queue drew its prediction for the audit: HMAC-SHA256, 16 hexadecimal digits.

    Who could mark what was not drawn could choose what the audit finds.
    """
    return hmac.new(key.encode(), f"{DRAWN}\0{prediction_id}".encode(), hashlib.sha256).hexdigest()[:16]


def read(contents: Mapping[str, bytes], rubrics: Sequence[str], words: Vocabulary, key: str) -> list[Answer]:
    """The answers in some files, by their names, each once; `key` is the one that ids are hashed with, and marks are made with.

    DataError names every mistake, up to a number.
    A row without a value is no answer yet. Who answers twice the same has answered once, on the first of the days.
    """
    found: list[Answer] = []
    problems: list[str] = []
    for name, content in sorted(contents.items()):
        try:
            columns, rows = from_csv(content, name)
        except DataError as error:
            problems.append(str(error))
            continue
        missing = [one for one in NEEDED if one not in columns]
        if missing:
            problems.append(
                f"{name}, row 1: the columns {', '.join(missing)} are missing; needed are {', '.join(NEEDED)}. Start from "
                "what `flywheel queue` writes."
            )
            continue
        mine, wrong = of_rows(name, rows, rubrics, words, key)
        found += mine
        problems += wrong
    kept, twice = once(found)
    refuse([*problems, *twice])
    return kept


def of_rows(
    name: str, rows: Iterable[Row], rubrics: Sequence[str], words: Vocabulary, key: str, unit: str = "row"
) -> tuple[list[Answer], list[str]]:
    """The answers in some rows of one file, and what is wrong with others, each with file and row (or what `unit` says)."""
    found, problems = [], []
    for row in rows:
        answer, wrong = _answer(name, row, rubrics, words, key, unit)
        problems += [f"{name}, {unit} {row[0]}: {one}" for one in wrong]
        if answer is not None:
            found.append(answer)
    return found, problems


def refuse(problems: Sequence[str]) -> None:
    """DataError with these mistakes, a line each; nothing where there are none."""
    if problems:
        more = f"\nand {len(problems) - SHOWN:,} more" if len(problems) > SHOWN else ""
        raise DataError("\n".join(problems[:SHOWN]) + more)


def _answer(
    name: str, row: Row, rubrics: Sequence[str], words: Vocabulary, key: str, unit: str
) -> tuple[Answer | None, list[str]]:
    """The answer of a row, None where it has none or a wrong one; and what is wrong. Nobody's name is in a message."""
    number, cells = row
    plain = {key: cell.strip() for key, cell in cells.items()}
    if not plain["value"]:
        return None, []
    wrong = []
    if plain["value"] not in ("0", "1"):
        wrong.append(
            f"value: found {_short(plain['value'], words)}; allowed is 0 or 1, or nothing where it was not answered."
        )
    if not cells["prediction_id"]:
        wrong.append("prediction_id is empty. Copy it from the queue.")
    if not HASH.fullmatch(plain["annotator"]):
        wrong.append(
            "annotator: allowed are the 16 digits of a keyed hash, so that nobody's name or address gets into Git. Fill in "
            f"the sheet that `flywheel queue --annotator YOU` writes, or bring the file in with: {IMPORT}"
        )
    if plain["rubric"] not in rubrics:
        known = ", ".join(rubrics)
        wrong.append(f"rubric: found {_short(plain['rubric'], words)}; versions of docs/rubric.md: {known}.")
    day = as_day(plain["answered_on"])
    if day is None:
        wrong.append(
            f"answered_on: found {_short(plain['answered_on'], words)}; allowed is the UTC day of the answer, such as "
            "2030-01-31."
        )
    asked = plain.get("asked") or None
    if asked is not None and asked not in REASONS:
        wrong.append(
            f"asked: found {_short(asked, words)}; allowed are {', '.join(REASONS)}, or nothing. Leave it as it was."
        )
    if asked == AUDIT and plain.get("drawn") != drawn(cells["prediction_id"], key):
        wrong.append(
            "asked: found audit, but the cell drawn does not show that the queue drew this prediction. Copy both from the "
            "queue, or leave both empty."
        )
    comment = plain.get("comment") or None
    if comment is not None:
        comment, found = scrubbed(comment, words, LONGEST_TEXT)
        kinds = sorted(set(found))
        if kinds:
            wrong.append(
                f"comment: it holds personal data ({', '.join(kinds)}). Take it out, or bring the file in with: {IMPORT}"
            )
    if wrong or day is None:
        return None, wrong
    value, annotator, rubric = int(plain["value"]), plain["annotator"], plain["rubric"]
    return Answer(name, number, cells["prediction_id"], value, annotator, day, rubric, asked, comment, unit), []


def as_day(text: str) -> dt.date | None:
    """The day that a text such as 2030-01-31 names; None for any other text."""
    try:
        found = dt.date.fromisoformat(text)
    except ValueError:
        return None
    return found if found.isoformat() == text and 1970 <= found.year < 2200 else None


def _short(text: str, words: Vocabulary) -> str:
    """What was found, fit for a message: nothing personal, nothing long."""
    clean = scrubbed(text, words, LONGEST_TEXT)[0]
    return repr(clean if len(clean) <= 40 else f"{clean[:39]}…") if text else "nothing"


def once(answers: Iterable[Answer]) -> tuple[list[Answer], list[str]]:
    """Each answer once, in order of day and id; and a message for each that contradicts another of the same annotator."""
    kept: dict[tuple[str, str, str], Answer] = {}
    wrong = []
    for one in answers:
        key = (one.annotator, one.rubric, one.prediction_id)
        before = kept.setdefault(key, one)
        if before.value != one.value:
            wrong.append(
                f"{one.place}: {one.value}, but the same annotator said {before.value} of this prediction in {before.place}, "
                "under the same rubric. Keep one of the two answers."
            )
        elif before is not one:
            first = min(before, one, key=lambda answer: (answer.answered_on, answer.file, answer.row))
            is_audit = AUDIT in (before.asked, one.asked)
            kept[key] = replace(first, asked=AUDIT if is_audit else first.asked or before.asked or one.asked)
    return sorted(kept.values(), key=lambda answer: (answer.answered_on, answer.feedback_id)), wrong


def unknown(answers: Iterable[Answer], known: Mapping[str, dt.date]) -> list[tuple[Answer, str]]:
    """The answers about predictions that nobody could know on that day, and why; `known` has the day of each one served."""
    found = []
    for one in answers:
        served = known.get(one.prediction_id)
        if served is None:
            why = (
                f"there is no such prediction up to {one.answered_on}. Compare the id with the queue's: spreadsheets change "
                "long numbers."
            )
            found.append((one, f"{one.place}: prediction_id: {why}"))
        elif served > one.answered_on:
            why = f"answered on {one.answered_on}, but the prediction was served on {served}. Correct the day."
            found.append((one, f"{one.place}: answered_on: {why}"))
    return found


def as_feedback(answers: Sequence[Answer]) -> pd.DataFrame:
    """Answers of one day as rows of feedback. What somebody says on a day is known when it ends, and not before."""
    end = [
        pd.Timestamp(one.answered_on, tz="UTC") + pd.Timedelta(days=1) - pd.Timedelta(microseconds=1) for one in answers
    ]
    texts: dict[str, list[str | None]] = {
        "feedback_id": [one.feedback_id for one in answers],
        "prediction_id": [one.prediction_id for one in answers],
        "source_id": [one.annotator for one in answers],
        "text": [one.comment for one in answers],
        "rubric": [one.rubric for one in answers],
        "asked": [one.asked for one in answers],
    }
    return pd.DataFrame({name: pd.array(values, dtype="str") for name, values in texts.items()}).assign(
        received_at=pd.DatetimeIndex(end).as_unit("us"),
        channel=pd.array(["annotation"] * len(answers), dtype="str"),
        value=[float(one.value) for one in answers],
    )
