"""Bringing in what annotators answered elsewhere: nobody's name gets into the repository, and nothing is overwritten."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from flywheel import files
from flywheel.data.settings import Collect, Privacy
from flywheel.errors import ConfigError, DataError
from flywheel.loop.queue import hashed_annotator
from flywheel.params import Clock, Params

if TYPE_CHECKING:
    from flywheel.data.annotations.form import Row
    from flywheel.data.collection import Hiding

NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,59}")


class AnswerParams(Params):
    """What bringing in answers needs."""

    clock: Clock
    collect: Collect
    privacy: Privacy


@dataclass(frozen=True)
class Taken:
    """What was brought in: the file, how many answers of how many annotators, and the days of them that are collected."""

    path: Path
    answers: int
    annotators: int
    late: list[dt.date]


def take(
    given: Path, name: str, params: AnswerParams, annotator: str | None = None, answered_on: str | None = None
) -> Taken:
    """Write the answers of a filled queue (CSV) or of an export of Label Studio (JSON) as `annotations/NAME.csv`.

    Annotators become keyed hashes, and comments are scrubbed. `annotator` is who answered where the file does not say, and
    `answered_on` the day for all answers. Whatever collect would refuse is refused here, with the names in the given file.
    """
    from flywheel.data.annotations import answers, arriving, form, rubric
    from flywheel.data.annotations.answers import Answer
    from flywheel.data.collection import hiding, open_ledger

    if not NAME.fullmatch(name) or name == files.QUEUE.stem:
        raise ConfigError(
            f"--name: found {name!r}; allowed are small letters, digits and hyphens, and not {files.QUEUE.stem}. Name it after "
            "when or what, not after a person."
        )
    if answered_on is not None and answers.as_day(answered_on) is None:
        raise ConfigError(f"--answered-on: found {answered_on!r}; allowed is a day such as 2030-01-31.")
    how = hiding(params.collect, params.privacy)
    rubrics, key = rubric.versions(), how.key or ""
    unit, rows = _read(given)
    hidden = list(_hidden(rows, how, params.collect, annotator, answered_on))
    mine, problems = answers.of_rows(str(given), hidden, rubrics, how.vocabulary, key, unit)
    path = files.ANNOTATIONS / f"{name}.csv"
    others = arriving.contents_of()
    others.pop(path.as_posix(), None)
    before = answers.read(others, rubrics, how.vocabulary, key)
    _, twice = answers.once([*before, *mine])
    problems += [
        f"{one.place}: this annotator was forgotten, so their answers stay out, and their hash out of Git. Take the row out."
        for one in mine
        if how.forgotten.has(one.annotator)
    ]
    stored = arriving.Arriving().predictions()
    if not stored:
        raise DataError(
            f"there is no prediction in {files.EVENTS} to compare the answers with. Bring the data with `flywheel "
            "restore`, or: flywheel run"
        )
    wrong = [why for _, why in answers.unknown(mine, stored)]
    answers.refuse([*problems, *twice, *wrong])
    if not mine:
        raise DataError(f"{given}: no row has a value, so nobody answered yet. Nothing was written.")
    kept, _ = answers.once(mine)

    def cells(one: Answer) -> dict[str, object]:
        texts = {"asked": one.asked, "comment": one.comment, "rubric": one.rubric, "annotator": one.annotator}
        texts["drawn"] = answers.drawn(one.prediction_id, key) if one.asked == form.AUDIT else None
        return texts | {"prediction_id": one.prediction_id, "value": one.value, "answered_on": str(one.answered_on)}

    text = form.to_csv(form.ANSWERS, map(cells, kept))
    if path.exists() and path.read_bytes() != text.encode():
        raise DataError(f"{path} is there already, with other answers. Nothing was changed; give another --name.")
    files.write_text(path, text)
    ledger = open_ledger()
    late = sorted({one.answered_on for one in kept if one.answered_on.isoformat() in ledger})
    return Taken(path, len(kept), len({one.annotator for one in kept}), late)


def _read(given: Path) -> tuple[str, list[Row]]:
    """What the rows of a file are called, and the rows. DataError when it is neither a queue nor an export."""
    from flywheel.data.annotations import form, label_studio

    try:
        content = given.read_bytes()
    except FileNotFoundError:
        raise DataError(
            f"{given} is not there. Give a filled queue (.csv) or an export of Label Studio (.json)."
        ) from None
    if given.suffix == ".json":
        return "task", label_studio.answers(content, str(given))
    columns, rows = form.from_csv(content, str(given))
    missing = [one for one in form.NEEDED if one not in columns]
    if missing:
        raise DataError(
            f"{given}, row 1: the columns {', '.join(missing)} are missing. Give what `flywheel queue` wrote, filled in."
        )
    return "row", rows


def _hidden(
    rows: Iterable[Row], how: Hiding, collect: Collect, annotator: str | None, answered_on: str | None
) -> Iterable[Row]:
    """The rows that are answered, without personal data: who said it, and what the comment tells."""
    from flywheel.data.annotations.answers import HASH
    from flywheel.data.privacy import scrubbed

    for number, cells in rows:
        if not cells["value"].strip():
            continue
        who = cells["annotator"].strip() or annotator or ""
        person = who if not who or HASH.fullmatch(who) else hashed_annotator(who, collect)
        comment = scrubbed(cells.get("comment", ""), how.vocabulary, how.longest_text)[0]
        day = answered_on or cells["answered_on"]
        yield number, cells | {"annotator": person, "comment": comment, "answered_on": day}
