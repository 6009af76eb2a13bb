"""The memo of fits: it saves time, and decides no byte."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from flywheel import files
from flywheel.errors import DataError
from flywheel.model.memo import FOLDER, MOST, Memo
from flywheel.stages.train import TrainParams, main
from tests.planted import contents, settings, world, write_features, write_revisions

KEY = {"settings": {"learning_rate": 0.05, "seed": 1}, "rows": "abc", "trees": 3}
SMALL: dict[str, Any] = {
    "clock": {"as_of": "2030-01-31"},
    "windows": {"train_days": 14, "evaluation_days": 7, "evaluation_windows": 2},
    "train": {"min_events_per_feature": 5, "earlier_fits": 1},
    "model": {"trees": 4, "max_trees": 8, "min_child_samples": 5, "learning_rate": 0.2, "num_leaves": 7},
    "features": {"history": []},
}


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("FLYWHEEL_MEMO", raising=False)


def get(key: dict[str, Any] = KEY, text: str = "made") -> tuple[str, int, int]:
    """What a new memo gives, where `text` would be made; how many it spared, and how many were broken."""
    memo = Memo()
    return memo.get(key, lambda: text), memo.spared, memo.broken


def entries() -> list[Path]:
    return sorted(FOLDER.glob("*.json"))


def test_what_was_kept_is_not_made_again() -> None:
    """By another memo, of a later run."""
    assert ("made", 0, 0) == get()
    assert ("made", 1, 0) == get(text="made anew")


@pytest.mark.parametrize("changed", [{"rows": "abd"}, {"trees": 4}, {"settings": {"learning_rate": 0.05, "seed": 2}}])
def test_another_key_is_another_entry(changed: dict[str, Any]) -> None:
    """Other rows, trees or settings."""
    get()
    assert ("another", 0, 0) == get(KEY | changed, "another")
    assert ("made", 1, 0) == get()


def test_a_setting_with_many_digits_is_kept_as_it_is() -> None:
    """What is rounded in a report is not rounded here: the key is compared in full."""
    key = {"learning_rate": 0.012345678912345678}
    assert [("made", 0, 0), ("made", 1, 0)] == [get(key), get(key)]


def edit(**values: Any) -> Callable[[Path], object]:
    return lambda path: path.write_text(json.dumps(json.loads(path.read_text()) | values))


@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param(lambda path: path.write_text(path.read_text()[: -len(path.read_text()) // 2]), id="truncated"),
        pytest.param(lambda path: path.write_text(""), id="empty"),
        pytest.param(lambda path: path.write_bytes(b"\xff\xfe"), id="no text"),
        pytest.param(lambda path: path.write_text("[]"), id="of another shape"),
        pytest.param(edit(text="edited"), id="its text edited"),
        pytest.param(edit(text="edited", key=KEY | {"trees": 4}), id="its text and key edited"),
        pytest.param(edit(key=KEY | {"trees": 4}), id="of another key"),
        pytest.param(edit(sha256="0" * 64), id="its digest edited"),
    ],
)
def test_an_entry_that_does_not_hold_is_said_and_made_again(spoil: Callable[[Path], object]) -> None:
    """What is made is given and kept, so that the next run finds it."""
    get()
    spoil(entries()[0])
    memo = Memo()
    assert ("made anew", 0, 1) == (memo.get(KEY, lambda: "made anew"), memo.spared, memo.broken)
    assert "; 1 entry of .flywheel/fits/ did not hold and had to be made again" == memo.told()
    assert ("made anew", 1, 0) == get(text="a third")


def test_an_entry_under_the_name_of_another_is_not_believed() -> None:
    """Whole and undamaged, and copied to where another key is looked for."""
    get()
    [mine] = entries()
    get(KEY | {"trees": 4}, "another")
    [other] = [path for path in entries() if path != mine]
    shutil.copy(mine, other)
    assert ("made anew", 0, 1) == get(KEY | {"trees": 4}, "made anew")


def test_of_several_broken_entries_the_number_is_said_and_of_none_nothing() -> None:
    """As the end of a sentence."""
    memo = Memo()
    assert "" == memo.told()
    memo.broken = 2
    assert "; 2 entries of .flywheel/fits/ did not hold and had to be made again" == memo.told()


@pytest.mark.parametrize("word", ["off", "OFF"])
def test_switched_off_it_neither_reads_nor_writes(monkeypatch: pytest.MonkeyPatch, word: str) -> None:
    """What is there is not believed, and nothing is added."""
    get()
    before = contents(FOLDER)
    monkeypatch.setenv("FLYWHEEL_MEMO", word)
    assert [("made anew", 0, 0), ("another", 0, 0)] == [get(text="made anew"), get(KEY | {"trees": 4}, "another")]
    assert before == contents(FOLDER)


def test_the_least_recently_used_entries_go() -> None:
    """Sixty stay; the first one of all was used a moment ago, so the second one is gone."""
    for number in range(MOST):
        get({"n": number})
    for path in entries():
        used = json.loads(path.read_text())["key"]["n"] + 1
        os.utime(path, (used, used))
    assert (60, 60) == (MOST, len(entries()))
    assert ("made", 1, 0) == get({"n": 0})
    get({"n": MOST})
    left = {json.loads(path.read_text())["key"]["n"] for path in entries()}
    assert set(range(MOST + 1)) - {1} == left


def test_a_folder_that_is_deleted_in_the_middle_of_a_run_does_no_harm() -> None:
    """Between two fits, and while one is made."""
    memo = Memo()
    memo.get(KEY, lambda: "made")
    shutil.rmtree(FOLDER)
    assert "made anew" == memo.get(KEY, lambda: "made anew")

    def make() -> str:
        shutil.rmtree(FOLDER)
        return "another"

    assert "another" == memo.get(KEY | {"trees": 4}, make)
    assert 0 == memo.broken
    assert ("another", 1, 0) == get(KEY | {"trees": 4})


def test_a_disk_that_takes_no_more_costs_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """The text is made, the run goes on, and nothing is said to be broken."""

    def full(*_: Any) -> None:
        raise DataError("No space left on device")

    monkeypatch.setattr(files, "write_text", full)
    assert [("made", 0, 0), ("made anew", 0, 0)] == [get(), get(text="made anew")]


def test_where_its_folder_cannot_be_a_folder_the_run_goes_on() -> None:
    """Somebody put a file there."""
    FOLDER.parent.mkdir(parents=True)
    FOLDER.write_text("in the way")
    assert ("made", 0, 0) == get()


def outputs(**changes: Any) -> tuple[str, dict[str, bytes]]:
    """What stage `train` says and writes."""
    said = main(settings(TrainParams, **(SMALL | changes)))
    return said, contents(files.CANDIDATE) | contents(files.VINTAGES) | contents(files.LEARNING)


def test_a_run_gives_the_same_bytes_with_and_without_the_memo(monkeypatch: pytest.MonkeyPatch) -> None:
    """Switched off, empty, full, and with every entry spoilt in another way."""
    features, labels = world(range(1, 31), 20)
    write_features(features)
    write_revisions(labels)
    monkeypatch.setenv("FLYWHEEL_MEMO", "off")
    expected = outputs()[1]
    monkeypatch.delenv("FLYWHEEL_MEMO")
    said = []
    for spoilt in (False, False, True):
        for number, path in enumerate(entries() if spoilt else []):
            one = json.loads(path.read_text())
            path.write_text(path.read_text()[:100] if number % 2 else json.dumps(one | {"text": one["text"] + " "}))
        told, found = outputs()
        assert expected == found
        said.append(told.split(", ")[-1])
    assert said == [
        "0 of 4 fits spared",
        "4 of 4 fits spared",
        "0 of 4 fits spared; 4 entries of .flywheel/fits/ did not hold and had to be made again",
    ]
