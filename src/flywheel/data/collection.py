"""Bringing in a day of both tables without personal data, and checking that a stored day never changes."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from flywheel import files, shapes
from flywheel.data import tables
from flywheel.data.annotations.arriving import Arriving
from flywheel.data.columns import OPTIONAL, REQUIRED
from flywheel.data.evidence import CollectedDay
from flywheel.data.identity import IDENTITY, differences, read_identity
from flywheel.data.ledger import checked_days, digest_of
from flywheel.data.privacy import DEMO_KEY, Vocabulary, as_text, compiled, hash_ids, scrubbed
from flywheel.data.settings import Collect, Privacy
from flywheel.data.sources import OF_ROWS, Counted, Source
from flywheel.data.tombstones import People, forgotten
from flywheel.data.tombstones import key_check as check_of
from flywheel.errors import ConfigError, DataError
from flywheel.params import Clock, clock_place, remembered

LEDGER = files.EVENTS / "ledger.json"
# The columns of each table in which people write what they like; inputs that are such columns are said in conf.
FREE_TEXT = {"predictions": ("error",), "feedback": ("text",)}


@dataclass(frozen=True)
class Hiding:
    """How people are hidden: the key that ids are hashed with and the variable where it should be, the words by which
    personal data is found in texts, the inputs that are texts, how long a text may be, and who was forgotten."""

    key: str | None
    env: str
    vocabulary: Vocabulary
    inputs: tuple[str, ...]
    longest_text: int
    forgotten: People = field(default_factory=People)

    def columns(self, table: str) -> tuple[str, ...]:
        """The columns of a table with free text."""
        return FREE_TEXT[table] + (self.inputs if table == "predictions" else ())


def hiding(collect: Collect, privacy: Privacy) -> Hiding:
    """How the settings say that people are hidden."""
    key, env = hash_key(collect), collect.hash_key_env
    return Hiding(key, env, compiled(privacy), privacy.inputs, privacy.longest_text, forgotten(key, env))


def collect_day(source: Source, day: dt.date, how: Hiding, answers: Arriving) -> tuple[CollectedDay, int]:
    """Store one day of both tables; returns its entry in the ledger, and how many duplicates were dropped."""
    came = came_in(source, day, how, answers)
    for table, one in came.items():
        store(tables.day_path(files.EVENTS, table, day), one, f"{table} of {day}", how)
    return entry(source, digests(day), came), sum(one.dropped for one in came.values())


@dataclass(frozen=True)
class Came:
    """What a source gave of one table on one day: the rows as they are stored but for people who were forgotten, how many it
    gave (of a part of a source: how many these were chosen from), duplicates dropped, and how often each kind of personal data
    was replaced in these rows."""

    rows: pd.DataFrame
    given: int
    dropped: int
    personal: Mapping[str, int] = field(default_factory=dict)


def came_in(source: Source, day: dt.date, how: Hiding, answers: Arriving) -> dict[str, Came]:
    """One day of both tables, with the answers of annotators in the feedback."""
    came = {table: came_on(source, table, day, how) for table in tables.TABLES}
    return came | {"feedback": joined(came["feedback"], answers.on(day, came["predictions"].rows))}


def joined(came: Came, answers: pd.DataFrame) -> Came:
    """The feedback that a source gave, and behind it what annotators answered; a day without answers is as it came."""
    if answers.empty:
        return came
    rows = pd.concat([came.rows, answers], ignore_index=True) if len(came.rows.columns) else answers
    return Came(storable(rows), came.given, came.dropped, came.personal)


def came_on(source: Source, table: str, day: dt.date, how: Hiding) -> Came:
    """One day of one table, without personal data. DataError when the source does not give it."""
    try:
        given = source.predictions(day) if table == "predictions" else source.feedback(day)
    except OSError as error:  # a file that is gone, a server that does not answer
        raise DataError(
            f"the source did not give {day}: {hidden_in(str(error), how)}. Mend it and run again; earlier days are kept."
        ) from error
    hide = hide_users if table == "predictions" else hide_people
    texts, counts = hide_texts(given, how.columns(table), how.vocabulary, how.longest_text)
    hidden = hide(texts, how.key, how.env)
    rows, is_again = drop_duplicates(hidden if table == "predictions" else with_ids(hidden), table)
    stored = storable(expected(rows, table))
    return Came(stored, given.attrs.get(OF_ROWS, len(given)), int(is_again.sum()), summed(counts, ~is_again))


def store(path: Path, came: Came, what: str, how: Hiding) -> None:
    """Write the rows of a day, without people who were forgotten. DataError when they hold a value that Parquet cannot.

    They are left out of the table as it would be stored, so a file is the same whether somebody was forgotten before or after.
    The notes count their rows as well: nobody could take them out of the sums later, and a sum is no person.
    """
    notes = {"duplicates": str(came.dropped)}
    if came.personal:  # a day without has the same bytes as before these were counted
        notes["personal"] = json.dumps(dict(sorted(came.personal.items())))
    try:
        rows = pa.Table.from_pandas(came.rows, preserve_index=False)
        left = how.forgotten.without(rows)
        files.write_table(path, left.table, notes | left.notes)
    except (ValueError, OverflowError, TypeError) as error:  # Arrow's errors are ValueErrors and TypeErrors
        said = hidden_in(str(error), how)  # it may quote the value
        raise DataError(f"{what} hold a value that cannot be stored: {said}. Fix the source.") from None


def entry(source: Source, found: Mapping[str, str | None], came: Mapping[str, Came]) -> CollectedDay:
    """What the ledger notes of a day that was stored: the digests found of its files, and what the source gave."""
    noted: CollectedDay = {"predictions": found["predictions"] or "", "feedback": found["feedback"] or ""}
    return noted | {"rows": {table: one.given for table, one in came.items()}} if isinstance(source, Counted) else noted


def digests(day: dt.date, folder: Path = files.EVENTS) -> dict[str, str | None]:
    """Short digests of a day's two files."""
    return {table: digest_of(tables.day_path(folder, table, day)) for table in tables.TABLES}


def open_ledger() -> dict[str, CollectedDay]:
    """What was noted of each collected day, by its name; nothing if nothing was. DataError if it has another shape."""
    found = shapes.read_if_there(LEDGER, dict[str, Any])
    return checked_days(LEDGER, found or {}, CollectedDay)


def whole_days(ledger: Mapping[str, CollectedDay]) -> set[dt.date]:
    """The days that were collected and are still there. DataError if one has changed: a day never changes."""
    whole = set()
    for name, was in ledger.items():
        day = dt.date.fromisoformat(name)
        found = digests(day)
        changed = [table for table in tables.TABLES if found[table] is not None and found[table] != dict(was)[table]]
        if changed:
            path = tables.day_path(files.EVENTS, changed[0], day)
            raise DataError(
                f"{path} is not what was collected, but an arrived day never changes. Restore it with `dvc checkout "
                f"--force {files.EVENTS}`, or delete it and run `flywheel run`, which collects it again."
            )
        if None not in found.values():
            whole.add(day)
    return whole


def hash_key(params: Collect) -> str | None:
    """The key that user ids are hashed with; None if there is none and the public demo key is not allowed.

    Empty is the same as unset: a workflow sees a missing secret as an empty text.
    """
    return os.environ.get(params.hash_key_env) or (DEMO_KEY if params.allow_demo_key else None)


def hashed(ids: pd.Series, key: str | None, env: str) -> pd.Series:
    """The ids, hashed with the key. ConfigError where there are people to hide and no key to hide them with."""
    if key is None and ids.notna().any():
        raise ConfigError(
            f"{env} is empty or unset, collect.allow_demo_key is false, and the column {ids.name} names people. Set it to "
            "the secret key; the public demo key is only right for invented users."
        )
    return hash_ids(ids, key or "")


def check_clock(clock: Clock, source: Source) -> None:
    """ConfigError when the clock is outside the days of the source, and of what was collected of it.

    A clock that follows the calendar may be ahead of a source that is late or has fallen silent: that is for monitoring to
    see.
    """
    ends = [source.last_day, *map(dt.date.fromisoformat, open_ledger())]  # a source may have lost its last days
    first, last = source.first_day + dt.timedelta(days=1), max(ends) + dt.timedelta(days=1)
    if clock.as_of < first or (clock.as_of > last and clock.follow != "today"):
        allowed = f"{first} or later" if clock.follow == "today" else f"{first} to {last}"
        raise ConfigError(
            f"clock.as_of: found {clock.as_of}, outside the data; allowed is {allowed}. {clock_place(remembered())}"
        )


def complete_days(source: Source, as_of: dt.date) -> list[dt.date]:
    """The days before the clock that the source has in full.

    A day that the source does not have yet is not stored as an empty one: an arrived day never changes, so what comes late
    would be lost. It is collected when it is there.
    """
    return tables.day_range(source.first_day, min(as_of, source.last_day + dt.timedelta(days=1)))


def same_world(now: dict[str, object]) -> None:
    """DataError when `data/events/` was collected from another source or with another key."""
    said = differences(now)
    if said:
        raise DataError(
            f"data/events was collected with other settings ({said}). Two worlds do not mix: set them back, "
            "or start over with `make clean` if the source can be read again."
        )


def check_identity(now: dict[str, object]) -> None:
    """DataError when `data/events/` was collected from another source or with another key; writes the identity if new."""
    same_world(now)
    if not IDENTITY.exists() or read_identity() != now:
        files.write_json(IDENTITY, now)


def key_check(key: str | None) -> str | None:
    """A few digits that show whether the hash key is still the same, None without one; the key cannot be derived from them."""
    return None if key is None else check_of(key)


def hide_users(predictions: pd.DataFrame, key: str | None, env: str) -> pd.DataFrame:
    """Predictions with hashed user ids."""
    if "user_id" not in predictions:
        return predictions
    return predictions.assign(user_id=hashed(predictions["user_id"], key, env))


def hide_people(feedback: pd.DataFrame, key: str | None, env: str) -> pd.DataFrame:
    """Feedback with hashed user ids; systems and annotators keep their names."""
    if not {"source_id", "channel"} <= set(feedback):
        return feedback
    is_system = feedback["channel"].isin(("outcome", "annotation"))
    people = hashed(feedback["source_id"].where(~is_system), key, env)
    return feedback.assign(source_id=feedback["source_id"].where(is_system, people))


def hide_texts(
    frame: pd.DataFrame, columns: Sequence[str], vocabulary: Vocabulary, longest: int
) -> tuple[pd.DataFrame, dict[int, Counter[str]]]:
    """The frame with scrubbed texts, and what was replaced in each row (by its place) in which anything was."""
    counts: dict[int, Counter[str]] = {}
    clean = {}
    for name in columns:
        if name not in frame or not frame[name].notna().any():
            continue
        texts = frame[name].array
        is_text = frame[name].notna().to_numpy()
        done: list[str | None] = [None] * len(frame)
        for place in is_text.nonzero()[0]:
            done[place], kinds = scrubbed(as_text(texts[place]), vocabulary, longest)
            if kinds:
                counts.setdefault(int(place), Counter()).update(kinds)
        clean[name] = pd.array(done, dtype="str")
    return frame.assign(**clean), counts


def summed(counts: Mapping[int, Counter[str]], is_kept: np.ndarray) -> dict[str, int]:
    """How often each kind was replaced in the rows that are kept."""
    total: Counter[str] = Counter()
    for place, found in counts.items():
        if is_kept[place]:
            total.update(found)
    return dict(total)


def hidden_in(message: str, how: Hiding) -> str:
    """What somebody else's message says, without personal data."""
    return scrubbed(message, how.vocabulary, how.longest_text)[0]


def with_ids(feedback: pd.DataFrame) -> pd.DataFrame:
    """Feedback with an id. Where a row has none it is a digest of all that the row says: a row sent twice has the same."""
    has_id = feedback["feedback_id"].notna() if "feedback_id" in feedback else pd.Series(False, feedback.index)
    if has_id.all() and "feedback_id" in feedback:
        return feedback
    plain = storable(feedback[~has_id].drop(columns="feedback_id", errors="ignore"))
    columns = [pa.array(plain[name]) for name in sorted(plain.columns)]
    texts = [(one.cast("int64") if pa.types.is_timestamp(one.type) else one).cast("string") for one in columns]
    rows = pc.binary_join_element_wise(*texts, "\x1f", null_handling="replace", null_replacement="\x00")
    ids = pd.Series(
        [hashlib.sha256(row.encode()).hexdigest()[:20] for row in rows.to_pylist()], plain.index, dtype="str"
    )
    own = feedback["feedback_id"] if "feedback_id" in feedback else pd.Series(None, feedback.index, dtype="str")
    return feedback.assign(feedback_id=own.where(has_id, ids))


def expected(frame: pd.DataFrame, table: str) -> pd.DataFrame:
    """Only the columns of the two tables, and inputs (`in_`): anything else a source sends may be personal."""
    known = (*REQUIRED[table], *OPTIONAL[table])
    return frame[[name for name in frame.columns if name in known or name.startswith("in_")]]


def drop_duplicates(frame: pd.DataFrame, table: str) -> tuple[pd.DataFrame, np.ndarray]:
    """The rows whose id is new, and which of all rows came again."""
    if tables.ID[table] not in frame:
        return frame, np.zeros(len(frame), dtype=bool)
    is_again = frame.duplicated(tables.ID[table]).to_numpy()
    return frame[~is_again], is_again


def storable(frame: pd.DataFrame) -> pd.DataFrame:
    """Columns that mix types become text: they are kept as they came, and `validate` says what is wrong with them."""
    objects = [name for name in frame.columns if pd.api.types.is_object_dtype(frame[name].dtype)]
    mixed = [name for name in objects if len(set(frame[name].dropna().map(type))) > 1]
    return frame.assign(**{name: frame[name].astype("str") for name in mixed})
