"""What a pull request shows: the verdict, what changed against its base, and the report. Text from data."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from flywheel.data.evidence import Quality
from flywheel.evaluation.evidence import HIGHER_IS_BETTER, IN_WORDS, Decision
from flywheel.report.markdown import MARKS, escape, number, table

LONGEST = 60_000  # GitHub takes 65,536 characters


@dataclass(frozen=True)
class Changes:
    """What differs from a base commit: metrics and params as old and new, and the days of data."""

    base: str
    metrics: Mapping[str, tuple[Any, Any]]
    params: Mapping[str, tuple[Any, Any]]
    verdicts: tuple[str | None, str]
    days: str


def changed_days(before: Quality | None, now: Quality) -> str:
    """One sentence about the days of data that are new, gone or changed."""
    span = now["total"]["days"]
    if before is None:
        return f"{_days(span['n'])} of data, {span['first']} to {span['last']}; the base has none."
    counts = [_day_counts(one) for one in (before, now)]
    old_last, last = before["total"]["days"]["last"] or "", span["last"] or ""
    came = [day for day in counts[1] if day > old_last]
    gone = [day for day in counts[0] if day > last]
    changed = [day for day in counts[0] if day in counts[1] and counts[0][day] != counts[1][day]]
    said = [
        _count_days(came, "new"),
        _count_days(gone, "gone"),
        _count_days(changed, "with other counts"),
    ]
    kept = [one for one in said if one]
    return f"{'; '.join(kept)}." if kept else "the days are the same."


def _day_counts(quality: Quality) -> dict[str, list[tuple[int, int]]]:
    return {
        one["day"]: [(table["rows"], table["rejected"]) for table in (one["predictions"], one["feedback"])]
        for one in quality["days"]
    }


def _count_days(days: list[str], what: str) -> str:
    if not days:
        return ""
    span = days[0] if len(days) == 1 else f"{days[0]} to {days[-1]}"
    return f"{_days(len(days))} {what} ({span})"


def _days(n: int) -> str:
    return f"{n} {'day' if n == 1 else 'days'}"


def status(decision: Decision, why_accepted: str | None, problem: str | None) -> tuple[str, str]:
    """State and description of the commit status. A problem with the run outweighs any verdict."""
    if problem:
        return "failure", problem
    if decision["verdict"] == "pass":
        blocking = (rule for rule in decision["rules"] if rule["severity"] == "block")
        told = next((rule["reason"] for rule in blocking if is_main(rule["rule"])), "")
        return "success", f"pass: {told}"
    if why_accepted:
        return "success", f"inconclusive, accepted: {why_accepted}"
    reasons = [
        rule["reason"]
        for rule in decision["rules"]
        if rule["verdict"] == decision["verdict"] and rule["severity"] == "block"
    ]
    return "failure", f"{decision['verdict']}: {' '.join(reasons)}"


def is_main(rule: str) -> bool:
    """Whether a rule says what a candidate was made for: better, or in a refresh not worse."""
    return rule.startswith("better") or rule.endswith("not worse")


def render(found: Changes, decision: Decision, state: tuple[str, str], report: str) -> str:
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
    verdict = f"{now} {MARKS[now]}" + (f", was {before}" if before not in (now, None) else "")
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
            else "The metrics are the same.\n",
            table(["parameter", "base", "here"], param_rows) if param_rows else "The parameters are the same.\n",
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
    """The report with its pictures linked to a commit, because a comment has no folder."""
    return report.replace("](plots/", f"]({address}/").replace(".png)", ".png?raw=true)")


def shorten(text: str) -> str:
    """A text short enough for a comment on GitHub."""
    if len(text) <= LONGEST:
        return text
    return f"{text[:LONGEST]}\n\nThe rest is cut off; see reports/report.md."


def fenced(text: str) -> str:
    """A text from outside, shown as plain text: links, pictures, mentions and HTML in it have no effect."""
    kept = "".join(sign for sign in text if sign in "\n\t" or sign.isprintable())
    longest = max((len(run) for run in _runs_of(kept, "`")), default=0)
    fence = "`" * max(4, longest + 1)
    return f"{fence}text\n{kept.strip()}\n{fence}"


def _runs_of(text: str, sign: str) -> list[str]:
    return [run for run in "".join(one if one == sign else " " for one in text).split(" ") if run]
