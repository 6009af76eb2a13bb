"""What the README and docs/example.md say about the example is true: numbers are measured ones, files and names exist."""

from __future__ import annotations

import json
import re
import subprocess

from tests.conftest import ROOT
from tests.documents import missing

README = (ROOT / "README.md").read_text()
AS_OF = "2013-09-01"  # the day that the README tells of; the loop moves on, and its report with it


def at_that_day(path: str) -> str:
    """A file of reports/ as of that day: the tree's, or the one that a commit has kept."""

    def git(*arguments: str) -> str:
        return subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=True).stdout

    if json.loads((ROOT / "reports/decision.json").read_text())["as_of"] == AS_OF:
        return (ROOT / "reports" / path).read_text()
    for commit in git("log", "--format=%H", "--", "reports/decision.json").split():
        if json.loads(git("show", f"{commit}:reports/decision.json"))["as_of"] == AS_OF:
            return git("show", f"{commit}:reports/{path}")
    raise AssertionError(f"no commit has the report of {AS_OF}, which the README quotes: update the README")


def test_the_table_of_numbers_is_the_reports() -> None:
    """Each row of the README's table of metrics stands in reports/report.md as well."""
    rows = [line for line in README.splitlines() if re.match(r"\| (AUC|log loss|average precision|utility)", line)]
    assert len(rows) >= 4
    assert [row for row in rows if row not in at_that_day("report.md").splitlines()] == []


def test_the_verdict_is_the_gates() -> None:
    """The README names the verdict that the decision of that day has."""
    [told] = re.findall(r"The verdict on 1 September is \*(\w+)\*", README)
    assert told == json.loads(at_that_day("decision.json"))["verdict"]


def test_the_sentences_about_labels_are_the_reports() -> None:
    """What the README quotes from the report is in the report."""
    quoted = [line.removeprefix("> ") for line in README.splitlines() if line.startswith("> ")]
    assert quoted
    assert [line for line in quoted if line not in at_that_day("report.md")] == []


def test_what_the_documents_name_is_there() -> None:
    """The files of the example, and the names in them."""
    [line] = [line for line in README.splitlines() if line.startswith("The example is ")]
    assert missing(line) == []
    assert missing((ROOT / "docs/example.md").read_text()) == []
