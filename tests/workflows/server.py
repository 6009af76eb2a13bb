"""A stand-in for GitHub on loopback: the parts of its REST API in use, stateful, and strict.

An unknown call is answered with 501 and remembered, an unknown key of a body with 422, a missing right with 403.
"""

from __future__ import annotations

import json
import re
import subprocess
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import yaml

REPOSITORY = "acme/loop"
WRITE = ("contents", "issues", "pull-requests", "statuses", "actions", "administration", "variables", "pages")


class Answer(Exception):
    """An answer that is not a success."""

    def __init__(self, status: int, message: str, headers: dict[str, str] | None = None) -> None:
        self.status, self.message, self.headers = status, message, headers or {}


class GitHub:
    """The server; use it as a context. `origin` is the bare repository whose branches and tags it shows."""

    def __init__(self, origin: Path) -> None:
        self.origin = origin
        self.tokens: dict[str, set[str]] = {"workflow": set(WRITE), "app": set(WRITE)}
        self.actions_may_open_pulls = True
        self.has_issues = True
        self.has_pages = False
        self.may_auto_merge = True
        self.issues: list[dict[str, Any]] = []
        self.pulls: dict[int, dict[str, Any]] = {}
        self.comments: dict[int, list[dict[str, Any]]] = {}
        self.statuses: list[dict[str, Any]] = []
        self.releases: list[dict[str, Any]] = []
        self.dispatched: list[dict[str, Any]] = []
        self.rulesets: list[dict[str, Any]] = []
        self.variables: dict[str, str] = {}
        self.calls: list[tuple[str, str]] = []
        self.unknown: list[str] = []
        self._faults: list[tuple[str, str, int, dict[str, str]]] = []
        self._ids = iter(range(1000, 1_000_000))
        self.lock = threading.RLock()

    def __enter__(self) -> GitHub:
        github = self

        class Handler(BaseHTTPRequestHandler):
            def handle_any(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                with github.lock:
                    status, value, headers = github.answer(self.command, self.path, dict(self.headers.items()), body)
                if status == 0:
                    self.connection.close()
                    return
                content = b"" if value is None else json.dumps(value).encode()
                self.send_response(status)
                for name, text in headers.items():
                    self.send_header(name, text)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = handle_any  # noqa: N815

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._server.shutdown()
        self._server.server_close()

    def fail_next(self, method: str, path: str, status: int, times: int = 1, **headers: str) -> None:
        """Answer the next calls whose path matches with an error; 0 closes the connection without an answer."""
        self._faults += [(method, path, status, {k.replace("_", "-"): v for k, v in headers.items()})] * times

    def answer(self, method: str, path: str, headers: dict[str, str], body: bytes) -> tuple[int, Any, dict[str, str]]:
        """Status, JSON value and headers of the answer to a call."""
        parts = urlsplit(path)
        self.calls.append((method, parts.path))
        for fault in self._faults:
            if fault[0] == method and re.search(fault[1], parts.path):
                self._faults.remove(fault)
                return fault[2], {"message": "planted"}, fault[3]
        token = headers.get("Authorization", "").removeprefix("Bearer ").removeprefix("token ")
        try:
            if token not in self.tokens:
                raise Answer(401, "Bad credentials")
            for wanted, pattern, right, call in ROUTES:
                match = re.fullmatch(pattern, parts.path)
                if wanted == method and match:
                    if right not in self.tokens[token]:
                        raise Answer(403, "Resource not accessible by integration")
                    query = {k: v[0] for k, v in parse_qs(parts.query).items()}
                    is_json = "json" in headers.get("Content-Type", "")
                    given = json.loads(body) if body and is_json else body
                    groups = [unquote(g) for g in match.groups()]
                    value = call(self, *groups, query=query, body=given, token=token)
                    return (204 if value is None else 200 if method != "POST" else 201), value, {}
            self.unknown.append(f"{method} {path}")
            raise Answer(501, "not part of the stand-in")
        except Answer as error:
            return error.status, {"message": error.message}, error.headers

    def git(self, *arguments: str) -> str:
        """What Git says in the bare repository; Answer 422 when it fails."""
        done = subprocess.run(["git", "-C", self.origin, *arguments], capture_output=True, text=True, check=False)
        if done.returncode:
            raise Answer(422, f"git: {done.stderr.strip()}")
        return done.stdout.strip()

    def fork_pull(self, branch: str, sha: str) -> int:
        """A pull request whose head is in another repository; its commit must be in the bare repository."""
        number = self._number()
        self.git("update-ref", f"refs/pull/{number}/head", sha)
        self.pulls[number] = self._new_pull(number, branch, "main", "A change", "", "stranger/loop")
        return number

    def merge(self, number: int) -> str:
        """Merge a pull request as a person does with the button: the rulesets are asked."""
        with self.lock:
            return str(self._merge(str(number), query={}, body={}, token="workflow")["sha"])

    def status_of(self, sha: str) -> dict[str, str]:
        """The latest state of each context of a commit."""
        return {one["context"]: one["state"] for one in self.statuses if one["sha"] == sha}

    def _number(self) -> int:
        return len(self.issues) + len(self.pulls) + 1

    def _new_pull(self, number: int, head: str, base: str, title: str, body: str, repo: str) -> dict[str, Any]:
        return {
            "number": number,
            "node_id": f"PR_{number}",
            "state": "open",
            "merged": False,
            "title": title,
            "body": body,
            "html_url": f"https://github.example/{REPOSITORY}/pull/{number}",
            "user": {"login": "flywheel[bot]"},
            "head": {"ref": head, "repo": {"full_name": repo}, "label": f"{repo.partition('/')[0]}:{head}"},
            "base": {"ref": base, "repo": {"full_name": REPOSITORY}},
            "labels": [],
            "reviewers": [],
        }

    def shown(self, number: int) -> dict[str, Any]:
        """A pull request with the commits that its branches are on now."""
        pull = self.pulls.get(number)
        if pull is None:
            raise Answer(404, "Not Found")
        if pull["state"] == "open":
            is_own = pull["head"]["repo"]["full_name"] == REPOSITORY
            ref = f"refs/heads/{pull['head']['ref']}" if is_own else f"refs/pull/{number}/head"
            pull["head"]["sha"] = self.git("rev-parse", ref)
            pull["base"]["sha"] = self.git("rev-parse", f"refs/heads/{pull['base']['ref']}")
        return pull

    def _repo(self, **_: Any) -> Any:
        return {"full_name": REPOSITORY, "default_branch": "main", "owner": {"login": "acme"}}

    def _list_issues(self, query: dict[str, str], **_: Any) -> Any:
        wanted = set(filter(None, query.get("labels", "").split(",")))
        state = query.get("state", "open")
        return _page([one for one in self.issues if one["state"] == state and wanted <= set(one["labels"])], query)

    def _make_issue(self, body: dict[str, Any], **_: Any) -> Any:
        _only(body, {"title", "body", "labels"}, {"title"})
        if not self.has_issues:
            raise Answer(410, "Issues has been disabled in this repository.")
        number = self._number()
        address = f"https://github.example/{REPOSITORY}/issues/{number}"
        self.issues.append({"labels": [], "body": "", **body, "number": number, "state": "open", "html_url": address})
        return self.issues[-1]

    def _change_issue(self, number: str, body: dict[str, Any], **_: Any) -> Any:
        _only(body, {"title", "body", "state", "state_reason"}, set())
        one = next((one for one in self.issues if one["number"] == int(number)), None)
        if one is None:
            raise Answer(404, "Not Found")
        one.update(body)
        return one

    def _list_comments(self, number: str, query: dict[str, str], **_: Any) -> Any:
        return _page(self.comments.get(int(number), []), query)

    def _make_comment(self, number: str, body: dict[str, Any], **_: Any) -> Any:
        _only(body, {"body"}, {"body"})
        if len(body["body"]) > 65536:
            raise Answer(422, "body is too long")
        one = {"id": next(self._ids), "body": body["body"], "html_url": f"https://github.example/c/{number}"}
        self.comments.setdefault(int(number), []).append(one)
        return one

    def _change_comment(self, number: str, body: dict[str, Any], **_: Any) -> Any:
        _only(body, {"body"}, {"body"})
        for one in (one for found in self.comments.values() for one in found if one["id"] == int(number)):
            one.update(body)
            return one
        raise Answer(404, "Not Found")

    def _label(self, number: str, body: dict[str, Any], **_: Any) -> Any:
        _only(body, {"labels"}, {"labels"})
        self.shown(int(number))["labels"] += body["labels"]
        return []

    def _list_pulls(self, query: dict[str, str], **_: Any) -> Any:
        found = [self.shown(number) for number in self.pulls]
        found = [one for one in found if one["state"] == query.get("state", "open")]
        if "head" in query:
            found = [one for one in found if one["head"]["label"] == query["head"]]
        return _page(found[::-1], query)

    def make_pull(self, body: dict[str, Any], token: str, **_: Any) -> Any:
        _only(body, {"title", "head", "base", "body"}, {"title", "head", "base"})
        if not self.actions_may_open_pulls and not token.startswith("app"):
            raise Answer(403, "GitHub Actions is not permitted to create or approve pull requests.")
        ahead = self.git("rev-list", "--count", f"refs/heads/{body['base']}..refs/heads/{body['head']}")
        if ahead == "0" or any(p["state"] == "open" and p["head"]["ref"] == body["head"] for p in self.pulls.values()):
            raise Answer(422, "Validation Failed")
        number = self._number()
        text = body.get("body", "")
        self.pulls[number] = self._new_pull(number, body["head"], body["base"], body["title"], text, REPOSITORY)
        return self.shown(number)

    def _get_pull(self, number: str, **_: Any) -> Any:
        return self.shown(int(number))

    def _change_pull(self, number: str, body: dict[str, Any], **_: Any) -> Any:
        _only(body, {"state", "title", "body"}, set())
        self.shown(int(number)).update(body)
        return self.shown(int(number))

    def _ask_reviewers(self, number: str, body: dict[str, Any], **_: Any) -> Any:
        _only(body, {"reviewers", "team_reviewers"}, set())
        self.shown(int(number))["reviewers"] += [*body.get("reviewers", []), *body.get("team_reviewers", [])]
        return {}

    def _merge(self, number: str, body: dict[str, Any], **_: Any) -> Any:
        pull = self.shown(int(number))
        if pull["state"] != "open":
            raise Answer(405, "Pull Request is not mergeable")
        states = self.status_of(pull["head"]["sha"])
        for ruleset in self.rulesets:
            for rule in ruleset["rules"]:
                for check in rule.get("parameters", {}).get("required_status_checks", []):
                    of = {one["context"]: one["token"] for one in self.statuses if one["sha"] == pull["head"]["sha"]}
                    is_wanted = "integration_id" not in check or of.get(check["context"]) == "workflow"
                    if states.get(check["context"]) != "success" or not is_wanted:
                        raise Answer(405, f"Required status check '{check['context']}' is expected.")
        head, base = pull["head"]["sha"], pull["base"]["sha"]
        if self.git("merge-base", head, base) != base:
            raise Answer(405, "The branch is not up to date with its base.")
        said = f"Merge pull request #{number} from {pull['head']['label'].replace(':', '/')}"
        identity = ("-c", "user.name=someone", "-c", "user.email=someone@example.com")
        merged = self.git(*identity, "commit-tree", f"{head}^{{tree}}", "-p", base, "-p", head, "-m", said)
        self.git("update-ref", f"refs/heads/{pull['base']['ref']}", merged)
        pull.update({"state": "closed", "merged": True})
        return {"merged": True, "sha": merged}

    def _set_status(self, sha: str, body: dict[str, Any], token: str, **_: Any) -> Any:
        _only(body, {"state", "context", "description", "target_url"}, {"state", "context"})
        if body["state"] not in ("error", "failure", "pending", "success") or len(body.get("description", "")) > 140:
            raise Answer(422, "Validation Failed")
        self.git("cat-file", "-e", f"{sha}^{{commit}}")
        self.statuses.append({"sha": sha, "token": token, **body})
        return body

    def _list_statuses(self, sha: str, query: dict[str, str], **_: Any) -> Any:
        return _page([one for one in self.statuses[::-1] if one["sha"] == sha], query)

    def _get_release(self, tag: str, **_: Any) -> Any:
        found = next((one for one in self.releases if one["tag_name"] == tag), None)
        if found is None:
            raise Answer(404, "Not Found")
        return found | {"assets": [{"name": name} for name in found["assets"]]}

    def _make_release(self, body: dict[str, Any], **_: Any) -> Any:
        _only(body, {"tag_name", "name", "body"}, {"tag_name"})
        self.git("rev-parse", "--verify", f"refs/tags/{body['tag_name']}")
        number = next(self._ids)
        upload = f"{self.address}/uploads/repos/{REPOSITORY}/releases/{number}/assets{{?name,label}}"
        page = f"https://github.example/{REPOSITORY}/releases/{number}"
        self.releases.append({**body, "id": number, "upload_url": upload, "html_url": page, "assets": {}})
        return self.releases[-1] | {"assets": []}

    def _list_assets(self, number: str, query: dict[str, str], **_: Any) -> Any:
        found = next(one for one in self.releases if one["id"] == int(number))
        return _page([{"name": name} for name in found["assets"]], query)

    def _upload(self, number: str, query: dict[str, str], body: bytes, **_: Any) -> Any:
        found = next(one for one in self.releases if one["id"] == int(number))
        if query["name"] in found["assets"]:
            raise Answer(422, "already_exists")
        found["assets"][query["name"]] = body
        return {"name": query["name"]}

    def _dispatch(self, file: str, body: dict[str, Any], **_: Any) -> None:
        _only(body, {"ref", "inputs"}, {"ref"})
        text = self.git("show", f"refs/heads/{body['ref']}:.github/workflows/{file}")
        triggers = yaml.safe_load(text)[True]  # YAML 1.1 reads the key `on` as true
        if "workflow_dispatch" not in triggers:
            raise Answer(422, "Workflow does not have 'workflow_dispatch' trigger")
        known = (triggers["workflow_dispatch"] or {}).get("inputs", {})
        for name, value in body.get("inputs", {}).items():
            if name not in known or ("options" in known[name] and value not in known[name]["options"]):
                raise Answer(422, f"Unexpected inputs provided: {name}={value}")
        self.dispatched.append({"workflow": file, **body})

    def _list_rulesets(self, query: dict[str, str], **_: Any) -> Any:
        return _page([{"id": one["id"], "name": one["name"]} for one in self.rulesets], query)

    def _get_ruleset(self, number: str, **_: Any) -> Any:
        return next(one for one in self.rulesets if one["id"] == int(number))

    def _put_ruleset(self, number: str = "", *, body: dict[str, Any], **_: Any) -> Any:
        keys = {"name", "target", "enforcement", "conditions", "rules", "bypass_actors"}
        _only(body, keys, {"name", "enforcement"})
        if number:
            self.rulesets = [one for one in self.rulesets if one["id"] != int(number)]
        self.rulesets.append({**body, "id": int(number or next(self._ids)), "source_type": "Repository"})
        return self.rulesets[-1]

    def _make_variable(self, body: dict[str, Any], **_: Any) -> Any:
        _only(body, {"name", "value"}, {"name", "value"})
        self.variables[body["name"]] = body["value"]
        return {}

    def _change_variable(self, name: str, body: dict[str, Any] | None, **_: Any) -> None:
        if name not in self.variables:
            raise Answer(404, "Not Found")
        if body:
            self.variables[name] = body["value"]
        else:
            del self.variables[name]

    def _pages(self, **_: Any) -> Any:
        if not self.has_pages:
            raise Answer(404, "Not Found")
        return {"build_type": "workflow"}

    def _graphql(self, body: dict[str, Any], **_: Any) -> Any:
        if "enablePullRequestAutoMerge" not in body["query"]:
            raise Answer(501, "not part of the stand-in")
        if not self.may_auto_merge:
            return {"errors": [{"message": "Auto merge is not allowed for this repository"}]}
        next(one for one in self.pulls.values() if one["node_id"] == body["variables"]["id"])["auto_merge"] = True
        return {"data": {}}


def _only(body: dict[str, Any], allowed: set[str], needed: set[str]) -> None:
    if not isinstance(body, dict) or set(body) - allowed or needed - set(body):
        raise Answer(422, f"Validation Failed: {body}")


def _page(entries: list[Any], query: dict[str, str]) -> list[Any]:
    size = min(int(query.get("per_page", 30)), 100)
    start = (int(query.get("page", 1)) - 1) * size
    return entries[start : start + size]


R = f"/repos/{REPOSITORY}"
ROUTES: list[tuple[str, str, str, Callable[..., Any]]] = [
    ("GET", R, "contents", GitHub._repo),
    ("GET", f"{R}/issues", "issues", GitHub._list_issues),
    ("POST", f"{R}/issues", "issues", GitHub._make_issue),
    ("PATCH", rf"{R}/issues/(\d+)", "issues", GitHub._change_issue),
    ("GET", rf"{R}/issues/(\d+)/comments", "pull-requests", GitHub._list_comments),
    ("POST", rf"{R}/issues/(\d+)/comments", "pull-requests", GitHub._make_comment),
    ("PATCH", rf"{R}/issues/comments/(\d+)", "pull-requests", GitHub._change_comment),
    ("POST", rf"{R}/issues/(\d+)/labels", "pull-requests", GitHub._label),
    ("GET", f"{R}/pulls", "contents", GitHub._list_pulls),
    ("POST", f"{R}/pulls", "pull-requests", GitHub.make_pull),
    ("GET", rf"{R}/pulls/(\d+)", "contents", GitHub._get_pull),
    ("PATCH", rf"{R}/pulls/(\d+)", "pull-requests", GitHub._change_pull),
    ("POST", rf"{R}/pulls/(\d+)/requested_reviewers", "pull-requests", GitHub._ask_reviewers),
    ("PUT", rf"{R}/pulls/(\d+)/merge", "contents", GitHub._merge),
    ("POST", rf"{R}/statuses/([0-9a-f]+)", "statuses", GitHub._set_status),
    ("GET", rf"{R}/commits/([0-9a-f]+)/statuses", "statuses", GitHub._list_statuses),
    ("GET", rf"{R}/releases/tags/([^/]+)", "contents", GitHub._get_release),
    ("POST", f"{R}/releases", "contents", GitHub._make_release),
    ("GET", rf"{R}/releases/(\d+)/assets", "contents", GitHub._list_assets),
    ("POST", rf"/uploads{R}/releases/(\d+)/assets", "contents", GitHub._upload),
    ("POST", rf"{R}/actions/workflows/([\w.-]+)/dispatches", "actions", GitHub._dispatch),
    ("GET", f"{R}/rulesets", "contents", GitHub._list_rulesets),
    ("GET", rf"{R}/rulesets/(\d+)", "contents", GitHub._get_ruleset),
    ("POST", f"{R}/rulesets", "administration", GitHub._put_ruleset),
    ("PUT", rf"{R}/rulesets/(\d+)", "administration", GitHub._put_ruleset),
    ("POST", f"{R}/actions/variables", "variables", GitHub._make_variable),
    ("PATCH", rf"{R}/actions/variables/(\w+)", "variables", GitHub._change_variable),
    ("DELETE", rf"{R}/actions/variables/(\w+)", "variables", GitHub._change_variable),
    ("GET", f"{R}/pages", "pages", GitHub._pages),
    ("POST", "/graphql", "pull-requests", GitHub._graphql),
]
