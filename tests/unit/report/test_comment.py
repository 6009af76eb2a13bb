"""What a pull request shows: days that changed, the status, text that cannot break out."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from flywheel.github.actions import Run
from flywheel.report.comment import Changes, changed_days, fenced, render, shorten, status, with_pictures
from flywheel.report.markdown import MARKS
from flywheel.report.page import verdict


def rule(name: str, verdict: str, reason: str, severity: str = "block") -> dict[str, str]:
    return {"rule": name, "verdict": verdict, "severity": severity, "reason": reason}


PASS = rule("better log loss", "pass", "Log loss is better.")
HARMLESS = rule("log loss not worse", "pass", "Log loss is no worse.")
OPEN = rule("AUC not worse", "inconclusive", "AUC may be worse.")
WORSE = rule("cohorts", "fail", "JFK is worse.")
WARNED = rule("utility per 1,000 predictions not worse", "fail", "Utility is worse.", "warn")
UNSURE = rule("utility per 1,000 predictions not worse", "inconclusive", "Utility may be worse.", "warn")


def decision(*rules: dict[str, str]) -> dict[str, Any]:
    verdicts = [one["verdict"] for one in rules if one["severity"] == "block"]
    worst = next((one for one in ("fail", "inconclusive") if one in verdicts), "pass")
    return {"verdict": worst, "kind": "change", "rules": list(rules)}


def quality(*days: tuple[str, int]) -> dict[str, Any]:
    """`reports/quality.json` with the rows of some days."""
    counts = [
        {"day": day, "predictions": {"rows": n, "rejected": 0}, "feedback": {"rows": 2, "rejected": 0}}
        for day, n in days
    ]
    return {"days": counts, "total": {"days": {"n": len(days), "first": days[0][0], "last": days[-1][0]}}}


@pytest.mark.parametrize(
    ("before", "now", "said"),
    [
        ([("03-01", 5), ("03-02", 5)], [("03-01", 5), ("03-02", 5)], "the days are the same."),
        ([("03-01", 5)], [("03-01", 5), ("03-02", 5), ("03-03", 5)], "2 days new (03-02 to 03-03)."),
        ([("03-01", 5), ("03-02", 5)], [("03-01", 5)], "1 day gone (03-02)."),
        ([("03-01", 5), ("03-02", 5)], [("03-01", 5), ("03-02", 6)], "1 day with other counts (03-02)."),
    ],
)
def test_days_that_came_went_or_changed_are_named(before: Any, now: Any, said: str) -> None:
    """By the counts of rows of each day."""
    assert changed_days(quality(*before), quality(*now)) == said


def test_a_base_without_data_is_said() -> None:
    """The first commit of a repository has nothing to compare with."""
    assert changed_days(None, quality(("03-01", 5))) == "1 day of data, 03-01 to 03-01; the base has none."


@pytest.mark.parametrize(
    ("rules", "accepted", "problem", "state", "said"),
    [
        ([PASS], None, None, "success", "pass: Log loss is better."),
        ([PASS, OPEN], None, None, "failure", "inconclusive: AUC may be worse."),
        ([PASS, OPEN], "cheaper", None, "success", "inconclusive, accepted: cheaper"),
        ([PASS, OPEN, WORSE], None, None, "failure", "fail: JFK is worse."),
        ([HARMLESS], None, None, "success", "pass: Log loss is no worse."),
        ([WARNED, HARMLESS], None, None, "success", "pass: Log loss is no worse."),
        ([WORSE, WARNED], None, None, "failure", "fail: JFK is worse."),
        ([OPEN, UNSURE], None, None, "failure", "inconclusive: AUC may be worse."),
        ([PASS], None, "the loop is halted: x", "failure", "the loop is halted: x"),
    ],
)
def test_the_status_follows_verdict_acceptance_and_problems(
    rules: Any, accepted: str | None, problem: str | None, state: str, said: str
) -> None:
    """Only a pass, or an accepted inconclusive, without a problem opens the gate."""
    assert status(decision(*rules), accepted, problem) == (state, said)


def test_the_comment_shows_what_changed() -> None:
    """Metrics with their direction, parameters as old and new, the days, the verdict and what it was."""
    metrics = {"candidate.auc.value": (0.7, 0.72), "candidate.log_loss.value": (0.5, None), "rows": (1, 2)}
    found = Changes("abc", metrics, {"model.num_leaves": (31, 15), "new.key": (None, [1])}, ("pass", "fail"), "none.")
    text = render(found, decision(WORSE), ("failure", "fail: JFK | is worse."), "# Report")
    assert "## Gate: fail ❌, was pass" in text
    assert "fail: JFK \\| is worse." in text
    assert "| AUC | 0.7000 | 0.7200 | +0.0200 |" in text
    assert "| log loss (lower is better) | 0.5000 | – | – |" in text
    assert "| model.num_leaves | 31 | 15 |" in text
    assert "| new.key | – | [1] |" in text
    assert "<details open>" in text


HOSTILE = st.text(alphabet=st.sampled_from("`~<>&@[]()!#|*_\\ \n\tab\x1b\u202e"), max_size=60)


@given(HOSTILE)
def test_text_in_a_fence_stays_in_it(text: str) -> None:
    """Whatever a fork writes is one block of code for a Markdown parser, and has no control characters."""
    [block] = MarkdownIt("commonmark").parse(fenced(text))
    assert block.type == "fence"
    assert "\x1b" not in block.content
    assert "\u202e" not in block.content


def test_a_long_comment_is_cut_and_says_so() -> None:
    """GitHub takes 65,536 characters."""
    assert shorten("x" * 1000) == "x" * 1000
    cut = shorten("x" * 100_000)
    assert len(cut) < 65_000
    assert cut.endswith("see reports/report.md.")


def test_pictures_are_those_of_the_commit() -> None:
    """A comment has no folder, so that a relative picture would be broken."""
    assert with_pictures("![a](plots/b.png)", "https://h/o/r/blob/1/reports/plots") == (
        "![a](https://h/o/r/blob/1/reports/plots/b.png?raw=true)"
    )


@pytest.mark.parametrize(
    ("head", "is_fork"),
    [({"full_name": "o/r"}, False), ({"full_name": "x/r"}, True), (None, True)],
)
def test_a_fork_is_known_by_its_repository(head: Any, is_fork: bool) -> None:
    """A fork that was deleted is one too."""
    event = {"pull_request": {"head": {"repo": head}, "base": {"repo": {"full_name": "o/r"}}}}
    assert Run("pull_request", event, "", None, False).is_fork is is_fork


@pytest.mark.parametrize("rules", [[PASS], [PASS, OPEN], [PASS, OPEN, WORSE]])
def test_comment_and_report_show_a_verdict_by_the_same_sign(rules: list[dict[str, str]]) -> None:
    """Whoever reads both sees one thing."""
    found = decision(*rules)
    changes = Changes("main", {}, {}, (None, found["verdict"]), "The same days of data.")
    assert f"{found['verdict']} {MARKS[found['verdict']]}" in render(changes, found, ("x", "y"), "")
    about = {"window": {"rows": 1, "predictions": 1, "positives": 1, "start": "a", "end": "b"}}
    said = verdict(
        found | {"champion": "v", "reference": "champion", "as_of": "a"}, {"about": about, "windows": [{}]}, "planted"
    )
    assert f"{found['verdict']} {MARKS[found['verdict']]}" in said
