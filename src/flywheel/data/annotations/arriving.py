"""On which day each answer arrives: the day that its file gives. So who collects everything again gets the same days."""

from __future__ import annotations

import datetime as dt
from collections import ChainMap
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from flywheel import files
from flywheel.data import tables
from flywheel.data.annotations import answers, rubric
from flywheel.data.annotations.answers import Answer
from flywheel.data.privacy import Vocabulary
from flywheel.errors import DataError

OTHERS = (".md", ".txt")  # what may stand beside the answers


@dataclass
class Arriving:
    """The answers by their days. With `is_part`, predictions may have been left out, and answers about them are too."""

    by_day: dict[dt.date, list[Answer]] = field(default_factory=dict)
    is_part: bool = False
    _known: dict[str, dt.date] = field(default_factory=dict)
    _seen: set[dt.date] = field(default_factory=set)

    def on(self, day: dt.date, served: pd.DataFrame | None = None) -> pd.DataFrame:
        """What arrives on a day, as rows of feedback. `served` are the predictions of that day, where they are not stored yet.

        DataError names the answers about predictions that do not exist, or not by that day.
        """
        mine = self.by_day.get(day, [])
        if mine:
            known: Mapping[str, dt.date] = self.predictions()
            if served is not None and "prediction_id" in served:
                known = ChainMap(self._known, dict.fromkeys(served["prediction_id"].astype("str"), day))
            wrong = answers.unknown(mine, known)
            if not self.is_part:
                answers.refuse([why for _, why in wrong])
            left_out = {one for one, _ in wrong}
            mine = [one for one in mine if one not in left_out]
        return answers.as_feedback(mine)

    def ids(self, day: dt.date) -> set[str]:
        """The ids of the feedback that the answers of a day become."""
        return {one.feedback_id for one in self.by_day.get(day, [])}

    def later(self, last: dt.date) -> int:
        """How many answers are of days after `last`: they wait, as all that has not arrived yet."""
        return sum(len(mine) for day, mine in self.by_day.items() if day > last)

    def check_before(self, first: dt.date) -> None:
        """DataError for answers of days before the first one of the source: no prediction was served by then."""
        early = [one for day, mine in sorted(self.by_day.items()) if day < first for one in mine]
        if not self.is_part:
            answers.refuse([why for _, why in answers.unknown(early, {})])

    def predictions(self) -> dict[str, dt.date]:
        """The day on which each stored prediction was served; each day is read once, and only where somebody answered."""
        for day in tables.stored_days(files.EVENTS, "predictions"):
            path = tables.day_path(files.EVENTS, "predictions", day)
            if day not in self._seen and "prediction_id" in files.read_names(path):
                for one in files.read_parquet(path, ["prediction_id"])["prediction_id"].astype("str"):
                    self._known.setdefault(one, day)
            self._seen.add(day)
        return self._known


def read(words: Vocabulary, key: str, is_part: bool = False, folder: Path = files.ANNOTATIONS) -> Arriving:
    """The answers in `annotations/`; none where there is no such folder. DataError names each file and row that is wrong."""
    contents = contents_of(folder)
    if not contents:
        return Arriving(is_part=is_part)
    by_day: dict[dt.date, list[Answer]] = {}
    for one in answers.read(contents, rubric.versions(), words, key):
        by_day.setdefault(one.answered_on, []).append(one)
    return Arriving(by_day, is_part)


def contents_of(folder: Path = files.ANNOTATIONS) -> dict[str, bytes]:
    """The files with answers, by name. DataError for one that is something else: nobody would read what it says."""
    found = {}
    for path in sorted(_visible(folder)):
        if path.suffix == ".csv" and path.is_file():
            found[path.as_posix()] = path.read_bytes()
        elif path.suffix not in OTHERS:
            raise DataError(
                f"{path}: nothing reads it. Answers are files in {folder} whose names end in .csv; save it as CSV, or bring "
                f"it in with: {answers.IMPORT}"
            )
    return found


def _visible(folder: Path) -> Iterable[Path]:
    return [path for path in folder.iterdir() if not path.name.startswith(".")] if folder.is_dir() else []
