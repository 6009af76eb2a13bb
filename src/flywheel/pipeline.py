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


@contextlib.contextmanager
def alone() -> Iterator[None]:
    """Hold the lock of this folder, so that two commands never move the clock or the results under each other."""
    files.LOCAL.mkdir(exist_ok=True)
    with (files.LOCAL / "lock").open("w", encoding="utf-8") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise DataError("another flywheel command is at work in this folder. Wait for it to end.") from None
        yield


def run(force: bool = False) -> tuple[bool, float]:
    """Bring the pipeline up to date; returns whether anything ran, and the seconds it took.

    A clone without data runs every stage, also those whose results are in Git: that is the proof that they can be made
    again. Later runs do only what is stale.
    """
    started = time.perf_counter()
    os.environ.setdefault("DVC_NO_ANALYTICS", "1")
    # Stages run `python`: it must be this one, also where the environment is not activated.
    os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # threads that wait leave the cores to others
    files.CHAMPION.mkdir(parents=True, exist_ok=True)
    everything = force or not files.FEATURES.exists()
    repo = _open()
    try:
        if not everything and not _call(repo.status):
            return False, time.perf_counter() - started
        _call(repo.reproduce, force=everything)
    finally:
        repo.close()
    return True, time.perf_counter() - started


def _open() -> Any:
    from dvc.exceptions import NotDvcRepoError
    from dvc.repo import Repo

    logging.getLogger("dvc").setLevel(logging.ERROR)  # each stage says one line of its own
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
