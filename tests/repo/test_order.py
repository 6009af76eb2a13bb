"""The order in which workers are given the tests: the long ones first, and each worker has its share of them."""

from __future__ import annotations

import pytest

from tests.conftest import LONG, ROOT, dealt

SHORT = [f"tests/unit/test_a.py::test_{n}" for n in range(9)]
WALK, KILL, PUSH = (
    "tests/repo/test_walk.py::test_a",
    "tests/pipeline/test_kill.py::test_b",
    "tests/workflows/test_c.py::test_d",
)


def test_each_of_two_workers_begins_with_half_of_the_long_ones() -> None:
    """xdist splits the list in the middle; the short ones keep their order, to be taken over by whoever is done."""
    names = [KILL, *SHORT[:3], WALK, *SHORT[3:], PUSH, PUSH]
    order = [names[place] for place in dealt(names, 2)]
    assert [WALK, KILL, *SHORT[:4]] == order[:6]
    assert [PUSH, PUSH, *SHORT[4:]] == order[6:]


@pytest.mark.parametrize("workers", [1, 2, 3, 8])
@pytest.mark.parametrize("names", [[], [WALK], SHORT, [KILL, *SHORT, PUSH], [PUSH] * 5])
def test_no_test_is_lost_or_doubled(names: list[str], workers: int) -> None:
    """Whatever there is, and however many workers."""
    assert list(range(len(names))) == sorted(dealt(names, workers))


def test_the_long_ones_are_there() -> None:
    """A file that moved would be dealt with the short ones."""
    assert [name for name in LONG if not (ROOT / name).exists()] == []
