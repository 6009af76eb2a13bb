"""Two versions of the same days: rows by their names, columns, and distributions; and how they are told."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from flywheel.monitoring.distances import jensen_shannon, wasserstein
from flywheel.monitoring.versions import Column, Rows, column_changes, compare, row_changes
from flywheel.report.data_difference import MOST, moved, overview, render

DAYS = ([], [], ["2030-01-02"])


def rows(**columns: list[Any]) -> pd.DataFrame:
    """Predictions a, b and c, or as many as the columns have rows."""
    n = len(next(iter(columns.values()), [0, 0, 0]))
    return pd.DataFrame({"prediction_id": list("abcdefgh")[:n], **columns})


def moments(*texts: str, unit: str = "us") -> pd.Series:
    return pd.Series(pd.to_datetime(list(texts), utc=True, format="ISO8601")).dt.as_unit(unit)


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        pytest.param(rows(x=[1, 2]), rows(x=[1, 2]), Rows(0, 0, 0), id="nothing"),
        pytest.param(rows(x=[1, 2]), rows(x=[1, 2])[::-1], Rows(0, 0, 0), id="another order"),
        pytest.param(rows(x=[1, 2]), rows(x=[1.0, 2.0]), Rows(0, 0, 0), id="numbers of another type"),
        pytest.param(rows(x=[1, 2]), rows(x=[1, 3, 3, 3]), Rows(2, 0, 1), id="two new, one other"),
        pytest.param(rows(x=[1, 2, 3]), rows(x=[1, 2])[1:], Rows(0, 2, 0), id="two gone"),
        pytest.param(rows(x=[1, None]), rows(x=[1, None]), Rows(0, 0, 0), id="nulls are the same"),
        pytest.param(rows(x=["u", None]), rows(x=["u", "v"]), Rows(0, 0, 1), id="a null became a word"),
        pytest.param(rows(x=[None, None]), rows(x=[None, "v"]), Rows(0, 0, 1), id="a column without any value"),
        pytest.param(rows(x=[1, 2]), rows(y=[5, 6]), Rows(0, 0, 0), id="only columns of both count"),
        pytest.param(pd.DataFrame(), rows(x=[1, 2]), Rows(2, 0, 0), id="new days alone"),
        pytest.param(rows(x=[1, 2]), pd.DataFrame(), Rows(0, 2, 0), id="lost days alone"),
        pytest.param(
            rows(x=moments("2030-01-01", "2030-01-02")),
            rows(x=moments("2030-01-01", "2030-01-02T03", unit="ns")),
            Rows(0, 0, 1),
            id="a moment",
        ),
    ],
)
def test_rows_are_compared_by_their_names(before: pd.DataFrame, after: pd.DataFrame, expected: Rows) -> None:
    """New, gone, or the same name with other values."""
    assert expected == row_changes(before, after, ["prediction_id"])


def test_rows_without_names_are_what_they_say() -> None:
    """A row that says something else is one that is gone and one that is new."""
    before, after = pd.DataFrame({"x": [1, 2]}), pd.DataFrame({"x": [1, 3]})
    assert Rows(1, 1, 0) == row_changes(before, after, ["prediction_id"])
    assert 2 == row_changes(before, after, ["prediction_id"]).total


def test_columns_that_moved_are_measured_as_drift_is() -> None:
    """The farthest first; one that did not move, names and texts of people are left out."""
    before = rows(x=[1.0, 2.0, 3.0], place=["n", "n", "s"], same=[1, 1, 1], text=["u", "v", "w"])
    after = rows(x=[1.0, 2.0, 9.0], place=["n", "s", "s"], same=[1, 1, 1], text=["a", "b", "c"])
    expected = {
        "x": wasserstein(np.array([1.0, 2, 3]), np.array([1.0, 2, 9])),
        "place": jensen_shannon(pd.Series(["n", "n", "s"]), pd.Series(["n", "s", "s"])),
    }
    assert expected == {one.name: one.distance for one in column_changes(before, after)}


def test_a_column_that_was_or_is_empty_has_no_distance() -> None:
    """Its share of nulls says what happened."""
    assert [Column("x", None, (1.0, 0.0))] == column_changes(rows(x=[None, None]), rows(x=[1.0, 2.0]))


def test_an_infinite_number_is_a_missing_one() -> None:
    """It has no distance to anything."""
    [column] = column_changes(rows(x=[1.0, 2.0]), rows(x=[1.0, float("inf")]))
    assert (0.0, 0.5) == column.nulls


def test_a_column_of_numbers_that_becomes_one_of_words_is_compared_as_words() -> None:
    """Days of two contracts."""
    assert column_changes(rows(x=[1, 2]), rows(x=["1", "many"]))[0].distance == pytest.approx(np.sqrt(np.log(2) / 2))


def test_days_and_columns_that_came_and_went_are_named() -> None:
    """In order; a column that is missing because a side has no day at all is no lost one."""
    found = compare(
        "t", (["2030-01-04", "2030-01-03"], ["2030-01-01"], ["2030-01-02"]), rows(x=[1]), rows(y=[1]), ["x"]
    )
    assert (("2030-01-03", "2030-01-04"), ("y",), ("x",)) == (found.came, found.new_columns, found.lost_columns)
    assert (1, 1) == found.n_rows
    alone = compare("t", (["2030-01-03"], [], []), pd.DataFrame(), rows(y=[1]), ["x"])
    assert ((), ()) == (alone.new_columns, alone.lost_columns)


def test_the_difference_is_told_as_markdown() -> None:
    """Days, rows, and columns with their distance; names of versions and columns cannot break out."""
    found = compare(
        "data/t", (["2030-01-04"], [], ["2030-01-02"]), rows(x=[1.0, 3.0]), rows(x=[1.0, 4.0, 4.0]), ["prediction_id"]
    )
    assert [["data/t", "1 new (2030-01-04), 1 changed (2030-01-02)", "2 → 3", "1", "0", "1"]] == overview([found])
    assert [["data/t", "x", "1.0000", "0.0% → 0.0%"]] == moved([found])
    text = render("a|b", "the working tree", [found])
    assert text.startswith("## Data: a\\|b → the working tree\n")
    assert (
        "| table | column | distance | nulls |\n| --- | --- | ---: | ---: |\n| data/t | x | 1.0000 | 0.0% → 0.0% |"
        in text
    )
    assert "The data is the same." in render("a", "b", [])
    assert "No column has another distribution." in render(
        "a", "b", [compare("t", DAYS, rows(x=[1]), rows(x=[1]), ["x"])]
    )


def test_of_many_columns_the_farthest_are_listed() -> None:
    """The others are counted; a table in one file has no days; new and lost columns are listed."""
    n = MOST + 2
    before = rows(**{f"c{k:02}": [0.0, 1.0] for k in range(n)})
    after = rows(**{f"c{k:02}": [0.0, 1.0 + k + 1] for k in range(n)}, new=[1, 1])
    found = compare("data/labels.parquet", ([], [], ["labels"]), before, after, ["prediction_id"])
    said = moved([found])
    assert (["data/labels.parquet", "new", "new", ""], f"c{n - 1:02}", "and 2 more") == (
        said[0],
        said[1][1],
        said[-1][1],
    )
    assert "one file" == overview([found])[0][1]
