"""Ledgers: what changed is made again, and a ledger of another shape is named."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from flywheel import files
from flywheel.data import collection, validation
from flywheel.data.evidence import CheckedDay, Entry
from flywheel.data.ledger import open_days, to_do
from flywheel.errors import DataError
from flywheel.features.days import LEDGER as FEATURES_LEDGER
from tests.planted import day

DAYS = [day(n) for n in (1, 2, 3, 4)]
DONE: dict[str, Entry] = {one.isoformat(): {"inputs": f"in {one}", "outputs": f"out {one}"} for one in DAYS}
INPUTS = {one: f"in {one}" for one in DAYS}


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def out(one: dt.date) -> str:
    return f"out {one}"


def test_nothing_is_to_do_when_nothing_changed() -> None:
    """Inputs and outputs are what the ledger says."""
    assert [] == to_do(DAYS, DONE, INPUTS, out)


def test_a_new_day_is_to_do_alone() -> None:
    """The days before it stay."""
    assert [day(5)] == to_do([*DAYS, day(5)], DONE, INPUTS | {day(5): "new"}, out)


def test_from_the_first_day_with_other_inputs_on_everything_is_to_do() -> None:
    """Later days rest on it."""
    assert DAYS[1:] == to_do(DAYS, DONE, INPUTS | {day(2): "other"}, out)


def test_a_day_whose_output_was_lost_is_to_do_alone() -> None:
    """What the later days were made from is as it was."""
    assert [day(2)] == to_do(DAYS, DONE, INPUTS, lambda one: "lost" if one == day(2) else out(one))


def test_the_days_after_one_that_is_gone_are_to_do() -> None:
    """They were made with it."""
    assert DAYS[2:] == to_do([DAYS[0], *DAYS[2:]], DONE, {one: INPUTS[one] for one in DAYS if one != day(2)}, out)


def test_a_ledger_of_another_fingerprint_says_nothing_whatever_its_days_look_like() -> None:
    """An older version wrote other entries; all days are made again."""
    files.write_json(FEATURES_LEDGER, {"fingerprint": "old", "days": {"2030-01-01": "digest"}})
    assert {} == open_days(FEATURES_LEDGER, Entry, "new")


LEDGERS: dict[Path, Callable[[], Any]] = {
    collection.LEDGER: collection.open_ledger,
    validation.LEDGER: lambda: open_days(validation.LEDGER, CheckedDay, "now"),
    FEATURES_LEDGER: lambda: open_days(FEATURES_LEDGER, Entry, "now"),
}


@pytest.mark.parametrize("path", LEDGERS, ids=str)
@pytest.mark.parametrize("wrong", [[], None, "text", 3], ids=repr)
def test_a_ledger_of_another_shape_is_named(path: Path, wrong: Any) -> None:
    """No traceback: file, what was found, what is expected."""
    files.write_json(path, wrong)
    with pytest.raises(DataError, match=rf"^{path}: .*it should be"):
        LEDGERS[path]()


@pytest.mark.parametrize("path", LEDGERS, ids=str)
@pytest.mark.parametrize(
    ("days", "said"),
    [
        ({"2030-01-01": 7}, r"2030-01-01: found 7; it should be"),
        ({"yesterday": {}}, r"found the day 'yesterday'; days are written like 2013-03-01"),
    ],
)
def test_a_day_of_a_ledger_that_has_another_shape_is_named(path: Path, days: dict[str, Any], said: str) -> None:
    """The day, what was found and what is expected."""
    files.write_json(path, days if path == collection.LEDGER else {"fingerprint": "now", "days": days})
    with pytest.raises(DataError, match=rf"^{path}: {said}"):
        LEDGERS[path]()
