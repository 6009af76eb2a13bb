"""The stages of a `dvc.yaml` in every form that DVC allows; what it does not allow is refused, and nothing is guessed."""

from __future__ import annotations

from typing import Any

import pytest

from flywheel.errors import DataError
from flywheel.release.derivation import Stage, stages_of


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ({}, Stage("run", (), {}, ())),
        ({"deps": ["a", "b"]}, Stage("run", ("a", "b"), {}, ())),
        (
            {"outs": ["a", {"b": {"cache": False}}, {"c": {"persist": True}}, {"d": {"cache": True}}]},
            Stage("run", (), {"a": False, "b": True, "c": False, "d": False}, ()),
        ),
        (
            {"metrics": [{"m": {"cache": False}}], "plots": ["p"]},
            Stage("run", (), {"m": True, "p": False}, ()),
        ),
        (
            {"params": ["a.b", {"params.yaml": ["c"]}, {"other.yaml": ["d", "e"]}]},
            Stage(
                "run", (), {}, (("params.yaml", "a.b"), ("params.yaml", "c"), ("other.yaml", "d"), ("other.yaml", "e"))
            ),
        ),
        ({"desc": "x", "frozen": True, "always_changed": True, "meta": {}}, Stage("run", (), {}, ())),
    ],
)
def test_a_stage_is_read_in_each_of_its_forms(told: dict[str, Any], expected: Stage) -> None:
    """An output is in Git only where DVC is told not to cache it."""
    assert stages_of({"stages": {"one": {"cmd": "run"} | told}}) == {"one": expected}


@pytest.mark.parametrize(
    "told",
    [
        {"cmd": "run", "wdir": "elsewhere"},
        {"deps": []},
        {"cmd": "run", "deps": None},
        {"cmd": "run", "deps": [{"a": {}}]},
        {"cmd": "run", "outs": [{"a": None}]},
        {"cmd": "run", "outs": [{"a": {}, "b": {}}]},
        {"cmd": "run", "params": [{1: ["a"]}]},
        ["run"],
        None,
    ],
)
def test_a_stage_that_cannot_be_checked_is_refused(told: object) -> None:
    """What is not understood could hide that the commit is not what ran."""
    with pytest.raises(DataError, match=r"^dvc\.yaml"):
        stages_of({"stages": {"one": told}})
