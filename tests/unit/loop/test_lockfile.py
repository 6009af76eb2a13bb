"""`dvc.lock` is written a stage at a time, with the bytes that DVC writes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flywheel.loop import lockfile

NAMES = st.from_regex(r"[a-z][a-z0-9_@-]{0,6}", fullmatch=True) | st.sampled_from(["yes", "1", "1.0"])
# Not with an exponent: of such a number DVC changes the last digit when it writes again what it has read.
FLOATS = st.integers(-(10**7), 10**7).map(lambda n: n / 1000)
SCALARS = st.none() | st.booleans() | st.integers() | FLOATS | st.text(max_size=200)
VALUES = st.recursive(SCALARS, lambda one: st.lists(one, max_size=3) | st.dictionaries(NAMES, one, max_size=3))
STAGES = st.dictionaries(NAMES, st.dictionaries(NAMES, VALUES, min_size=1, max_size=4), min_size=1, max_size=4)


def change(path: Path, stages: Mapping[str, Any]) -> bytes:
    """What is in the file after DVC was told of some stages, one after the other, as after each that ran."""
    from dvc import dvcfile

    for name, stage in stages.items():
        with dvcfile.modify_yaml(str(path)) as data:
            if not data:
                data["schema"] = "2.0"
            data["stages"] = data.get("stages", {})
            data["stages"].update({name: stage})
    return path.read_bytes()


@pytest.mark.slow
@settings(max_examples=40)
@given(before=STAGES, after=STAGES)
def test_the_bytes_are_dvcs(
    before: dict[str, Any], after: dict[str, Any], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Whatever stands in the stages, and whether they are new or were there: numbers, and texts that look like others."""
    folder = tmp_path_factory.mktemp("lock")
    change(folder / "dvc.lock", before)
    (folder / "other.lock").write_bytes((folder / "dvc.lock").read_bytes())
    expected = change(folder / "dvc.lock", after)
    with lockfile.a_stage_at_a_time():
        assert expected == change(folder / "other.lock", after)


def test_only_the_stage_is_made_again(tmp_path: Path) -> None:
    """The lines of the others are not even read by what would keep a comment: they stay as they are."""
    path = tmp_path / "dvc.lock"
    change(path, {"collect": {"cmd": "a"}, "train": {"cmd": "b"}})
    path.write_text(path.read_text().replace("cmd: a", "cmd:  'a'"))
    with lockfile.a_stage_at_a_time():
        assert b"schema: '2.0'\nstages:\n  collect:\n    cmd:  'a'\n  train:\n    cmd: c\n" == change(
            path, {"train": {"cmd": "c"}}
        )


@pytest.mark.parametrize(
    "text",
    [
        "# mine\nschema: '2.0'\nstages:\n  train:\n    cmd: a\n",
        "schema: '2.0'\nstages:\n  train:\n    cmd: a\ndatasets:\n- name: x\n",
        "schema: '2.0'\nstages: {train: {cmd: a}}\n",
        "schema: '2.0'\nstages:\n  'train':\n    cmd: a\n",
        None,
    ],
)
def test_a_file_that_is_not_as_dvc_writes_it_is_left_to_dvc(tmp_path: Path, text: str | None) -> None:
    """Also the first one, of which there is nothing yet."""
    one, other = tmp_path / "dvc.lock", tmp_path / "other.lock"
    for path in (one, other):
        if text is not None:
            path.write_text(text)
    expected = change(one, {"train": {"cmd": "b"}})
    with lockfile.a_stage_at_a_time():
        assert expected == change(other, {"train": {"cmd": "b"}})


def test_afterwards_dvc_is_as_it_was() -> None:
    """For whoever uses it in the same process."""
    from dvc import dvcfile

    before = dvcfile.modify_yaml
    with lockfile.a_stage_at_a_time():
        assert dvcfile.modify_yaml is not before
    assert dvcfile.modify_yaml is before
