"""The client of GitHub's API against a loopback server that fails as GitHub does: retried only where that is safe."""

from __future__ import annotations

import json
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from flywheel.errors import ConfigError, DataError, RemoteError
from flywheel.github import client as client_module
from flywheel.github.actions import set_output, this_run
from flywheel.github.client import Forbidden, Refused, Unavailable, comment, connect, repository, set_status, setting
from tests.workflows.server import REPOSITORY, GitHub

TOKEN = "app"
PULLS = "/pulls/1"


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pauses are short, and the environment is a laptop's."""
    monkeypatch.setattr(client_module, "PAUSE_S", 0.001)
    for name in ("GITHUB_TOKEN", "GH_TOKEN", "GITHUB_REPOSITORY", "GITHUB_API_URL", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[GitHub]:
    subprocess.run(["git", "init", "-q", "--bare", "-b", "main", str(tmp_path / "origin")], check=True)
    with GitHub(tmp_path / "origin") as found:
        yield found


def client(server: GitHub, token: str = TOKEN) -> client_module.GitHub:
    return client_module.GitHub(REPOSITORY, token, server.address)


def test_an_unknown_token_is_refused_at_once(server: GitHub) -> None:
    """401 is not tried again, says what to do, and does not say the token."""
    with pytest.raises(Forbidden, match="wrong or expired") as error:
        client(server, "s3cret").get("/issues")
    assert len(server.calls) == 1
    assert "s3cret" not in str(error.value)
    assert "s3cret" not in repr(client(server, "s3cret"))


@pytest.mark.parametrize(
    ("what", "message", "said"),
    [
        ("POST /statuses/1", "", "'statuses: write'"),
        ("POST /issues", "", "'issues: write'"),
        ("POST /rulesets", "", "'administration: write'"),
        ("POST /actions/workflows/a.yml/dispatches", "", "'actions: write'"),
        ("POST /pulls", "", "'pull-requests: write'"),
        ("POST /releases", "", "'contents: write'"),
        ("PATCH /actions/variables/X", "", "'variables: write'"),
        ("POST /pulls", "GitHub Actions is not permitted to create or approve pull requests.", "Settings > Actions"),
        ("POST /rulesets", "Upgrade to GitHub Pro or make this repository public", "paid plan"),
    ],
)
def test_what_is_forbidden_names_the_setting(what: str, message: str, said: str) -> None:
    """The right of the token, or the page of the settings."""
    assert said in setting(what, message)


def test_a_missing_right_is_refused_at_once(server: GitHub) -> None:
    """403 without a limit is not tried again."""
    server.tokens[TOKEN].remove("issues")
    with pytest.raises(Forbidden, match="'issues: write'") as error:
        client(server).post("/issues", {"title": "x"})
    assert error.value.exit_code == ConfigError.exit_code
    assert len(server.calls) == 1


@pytest.mark.parametrize("status", [429, 403])
def test_a_limit_is_waited_for_and_the_call_is_made_again(
    server: GitHub, monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    """Also a call that makes something: GitHub did nothing yet."""
    waited: list[float] = []
    monkeypatch.setattr(client_module.time, "sleep", waited.append)
    server.fail_next("POST", "/issues", status, retry_after="7")
    client(server).post("/issues", {"title": "x"})
    assert waited == [7.0]
    assert len(server.issues) == 1


def test_the_end_of_a_limit_is_told_as_a_moment_too(server: GitHub, monkeypatch: pytest.MonkeyPatch) -> None:
    """x-ratelimit-reset is in seconds since 1970."""
    waited: list[float] = []
    monkeypatch.setattr(client_module.time, "sleep", waited.append)
    monkeypatch.setattr(client_module.time, "time", lambda: 1000.0)
    server.fail_next("GET", "/issues", 403, x_ratelimit_remaining="0", x_ratelimit_reset="1030")
    client(server).get("/issues")
    assert waited == [30.0]


def test_a_long_limit_is_not_waited_for(server: GitHub) -> None:
    """A job that sleeps for an hour costs more than one that is started again."""
    server.fail_next("GET", "/issues", 429, retry_after="3600")
    with pytest.raises(Unavailable, match="Run again in 3600 s") as error:
        client(server).get("/issues")
    assert error.value.exit_code == RemoteError.exit_code
    assert len(server.calls) == 1


@pytest.mark.parametrize("fault", [500, 502, 503, 0])
@pytest.mark.parametrize("method", ["GET", "PATCH", "safe POST"])
def test_what_may_be_made_twice_is_tried_again(server: GitHub, method: str, fault: int) -> None:
    """After an error of GitHub's, and after a connection that broke; at most four times."""
    server.issues.append({"number": 1, "title": "a", "labels": [], "state": "open"})
    calls = {
        "GET": lambda: client(server).get("/issues"),
        "PATCH": lambda: client(server).patch("/issues/1", {"title": "b"}),
        "safe POST": lambda: client(server).post("/issues", {"title": "c"}, is_safe=True),
    }
    server.fail_next(method.rsplit(maxsplit=1)[-1], "/issues", fault, times=3)
    calls[method]()
    assert len(server.calls) == 4
    server.fail_next(method.rsplit(maxsplit=1)[-1], "/issues", fault, times=4)
    with pytest.raises(Unavailable):
        calls[method]()
    assert len(server.calls) == 8


@pytest.mark.parametrize("fault", [500, 503, 0])
def test_what_must_not_be_made_twice_is_not_tried_again(server: GitHub, fault: int) -> None:
    """Nobody knows whether it was made; the error says so."""
    server.fail_next("POST", "/issues", fault)
    with pytest.raises(Unavailable, match="may or may not have been done"):
        client(server).post("/issues", {"title": "x"})
    assert len(server.calls) == 1


def test_a_refusal_has_githubs_words_and_its_code(server: GitHub) -> None:
    """404, 422 and the like are for the caller to judge."""
    with pytest.raises(Refused, match="Not Found") as error:
        client(server).get("/pulls/7")
    assert error.value.status == 404


def test_a_server_that_is_not_there_is_unavailable() -> None:
    """Also for a call that makes something: nothing can have been made, so it is tried again."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{free.getsockname()[1]}"
    with pytest.raises(Unavailable, match="did not answer"):
        client_module.GitHub(REPOSITORY, "s3cret", address).post("/issues", {"title": "x"})


def test_a_list_is_read_to_its_end(server: GitHub) -> None:
    """A hundred entries a page."""
    server.issues += [{"number": n, "labels": [], "state": "open"} for n in range(250)]
    assert [one["number"] for one in client(server).pages("/issues")] == list(range(250))


def test_a_comment_is_made_once_and_then_updated(server: GitHub) -> None:
    """By its mark; comments of other people stay."""
    server.comments[3] = [{"id": 1, "body": "mine"}]
    for text in ("first", "second"):
        comment(client(server), 3, "mark", text)
    assert [one["body"] for one in server.comments[3]] == ["mine", "second\n\n<!-- mark -->"]


def test_a_comment_that_was_made_in_spite_of_an_error_is_not_made_twice(
    server: GitHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The client looks for it before it posts again."""
    answer = GitHub.answer

    def made_but_unanswered(self: GitHub, method: str, *rest: Any) -> Any:
        found = answer(self, method, *rest)
        return (0, None, {}) if method == "POST" and len(self.comments[3]) == 1 else found

    monkeypatch.setattr(GitHub, "answer", made_but_unanswered)
    comment(client(server), 3, "mark", "text")
    assert len(server.comments[3]) == 1


def test_a_status_fits_into_what_github_takes(server: GitHub) -> None:
    """140 characters; the end is cut."""
    tree = server.git("hash-object", "-t", "tree", "-w", "/dev/null")
    who = ("-c", "user.name=a", "-c", "user.email=a@example.com")
    sha = server.git(*who, "commit-tree", tree, "-m", "x")
    set_status(client(server), sha, "c", "failure", "x" * 500, None)
    assert server.statuses[0]["description"] == "x" * 139 + "…"


@pytest.mark.parametrize("value", ["a\nb=c", "a\rb"])
def test_an_output_has_one_line(value: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A line break would set another output."""
    monkeypatch.setenv("GITHUB_OUTPUT", str(tmp_path / "out"))
    with pytest.raises(DataError, match="several lines"):
        set_output("name", value)
    set_output("name", "fine")
    assert (tmp_path / "out").read_text() == "name=fine\n"


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("https://github.com/acme/loop.git", "acme/loop"),
        ("https://github.com/acme/loop", "acme/loop"),
        ("git@github.com:acme/my.loop.git", "acme/my.loop"),
        ("https://example.com/acme/loop", None),
        ("/srv/git/loop", None),
    ],
)
def test_the_repository_is_known_from_origin(
    address: str, expected: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the environment does not say it."""
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    subprocess.run(["git", "-C", str(tmp_path), "remote", "add", "origin", address], check=True)
    monkeypatch.chdir(tmp_path)
    assert repository() == expected


def test_a_name_that_is_no_repository_is_no_path_into_the_api(monkeypatch: pytest.MonkeyPatch) -> None:
    """OWNER/NAME, and nothing that leads elsewhere."""
    for name in ("acme/loop/../../user", "acme", "acme/lo op", "acme/loop?x"):
        monkeypatch.setenv("GITHUB_REPOSITORY", name)
        assert repository() is None


def test_connecting_says_what_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The repository, or a token; `gh` may lend its own."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match="Set GITHUB_REPOSITORY to OWNER/NAME"):
        connect()
    monkeypatch.setenv("GITHUB_REPOSITORY", REPOSITORY)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ConfigError, match="gh auth login"):
        connect()
    (tmp_path / "gh").write_text("#!/bin/sh\necho lent\n")
    (tmp_path / "gh").chmod(0o755)
    assert connect().token == "lent"


def test_an_event_that_cannot_be_read_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Half an event is no event."""
    path = tmp_path / "event.json"
    path.write_text(json.dumps({"pull_request": {}})[:-1])
    monkeypatch.setenv("GITHUB_EVENT_PATH", str(path))
    with pytest.raises(DataError, match="cannot be read as JSON"):
        this_run()
