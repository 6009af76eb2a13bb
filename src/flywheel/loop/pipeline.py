"""Run the pipeline of `dvc.yaml` with DVC, in this process."""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from flywheel import files
from flywheel.errors import ConfigError, DataError, FlywheelError


class StageFailed(FlywheelError):
    """A stage ended with an error of its own, which it has said already."""

    def __init__(self, message: str, exit_code: int) -> None:
        """Say `message` and exit with the stage's own code."""
        super().__init__(message)
        self.exit_code = exit_code


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
    """Hold the lock of this folder, so that two commands never move the clock or the results under each other."""
    in_the_root()
    files.LOCAL.mkdir(exist_ok=True)
    with (files.LOCAL / "lock").open("w", encoding="utf-8") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise DataError("another flywheel command is at work in this folder. Wait for it to end.") from None
        yield


def run(force: bool = False, verify: bool = False) -> tuple[bool, float]:
    """Bring the pipeline up to date; returns whether anything ran, and the seconds it took.

    A clone without data runs every stage, also those whose results are in Git: that is the proof that they can be made
    again. Later runs do only what is stale. With `verify`, training and all that follows from it run in any case: what
    is committed is then measured, not believed.
    """
    started = time.perf_counter()
    everything = force or not files.FEATURES.exists()
    with _repository() as repo:
        if not everything and not verify and not _call(repo.status):
            return False, time.perf_counter() - started
        if everything or not verify:
            _call(repo.reproduce, force=everything)
        else:
            _call(repo.reproduce, targets="monitor")
            _call(repo.reproduce, targets="train", downstream=True, force=True)
    return True, time.perf_counter() - started


def run_until(stage: str) -> float:
    """Bring one stage, and what it needs, up to date; returns the seconds it took."""
    started = time.perf_counter()
    with _repository() as repo:
        _call(repo.reproduce, targets=stage)
    return time.perf_counter() - started


def restore() -> str:
    """Bring the data of `dvc.lock` here, from the cache and, where one is configured, from the DVC remote.

    What is nowhere is left out: a run makes it again. Says what came. DataError when the remote cannot be reached.
    """
    with _repository() as repo:
        remote = repo.config["core"].get("remote")
        if remote:
            for attempt in range(3):
                try:
                    _call(repo.fetch)
                    break
                except ImportError as error:
                    raise ConfigError(
                        f"the DVC remote '{remote}': {error}. Add it to the dependencies in pyproject.toml, then: make setup"
                    ) from None
                except DataError as error:
                    # What the remote lacks can be collected again; a remote that does not answer may come back.
                    if "missing" in str(error).lower():
                        break
                    if attempt == 2:
                        raise DataError(
                            f"the DVC remote '{remote}' did not give the data in 3 tries: {error} "
                            "Look at its address and credentials, or remove it: dvc remote remove"
                        ) from None
                    time.sleep(2**attempt)
        _call(repo.checkout, allow_missing=True, force=False)
        here = [out for stage in repo.index.stages for out in stage.outs if out.use_cache and out.exists]
        n = sum(1 for stage in repo.index.stages for out in stage.outs if out.use_cache)
    source = f"the remote '{remote}' and the cache" if remote else "the cache"
    again = (
        "" if len(here) == n else "; a run makes the others again"
    )  # DVC does not tell an empty remote from a dead one
    return f"{len(here)} of {n} data folders are here, from {source}{again}"


def quiet() -> None:
    """Let DVC say nothing but errors: each stage says one line of its own."""
    logging.getLogger("dvc").setLevel(logging.ERROR)


@contextlib.contextmanager
def _repository() -> Iterator[Any]:
    os.environ.setdefault("DVC_NO_ANALYTICS", "1")
    # Stages run `python`: it must be this one, also where the environment is not activated.
    os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # threads that wait leave the cores to others
    files.CHAMPION.mkdir(parents=True, exist_ok=True)
    repo = _open()
    try:
        yield repo
    finally:
        repo.close()


def _open() -> Any:
    from dvc.exceptions import NotDvcRepoError
    from dvc.repo import Repo

    quiet()
    try:
        return Repo()
    except NotDvcRepoError:
        raise ConfigError(
            "This is not the root of a Flywheel repository: there is no .dvc/ here. Change to it."
        ) from None


def _call(function: Any, **arguments: Any) -> Any:
    from dvc.exceptions import DvcException
    from dvc.stage.exceptions import StageCmdFailedError

    try:
        return function(**arguments)
    except DvcException as error:
        cause: BaseException | None = error
        while cause is not None:
            if isinstance(cause, StageCmdFailedError):
                status = int(str(cause).rsplit(" ", 1)[-1]) if "exited with" in str(cause) else 1
                raise StageFailed(f"the run stopped: {cause}. Mend it and run again.", abs(status)) from None
            cause = cause.__cause__
        raise DataError(f"DVC could not go on: {error}. Mend it and run again.") from None
