"""Experiments as a table and as a picture: what is not known is a dash, and no name breaks out of its cell."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from flywheel.evaluation.experiments import Experiment
from flywheel.report.experiments import HEADER, drawn, markdown, notes, rows
from flywheel.report.plots import png
from tests.unit.evaluation.test_experiments import ROWS, experiment

FIRST = replace(experiment(log_loss=0.51239, worst=0.61239, utility=12.34), name="HEAD")
OTHER = replace(
    experiment(rows=("2030-02-01", "2030-03-01", 1234, 300), latency=None), name="later", changed="x=" + "1" * 90
)
UNKNOWN = replace(experiment(log_loss=None, worst=0.6, size=None), name="odd")
LOST = Experiment("lost | <b>", why="it failed")


def row(one: Experiment) -> dict[str, str]:
    return dict(zip(HEADER, rows([one])[0], strict=True))


def test_each_value_is_in_its_column() -> None:
    """Rounded, with the interval of the difference."""
    expected: dict[str, Any] = {
        "": "★",
        "experiment": "HEAD",
        "changed": "–",
        "AUC": "0.7000",
        "log loss": "0.5124",
        "difference": "+0.0000 [-0.1000, +0.1000]",
        "worst cohort": "a = b 0.6124",
        "utility": "12.3",
        "bytes": "1,000",
        "ms": "1.00",
        "verdict": "pass",
    }
    assert expected == row(FIRST)


def test_what_is_not_known_is_a_dash() -> None:
    """Of a lost experiment all but its name; what changed is cut where it is long."""
    assert ["", "lost | <b>", *["–"] * 9] == rows([LOST])[0]
    assert ("–", "–") == (row(UNKNOWN)["log loss"], row(UNKNOWN)["bytes"])
    assert ("–", 60, "…") == (row(OTHER)["ms"], len(row(OTHER)["changed"]), row(OTHER)["changed"][-1])


def test_other_rows_than_those_of_the_first_are_said() -> None:
    """Their numbers are of another sample, so there is no star, and a sentence says why."""
    assert ["★", "", ""] == [one[0] for one in rows([FIRST, OTHER, LOST])]
    assert [
        "lost | <b>: it failed.",
        "later: measured on other rows (1,234 from 2030-02-01 to 2030-03-01) than HEAD, so it cannot be on the front.",
    ] == notes([FIRST, OTHER, LOST])
    assert ROWS[2] == 900
    assert [] == notes([FIRST, FIRST])


def test_no_name_breaks_out_of_the_page() -> None:
    """Neither of the table nor of the list below it."""
    text = markdown([FIRST, LOST], "page.png", "no model was timed: <i>")
    assert "| lost \\| &lt;b> |" in text
    assert "- lost \\| &lt;b>: it failed.\n- no model was timed: &lt;i>\n" in text


def test_the_picture_has_a_point_for_each_that_is_known() -> None:
    """HEAD and the later one by their bytes; only HEAD has a latency. Nothing at all is a picture too."""
    figure = drawn([FIRST, OTHER, UNKNOWN, LOST])
    points = [sum(len(one.get_offsets()) for one in axes.collections) for axes in figure.axes]
    assert [2, 1] == points
    assert [["HEAD", "later"], ["HEAD"]] == [sorted(text.get_text() for text in axes.texts) for axes in figure.axes]
    assert png(figure) == png(drawn([FIRST, OTHER, UNKNOWN, LOST]))
    assert png(drawn([LOST]))
