"""Forgetting a person: out of the days, out of Git's files, out of all that is made from them, and for good.

The tombstone comes first, in one step. All else follows from it, here or, if this is killed, in the next run: stage collect
takes whoever has a tombstone out of the days, and DVC makes again what was made from them.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from flywheel import files, git
from flywheel.errors import ConfigError, DataError
from flywheel.labels.settings import Label
from flywheel.loop import pipeline, turn
from flywheel.loop.compose import write
from flywheel.loop.settings import AllParams, Forget
from flywheel.model.card import read_champion
from flywheel.release.commits import Commit
from flywheel.release.tags import versions

if TYPE_CHECKING:  # table libraries load slowly
    from flywheel.data.tombstones import People, Tombstones

HASH = re.compile(r"[0-9a-f]{16}")
HEXADECIMAL = re.compile(r"[0-9a-fA-F]{4,}")
LONGEST = 1000


@dataclass(frozen=True)
class Person:
    """Somebody by the hash under which the data has them, who may be known under it or by the name that was never hashed."""

    hashed: str
    people: People


@dataclass(frozen=True)
class Found:
    """Where somebody is: rows of feedback, predictions and outcomes with their id, the days of both, entries in files of Git,
    and the days on which they said what a model learns from."""

    rows: int
    ids: int
    days: frozenset[str]
    mentions: int
    votes: Sequence[dt.date]

    def __bool__(self) -> bool:
        """Whether they are anywhere."""
        return bool(self.rows or self.ids or self.mentions)


@dataclass(frozen=True)
class Effect:
    """What forgetting did: to whom, what was found, which files of Git changed, which models had learned, and the run."""

    person: Person
    found: Found
    changed: Sequence[Path]
    models: Sequence[str]
    outcome: turn.Outcome
    later: bool
    named: Sequence[str]


def forget(given: str, say: turn.Say = print) -> Effect | None:
    """Forget somebody, by raw id or hash, and run; None where that was done already.

    What can be refused is refused before anything changes. ConfigError without a name or a key; DataError for somebody whom
    nothing here names.
    """
    from flywheel.data import tombstones
    from flywheel.data.forgetting import remaining
    from flywheel.loop import mentions

    git.run("rev-parse", "--git-dir")
    name = check_name(given)
    pipeline.finish_correction(say)
    now = turn.as_before(say)
    key = key_of(now.params)
    stones, candidates = tombstones.read(), persons(name, key)
    done = next((one for one in candidates if has_stone(one, stones)), None)
    as_of = next((one.as_of for one in stones.people if done and one.person in done.people.tombstones), None)
    person, found = (
        (done, Found(0, 0, frozenset(), 0, ())) if done else known(candidates, name, claiming(now.params.label))
    )
    cleaned = mentions.clean(person.people)
    is_later = models_wait(now.params.forget)
    if done:
        is_gone = not cleaned and not remaining(person.people)
        if is_gone and (is_later or pipeline.is_current()):
            say(f"forget    this person is already forgotten, as of {as_of}. Nothing was changed.")
            for path in mentions.naming([person.hashed], tracked()):
                say(f"forget    {path} still names them: a person must take it out")
            return None
        say(f"forget    this person was forgotten as of {as_of}, but not all was made again; that is done now")
    write(now)
    learned: Sequence[str] = ()
    if not done:
        learned = learned_from(now.params.project.name, found.votes)
        stone = tombstones.Tombstone(
            person=tombstones.tombstone(person.hashed, key), as_of=now.params.clock.as_of, models=tuple(learned)
        )
        tombstones.add(stones, stone, key)
    mentions.write(cleaned)
    outcome = turn.Outcome(True, pipeline.run_until("monitor")) if is_later else turn.Outcome(*pipeline.run(say=say))
    left = remaining(person.people)
    if left:
        raise DataError(f"{left[0]} still names this person. Run again: flywheel run --force")
    named = mentions.naming([person.hashed], tracked())
    return Effect(person, found, [one.path for one in cleaned], learned, outcome, is_later, named)


def models_wait(params: Forget) -> bool:
    """Whether models are made again with the next retrain only."""
    return params.models == "next retrain"


def check_name(given: str) -> str:
    """The name without space around it. ConfigError when nothing is left, or it is no id."""
    name = given.strip()
    if not name:
        raise ConfigError("USER: found an empty text; allowed is a raw id, or a hash as the data has it.")
    if len(name) > LONGEST or not name.isprintable():
        raise ConfigError("USER: found what is no id (too long, or with signs that cannot be printed). Give one id.")
    return name


def key_of(params: AllParams) -> str:
    """The hash key. ConfigError without one, or with another one than that which the data here was collected with."""
    from flywheel.data.collection import hash_key
    from flywheel.data.identity import IDENTITY, KEY_CHECK, read_identity
    from flywheel.data.tombstones import forgotten, key_check

    env = params.collect.hash_key_env
    key = hash_key(params.collect)
    if key is None:
        raise ConfigError(
            f"{env} is empty or unset. The key is needed to find this person, and to keep them out for good. Set it to the "
            "secret key that the data was collected with."
        )
    was = read_identity().get(KEY_CHECK) if IDENTITY.exists() else None
    if was not in (None, key_check(key)):
        raise ConfigError(f"{env} is not the key that the data here was collected with. Set it to that one.")
    forgotten(key, env)  # refuses another key than that of earlier tombstones
    return key


def persons(name: str, key: str) -> list[Person]:
    """Who may be meant: whoever has this hash, if it is one; whoever has this raw id."""
    from flywheel.data.privacy import hash_id
    from flywheel.data.tombstones import People, tombstone

    hashes = [name] if HASH.fullmatch(name) else []
    hashes.append(hash_id(name, key))
    return [Person(one, People(frozenset([tombstone(one, key)]), key)) for one in hashes]


def has_stone(person: Person, stones: Tombstones) -> bool:
    """Whether somebody was forgotten already."""
    return any(one.person in person.people.tombstones for one in stones.people)


def claiming(params: Label) -> frozenset[str]:
    """The channels in which somebody may say what a model learns from: texts of tickets and ratings where these claim."""
    return frozenset({"report", "annotation"} | ({"ticket", "rating"} if params.texts else set()))


def known(candidates: Sequence[Person], name: str, channels: frozenset[str]) -> tuple[Person, Found]:
    """Who of some is here, and where. DataError where nobody is."""
    if not files.EVENTS.exists():
        raise DataError(
            f"there is no data in {files.EVENTS} to look in. Bring it with `flywheel restore`, or: flywheel run"
        )
    for person in candidates:
        found = look(person, channels)
        if found:
            return person, found
    hint = (
        f" A hash has 16 hexadecimal digits; this has {len(name)}."
        if HEXADECIMAL.fullmatch(name) and not HASH.fullmatch(name)
        else ""
    )
    raise DataError(
        f"nobody is known under that id, raw or hashed: no row of data/ and no file of Git names it, so nothing was "
        f"changed.{hint} Older versions may: flywheel forget USER --versions"
    )


def look(person: Person, channels: frozenset[str]) -> Found:
    """Where somebody is, in the days as they arrived, in what came late, and in the files of Git.

    What they said in one of the `channels` may have taught a model.
    """
    from flywheel.data.forgetting import COLUMN
    from flywheel.data.tables import day_of
    from flywheel.loop import mentions

    rows = ids = 0
    days, votes = set(), []
    for folder in (files.EVENTS, files.LATE):
        for table, column in COLUMN.items():
            for path in sorted((folder / table).glob("*.parquet")):
                there = files.read_names(path)
                if column not in there or not person.people.among(files.read_table(path, [column])[column]).any():
                    continue
                found = files.read_table(path, [name for name in (column, "channel") if name in there])
                left = person.people.without(found)
                rows, ids = rows + left.rows, ids + left.ids
                days.add(path.stem)
                if "channel" in there:
                    is_theirs = person.people.among(found[column])
                    said = {one for one, mine in zip(found["channel"].to_pylist(), is_theirs, strict=True) if mine}
                    votes += [day_of(path)] if said & channels else []
    return Found(rows, ids, frozenset(days), sum(one.n for one in mentions.clean(person.people)), votes)


def learned_from(name: str, votes: Sequence[dt.date]) -> list[str]:
    """The released models, and the champion, that knew what somebody said on some days: trust carries it everywhere."""
    from flywheel.loop.thanks import release_of

    first = min(votes, default=None)
    if first is None:
        return []
    champion = read_champion()
    known_before = {
        version: release_of(name, version)["known_before"] for version in versions(name) if _has_card(name, version)
    }
    if champion and champion["version"]:
        known_before.setdefault(champion["version"], dt.date.fromisoformat(champion["labels_known_before"]))
    return [version for version, day in known_before.items() if first < day]


def _has_card(name: str, version: str) -> bool:
    return Commit(versions(name)[version]).has(f"{files.CANDIDATE.as_posix()}/card.json")


def tracked() -> list[str]:
    """The files that Git tracks here, or would."""
    listed = git.run("ls-files", "-z", "--cached", "--others", "--exclude-standard")
    return [name for name in listed.split("\0") if name]


def in_words(effect: Effect) -> list[tuple[str, str]]:
    """What forgetting did, a pair of name and sentence each."""
    found = effect.found
    said = []
    if found:
        n = len(found.days)
        said += [
            ("feedback", f"{_count(found.rows, 'row')} left the data"),
            ("ids", f"{_count(found.ids, 'prediction or outcome', 'predictions or outcomes')} stayed, without the id"),
            ("days", f"{_count(n, 'day')} changed" + (f", {min(found.days)} to {max(found.days)}" if n else "")),
        ]
    said += [("files", f"{path} does not name them any more") for path in effect.changed]
    if effect.later:
        said += [
            ("made again", "labels and features"),
            (
                "later",
                "models/candidate and data/vintages, which learned from them: with the next flywheel run or tick",
            ),
        ]
    else:
        said.append(("made again", "labels, features and models/candidate, as far as they used it"))
    said += [("learned", f"{name} had learned from them, and stays as it was released") for name in effect.models]
    said += [("still named", f"in {name}: a person must take it out") for name in effect.named]
    return [*said, ("next", "commit; then see what older versions hold: flywheel forget USER --versions")]


def _count(n: int, one: str, many: str = "") -> str:
    return f"{n:,} {one if n == 1 else many or f'{one}s'}"
