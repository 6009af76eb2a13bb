"""You said, we did: what a team answers, what the loop moves by itself, and files that are wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from flywheel.errors import ConfigError
from flywheel.report import you_said
from flywheel.report.answers import Answer, read_answers
from flywheel.report.voices import satisfied, what_users_say
from flywheel.report.you_said import status_of
from tests.unit.report.test_report import EVIL, PARAMS, SAFE, evidence, topic

TOPICS = ["late", "wish", "other"]
OURS = "project: planted\nanswers:\n"


def read(tmp_path: Path, text: str) -> dict[str, Answer]:
    path = tmp_path / "answers.yaml"
    path.write_text(text)
    return read_answers("planted", TOPICS, path)


def learned(predictions: int, candidate: int, champion: int) -> Any:
    return {"predictions": predictions, "candidate": candidate, "champion": champion}


@pytest.mark.parametrize(
    ("about", "counts", "answer", "status"),
    [
        ("output", (10, 0, 0), None, "heard"),
        ("output", (10, 4, 0), None, "heard"),
        ("output", (10, 5, 4), None, "in training data"),
        ("output", (10, 9, 5), None, "fixed in v0.7.0"),
        ("input", (10, 9, 5), None, "heard"),
        ("product", (10, 9, 5), None, "heard"),
        ("output", (10, 9, 5), "heard", "fixed in v0.7.0"),
        ("output", (10, 9, 0), "heard", "in training data"),
        ("output", (10, 9, 5), "won't do", "won't do"),
        ("output", (10, 9, 5), "fixed in v0.6.0", "fixed in v0.6.0"),
        ("output", (10, 0, 0), "in training data", "in training data"),
        ("input", (10, 0, 0), "fixed in v0.2.0", "fixed in v0.2.0"),
    ],
)
def test_how_far_a_topic_is(about: str, counts: tuple[int, int, int], answer: str | None, status: str) -> None:
    """The loop moves what a label can answer, and only forward; a person's refusal and version stay."""
    said = Answer(status=answer, reason="Because.") if answer else None
    found = status_of(topic("x", about, 10, 0.0), learned(*counts), "v0.7.0", said)
    assert status == found.status
    assert (answer is not None) == found.why.startswith("Because.")


def test_without_a_released_champion_nothing_is_fixed() -> None:
    """A champion that has no version was never released."""
    assert "in training data" == status_of(topic("x", "output", 10, 0.0), learned(10, 9, 9), None, None).status


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            f"{OURS}  nothing: {{status: heard}}\n",
            "topic 'nothing', which voices.topics does not have. Topics: late, wish",
        ),
        (f"{OURS}  late: {{status: done}}\n", "'done'}; the status should be heard; in training data; fixed in v0.2.0"),
        (f"{OURS}  late: {{status: fixed in 2}}\n", "'fixed in 2'}; the status should be"),
        (
            f"{OURS}  late: {{status: won't do}}\n",
            "answers.late: found {'status': \"won't do\"}; the reason is missing",
        ),
        (f"{OURS}  late: {{status: won't do, reason: ' '}}\n", "the reason is empty"),
        (f"{OURS}  late: {{status: heard, why: x}}\n", "answers.late.why: unknown key"),
        (f"{OURS}  late: heard\n", "answers.late: found 'heard'"),
        ("answers: {}\n", "project: the key is missing"),
        ("- a\n", "found list; it should hold the keys project and answers"),
        ("", "found NoneType"),
        ("a: [", "cannot be read as YAML"),
        ("a: \0", "cannot be read as YAML"),
    ],
)
def test_a_wrong_file_says_what_is_wrong(text: str, said: str, tmp_path: Path) -> None:
    """With the place to fix."""
    with pytest.raises(ConfigError) as error:
        read(tmp_path, text)
    assert said in str(error.value)
    assert f"Fix {tmp_path / 'answers.yaml'}" in str(error.value)


def test_a_missing_file_says_what_to_write(tmp_path: Path) -> None:
    """Two lines."""
    with pytest.raises(ConfigError, match=r"project: planted, and answers: \{\}"):
        read_answers("planted", TOPICS, tmp_path / "answers.yaml")


def test_answers_of_another_project_are_left_alone(tmp_path: Path) -> None:
    """As when the example's file is still there."""
    assert {} == read(tmp_path, "project: another\nanswers:\n  nothing: {status: heard}\n")
    assert ["wish"] == list(read(tmp_path, f"{OURS}  wish: {{status: heard}}\n"))


def test_the_page_has_each_topic_with_its_users_the_most_first() -> None:
    """Praise asks for nothing, so it is not in the table."""
    found = evidence()
    page = you_said.render(found["voices"], found["monitor"], {}, PARAMS.project)
    rows = [line.split(" | ")[:2] for line in page.splitlines() if line.startswith("| ")][2:]
    assert [
        ["| other (no topic fits)", "heard"],
        ["| wrong answer (our answer)", "in training data"],
        ["| wrong size (our data: size)", "heard"],
    ] == rows
    assert "| you said | status | we did | users | texts | since 2030-01-17 |" in page
    assert "| 298 | 311 | 103 |" in page
    assert "84 users said thanks" in page
    assert "in 222, and the next model learns from these. v0.7.0, which serves, learned from 88 of them." in page


def test_no_answer_and_no_topic_breaks_out_of_the_page() -> None:
    """Whatever stands in the file."""
    found = evidence()
    for one in found["voices"]["topics"]:
        one |= {"topic": EVIL, "input": EVIL}
    page = you_said.render(
        found["voices"], found["monitor"], {EVIL: Answer(status="heard", reason=EVIL)}, PARAMS.project
    )
    assert (False, False) == ("<b>" in page, "@who" in page)
    assert SAFE in page


def test_where_nobody_writes_the_report_says_so() -> None:
    """Satisfaction is still told; a page without topics has no table."""
    found = evidence()
    found["voices"] |= {"texts": 0, "topics": []}
    text = what_users_say(found["voices"], found["monitor"], 2)
    assert "Nobody has written anything yet." in text
    assert "voices.png" not in text
    assert "Who is less satisfied" in text
    assert "Nobody wrote anything yet." in you_said.render(found["voices"], found["monitor"], {}, PARAMS.project)


def test_small_numbers_are_not_interpreted() -> None:
    """Twelve texts: counts, and no conclusion."""
    found = evidence()["voices"]
    found["texts"], found["sentiment"] = 12, {"value": 0.3, "low": None, "high": None}
    found["recent"]["texts"] = 12
    text = what_users_say(found, evidence()["monitor"], 2)
    assert (
        "12 texts in the last 14 days, after 608 in the 21 days before, are too few to say whether topics changed"
        in text
    )
    assert "12 texts are too few to say how users feel" in text
    assert "became" not in text


def test_nobody_is_named_where_a_gap_may_be_chance() -> None:
    """And who is less satisfied is, where it is not."""
    found = evidence()["monitor"]["satisfaction"]
    assert "**place = south**" in satisfied(found)
    found["groups"]["place"][1]["gap"] = {"value": -0.1, "low": -0.3, "high": 0.1}
    assert "No cohort is shown to be less satisfied" in satisfied(found)
    assert "**place = south**" not in satisfied(found)
    found["groups"]["place"][1] |= {"rating": None, "gap": None}
    assert "818 ratings from 2030-01-03 to 2030-01-31 are too few to compare cohorts: each needs 100." in satisfied(
        found
    )
