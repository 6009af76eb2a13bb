"""Retraining as a pull request: claim the day, run the loop, propose the result. Nothing here writes to `main`."""

from __future__ import annotations

import datetime as dt
import os
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from flywheel import files, git, origin
from flywheel.errors import DataError, RemoteError
from flywheel.evaluation.evidence import Decision, read_decision
from flywheel.github import cml
from flywheel.github.actions import Run, say
from flywheel.github.client import Forbidden, GitHub, Refused
from flywheel.github.pulls import post, start_checks
from flywheel.github.results import changes, commit_produced, stale
from flywheel.loop import clock, pipeline
from flywheel.loop.claims import claim, started
from flywheel.loop.settings import Automation
from flywheel.loop.turn import Say, advance, as_before
from flywheel.monitoring.trigger import held_back
from flywheel.release.acceptance import let_through
from flywheel.report.comment import render, shorten, status, with_pictures
from flywheel.report.markdown import MARKS, escape

BRANCHES = "retrain/"
NEXT = {
    "pass": "Merging releases this candidate.",
    "fail": "It cannot be merged. Find out why it is worse. The next retrain closes this pull request.",
    "inconclusive": "It is not shown to be better. To merge and release it anyway, "
    'run `flywheel accept --why "…"`, commit its file to this branch, and have it approved.',
}


OWNERS = (Path(".github/CODEOWNERS"), Path("CODEOWNERS"), Path("docs/CODEOWNERS"))


class NothingNew(DataError):
    """The retrain gave what is already committed."""


def retrain(hub: GitHub, run: Run, tier: str, again: bool, why: str, tell: Say) -> str:
    """Retrain as of the clock's day and propose the result; returns what was done, in one sentence."""
    if git.run("status", "--porcelain"):
        raise DataError("the tree has uncommitted changes, which a retrain would propose. Commit them first.")
    now = as_before(tell, may_override=False)
    params = now.params
    day = clock.target(params)
    held = None if again else held_back(tier, started(), params.trigger, day)
    if held:
        return f"No {tier} retrain as of {day}: {held}"
    try:
        with claim(day, again) as is_ours:
            if not is_ours:
                return f"A retrain as of {day} was already started, so there is nothing to do. To repeat it: --again"
            advance(now, day, tell)
            pipeline.run(verify=True)
            if not stale():
                raise NothingNew
            address = propose(hub, run, tier, why or f"{tier} retrain as of {day}", params.automation)
    except NothingNew:
        return f"No new data and no change since the last run, as of {day}, so there is nothing to propose."
    decision = read_decision()
    return f"Retrain ({tier}) as of {day}: {decision['verdict']}. {address}"


def branch_name(day: dt.date, tier: str) -> str:
    """The branch of a retrain."""
    return f"{BRANCHES}{day.isoformat()}-{tier}"


def title(tier: str, decision: Decision) -> str:
    """The title of the pull request: tier and verdict."""
    return f"Retrain ({tier}): {decision['verdict']}, as of {decision['as_of']}"


def body(tier: str, decision: Decision, reason: str, address: str | None) -> str:
    """The text of the pull request: why there is one, and what the gate says."""
    rules = [
        f"- {MARKS[r['verdict']]} {escape(r['reason'])}{' (only warns)' if r['severity'] == 'warn' else ''}"
        for r in decision["rules"]
    ]
    lines = [f"**Why:** {escape(reason)}", "", f"**Verdict:** {decision['verdict']}", "", *rules, ""]
    lines += [NEXT[decision["verdict"]]]
    if address:
        lines += ["", f"[The run that made it]({address})"]
    return "\n".join(lines)


def owners(text: str, path: str) -> list[str]:
    """Who owns a path: the last pattern in a CODEOWNERS file that matches it counts."""
    found: list[str] = []
    for line in text.splitlines():
        pattern, *names = line.split("#")[0].split() or [""]
        if pattern and _matches(pattern, path):
            found = names
    return found


def _matches(pattern: str, path: str) -> bool:
    plain = pattern.lstrip("/")
    if plain.endswith("/"):
        return path.startswith(plain)
    return fnmatch(path, plain) or path.startswith(f"{plain}/") or plain == "*"


def reviewers(author: str | None) -> dict[str, list[str]]:
    """The owners of the candidate, as people and teams. Nobody reviews their own pull request."""
    place = next((path for path in OWNERS if path.exists()), None)
    names = owners(place.read_text(encoding="utf-8"), f"{files.CANDIDATE.as_posix()}/model.txt") if place else []
    logins = [name.removeprefix("@") for name in names if name.startswith("@")]
    people = [login for login in logins if "/" not in login and login != author]
    found = {"reviewers": people, "team_reviewers": [login.split("/", 1)[1] for login in logins if "/" in login]}
    return {kind: names for kind, names in found.items() if names}


def propose(hub: GitHub, run: Run, tier: str, reason: str, automation: Automation) -> str:
    """Open the pull request of a retrain whose results are in the tree; returns its address.

    With an App's token, its checks start by themselves. With a workflow's token nothing would start, so the report and the
    status are posted here and checks.yml is dispatched.
    """
    decision = read_decision()
    day = dt.date.fromisoformat(decision["as_of"])
    branch, base = branch_name(day, tier), hub.get("")["default_branch"]
    found = changes("HEAD")
    text = body(tier, decision, reason, run.address)
    if not origin.refs(f"refs/heads/{branch}") or not _open_pull(hub, branch):
        _create(hub, branch, base, title(tier, decision), text)
    pull = _open_pull(hub, branch)
    if pull is None:
        raise DataError(f"the branch {branch} is pushed, but it has no pull request. Open one by hand.")
    number = pull["number"]
    problems = []
    for what, call in (
        (
            "labels",
            lambda: hub.post(f"/issues/{number}/labels", {"labels": ["retrain", tier, decision["verdict"]]}, True),
        ),
        ("reviewers", lambda: _ask_reviewers(hub, number, (pull.get("user") or {}).get("login"))),
        ("older retrains", lambda: _supersede(hub, number)),
    ):
        try:
            call()
        except (RemoteError, Forbidden) as error:  # the proposal is fine without them
            problems.append(f"{what}: {error}")
    if not run.is_app:
        state = status(decision, None, None)
        server = os.environ.get("GITHUB_SERVER_URL", "https://github.com")
        head = pull["head"]["sha"]
        pictures = f"{server}/{hub.repository}/blob/{head}/reports/plots"
        report = with_pictures(files.REPORT.read_text(encoding="utf-8"), pictures)
        post(hub, run, head, state, number, shorten(render(found, decision, state, report)))
        start_checks(hub, branch)
    if tier in automation.auto_merge and let_through(decision, dt.datetime.now(dt.UTC).date()):
        problems += _merge_when_ready(hub, run, pull)
    for problem in problems:
        say(problem)
    return str(pull["html_url"])


def _create(hub: GitHub, branch: str, base: str, headline: str, text: str) -> None:
    """Commit what the run produced to a new branch and open its pull request: with CML, or else without it."""
    changed = sorted({name.split("/")[0] if name.startswith(("models/", "reports/")) else name for name in stale()})
    told = ["--branch", branch, "--target-branch", base, "--title", headline, "--body", text, "--message", headline]
    told += ["--user-name", git.BOT["GIT_AUTHOR_NAME"], "--user-email", git.BOT["GIT_AUTHOR_EMAIL"]]
    cml.run(hub.token, "pr", "create", *told, *changed, timeout_s=300)
    if _open_pull(hub, branch):  # GitHub knows better than CML whether it worked
        return
    if not origin.refs(f"refs/heads/{branch}"):
        git.run("checkout", "--quiet", "-B", branch)
        committed = commit_produced(headline)
        origin.push(f"{committed}:refs/heads/{branch}")
    hub.post("/pulls", {"title": headline, "head": branch, "base": base, "body": text})


def _open_pull(hub: GitHub, branch: str) -> dict[str, Any] | None:
    owner = hub.repository.split("/")[0]
    found = hub.get("/pulls", state="open", head=f"{owner}:{branch}")
    return dict(found[0]) if found else None


def _ask_reviewers(hub: GitHub, number: int, author: str | None) -> None:
    asked = reviewers(author)
    if asked:
        hub.post(f"/pulls/{number}/requested_reviewers", asked, is_safe=True)


def _supersede(hub: GitHub, number: int) -> None:
    """Close the open pull requests of earlier retrains, which are about older data."""
    for pull in list(hub.pages("/pulls", state="open")):
        is_ours = (pull["head"].get("repo") or {}).get("full_name") == hub.repository
        if pull["number"] < number and is_ours and pull["head"]["ref"].startswith(BRANCHES):
            hub.post(f"/issues/{pull['number']}/comments", {"body": f"Superseded by #{number}, which has newer data."})
            hub.patch(f"/pulls/{pull['number']}", {"state": "closed"})


def _merge_when_ready(hub: GitHub, run: Run, pull: dict[str, Any]) -> list[str]:
    """Let GitHub merge once everything the ruleset requires is there; returns what is in the way."""
    if not run.is_app:
        return [
            "auto_merge needs the App's token: a merge made with a workflow's token would start no release. "
            "Set FLYWHEEL_APP_ID and FLYWHEEL_APP_KEY, or merge by hand."
        ]
    query = (
        "mutation($id: ID!) { enablePullRequestAutoMerge(input: {pullRequestId: $id, mergeMethod: MERGE}) "
        "{ clientMutationId } }"
    )
    try:
        hub.graphql(query, {"id": pull["node_id"]})
    except Refused as error:
        return [f"auto_merge: {error} Turn it on: Settings > General > 'Allow auto-merge'."]
    return []
