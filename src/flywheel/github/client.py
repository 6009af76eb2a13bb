"""GitHub's REST API. This is the only module that talks to it.

Calls are retried where that is safe: always when GitHub says it did nothing (429, or 403 with a limit), otherwise only calls
that may be made twice. Every other refusal is one sentence that says which setting to change.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any
from urllib.parse import quote

from flywheel import origin
from flywheel.errors import ConfigError, FlywheelError, RemoteError

TRIES = 4
PAUSE_S = 0.5
LONGEST_WAIT_S = 90.0
TIMEOUT_S = 30.0
PAGES = 20  # of 100 entries each; longer lists are cut off there, so that no loop is unbounded
NAME = re.compile(r"^[\w.-]+/[\w.-]+$")


class Refused(RemoteError):
    """GitHub refused a call for a reason other than missing rights; `status` is its HTTP code."""

    def __init__(self, message: str, status: int) -> None:
        """Say `message`, and remember the code."""
        super().__init__(message)
        self.status = status


class Forbidden(ConfigError):
    """The token may not do this (401, 403)."""


class Unavailable(RemoteError):
    """GitHub could not be reached or failed, and retrying did not help."""


@dataclass(frozen=True)
class GitHub:
    """A repository on GitHub, as one token sees it."""

    repository: str
    token: str = field(repr=False)
    api: str = "https://api.github.com"

    @cached_property
    def _session(self) -> Any:
        import requests

        session = requests.Session()
        session.trust_env = False  # no .netrc: only the token that was given counts
        session.proxies = {k: v for k in ("http", "https") if (v := os.environ.get(f"{k.upper()}_PROXY"))}
        session.headers.update(
            {
                "Authorization": f"Bearer {self.token}",
                "Accept": "application/vnd.github+json",
                "X-GitHub-Api-Version": "2022-11-28",
                "User-Agent": "flywheel",
            }
        )
        return session

    def get(self, path: str, **query: Any) -> Any:
        """What is there."""
        return self._call("GET", path, query=query)

    def post(self, path: str, body: dict[str, Any], is_safe: bool = False) -> Any:
        """Make something. `is_safe`: making it twice does no harm, so it may be retried after an error."""
        return self._call("POST", path, body, is_safe=is_safe)

    def put(self, path: str, body: dict[str, Any]) -> Any:
        """Replace something."""
        return self._call("PUT", path, body)

    def patch(self, path: str, body: dict[str, Any]) -> Any:
        """Change something."""
        return self._call("PATCH", path, body)

    def delete(self, path: str) -> None:
        """Delete something."""
        self._call("DELETE", path)

    def pages(self, path: str, **query: Any) -> Iterator[Any]:
        """All entries of a list, page by page."""
        for page in range(1, PAGES + 1):
            entries = self.get(path, per_page=100, page=page, **query)
            yield from entries
            if len(entries) < 100:
                return

    def upload(self, address: str, content: bytes) -> Any:
        """Upload a file to an address that GitHub named."""
        return self._call("POST", address, content)

    def graphql(self, query: str, variables: dict[str, Any]) -> Any:
        """The answer to a GraphQL query. Refused with GitHub's own words when it has errors."""
        answer = self._call("POST", f"{self.api}/graphql", {"query": query, "variables": variables})
        if answer.get("errors"):
            raise Refused("; ".join(str(error.get("message")) for error in answer["errors"]), 422)
        return answer["data"]

    def _call(
        self,
        method: str,
        path: str,
        body: dict[str, Any] | bytes | None = None,
        query: Any = None,
        is_safe: bool = False,
    ) -> Any:
        import requests

        address = path if path.startswith(("http://", "https://")) else f"{self.api}/repos/{self.repository}{path}"
        content = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        kind = {"Content-Type": "application/octet-stream" if isinstance(body, bytes) else "application/json"}
        asked = path.split("?", maxsplit=1)[0] or "the repository"
        what = f"{method} {asked}"
        again = is_safe or method != "POST"
        said = ""
        for attempt in range(TRIES):
            is_last = attempt + 1 == TRIES
            try:
                answer = self._session.request(
                    method,
                    address,
                    data=content,
                    params=query or None,
                    headers=kind if content is not None else None,
                    timeout=TIMEOUT_S,
                    allow_redirects=method == "GET",
                )
            except requests.exceptions.RequestException as error:
                said = type(error).__name__
                refused_connection = isinstance(error, requests.exceptions.ConnectTimeout) or "refused" in str(error)
                if is_last or not (again or refused_connection):
                    break
                time.sleep(PAUSE_S * 2**attempt)
                continue
            if answer.status_code < 400:
                return answer.json() if answer.content else None
            said = f"{answer.status_code}: {_message(answer)}"
            wait = _wait(answer)
            if wait is not None:
                if is_last or wait > LONGEST_WAIT_S:
                    raise Unavailable(f"GitHub's rate limit is used up ({what}). Run again in {wait:.0f} s.")
                time.sleep(max(wait, PAUSE_S * 2**attempt if wait else 0))
                continue
            if answer.status_code < 500:
                raise _refusal(what, answer.status_code, _message(answer))
            if is_last or not again:
                break
            time.sleep(PAUSE_S * 2**attempt)
        raise Unavailable(f"GitHub did not answer {what} ({said}). It may or may not have been done. Run again later.")


def _message(answer: Any) -> str:
    try:
        found = answer.json()
    except ValueError:
        return str(answer.reason)
    details = [
        str(one.get("message") or one.get("code") or one) if isinstance(one, dict) else str(one)
        for one in found.get("errors", [])
    ]
    return "; ".join([str(found.get("message", answer.reason)), *details])


def _wait(answer: Any) -> float | None:
    """Seconds to wait if GitHub did nothing because of a limit; None for any other answer."""
    is_limit = answer.status_code == 429 or (
        answer.status_code == 403
        and ("retry-after" in answer.headers or answer.headers.get("x-ratelimit-remaining") == "0")
    )
    if not is_limit:
        return None
    try:
        if "retry-after" in answer.headers:
            return max(0.0, float(answer.headers["retry-after"]))
        return max(0.0, float(answer.headers["x-ratelimit-reset"]) - time.time())
    except (KeyError, ValueError):
        return 60.0


def _refusal(what: str, status: int, message: str) -> FlywheelError:
    if status == 401:
        return Forbidden(f"GitHub does not accept the token (401, {what}): it is wrong or expired. Renew it.")
    if status == 403:
        return Forbidden(f"The token may not do {what} (403: {message}). {setting(what, message)}")
    return Refused(f"GitHub refused {what} ({status}: {message}).", status)


def setting(what: str, message: str) -> str:
    """The setting that would allow what the token was refused."""
    if "create or approve pull requests" in message:
        return "Allow it: Settings > Actions > General > 'Allow GitHub Actions to create and approve pull requests'."
    if "Upgrade" in message:
        return "This needs a paid plan, or a public repository."
    needed = {"rulesets": "administration", "statuses": "statuses", "issues": "issues", "pulls": "pull-requests"}
    needed |= {"releases": "contents", "dispatches": "actions", "variables": "variables", "pages": "pages"}
    found = next((right for word, right in needed.items() if f"/{word}" in what), None)
    return f"Give it the right '{found}: write'." if found else "Look at the rights of the token."


def token() -> str | None:
    """The token from the environment, else the one that `gh` is logged in with."""
    found = os.environ.get("GITHUB_TOKEN") or os.environ.get("GH_TOKEN")
    if found:
        return found
    try:
        done = subprocess.run(["gh", "auth", "token"], capture_output=True, text=True, check=False, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() or None


def repository() -> str | None:
    """OWNER/NAME: from the environment, else from the address of `origin`."""
    found = os.environ.get("GITHUB_REPOSITORY")
    if not found:
        match = re.search(r"github\.com[:/]([\w.-]+/[\w.-]+?)(?:\.git)?/?$", origin.url() or "")
        found = match[1] if match else None
    return found if found and NAME.match(found) else None


def connect() -> GitHub:
    """The repository that this tree belongs to. ConfigError if that is unknown, or if there is no token."""
    name, found = repository(), token()
    if name is None:
        raise ConfigError("origin is not on GitHub. Set GITHUB_REPOSITORY to OWNER/NAME, or add the remote origin.")
    if found is None:
        raise ConfigError("there is no token for GitHub. Set GITHUB_TOKEN, or log in with: gh auth login")
    return GitHub(name, found, os.environ.get("GITHUB_API_URL", "https://api.github.com").rstrip("/"))


def segment(text: str) -> str:
    """A text as one segment of a path of the API."""
    return quote(text, safe="")


def set_status(github: GitHub, sha: str, context: str, state: str, description: str, address: str | None) -> None:
    """Set a commit status. The description is cut to the 140 characters that GitHub allows."""
    short = description if len(description) <= 140 else f"{description[:139]}…"
    body = {"state": state, "context": context, "description": short}
    github.post(f"/statuses/{sha}", body | ({"target_url": address} if address else {}), is_safe=True)


def comment(github: GitHub, number: int, mark: str, text: str) -> None:
    """Create or update the one comment of an issue or pull request that carries a mark."""
    body = f"{text}\n\n<!-- {mark} -->"
    for attempt in (1, 2):
        mine = [one for one in github.pages(f"/issues/{number}/comments") if f"<!-- {mark} -->" in (one["body"] or "")]
        try:
            if mine:
                github.patch(f"/issues/comments/{mine[0]['id']}", {"body": body})
            else:
                github.post(f"/issues/{number}/comments", {"body": body})
            return
        except Unavailable:  # it may exist already: look again before posting it twice
            if attempt == 2:
                raise
