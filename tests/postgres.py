"""A PostgreSQL of one's own for tests: the programs of the package pgserver, on a free port of loopback, with passwords."""

from __future__ import annotations

import importlib.util
import os
import shutil
import socket
import subprocess
import tempfile
from pathlib import Path

USER, PASSWORD = "flywheel", "s3cret/of:the@server"
SETTINGS = "fsync=off full_page_writes=off max_connections=20 unix_socket_directories="


def programs() -> Path | None:
    """The folder with initdb, pg_ctl and postgres; None where the package is not there."""
    spec = importlib.util.find_spec("pgserver")
    return Path(spec.origin).parent / "pginstall/bin" if spec is not None and spec.origin is not None else None


class Postgres:
    """A server whose data is in a temporary folder. PostgreSQL refuses to run as root: there it runs as nobody."""

    def __init__(self) -> None:
        """Make the data, and start."""
        self.folder = Path(tempfile.mkdtemp(prefix="postgres-"))
        is_root = os.geteuid() == 0
        self._person = {"user": "nobody", "group": "nogroup", "extra_groups": []} if is_root else {}
        found = programs()
        assert found is not None
        self._programs = found
        if is_root:  # nobody may not look into everyone's folders
            packages = found.parents[2]
            for name in ("pgserver/pginstall", "pgserver.libs"):
                shutil.copytree(packages / name, self.folder / "packages" / name)
            self._programs = self.folder / "packages/pgserver/pginstall/bin"
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        (self.folder / "password").write_text(PASSWORD)
        if is_root:
            subprocess.run(["chown", "-R", "nobody:nogroup", str(self.folder)], check=True)
        self._do(
            "initdb", "-U", USER, "--pwfile", "../password", "-A", "scram-sha-256", "-E", "UTF8", "--no-sync", "-D", "."
        )
        self.start()

    def start(self) -> None:
        """Start it, and wait until it answers."""
        given = [f"-c {one}" for one in SETTINGS.split()]
        options = " ".join([f"-h 127.0.0.1 -p {self.port}", *given])
        self._do("pg_ctl", "-D", ".", "-w", "-l", "../log", "-o", options, "start")

    def stop(self, how: str = "immediate") -> None:
        """Stop it at once, as if the power was cut."""
        self._do("pg_ctl", "-D", ".", "-w", "-m", how, "stop")

    def close(self) -> None:
        """Stop it, and delete its folder."""
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def address(self, password: str = PASSWORD) -> str:
        """Its address, with the password in it."""
        from urllib.parse import quote

        return f"postgresql://{USER}:{quote(password, safe='')}@127.0.0.1:{self.port}/postgres"

    def _do(self, name: str, *arguments: str) -> None:
        home = self.folder / "data"
        if not home.exists():
            home.mkdir(mode=0o700)
            if self._person:
                shutil.chown(home, "nobody", "nogroup")
        done = subprocess.run(
            [str(self._programs / name), *arguments],
            cwd=home,
            stdout=subprocess.PIPE if name == "initdb" else subprocess.DEVNULL,
            stderr=subprocess.STDOUT,
            check=False,
            timeout=60,
            **self._person,
        )
        assert done.returncode == 0, f"{name}: {done.stdout!r} {log(self.folder)}"


def log(folder: Path) -> str:
    """What the server has written."""
    return (folder / "log").read_text() if (folder / "log").exists() else ""
