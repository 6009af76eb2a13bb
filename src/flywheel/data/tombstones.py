"""Who was forgotten: `docs/forgotten.yaml`, by which a person is known again wherever one comes from, and never found.

A tombstone is a keyed hash of the keyed hash that stands in the data. It is in Git, because a fresh clone collects everything
again; neither the raw id nor the hash in the data can be read from it, nor compared with it without the key.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Annotated

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import yaml
from pydantic import Field

from flywheel import files
from flywheel.data.evidence import Forgotten
from flywheel.data.privacy import hash_id
from flywheel.errors import ConfigError
from flywheel.params import LOADER, Day, Names, Params, parse

ADVICE = (
    f"Take the file back from Git: git checkout {files.FORGOTTEN}. In the middle of a merge keep the entries of both sides: "
    "who has none comes back"
)
WHO = ("user_id", "source_id")  # the columns that say who somebody is, of predictions and of feedback
NOTE = "forgotten"  # in the footers of files
MADE = "flywheel: forgotten"  # so that a tombstone is no hash of anything else
HEAD = """\
# Who was forgotten. `flywheel forget` writes this file; stage collect reads it, and leaves these people out of every day, in
# every clone.
#
# An entry is a keyed hash of a keyed hash: nobody can be read from it, and nobody is in the data under it. `as_of` is the clock
# when the data changed; `models` are the versions that had learned from what this person said. Who takes an entry out lets the
# person come back.
"""


class Tombstone(Params):
    """Somebody who was forgotten: since which clock, and which released models had learned from what they said."""

    person: Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]
    as_of: Day
    models: Names = ()


class Tombstones(Params):
    """`docs/forgotten.yaml`. `key_check` shows whether the hash key is still the one that the tombstones were made with."""

    key_check: Annotated[str, Field(pattern=r"^[0-9a-f]{8}$")] | None
    people: Annotated[tuple[Tombstone, ...], Field(strict=False)]


def read() -> Tombstones:
    """Who was forgotten; nobody where there is no file: DVC refuses to run without it. ConfigError when it is wrong."""
    try:
        found = yaml.load(files.FORGOTTEN.read_text(encoding="utf-8"), LOADER)  # noqa: S506 - it is a safe loader
    except FileNotFoundError:
        return Tombstones(key_check=None, people=())
    except OSError as error:
        raise ConfigError(f"{files.FORGOTTEN} cannot be read: {error.strerror}. Make it readable.") from None
    except (yaml.YAMLError, UnicodeDecodeError, ValueError) as error:
        raise ConfigError(f"{files.FORGOTTEN} is not YAML: {' '.join(str(error).split())}. {ADVICE}") from None
    if not isinstance(found, dict):
        raise ConfigError(f"{files.FORGOTTEN}: it must have the keys key_check and people. {ADVICE}")
    stones = parse(Tombstones, found, lambda _: ADVICE)
    if stones.people and stones.key_check is None:
        raise ConfigError(f"{files.FORGOTTEN}: key_check is null, but somebody is forgotten. {ADVICE}")
    return stones


def add(stones: Tombstones, one: Tombstone, key: str) -> Tombstones:
    """Write a tombstone, in one step, and return all. From then on a run forgets this person, whatever happens to this one."""
    entries = sorted([*stones.people, one], key=lambda found: (found.as_of, found.person))
    people = [{"person": found.person, "as_of": found.as_of, "models": list(found.models)} for found in entries]
    said = yaml.safe_dump({"key_check": key_check(key), "people": people}, sort_keys=False)
    files.write_text(files.FORGOTTEN, HEAD + said)
    return read()


def key_check(key: str) -> str:
    """A few digits that show whether the hash key is still the same; the key cannot be derived from them."""
    return hash_id("key check", key)[:8]


def tombstone(hashed: str, key: str) -> str:
    """The tombstone of somebody who is in the data under a hash: HMAC-SHA256 under the same key, 32 hexadecimal digits."""
    return hmac.new(key.encode(), f"{MADE}\0{hashed}".encode(), hashlib.sha256).hexdigest()[:32]


@dataclass(frozen=True)
class Left:
    """What is left of a table without some people; how many rows and how many ids went; and the rows that are without the id
    of somebody who was forgotten, now or earlier."""

    table: pa.Table
    rows: int
    ids: int
    emptied: tuple[int, ...] = ()

    @property
    def notes(self) -> dict[str, str]:
        """What the footer of the file says of it: a null that was made here breaks no contract."""
        return {NOTE: json.dumps(self.emptied)} if self.emptied else {}


@dataclass(frozen=True)
class People:
    """Some people by their tombstones, and the key that tells whether an id is one of theirs; nobody needs no key."""

    tombstones: frozenset[str] = frozenset()
    key: str = ""
    _known: dict[Hashable, bool] = field(default_factory=dict, compare=False, repr=False)

    def __bool__(self) -> bool:
        """Whether there is anybody."""
        return bool(self.tombstones)

    def has(self, name: Hashable) -> bool:
        """Whether an id is one of theirs: a hash as the data has it, or a name that was never hashed, as an annotator's."""
        if name not in self._known:
            hashes = (str(name), hash_id(name, self.key))
            self._known[name] = any(tombstone(one, self.key) in self.tombstones for one in hashes)
        return self._known[name]

    def among(self, ids: pa.ChunkedArray) -> np.ndarray:
        """Which of some ids are theirs. Each different id is looked at once."""
        if not self or pa.types.is_null(ids.type) or not len(ids):
            return np.zeros(len(ids), dtype=bool)
        plain = ids.cast(ids.type.value_type) if pa.types.is_dictionary(ids.type) else ids
        encoded = plain.combine_chunks().dictionary_encode()
        is_theirs = np.array([self.has(name) for name in encoded.dictionary.to_pylist()] + [False])
        return np.asarray(is_theirs[pc.fill_null(encoded.indices, len(is_theirs) - 1).to_numpy(zero_copy_only=False)])

    def without(self, table: pa.Table) -> Left:
        """A table of either kind without them: predictions stay without their id, feedback goes.

        An outcome says what happened, so it stays as well, without its source. Types, order and all other values stay.
        """
        is_emptied = np.zeros(table.num_rows, dtype=bool)
        is_emptied[emptied(table)] = True
        goes = np.zeros(table.num_rows, dtype=bool)
        n_ids = 0
        for name in WHO:
            if name not in table.column_names:
                continue
            stays = is_theirs = self.among(table[name])
            if name == "source_id" and is_theirs.any():
                stays = is_theirs & _are_outcomes(table)
                goes = is_theirs & ~stays
            table, n_ids = _nulled(table, name, stays), n_ids + int(stays.sum())
            is_emptied |= stays
        if goes.any():
            table, is_emptied = table.filter(pa.array(~goes)), is_emptied[~goes]
        table = table.combine_chunks() if goes.any() or n_ids else table
        return Left(table, int(goes.sum()), n_ids, tuple(is_emptied.nonzero()[0].tolist()))

    def gone(self, feedback: pd.DataFrame) -> np.ndarray:
        """Which rows of feedback go; none of predictions do."""
        if not self or "source_id" not in feedback:
            return np.zeros(len(feedback), dtype=bool)
        is_theirs = np.array([not pd.isna(name) and self.has(name) for name in feedback["source_id"]], dtype=bool)
        return is_theirs & (feedback["channel"] != "outcome").to_numpy() if "channel" in feedback else is_theirs


def emptied(table: pa.Table) -> list[int]:
    """The rows of a stored table that are without the id of somebody who was forgotten."""
    found: list[int] = json.loads((table.schema.metadata or {}).get(NOTE.encode(), b"[]"))
    return found


def _are_outcomes(feedback: pa.Table) -> np.ndarray:
    if "channel" not in feedback.column_names:
        return np.zeros(feedback.num_rows, dtype=bool)
    return np.array([name == "outcome" for name in feedback["channel"].to_pylist()], dtype=bool)


def _nulled(table: pa.Table, name: str, where: np.ndarray) -> pa.Table:
    """A table with null in some places of a column."""
    if not where.any():
        return table
    place, column = table.column_names.index(name), table[name]
    new = pc.if_else(pa.array(where), pa.scalar(None, column.type), column)
    return table.set_column(place, table.schema.field(name), new)


def forgotten(key: str | None, env: str) -> People:
    """All who were forgotten. ConfigError where the key to know them by is missing or another one: they would come back."""
    stones = read()
    if not stones.people:
        return People()
    if key is None:
        raise ConfigError(
            f"{env} is empty or unset, and {files.FORGOTTEN} names people who were forgotten: without the key nobody can tell "
            "who they are, and they would come back. Set it to the secret key."
        )
    if stones.key_check != key_check(key):
        raise ConfigError(
            f"{env} is not the key that the people in {files.FORGOTTEN} were forgotten with, so they would come back. Set the "
            "old key. With a new one, empty that file (key_check: null, people: []) and forget each of them again, by raw id."
        )
    return People(frozenset(one.person for one in stones.people), key)


def describe(stones: Tombstones) -> Forgotten | None:
    """How many people were forgotten, as of which clocks, and how many of them each model had learned from; None: nobody."""
    if not stones.people:
        return None
    # Two branches may have forgotten the same person: then there are two entries.
    learned = {(one.person, name) for one in stones.people for name in one.models}
    models = sorted({name for _, name in learned}, key=_in_order)
    return {
        "people": len({one.person for one in stones.people}),
        "first": min(one.as_of for one in stones.people).isoformat(),
        "last": max(one.as_of for one in stones.people).isoformat(),
        "models": {model: sum(name == model for _, name in learned) for model in models},
    }


def _in_order(version: str) -> tuple[list[int], str]:
    return [int(part) for part in version.removeprefix("v").split(".") if part.isdigit()], version
