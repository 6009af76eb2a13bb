"""Showing a run in its pull request: the commit status and the one comment."""

from __future__ import annotations

import datetime as dt
import os

from flywheel import files, git, origin
from flywheel.errors import DataError
from flywheel.evaluation.evidence import Decision, read_decision
from flywheel.github import cml
from flywheel.github.actions import Run, summary
from flywheel.github.client import GitHub, comment, set_status
from flywheel.github.results import changes, commit_produced, stale
from flywheel.release.acceptance import Standing, standing
from flywheel.report.comment import LONGEST, fenced, render, shorten, status, with_pictures

GATE = "flywheel/gate"
CHECKS = "flywheel/checks"
MARK = "flywheel"
COMMENT = files.LOCAL / "comment.md"


def publish(run: Run, hub: GitHub | None, halted: str | None, today: dt.date | None = None) -> bool:
    """Show the result of `flywheel run` for the checked-out commit; says whether the gate is open.

    The order makes sure that a later failure loses nothing: push the results if the lock was stale, write the job's summary,
    set the commit status, post the comment. A fork's token can do none of that: `hub` is None, and the text is left in a file
    for another workflow to post.
    """
    decision = read_decision()
    pull = run.pull_request
    head = git.run("rev-parse", "HEAD").strip()
    base = _fork_of(pull["base"]["sha"]) if pull else _before(run)
    found = changes(base)
    problem = f"the loop is halted: {halted}" if halted else None
    outdated = stale()
    if pull and hub:
        _check_open(hub, pull["number"])
    if outdated and hub and pull:
        committed = commit_produced(f"Results of {head[:10]}\n\n{decision['verdict']}")
        origin.push(f"{committed}:refs/heads/{pull['head']['ref']}")
        print(f"dvc.lock was out of date: the new results are committed to the branch as {committed[:10]}", flush=True)
        head = committed
    elif outdated:
        problem = problem or "dvc.lock is out of date: run `flywheel run` and commit what it changes."
    state = gate_state(decision, standing(decision, today or dt.datetime.now(dt.UTC).date()), problem)
    name = hub.repository if hub else os.environ.get("GITHUB_REPOSITORY", "")
    server = os.environ.get("GITHUB_SERVER_URL", "https://github.com")
    report = with_pictures(files.REPORT.read_text(encoding="utf-8"), f"{server}/{name}/blob/{head}/reports/plots")
    text = shorten(render(found, decision, state, report))
    files.write_text(COMMENT, text)
    summary(text)
    if hub:
        post(hub, run, head, state, pull["number"] if pull else None, text)
        if outdated and pull:
            start_checks(hub, pull["head"]["ref"])
    print(f"{GATE}: {state[0]}: {state[1]}", flush=True)
    return state[0] == "success"


def gate_state(decision: Decision, stands: Standing, problem: str | None) -> tuple[str, str]:
    """State and description of the commit status; an acceptance that does not count is the first thing to be said."""
    if stands.problem:
        problem = problem or f"{decision['verdict']}: {stands.problem}"
    return status(decision, stands.why, problem)


def post(hub: GitHub, run: Run, head: str, state: tuple[str, str], number_of_pull: int | None, text: str) -> None:
    """Set the status of a commit, and show the text in its pull request."""
    set_status(hub, head, GATE, state[0], state[1], run.address)
    if number_of_pull is not None:
        post_comment(hub, number_of_pull, text)


def post_comment(hub: GitHub, number_of_pull: int, text: str) -> None:
    """Post with CML, which keeps to one comment; if CML is missing or fails, with GitHub's API."""
    files.write_text(COMMENT, f"{text}\n\n<!-- {MARK} -->\n")
    told = ("--publish=false", f"--watermark-title={MARK}", f"--target=pr/{number_of_pull}", str(COMMENT))
    if not cml.run(hub.token, "comment", "update", *told):
        comment(hub, number_of_pull, MARK, text)


def start_checks(hub: GitHub, branch: str) -> None:
    """Start checks.yml on a branch: a commit that was pushed with a workflow's token starts no run by itself."""
    hub.post("/actions/workflows/checks.yml/dispatches", {"ref": branch})


def _check_open(hub: GitHub, number_of_pull: int) -> None:
    if hub.get(f"/pulls/{number_of_pull}")["state"] != "open":
        raise DataError(f"pull request #{number_of_pull} was closed in the meantime. Nothing is pushed or posted.")


def _fork_of(base: str) -> str:
    """Where the commit that is checked out left a branch. DataError where the history here is too short to tell."""
    code, found, _ = git.ask("merge-base", "--end-of-options", "HEAD", base)
    if code:
        raise DataError(
            f"HEAD and {base[:10]} have no commit in common here. Fetch the whole history: git fetch --unshallow, "
            "or fetch-depth: 0 where a workflow checks out."
        )
    return git.text(found).strip()


def _before(run: Run) -> str:
    """The commit before a push; for a new branch, where it left the default branch; for a new repository, the commit itself."""
    before = str(run.event.get("before") or "")
    default = (run.event.get("repository") or {}).get("default_branch", "main")
    for known in (before, f"refs/remotes/{origin.ORIGIN}/{default}"):
        code, found, _ = git.ask("merge-base", "--end-of-options", "HEAD", known)
        if code == 0:
            return git.text(found).strip()
    return "HEAD"


def relay(run: Run, hub: GitHub, text: str) -> None:
    """Post what the run of a fork left, as plain text. GitHub says which pull request it is about; the fork is not asked.

    The status stays pending, because a fork's run could say anything.
    """
    done = run.event["workflow_run"]
    head = done["head_sha"]
    owner = (done.get("head_repository") or {}).get("owner", {}).get("login", "")
    wanted = hub.pages("/pulls", state="open", head=f"{owner}:{done['head_branch']}")
    numbers = [one["number"] for one in wanted if one["head"]["sha"] == head]
    if not numbers:
        raise DataError(
            f"no open pull request has the head {head[:10]}: it was closed or has moved on. Nothing is posted."
        )
    told = (
        "This is what the run of the fork says. Nobody has checked it, so it is plain text and does not open the gate.\n\n"
        f"To decide, a maintainer who has read the change pushes this commit to a branch `try/…` of this repository; "
        f"that run sets `{GATE}` on {head}.\n\n"
    )
    is_decided = any(one["context"] == GATE for one in hub.pages(f"/commits/{head}/statuses"))
    for one in numbers:
        if not is_decided:  # a maintainer may have been faster
            set_status(hub, head, GATE, "pending", "a fork's run does not decide; see the comment", run.address)
        post_comment(hub, one, told + fenced(text[:LONGEST]))
