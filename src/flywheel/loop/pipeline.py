"""Run the pipeline of `dvc.yaml` with DVC, in this process."""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from flywheel import files, git
from flywheel.errors import FAILURE, ConfigError, DataError, FlywheelError, RemoteError, chain
from flywheel.loop import lockfile, objects, warm
from flywheel.model.memo import OFF, SWITCH

FAILED = files.LOCAL / "failed.json"
UNSAVED = "unsaved files"  # in what DVC says; it has no error of its own for it


class StageFailed(FlywheelError):
    """A stage ended with an error; `stage` is its name, None if it was killed before it could say."""

    def __init__(self, message: str, exit_code: int = 1, stage: str | None = None) -> None:
        """Say `message` and exit with the stage's own code."""
        super().__init__(message)
        self.exit_code = exit_code
        self.stage = stage


def in_the_root() -> None:
    """ConfigError where this folder is not the root of a Flywheel repository, before anything is made in it."""
    if files.PIPELINE.exists():
        return
    here = Path.cwd()
    root = next((folder for folder in here.parents if (folder / files.PIPELINE).exists()), None)
    change = f"cd {root}" if root else "change to it"
    raise ConfigError(f"there is no {files.PIPELINE} in {here}. Run flywheel in the root of the repository: {change}")


@contextlib.contextmanager
def alone() -> Iterator[None]:
    """Hold this folder's lock, so that two commands never change the clock or the results at the same time.

    What a killed one left of its temporary files is removed: nobody else would, and a read of a large source leaves much. What
    a process at work writes stays: there are commands that need no lock.
    """
    in_the_root()
    files.LOCAL.mkdir(exist_ok=True)
    with (files.LOCAL / "lock").open("w", encoding="utf-8") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise DataError("another flywheel command is running in this folder. Wait for it to end.") from None
        files.drop_abandoned()
        yield


def run(force: bool = False, verify: bool = False, say: Callable[[str], object] = print) -> tuple[bool, float]:
    """Bring the pipeline up to date; returns whether anything ran, and the seconds it took.

    A clone without data runs every stage, even those whose results are in Git: that proves that they can be made
    again. Later runs do only what is stale. With `verify`, training and all that follows from it run in any case: what
    is committed is then measured, not believed, and neither is data that is not what `dvc.lock` says, nor a fit that was kept.
    """
    started = time.perf_counter()
    finish_correction(say)
    with _at_work() as repo, _without_memo() if verify else contextlib.nullcontext():
        if verify:
            _distrust(repo, say)
        everything = force or not files.FEATURES.exists()
        if everything or not verify:
            ran = _call(repo.reproduce, force=everything)
        else:
            _call(repo.reproduce, targets="monitor")
            ran = _call(repo.reproduce, targets="train", downstream=True, force=True)
    return bool(ran), time.perf_counter() - started


def finish_correction(say: Callable[[str], object] = print) -> None:
    """Carry a correction of history through that was cut short, or throw away what was never whole; forgetting is one, too."""
    if files.BACKFILL.exists():
        from flywheel.data.corrections import finish

        done = finish()
        if done is not None:
            say(f"backfill  the correction of {done['first']} to {done['last']} was cut short, and is complete now")
    if files.FORGET.exists():
        from flywheel.data import forgetting

        if forgetting.finish():
            say("forget    taking people out of the days was cut short, and is complete now")
    if files.FORGOTTEN.exists():
        from flywheel.loop.mentions import finish as leave_out

        for path in leave_out():
            say(f"forget    {path} named people who were forgotten, and does not any more")


def is_current() -> bool:
    """Whether all results are those of the data, the code and the parameters that are here."""
    with opened() as repo:
        return files.FEATURES.exists() and not _call(repo.status)


def cache() -> Path:
    """Where DVC keeps what it was given."""
    with opened() as repo:
        return Path(repo.cache.legacy.path)


def run_until(stage: str) -> float:
    """Bring one stage, and what it needs, up to date; returns the seconds it took."""
    started = time.perf_counter()
    finish_correction()
    with _at_work() as repo:
        _call(repo.reproduce, targets=stage)
    return time.perf_counter() - started


def restore(say: Callable[[str], object] = print) -> str:
    """Bring the data of `dvc.lock` here, from the cache and, where one is configured, from the DVC remote.

    Data that neither of them has is left out, and so is a file whose bytes are not what its name says: a run makes them again.
    Returns a sentence that says how much came, and from where. RemoteError when the remote cannot be reached; DataError when
    something is here that no run has followed yet, because it would be lost.
    """
    finish_correction(say)
    with opened() as repo:
        _clean_cache(repo, say)
        remote = repo.config["core"].get("remote")
        if remote:
            _fetch(repo, remote)
            _clean_cache(repo, say)
        _checkout(repo)
        outs = [out for stage in repo.index.stages for out in stage.outs if out.use_cache]
        n_here = sum(1 for out in outs if out.exists)
    source = f"the remote '{remote}' and the cache" if remote else "the cache"
    again = "" if n_here == len(outs) else "; a run makes the rest again"
    return f"{n_here} of {len(outs)} data folders are here, from {source}{again}"


def _checkout(repo: Any) -> None:
    """Let `data/` be what `dvc.lock` says. DataError where that would delete what DVC does not hold: it says only which."""
    try:
        _call(repo.checkout, allow_missing=True, force=False)
    except DataError as error:
        if UNSAVED not in str(error):
            raise
        raise DataError(
            "data/ holds what no run has followed yet, such as new days or a correction; to restore now would lose it, so "
            "nothing was changed. Finish the run first: flywheel run"
        ) from None


def _fetch(repo: Any, remote: str) -> None:
    """Fetch from the DVC remote. What it lacks is no error: DVC cannot tell an empty remote from a dead one."""
    from dvc.exceptions import DownloadError

    for attempt in range(3):
        try:
            repo.fetch()
            return
        except ImportError as error:
            raise ConfigError(
                f"the DVC remote '{remote}': {error}. Add it to the dependencies in pyproject.toml, then: make setup"
            ) from None
        except DownloadError:
            if attempt == 2:
                return
        except Exception as error:  # each kind of remote has errors of its own
            if attempt == 2:
                raise RemoteError(
                    f"the DVC remote '{remote}' did not give the data in 3 tries: {chain(error)}. "
                    "Look at its address and credentials, or remove it: dvc remote remove"
                ) from None
        time.sleep(2**attempt)


def _clean_cache(repo: Any, say: Callable[[str], object]) -> None:
    n = objects.clean_cache(Path(repo.cache.legacy.path))
    if n:
        say(f"cache     {n} {'object was' if n == 1 else 'objects were'} not what the name says, and dropped")


def _distrust(repo: Any, say: Callable[[str], object]) -> None:
    """Drop from cache and `data/` what is neither what `dvc.lock` says nor a correction that no run has followed yet."""
    _clean_cache(repo, say)
    outs = [out for stage in repo.index.stages for out in stage.outs if out.use_cache and out.hash_info]
    held = [(Path(out.fs_path).relative_to(Path(repo.root_dir)), out.hash_info.value) for out in outs]
    cache = Path(repo.cache.legacy.path)
    events = dict(held).get(files.EVENTS)
    listed = objects.listing(cache, events) if events else None
    corrected = _corrected(listed, cache) if events else {}
    if corrected:
        n = len(corrected) - 1  # the record is one of them
        say(f"data      kept as corrected, which no run has followed yet: {n} {'file' if n == 1 else 'files'} of days")
    dropped = objects.clean_workspace(held, cache, corrected)
    if listed is not None and files.CORRECTIONS.name not in listed and objects.has(cache, files.CORRECTIONS):
        files.CORRECTIONS.unlink()  # of a later commit; the cache keeps it
        dropped.append(files.CORRECTIONS)
    if dropped:
        from flywheel.data.collection import LEDGER
        from flywheel.data.corrections import agree

        ledger = (listed or {}).get(LEDGER.name)
        agree(dropped, objects.place(cache, ledger) if ledger else None)
        named = ", ".join(map(str, dropped[:3])) + (f" and {len(dropped) - 3} more" if len(dropped) > 3 else "")
        say(f"data      not what dvc.lock says, so it is dropped: {named}")


def _corrected(listed: Mapping[str, str] | None, cache: Path) -> dict[Path, str]:
    """The files that were corrected since `dvc.lock`, which has the files `listed`, with the digests recorded of them.

    None where a run has followed the correction, for then the cache holds its record: the lock is that of an earlier commit.
    """
    if not files.CORRECTIONS.exists() or objects.has(cache, files.CORRECTIONS):
        return {}
    from flywheel.data.corrections import since

    name = (listed or {}).get(files.CORRECTIONS.name)
    return since(objects.place(cache, name) if name else None)


def quiet() -> None:
    """Let DVC print only errors: each stage prints one line of its own."""
    logging.getLogger("dvc").setLevel(logging.ERROR)


@contextlib.contextmanager
def opened() -> Iterator[Any]:
    """DVC's repository of this folder, as `dvc.repo.Repo`; it is closed afterwards. ConfigError where there is none."""
    # Refuses a folder without Git, of which DVC would only say that something is missing.
    git.run("rev-parse", "--git-dir")
    os.environ.setdefault("DVC_NO_ANALYTICS", "1")
    # Stages run `python`: it must be this one, even if the environment is not activated.
    os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # waiting threads leave the cores to others
    os.environ.setdefault(
        "OPENBLAS_NUM_THREADS", "1"
    )  # its matrices are small, and its threads wait for each other at work
    files.LOCAL.mkdir(exist_ok=True)
    os.environ[FAILURE] = str(FAILED.resolve())
    files.CHAMPION.mkdir(parents=True, exist_ok=True)
    files.ANNOTATIONS.mkdir(exist_ok=True)  # Git keeps no empty folder, and most projects have nothing in it
    repo = _open()
    try:
        yield repo
    finally:
        repo.close()


@contextlib.contextmanager
def _at_work() -> Iterator[Any]:
    """The repository, where DVC loads the libraries of the stages once, and writes of `dvc.lock` only what has changed."""
    with opened() as repo, warm.stages(), lockfile.a_stage_at_a_time():
        yield repo


@contextlib.contextmanager
def _without_memo() -> Iterator[None]:
    before = os.environ.get(SWITCH)
    os.environ[SWITCH] = OFF
    try:
        yield
    finally:
        if before is None:
            del os.environ[SWITCH]
        else:
            os.environ[SWITCH] = before


def _open() -> Any:
    from dvc.exceptions import DvcException, NotDvcRepoError
    from dvc.repo import Repo

    quiet()
    try:
        return Repo()
    except NotDvcRepoError:
        raise ConfigError("there is no .dvc/ here. Restore it with: git checkout .dvc") from None
    except DvcException as error:
        raise ConfigError(f"DVC cannot be used here: {chain(error)}. Fix it, then run again.") from None


def _call(function: Any, **arguments: Any) -> Any:
    """Call DVC; an error of a stage or of DVC itself is raised as one of ours."""
    from dvc.exceptions import DvcException

    FAILED.unlink(missing_ok=True)
    try:
        return function(**arguments)
    except DvcException as error:
        raise _failure(error) from None


def _failure(error: BaseException) -> FlywheelError:
    """What went wrong: the error that the stage left in a file, else all that DVC knows, in one sentence."""
    from dvc.stage.exceptions import StageCmdFailedError

    if FAILED.exists():
        left = files.read_json(FAILED)
        FAILED.unlink()
        return StageFailed(f"{left['stage']}: {left['message']}", left["exit_code"], left["stage"])
    at: BaseException | None = error
    while at is not None:
        if isinstance(at, StageCmdFailedError):
            return StageFailed(
                f"the run was cut short: {chain(error)}. See above for what the stage said; if it said nothing, it was killed, "
                "perhaps for lack of memory. Run again: nothing is lost."
            )
        at = at.__cause__
    return DataError(f"DVC stopped: {chain(error)}. Fix it and run again.")
