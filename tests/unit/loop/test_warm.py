"""Stages run in forks of one process that has loaded the libraries, and nobody could tell but by the time."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from flywheel.errors import ConfigError
from flywheel.loop import pipeline, warm
from tests.planted import ROOT

pytestmark = pytest.mark.slow  # processes


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder in which the process is started; modules in it can be run."""
    before, folder = Path.cwd(), tmp_path_factory.mktemp("warm")
    os.chdir(folder)
    yield folder
    os.chdir(before)


@pytest.fixture(scope="module")
def server(place: Path) -> Iterator[warm.Server]:
    """One process for all tests, as for all stages."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(ROOT / "src"))
        started = warm.Server()
    yield started
    started.close()


def run(server: warm.Server, place: Path, code: str, **environment: str) -> int:
    """The exit code of some lines of code, run as the module `planted`."""
    (place / "planted.py").write_text(f"import json, os, signal, sys\n{code}\n")
    return server.run("planted", str(place), dict(os.environ) | environment)


def told(server: warm.Server, place: Path, expression: str, **environment: str) -> object:
    """What an expression is there."""
    assert 0 == run(server, place, f"open('told', 'w').write(json.dumps({expression}))", **environment)
    return json.loads((place / "told").read_text())


def test_a_stage_sees_what_python_would_show_it(server: warm.Server, place: Path) -> None:
    """Its name, folder and environment, and nothing of this process's."""
    assert ["__main__", [str(place / "planted.py")]] == told(server, place, "[__name__, sys.argv]")
    assert "there" == told(server, place, "os.environ['ONE']", ONE="there")
    assert False is told(server, place, "'ONE' in os.environ")
    (place / "below").mkdir()
    (place / "planted.py").write_text("import os\nopen('told', 'w').write(os.getcwd())")
    assert 0 == server.run("planted", str(place / "below"), dict(os.environ))
    assert str(place / "below") == (place / "below/told").read_text()


def test_the_libraries_are_there_and_nothing_of_the_stage_before(server: warm.Server, place: Path) -> None:
    """It is a process of its own; of one thread, so nothing that a fork would lose."""
    assert [True, False, 1] == told(
        server, place, "['pandas' in sys.modules, hasattr(sys, 'left'), len(os.listdir('/proc/self/task'))]"
    )
    first = told(server, place, "os.getpid()")
    assert 0 == run(server, place, "sys.left = 1")
    assert False is told(server, place, "hasattr(sys, 'left')")
    assert first != told(server, place, "os.getpid()")


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("", 0),
        ("sys.exit(4)", 4),
        ("raise ValueError('planted')", 1),
        ("os.kill(os.getpid(), 9)", -9),
        ("signal.signal(2, signal.default_int_handler); os.kill(os.getpid(), 2)", -2),  # else a shell's & ignores it
    ],
)
def test_the_exit_code_is_the_stages(
    server: warm.Server, place: Path, capfd: pytest.CaptureFixture[str], code: str, expected: int
) -> None:
    """Also of one that was killed, or stopped with ^C; and the next one runs."""
    assert expected == run(server, place, code)
    assert 0 == run(server, place, "")


def test_it_ends_with_who_asked(place: Path) -> None:
    """A run that is killed leaves no process behind."""
    code = "import time\nfrom flywheel.loop import warm\nserver = warm.Server()\nserver.run('json', '.', {})\ntime.sleep(60)"
    env = os.environ | {"PYTHONPATH": str(ROOT / "src")}
    asks = subprocess.Popen([sys.executable, "-c", code], env=env)
    deadline = time.monotonic() + 60
    while not (started := psutil.Process(asks.pid).children()):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    os.kill(asks.pid, signal.SIGKILL)
    asks.wait()
    assert [] == psutil.wait_procs(started, timeout=60)[1]


def test_dvc_runs_stages_so_and_other_commands_in_a_shell(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error of a stage is the same as ever; a shell that writes its commands down has not seen the stage."""
    from dvc.repo import Repo

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(ROOT / "src"))
    subprocess.run(["git", "init", "-q"], check=True)
    Repo.init(no_scm=True).close()
    shell = tmp_path / "shell"
    shell.write_text(f'#!/bin/sh\necho "$2" >> {tmp_path}/said\nexec /bin/sh "$@"\n')
    shell.chmod(0o755)
    monkeypatch.setenv("SHELL", str(shell))
    stages = {"collect": "touch arrived", "gate": "python -m flywheel.stages.gate"}
    Path("dvc.yaml").write_text("stages:\n" + "".join(f"  {name}:\n    cmd: {cmd}\n" for name, cmd in stages.items()))
    with pytest.raises(pipeline.StageFailed, match=r"^gate: .*params\.yaml") as caught:
        pipeline.run()
    assert ("gate", ConfigError.exit_code) == (caught.value.stage, caught.value.exit_code)
    assert "touch arrived\n" == (tmp_path / "said").read_text()
