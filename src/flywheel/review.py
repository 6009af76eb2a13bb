"""What a pull request shows: the verdict, what changed against its base, and the report; and its commit status.

The functions of the first half compute text from data; `publish` and `relay` bring it to GitHub.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flywheel import files, github, releases, remote
from flywheel.acceptance import accepted
from flywheel.errors import DataError
from flywheel.github import GitHub, Run
from flywheel.markdown import escape, number, table
from flywheel.metrics import HIGHER_IS_BETTER, IN_WORDS

GATE = "flywheel/gate"
MARK = "flywheel"
COMMENT = files.LOCAL / "comment.md"
LONGEST = 60_000  # GitHub takes 65,536 characters
PRODUCED = ("params.yaml", "dvc.lock", "models/", "reports/", "conf/state.yaml")
SIGNS = {"pass": "✅", "fail": "❌", "inconclusive": "❔"}


@dataclass(frozen=True)
class Changes:
    """What differs from a base commit: metrics and params as old and new, and the days of data."""

    base: str
    metrics: Mapping[str, tuple[Any, Any]]
    params: Mapping[str, tuple[Any, Any]]
    verdicts: tuple[str | None, str]
    days: str


def changes(base: str) -> Changes:
    """Compare the working tree with a commit, by DVC and by the files of that commit. DataError when there is none."""
    from dvc.exceptions import DvcException
    from dvc.repo import Repo

    from flywheel.pipeline import quiet

    commit = releases.git("rev-parse", "--verify", "--quiet", "--end-of-options", f"{base}^{{commit}}").strip()
    quiet()
    try:
        with Repo() as repo:
            measured = repo.metrics.diff(commit, "workspace").get("diff", {})
            told = repo.params.diff(commit, "workspace").get("diff", {})
    except DvcException as error:
        raise DataError(f"DVC could not compare with {base}: {error}.") from None
    before = {path.name: _at(commit, path) for path in (files.DECISION, files.QUALITY)}
    now = files.read_json(files.DECISION)
    return Changes(
        base=commit[:10],
        metrics=_pairs(measured.get(files.METRICS.as_posix(), {})),
        params=_pairs(told.get("params.yaml", {})),
        verdicts=((before["decision.json"] or {}).get("verdict"), now["verdict"]),
        days=changed_days(before["quality.json"], files.read_json(files.QUALITY)),
    )


def _pairs(found: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    return {name: (one.get("old"), one.get("new")) for name, one in found.items() if one.get("old") != one.get("new")}


def _at(commit: str, path: Path) -> Any:
    """A JSON file as it was at a commit; None where it was not there or is not JSON."""
    try:
        return json.loads(releases.git("show", f"{commit}:{path.as_posix()}"))
    except (DataError, ValueError):
        return None


def changed_days(before: Mapping[str, Any] | None, now: Mapping[str, Any]) -> str:
    """One sentence about the days of data that came, went or changed."""
    counts = [_day_counts(one) for one in (before or {}, now)]
    span = now["total"]["days"]
    if before is None:
        return f"{_days(span['n'])} of data, {span['first']} to {span['last']}; the base has none."
    old_last = (before["total"].get("days") or {}).get("last", "")
    came = [day for day in counts[1] if day > old_last]
    gone = [day for day in counts[0] if day > span["last"]]
    changed = [day for day in counts[0] if day in counts[1] and counts[0][day] != counts[1][day]]
    said = [
        _count_days(came, "new"),
        _count_days(gone, "gone"),
        _count_days(changed, "with other counts"),
    ]
    kept = [one for one in said if one]
    return f"{'; '.join(kept)}." if kept else "The same days of data."


def _day_counts(quality: Mapping[str, Any]) -> dict[str, Any]:
    return {
        one["day"]: [(one[table]["rows"], one[table]["rejected"]) for table in ("predictions", "feedback")]
        for one in quality.get("days", [])
    }


def _count_days(days: list[str], what: str) -> str:
    if not days:
        return ""
    span = days[0] if len(days) == 1 else f"{days[0]} to {days[-1]}"
    return f"{_days(len(days))} {what} ({span})"


def _days(n: int) -> str:
    return f"{n} {'day' if n == 1 else 'days'}"


def status(decision: Mapping[str, Any], why_accepted: str | None, problem: str | None) -> tuple[str, str]:
    """State and description of the commit status. A problem with the run outweighs every verdict."""
    if problem:
        return "failure", problem
    if decision["verdict"] == "pass":
        told = next((rule["reason"] for rule in decision["rules"] if rule["rule"].startswith("better")), "")
        return "success", f"pass: {told}"
    if why_accepted:
        return "success", f"inconclusive, accepted: {why_accepted}"
    reasons = [rule["reason"] for rule in decision["rules"] if rule["verdict"] == decision["verdict"]]
    return "failure", f"{decision['verdict']}: {' '.join(reasons)}"


def render(found: Changes, decision: Mapping[str, Any], state: tuple[str, str], report: str) -> str:
    """The comment: verdict, what changed, report."""
    metric_rows = []
    for name, words in IN_WORDS.items():
        if f"candidate.{name}.value" not in found.metrics:
            continue
        old, new = found.metrics[f"candidate.{name}.value"]
        gap = "–" if old is None or new is None else number(new - old, 4, sign=True)
        lower = "" if HIGHER_IS_BETTER.get(name, True) else " (lower is better)"
        metric_rows.append([f"{words}{lower}", number(old, 4), number(new, 4), gap])
    param_rows = [[name, _value(old), _value(new)] for name, (old, new) in sorted(found.params.items())]
    before, now = found.verdicts
    verdict = f"{now} {SIGNS[now]}" + (f", was {before}" if before not in (now, None) else "")
    return "\n".join(
        [
            f"## Gate: {verdict}",
            "",
            f"**{state[0]}** — {escape(state[1])}",
            "",
            f"### Against the base, {found.base}",
            "",
            f"Data: {found.days}",
            "",
            table(["metric of the candidate", "base", "here", "difference"], metric_rows)
            if metric_rows
            else "The candidate measures the same.\n",
            table(["parameter", "base", "here"], param_rows) if param_rows else "The same parameters.\n",
            "<details open><summary>The report</summary>"
            if now != "pass"
            else "<details><summary>The report</summary>",
            "",
            report.strip(),
            "",
            "</details>",
            "",
        ]
    )


def _value(value: Any) -> str:
    text = "–" if value is None else json.dumps(value, ensure_ascii=False) if not isinstance(value, str) else value
    return text if len(text) <= 80 else f"{text[:79]}…"


def with_pictures(report: str, address: str) -> str:
    """The report with its pictures taken from a commit, because a comment has no folder."""
    return report.replace("](plots/", f"]({address}/").replace(".png)", ".png?raw=true)")


def shorten(text: str) -> str:
    """A text that GitHub takes as a comment."""
    if len(text) <= LONGEST:
        return text
    return f"{text[:LONGEST]}\n\nThe rest is cut off here: it is in reports/report.md."


def fenced(text: str) -> str:
    """A text from outside as plain text: no link, picture, mention or HTML in it has an effect."""
    kept = "".join(sign for sign in text if sign in "\n\t" or sign.isprintable())
    longest = max((len(run) for run in _runs_of(kept, "`")), default=0)
    fence = "`" * max(4, longest + 1)
    return f"{fence}text\n{kept.strip()}\n{fence}"


def _runs_of(text: str, sign: str) -> list[str]:
    return [run for run in "".join(one if one == sign else " " for one in text).split(" ") if run]


def stale() -> list[str]:
    """The files that the run made otherwise than they are committed. DataError when other files changed as well."""
    listed = releases.git("status", "--porcelain", "-z", "--untracked-files=all", "--no-renames")
    changed = [entry[3:] for entry in listed.split("\0") if entry]
    strange = [name for name in changed if not name.startswith(PRODUCED)]
    if strange:
        raise DataError(f"the run changed files that it should not: {', '.join(strange)}. Look at what wrote them.")
    return changed


def commit_produced(message: str) -> str:
    """Commit what a run produced, as the loop itself; returns the commit."""
    there = [name for name in PRODUCED if Path(name).exists()]
    releases.git("add", "--all", "--", *there)
    _git_as_bot("commit", "--quiet", "--no-verify", "--message", message)
    return releases.git("rev-parse", "HEAD").strip()


def _git_as_bot(*arguments: str) -> None:
    env = {**os.environ, **remote.BOT}
    done = subprocess.run(["git", *arguments], env=env, capture_output=True, text=True, check=False)
    if done.returncode:
        raise DataError(f"git {arguments[0]} failed: {done.stderr.strip() or done.stdout.strip()}")


def publish(run: Run, hub: GitHub | None, halted: str | None) -> bool:
    """Show the result of `flywheel run` for the commit that is checked out; says whether the gate is open.

    In this order, so that a later failure loses nothing: the new lock is pushed where it was stale, the summary of the job,
    the commit status, the comment. A fork's token can do none of that: `hub` is None, and the text is left in a file, which
    another workflow posts.
    """
    decision = files.read_json(files.DECISION)
    pull = run.pull_request
    head = releases.git("rev-parse", "HEAD").strip()
    base = releases.git("merge-base", "HEAD", pull["base"]["sha"]).strip() if pull else _before(run)
    found = changes(base)
    problem = f"the loop is halted: {halted}" if halted else None
    outdated = stale()
    if pull and hub:
        _check_open(hub, pull["number"])
    if outdated and hub and pull:
        committed = commit_produced(f"Results of {head[:10]}: what this change gives\n\n{decision['verdict']}")
        remote.push(f"{committed}:refs/heads/{pull['head']['ref']}")
        print(f"dvc.lock was out of date: its results are committed to the branch as {committed[:10]}", flush=True)
        head = committed
    elif outdated:
        problem = problem or "dvc.lock is out of date: run `flywheel run`, and commit what it changes."
    state = status(decision, accepted(decision), problem)
    name = hub.repository if hub else os.environ.get("GITHUB_REPOSITORY", "")
    server = os.environ.get("GITHUB_SERVER_URL", "https://github.com")
    report = with_pictures(files.REPORT.read_text(encoding="utf-8"), f"{server}/{name}/blob/{head}/reports/plots")
    text = shorten(render(found, decision, state, report))
    files.write_text(COMMENT, text)
    github.summary(text)
    if hub:
        post(hub, run, head, state, pull["number"] if pull else None, text)
        if outdated and pull:
            start_checks(hub, pull["head"]["ref"])
    print(f"{GATE}: {state[0]}: {state[1]}", flush=True)
    return state[0] == "success"


def post(hub: GitHub, run: Run, head: str, state: tuple[str, str], number_of_pull: int | None, text: str) -> None:
    """Set the status of a commit, and show the text in its pull request."""
    github.set_status(hub, head, GATE, state[0], state[1], run.address)
    if number_of_pull is not None:
        post_comment(hub, number_of_pull, text)


def post_comment(hub: GitHub, number_of_pull: int, text: str) -> None:
    """Post with CML, which keeps one comment; where CML is missing or fails, with GitHub's API."""
    files.write_text(COMMENT, f"{text}\n\n<!-- {MARK} -->\n")
    if shutil.which("cml"):
        command = ["cml", "comment", "update", "--publish=false", f"--watermark-title={MARK}"]
        command += [f"--target=pr/{number_of_pull}", str(COMMENT)]
        env = {**os.environ, "REPO_TOKEN": hub.token}
        try:
            done = subprocess.run(command, env=env, capture_output=True, text=True, check=False, timeout=120)
            said = "" if done.returncode == 0 else (done.stderr or done.stdout).strip()[-300:] or "no reason given"
        except (OSError, subprocess.TimeoutExpired) as error:
            said = str(error)
        if not said:
            return
        print(f"CML could not post ({said}); posting without it.", flush=True)
    github.comment(hub, number_of_pull, MARK, text)


def start_checks(hub: GitHub, branch: str) -> None:
    """Start checks.yml on a branch: a commit pushed with the token of a workflow starts no run by itself."""
    hub.post("/actions/workflows/checks.yml/dispatches", {"ref": branch})


def _check_open(hub: GitHub, number_of_pull: int) -> None:
    if hub.get(f"/pulls/{number_of_pull}")["state"] != "open":
        raise DataError(f"pull request #{number_of_pull} was closed meanwhile: nothing is pushed or posted.")


def _before(run: Run) -> str:
    """The commit before a push; for a new branch, where it left the default one; for a new repository, the commit itself."""
    before = str(run.event.get("before") or "")
    default = (run.event.get("repository") or {}).get("default_branch", "main")
    for known in (before, f"refs/remotes/{remote.ORIGIN}/{default}"):
        found = subprocess.run(
            ["git", "merge-base", "--end-of-options", "HEAD", known], capture_output=True, text=True, check=False
        )
        if found.returncode == 0:
            return found.stdout.strip()
    return "HEAD"


def relay(run: Run, hub: GitHub, text: str) -> None:
    """Post what the run of a fork left, as plain text. Which pull request it is about is GitHub's word, not the fork's.

    The status stays pending: a fork's own run could say anything.
    """
    done = run.event["workflow_run"]
    head = done["head_sha"]
    owner = (done.get("head_repository") or {}).get("owner", {}).get("login", "")
    wanted = hub.pages("/pulls", state="open", head=f"{owner}:{done['head_branch']}")
    numbers = [one["number"] for one in wanted if one["head"]["sha"] == head]
    if not numbers:
        raise DataError(
            f"no open pull request has the head {head[:10]}: it was closed or has moved on. Nothing posted."
        )
    told = (
        "This is what the run of the fork says. Nobody has checked it, so it is shown as plain text and opens nothing.\n\n"
        f"To decide, a maintainer who has read the change pushes this commit to a branch `try/…` of this repository; "
        f"that run sets `{GATE}` on {head}.\n\n"
    )
    is_decided = any(one["context"] == GATE for one in hub.pages(f"/commits/{head}/statuses"))
    for one in numbers:
        if not is_decided:  # a maintainer may have been faster
            github.set_status(hub, head, GATE, "pending", "a fork's run does not decide: see the comment", run.address)
        post_comment(hub, one, told + fenced(text[:LONGEST]))
