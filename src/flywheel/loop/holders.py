"""Who still holds somebody: files of DVC's cache and remote, and the commits and tags whose data they are; and deleting them.

DVC names files by their bytes, so a version of a day without a person is another file, and the old one stays until somebody
deletes it. Only files with the person in them are deleted: all other versions stay whole.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flywheel import files, git
from flywheel.errors import DataError, RemoteError, chain
from flywheel.loop import forget, objects, pipeline, turn
from flywheel.loop.mentions import ANNOTATIONS
from flywheel.release.commits import Commit
from flywheel.release.derivation import LOCK, locked_stages

if TYPE_CHECKING:  # table libraries load slowly
    from flywheel.data.tombstones import People

PARQUET = b"PAR1"
WHO = ("user_id", "source_id", "annotator")
LISTED = 10
AT_ONCE = 100  # commits that one call of Git looks into


@dataclass(frozen=True)
class Held:
    """A commit whose data holds somebody: its first digits, its tags, how many files hold them; of how many that it names
    nobody could tell, because they are not here; and how many are nowhere, so that nobody has them."""

    commit: str
    tags: Sequence[str]
    files: int
    unknown: int
    gone: int


@dataclass
class Holders:
    """Where somebody still is. `cache` and `remote` are names of files there; `hashes` are what was looked for."""

    hashes: Sequence[str]
    is_forgotten: bool
    cache: Sequence[str] = ()
    remote: Sequence[str] = ()
    remote_name: str | None = None
    remote_unknown: int = 0  # files of the remote that are not in the cache and cannot be read from here
    remote_failed: str = ""
    commits: list[Held] = field(default_factory=list)
    others: list[Held] = field(default_factory=list)  # commits that are not known to hold them, but not all was here
    there: frozenset[str] | None = None  # the files of the remote; None where there is none, or it did not answer
    in_git: dict[str, int] = field(default_factory=dict)  # files of Git that name them, and in how many commits
    n_commits: int = 0
    is_shallow: bool = False


def find(given: str) -> Holders:
    """Where somebody still is, by raw id or hash. Nothing is changed."""
    from flywheel.data import tombstones

    name = forget.check_name(given)
    key = forget.key_of(turn.as_before(lambda _: None).params)
    stones, candidates = tombstones.read(), forget.persons(name, key)
    done = next((one for one in candidates if forget.has_stone(one, stones)), None)
    meant = [done] if done else candidates
    people = tombstones.People(frozenset().union(*(one.people.tombstones for one in meant)), key)
    hashes = [one.hashed for one in meant]
    found = Holders(hashes, done is not None)
    with pipeline.opened() as repo:
        cache = Path(repo.cache.legacy.path)
        names = dict(_objects(cache))
        found.cache = sorted(md5 for md5, path in names.items() if holds(path, people, hashes))
        held, known = set(found.cache), set(names)
        folder = _look_at_remote(repo, found, held, known, people)
    _look_at_commits(found, held | set(found.remote), known, [cache, *([folder] if folder else [])])
    _look_at_git(found)
    return found


def purge(given: str) -> Holders:
    """Delete the files of cache and remote that hold somebody who was forgotten; returns what there was.

    DataError when they are not forgotten, or the data here still has them. The remote goes first: the cache is what tells
    which files these are, so a purge that is cut short can be done again.
    """
    from flywheel.data.forgetting import remaining
    from flywheel.data.tombstones import People, tombstone

    found = find(given)
    if not found.is_forgotten:
        raise DataError("this person is not forgotten yet, so their data would come back. First: flywheel forget USER")
    key = forget.key_of(turn.as_before(lambda _: None).params)
    people = People(frozenset(tombstone(one, key) for one in found.hashes), key)
    left = remaining(people)
    if left:
        raise DataError(f"{left[0]} still has this person, so nothing was deleted. Finish first: flywheel forget USER")
    if found.remote_failed:
        raise RemoteError(f"{found.remote_failed} Nothing was deleted; purge again once it answers.")
    with pipeline.opened() as repo:
        if found.remote:
            remote = _remote(repo)
            _asked(found.remote_name, lambda: [remote.delete(md5) for md5 in found.remote])
        for md5 in found.cache:
            for path in _places(Path(repo.cache.legacy.path), md5):
                path.unlink(missing_ok=True)
    return found


def holds(path: Path, people: People, hashes: Sequence[str]) -> bool:
    """Whether a file has one of them: in the columns of a table that say who somebody is, or anywhere in another file."""
    import pyarrow as pa

    with path.open("rb") as file:
        start = file.read(len(PARQUET))
    if start == PARQUET:
        try:
            names = [name for name in WHO if name in files.read_names(path)]
            table = files.read_table(path, names) if names else None
            return table is not None and any(people.among(table[name]).any() for name in names)
        except (DataError, pa.ArrowInvalid):
            pass  # it is damaged: its bytes are looked at
    content = path.read_bytes()
    return any(one.encode() in content for one in hashes)


def _objects(cache: Path) -> Iterator[tuple[str, Path]]:
    """The files of a cache, by their names."""
    for path in sorted(cache.glob("**/??/*")):
        if objects.is_object(path) and path.is_file():
            yield path.parent.name + path.name, path


def _places(cache: Path, md5: str) -> list[Path]:
    return [path for path in (objects.place(cache, md5), cache / md5[:2] / md5[2:]) if path.is_file()]


def _look_at_remote(repo: Any, found: Holders, held: set[str], known: set[str], people: People) -> Path | None:
    """Which files of the remote hold them: those that do in the cache, and those that do in a remote that is a folder, which
    is returned."""
    found.remote_name = repo.config["core"].get("remote")
    if not found.remote_name:
        return None
    try:
        remote = _asked(found.remote_name, lambda: _remote(repo))
        there = _asked(found.remote_name, lambda: sorted(set(remote.all())))
    except RemoteError as error:
        found.remote_failed = str(error)
        return None
    others = [md5 for md5 in there if md5 not in known]
    is_folder = remote.fs.protocol == "local"
    if is_folder:
        here = {md5: Path(remote.oid_to_path(md5)) for md5 in others}
        held = held | {md5 for md5, path in here.items() if holds(path, people, found.hashes)}
        known |= set(others)
    else:
        found.remote_unknown = sum(not md5.endswith(".dir") for md5 in others)
    found.there = frozenset(there)
    found.remote = [md5 for md5 in there if md5 in held]
    return Path(remote.path).parents[1] if is_folder else None


def _remote(repo: Any) -> Any:
    return repo.cloud.get_remote_odb()


def _asked(name: str | None, ask: Callable[[], Any]) -> Any:
    try:
        return ask()
    except FileNotFoundError:
        return []
    except Exception as error:  # each kind of remote has errors of its own
        raise RemoteError(f"the DVC remote '{name}' did not answer: {chain(error)}.") from None


def _look_at_commits(found: Holders, held: set[str], known: set[str], stores: Sequence[Path]) -> None:
    """The commits of all branches and tags whose `dvc.lock` names files that hold them, the latest first."""
    commits = git.run("rev-list", "--all").split()
    found.n_commits = len(commits)
    found.is_shallow = git.run("rev-parse", "--is-shallow-repository").strip() == "true"
    asked = "".join(f"{sha}:{LOCK}\n" for sha in commits).encode()
    answers = git.text(git.ask("cat-file", "--batch-check", sent=asked)[1]).splitlines()
    tags: dict[str, list[str]] = {}
    shown = git.run("for-each-ref", "refs/tags", "--format=%(objectname) %(*objectname) %(refname:short)")
    for line in shown.splitlines():
        of, name = line.rsplit(" ", 1)
        tags.setdefault(of.split()[-1], []).append(name)
    by_lock: dict[str, tuple[int, int, int]] = {}
    for sha, answer in zip(commits, answers, strict=True):
        if answer.endswith("missing"):
            continue
        lock = answer.split()[0]
        if lock not in by_lock:
            named = _files_of(sha, stores)
            missing = named - known - held
            gone = missing - found.there if found.there is not None else set()
            by_lock[lock] = len(named & held), len(missing - gone), len(gone)
        one = Held(sha[:10], tags.get(sha, ()), *by_lock[lock])
        if one.files:
            found.commits.append(one)
        elif one.unknown or one.gone:
            found.others.append(one)


def _files_of(sha: str, stores: Sequence[Path]) -> set[str]:
    """The files in `data/` that the lock of a commit names; for a folder of which no store has the list, that list."""
    try:
        stages = locked_stages(Commit(sha).yaml(LOCK))
    except DataError:  # a lock in the middle of a merge: a run never leaves one
        return set()
    made = [out["md5"] for stage in stages.values() for out in stage.get("outs", []) if out["path"].startswith("data/")]
    named: set[str] = set()
    for md5 in made:
        lists = (objects.listing(store, md5) for store in stores) if md5.endswith(".dir") else ()
        listed = next((one for one in lists if one is not None), None)
        named |= {md5} if listed is None else set(listed.values())
    return named


def _look_at_git(found: Holders) -> None:
    """The files of Git that have one of the hashes in any commit: history that only rewriting Git can change."""
    commits = git.run("rev-list", "--all").split()
    patterns = [part for one in found.hashes for part in ("-e", one)]
    places = [ANNOTATIONS.as_posix(), "docs", files.REPORTS.as_posix()]
    for first in range(0, len(commits), AT_ONCE):
        some = commits[first : first + AT_ONCE]
        _, out, _ = git.ask("grep", "-l", "-F", *patterns, *some, "--", *places)
        for line in git.text(out).splitlines():
            path = line.split(":", 1)[1]
            found.in_git[path] = found.in_git.get(path, 0) + 1


def in_words(found: Holders, is_purged: bool = False) -> list[str]:
    """What was found, and what to do about it, line by line."""
    if is_purged:
        return _purged(found)
    said = []
    if found.is_shallow:
        said.append("unknown   this clone has not all commits: git fetch --unshallow --tags")
    for one in found.commits:
        said.append(f"commit    {_named(one)}: {_count(one.files, 'file')} of its data still {_hold(one.files)} them")
    if not found.commits:
        said.append(f"commits   of {found.n_commits}, none is known to have data that holds them")
    unknown = [one for one in (*found.commits, *found.others) if one.unknown]
    for one in unknown[:LISTED]:
        said.append(f"unknown   {_named(one)}: {_count(one.unknown, 'file')} of its data could not be checked")
    if len(unknown) > LISTED:
        said.append(f"unknown   and {_count(len(unknown) - LISTED, 'more commit')}")
    if unknown or found.remote_unknown:
        where = "" if found.there is None else f" They are on the remote '{found.remote_name}'."
        said.append(f"          The cache lacks them.{where} Fetch them, then look again: dvc fetch --all-commits")
    n_gone = sum(one.gone > 0 for one in (*found.commits, *found.others))
    if n_gone:
        said.append(
            f"gone      files of the data of {_count(n_gone, 'commit')} are neither in the cache nor on the remote: purged, or "
            "in another clone"
        )
    said.append(f"cache     {_count(len(found.cache), 'file')} that {_hold(len(found.cache))} them")
    if found.remote_failed:
        said.append(f"remote    could not be checked: {found.remote_failed}")
    elif found.remote_name:
        also = f"; {_count(found.remote_unknown, 'file')} could not be checked" if found.remote_unknown else ""
        said.append(
            f"remote    '{found.remote_name}': {_count(len(found.remote), 'file')} that {_hold(len(found.remote))} them{also}"
        )
    said += [
        f"git       {path} names them in {_count(n, 'commit')}; only a new history takes that back (git filter-repo)"
        for path, n in sorted(found.in_git.items())
    ]
    return said + _commands(found)


def _commands(found: Holders) -> list[str]:
    if not found.is_forgotten:
        return ["first     flywheel forget USER, then commit; what is purged before comes back with the next run"]
    if not (found.cache or found.remote):
        return ["purge     nothing to do here; other clones and caches of CI have their own copies"]
    collected = ["dvc gc --workspace --force"]
    if found.remote_name:
        collected.append(f"dvc gc --workspace --cloud --remote {found.remote_name} --force")
    return [
        "purge     flywheel forget USER --purge",
        "          deletes just these files, from the cache and the remote. Do it in every clone. Or with DVC alone, which",
        "          deletes all versions of all data but the one that is here:",
        *(f"          {command}" for command in collected),
    ]


def _purged(found: Holders) -> list[str]:
    said = [f"cache     {_count(len(found.cache), 'file')} deleted"]
    if found.remote_name:
        said.append(f"remote    '{found.remote_name}': {_count(len(found.remote), 'file')} deleted")
    if found.remote_unknown:
        said.append(
            f"unknown   {_count(found.remote_unknown, 'file')} of the remote could not be checked, because the cache lacks "
            "them: dvc fetch --all-commits, then purge again"
        )
    said += [f"git       {path} names them in {_count(n, 'commit')}" for path, n in sorted(found.in_git.items())]
    return [*said, "          Versions that had these files cannot be restored as they were; a run makes them again."]


def _named(one: Held) -> str:
    return f"{one.commit} ({', '.join(one.tags)})" if one.tags else one.commit


def _hold(n: int) -> str:
    return "holds" if n == 1 else "hold"


def _count(n: int, word: str) -> str:
    return f"{n:,} {word}{'' if n == 1 else 's'}"
