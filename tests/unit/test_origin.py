"""Pushing to origin: all or nothing, never over somebody else's work, and errors that say what to fix."""

from __future__ import annotations

import base64
import http.server
import subprocess
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from flywheel import origin
from flywheel.errors import ConfigError, DataError, RemoteError
from flywheel.git import BOT


def run_git(folder: Path, *arguments: str) -> str:
    return subprocess.run(
        ["git", "-C", str(folder), *arguments], capture_output=True, text=True, check=True
    ).stdout.strip()


@pytest.fixture
def bare_origin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A bare repository; the working directory is a clone of it with one commit."""
    for name, value in BOT.items():
        monkeypatch.setenv(name, value)
    for name in ("GITHUB_TOKEN", "GH_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(origin, "PAUSE_S", 0.001)
    bare, work = tmp_path / "origin.git", tmp_path / "work"
    subprocess.run(["git", "init", "-q", "--bare", "-b", "main", str(bare)], check=True)
    subprocess.run(["git", "init", "-q", "-b", "main", str(work)], check=True)
    monkeypatch.chdir(work)
    run_git(work, "commit", "-q", "--allow-empty", "-m", "one")
    run_git(work, "remote", "add", "origin", str(bare))
    run_git(work, "push", "-q", "origin", "main")
    return bare


def commit(message: str) -> str:
    run_git(Path(), "commit", "-q", "--allow-empty", "-m", message)
    return run_git(Path(), "rev-parse", "HEAD")


def test_a_push_is_all_or_nothing(bare_origin: Path) -> None:
    """One ref that somebody else has moved keeps the other one back as well."""
    theirs = commit("theirs")
    run_git(Path(), "push", "-q", "origin", "HEAD:main")
    run_git(Path(), "reset", "-q", "--hard", "HEAD~1")
    mine = commit("mine")
    with pytest.raises(origin.Rejected, match="nothing was written") as error:
        origin.push(f"{mine}:refs/heads/new", f"{mine}:refs/heads/main")
    assert error.value.exit_code == RemoteError.exit_code == 5
    assert origin.refs("refs/heads/*") == {"refs/heads/main": theirs}


def test_a_push_that_is_rejected_is_not_tried_again(bare_origin: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Git also says that the remote hung up, but the answer would be the same."""
    run_git(Path(), "tag", "one")
    run_git(Path(), "push", "-q", "origin", "one")
    commit("two")
    run_git(Path(), "tag", "--force", "one")
    waited: list[float] = []
    monkeypatch.setattr("time.sleep", waited.append)
    with pytest.raises(origin.Rejected, match="nothing was written"):
        origin.push("refs/tags/one")
    assert waited == []


def test_a_claim_can_be_made_once(bare_origin: Path) -> None:
    """Also by the same commit again; when it is given back, it can be made once more."""
    head = run_git(Path(), "rev-parse", "HEAD")
    assert [origin.push_new("refs/flywheel/x", head) for _ in range(2)] == [True, False]
    assert origin.push_new("refs/flywheel/x", commit("other")) is False
    origin.delete("refs/flywheel/x")
    assert origin.refs("refs/flywheel/*") == {}
    assert origin.push_new("refs/flywheel/x", head) is True


def test_of_many_who_claim_one_succeeds(bare_origin: Path) -> None:
    """At the same moment, with the same commit."""
    head = run_git(Path(), "rev-parse", "HEAD")
    with ThreadPoolExecutor(6) as pool:
        made = list(pool.map(lambda _: origin.push_new("refs/flywheel/race", head), range(6)))
    assert sum(made) == 1


def test_without_origin_there_are_no_refs_and_no_push(bare_origin: Path) -> None:
    """Reading says nothing is there; writing says how to add it."""
    run_git(Path(), "remote", "remove", "origin")
    assert origin.refs("refs/*") == {}
    origin.fetch_tags()
    for call in (lambda: origin.push("HEAD:refs/heads/x"), lambda: origin.push_new("refs/x", "HEAD")):
        with pytest.raises(ConfigError, match="git remote add origin ADDRESS"):
            call()


def test_a_remote_that_cannot_be_reached_is_tried_three_times(bare_origin: Path, tmp_path: Path) -> None:
    """Then one sentence says so."""
    log = tmp_path / "log"
    run_git(Path(), "remote", "set-url", "origin", "http://127.0.0.1:9/o/r.git")
    run_git(Path(), "config", "alias.unused", "version")
    wrapper = tmp_path / "bin/git"
    wrapper.parent.mkdir()
    real = subprocess.run(["which", "git"], capture_output=True, text=True, check=True).stdout.strip()
    wrapper.write_text(f'#!/bin/sh\necho "$@" >> {log}\nexec {real} "$@"\n')
    wrapper.chmod(0o755)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", f"{wrapper.parent}:{Path(real).parent}", prepend=":")
        with pytest.raises(RemoteError, match=r"could not be reached in 3 tries"):
            origin.refs("refs/*")
    assert log.read_text().count("ls-remote") == 3


def test_a_rule_of_the_remote_is_named(bare_origin: Path) -> None:
    """A hook or ruleset that refuses is no conflict."""
    hook = bare_origin / "hooks/update"
    hook.write_text("#!/bin/sh\necho 'tags stay' >&2; exit 1\n")
    hook.chmod(0o755)
    with pytest.raises(ConfigError, match="does not allow this git push"):
        origin.push("HEAD:refs/heads/x")


def test_the_token_goes_to_the_server_alone(bare_origin: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As the password that it asks for; neither the command line nor the error has it."""
    asked: list[str] = []

    class Refusing(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.headers.get("Authorization", ""))
            self.send_response(401)
            self.send_header("WWW-Authenticate", 'Basic realm="x"')
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Refusing)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    run_git(Path(), "remote", "set-url", "origin", f"http://127.0.0.1:{server.server_port}/o/r.git")
    monkeypatch.setenv("GITHUB_TOKEN", "s3cret")
    commands: list[list[str]] = []
    run = subprocess.run
    monkeypatch.setattr(
        origin.subprocess, "run", lambda command, **more: (commands.append(command), run(command, **more))[1]
    )
    try:
        with pytest.raises(ConfigError, match="wrong, expired, or may not write") as error:
            origin.push("HEAD:refs/heads/x")
    finally:
        server.shutdown()
        server.server_close()
    sent = [base64.b64decode(one.removeprefix("Basic ")).decode() for one in asked if one]
    assert "x-access-token:s3cret" in sent
    assert "s3cret" not in str(error.value)
    assert commands
    assert all("s3cret" not in part for command in commands for part in command)


def test_an_origin_that_is_gone_is_a_remote_error(bare_origin: Path) -> None:
    """Whether it comes back is for the remote to say; the sentence shows where to look."""
    bare_origin.rename(bare_origin.with_name("moved.git"))
    with pytest.raises(RemoteError, match="git remote get-url origin"):
        origin.refs("refs/*")


def test_a_tag_that_differs_from_the_one_at_origin_is_named(bare_origin: Path) -> None:
    """Trying again does not help, so it is no remote error: the sentence says which tag to delete."""
    run_git(Path(), "tag", "model@v0.1.0")
    run_git(Path(), "push", "-q", "origin", "model@v0.1.0")
    commit("other")
    run_git(Path(), "tag", "--force", "model@v0.1.0")
    with pytest.raises(DataError, match=r"git tag --delete model@v0\.1\.0"):
        origin.fetch_tags()
