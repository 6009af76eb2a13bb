"""The mutants of the gate: each kind of change is made, and what no test notices has a reason."""

from __future__ import annotations

import importlib.util
import json
from types import ModuleType

import pytest

from tests.conftest import ROOT


@pytest.fixture(scope="module")
def bench() -> ModuleType:
    """bench/mutants.py as a module."""
    spec = importlib.util.spec_from_file_location("mutants", ROOT / "bench/mutants.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("a < b", {"a <= b", "a >= b"}),
        ("a == b", {"a != b"}),
        ("a is b in c", {"a is not b in c", "a is b not in c", "a is b", "b in c"}),
        ("a and b and c", {"a or b or c", "b and c", "a and c", "a and b"}),
        ("not a", {"a"}),
        ("-a + b", {"-a - b", "a + b"}),
        ("a & b", {"a | b", "a", "b"}),
        ("min(a)", {"max(a)"}),
        ("a.any()", {"a.all()"}),
        ("[a for a in b if a]", {"[a for a in b]"}),
        ("[a, b]", {"[a]", "[b]"}),
        ("a if b else c", {"a", "c"}),
        ("3", {"4", "6"}),
        ("'pass'", {"'fail'", "'inconclusive'"}),
        ("'block'", {"'warn'"}),
        ("f'pass {a:3} of 3'", set()),
        ("'a text'", set()),
        ("True", set()),
    ],
)
def test_each_kind_of_change_is_made_once(bench: ModuleType, before: str, after: set[str]) -> None:
    """Of an expression: operators, clauses, filters, items, signs, numbers and verdicts; no text and no message."""
    made = [where["after"].removeprefix("x = ") for where, _ in bench.mutants(f"x = {before}", ())]
    assert sorted(after) == sorted(made)


def test_an_if_is_left_out_and_types_are_left_alone(bench: ModuleType) -> None:
    """The code of a mutant does what it says, and only the functions that are asked for are changed."""
    source = "def f(a: int | None) -> str | None:\n    if a:\n        return 'high'\n\ndef g(a):\n    return -a"
    [(where, code)] = bench.mutants(source, ("f",))
    assert (2, "if a:", "if False:") == (where["line"], where["text"], where["after"])
    made: dict[str, object] = {}
    exec(code, made)  # noqa: S102
    assert made["f"](3) is None  # type: ignore[operator]


def test_what_no_test_notices_has_a_reason() -> None:
    """And the numbers of bench/mutants.json add up."""
    for path, found in json.loads((ROOT / "bench/mutants.json").read_text()).items():
        assert found["mutants"] == found["killed"] + len(found["survivors"]), path
        assert all(one["why_left"] for one in found["survivors"]), path
