"""Run the stages in processes that need not load pandas first: forks of one process that has loaded it.

DVC starts a shell, and it `python -m flywheel.stages.NAME`, for each stage; eight of nine then load the same libraries, which
takes longer than the work of some. Here the first stage that has work to do starts one process that loads them, and each
stage is a fork of that. It is still a process of its own: what it loads, changes or leaks ends with it. `dvc repro` runs the
same stages as `dvc.yaml` has them.

This module is also that process: it is told over a socket what to run, a line of JSON a stage, and answers with the exit code.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import re
import runpy
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

STAGE = re.compile(r"python -m (flywheel\.stages\.\w+)")
LOADED = ("pandas", "pyarrow.parquet", "flywheel.params")  # nearly every stage uses them; the rest each loads itself
KILLED = -signal.SIGKILL


class Server:
    """The process that has loaded the libraries."""

    def __init__(self) -> None:
        """Start it in this folder, with this process's environment and output."""
        self._socket, theirs = socket.socketpair()
        with theirs:
            command = [sys.executable, "-m", __spec__.name, str(theirs.fileno())]
            self._process = subprocess.Popen(command, pass_fds=[theirs.fileno()])
        self._answers = self._socket.makefile(encoding="utf-8")

    def run(self, module: str, folder: str, environment: dict[str, str]) -> int:
        """Run a module as `python -m` does; returns its exit code, below zero the signal that ended it."""
        job = {"module": module, "folder": folder, "environment": environment}
        try:
            self._socket.sendall(f"{json.dumps(job)}\n".encode())
            answer = self._answers.readline()
        except OSError:
            answer = ""
        return int(answer) if answer else KILLED  # for lack of memory, perhaps, and the stage with it

    def close(self) -> None:
        """Let it end: nothing more will be asked."""
        self._answers.close()
        self._socket.close()
        self._process.wait()


@contextlib.contextmanager
def stages() -> Iterator[None]:
    """Let DVC, in this process, run stages so; whatever else stands in a `dvc.yaml` it runs in a shell, as always.

    Only on Linux: elsewhere a fork of a process with such libraries is not safe.
    """
    if sys.platform != "linux":
        yield
        return
    from dvc.stage import run

    in_a_shell = run._run
    servers: list[Server] = []

    def warm(executable: str, command: str, **how: Any) -> None:
        stage = STAGE.fullmatch(command)
        if not stage:
            in_a_shell(executable, command, **how)
            return
        if not servers:
            servers.append(Server())
        with _interrupted_as_the_stage_is():
            code = servers[0].run(stage[1], os.fspath(how["cwd"]), how["env"])
        if code:
            raise run.StageCmdFailedError(command, code)

    run._run = warm
    try:
        yield
    finally:
        run._run = in_a_shell
        for server in servers:
            server.close()


@contextlib.contextmanager
def _interrupted_as_the_stage_is() -> Iterator[None]:
    """While a stage runs, ^C is for the stage, and its exit code tells of it. As DVC does it."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def serve(asked: socket.socket) -> str:
    """Fork for each line; returns, in the fork, the module to run. Exits when nobody can ask any more."""
    interrupt = signal.signal(signal.SIGINT, signal.SIG_IGN)
    for name in LOADED:
        importlib.import_module(name)
    gc.collect()
    gc.freeze()  # a collection in a fork would touch, and so copy, all that is shared
    for line in asked.makefile(encoding="utf-8"):
        job = json.loads(line)
        stage = os.fork()
        if not stage:
            asked.close()
            signal.signal(signal.SIGINT, interrupt)
            os.chdir(job["folder"])
            os.environ.clear()
            os.environ.update(job["environment"])
            return str(job["module"])
        code = os.waitstatus_to_exitcode(os.waitpid(stage, 0)[1])
        try:
            asked.sendall(f"{code}\n".encode())
        except OSError:  # who asked was killed
            break
    sys.exit()


if __name__ == "__main__":
    runpy.run_module(serve(socket.socket(fileno=int(sys.argv.pop()))), run_name="__main__", alter_sys=True)
