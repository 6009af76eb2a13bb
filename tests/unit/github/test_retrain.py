"""Retrains as pull requests: who is asked, and what the text says."""

from __future__ import annotations

import pytest

from flywheel.github.retrain import body, owners, reviewers, title

CODEOWNERS = """
# people
* @all
/models/candidate/ @ada @acme/models   # a comment
/models/ @never
*.md writer@example.com
/empty/
"""


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("src/x.py", ["@all"]),
        ("models/candidate/model.txt", ["@never"]),  # the last line that matches
        ("docs/a.md", ["writer@example.com"]),
        ("empty/x", []),
    ],
)
def test_the_last_matching_line_owns_a_path(path: str, expected: list[str]) -> None:
    """As GitHub reads CODEOWNERS; a line without a name frees the path."""
    assert owners(CODEOWNERS, path) == expected


def test_people_and_teams_are_asked_apart_and_nobody_reviews_what_is_theirs(
    tmp_path: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    """GitHub takes logins and team names in two lists, and refuses the author."""
    monkeypatch.chdir(str(tmp_path))
    assert reviewers("ada") == {}
    with open("CODEOWNERS", "w") as file:
        file.write("/models/candidate/ @ada @bob @acme/models\n")
    assert reviewers("ada") == {"reviewers": ["bob"], "team_reviewers": ["models"]}
    assert reviewers(None) == {"reviewers": ["ada", "bob"], "team_reviewers": ["models"]}


def test_title_and_text_say_tier_verdict_reason_and_what_comes_next() -> None:
    """A reason from outside cannot mention anybody or carry HTML."""
    rule = {"rule": "cohorts", "verdict": "inconclusive", "severity": "block", "reason": "JFK may be worse."}
    warns = {"rule": "utility", "verdict": "fail", "severity": "warn", "reason": "It pays less."}
    decision = {"verdict": "inconclusive", "as_of": "2030-01-02", "rules": [rule, warns]}
    assert title("drift", decision) == "Retrain (drift): inconclusive, as of 2030-01-02"
    text = body("drift", decision, "@acme <img src=x>", "https://example.com/run")
    assert "&#64;acme &lt;img src=x>" in text
    assert "- ❔ JFK may be worse.\n- ❌ It pays less. (only warns)\n" in text
    assert "flywheel accept" in text
    assert "(https://example.com/run)" in text
