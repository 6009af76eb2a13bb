"""Does a test notice when a rule or a comparison of the gate is changed? One change at a time, against the module's tests.

`python bench/mutants.py evaluation/gate.py` in a checkout prints the changes that no test notices, and keeps them in
`bench/mutants.json`; with the name of a function or class, it tries that alone and keeps nothing. Exit code 1: a survivor lacks
a reason in `bench/mutants_left.json`, or a reason belongs to none: write a test, simplify the code, or say why it may stay.
"""

from __future__ import annotations

import ast
import contextlib
import gc
import importlib.util
import io
import json
import os
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from types import CodeType
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
RESULTS, REASONS = ROOT / "bench/mutants.json", ROOT / "bench/mutants_left.json"
GATE, CONTRACT = ("evaluation/gate", "evaluation/service", "evaluation/gaps", "evaluation/harm"), "model/contract"
TESTS: dict[str, tuple[str, ...]] = {  # the fastest first: the first test that fails ends a mutant
    "evaluation/gate.py": GATE,
    "evaluation/settings.py": GATE,
    "evaluation/holm.py": GATE[3:],
    "evaluation/harm.py": GATE[3:],
    "evaluation/gaps.py": GATE[2:3],
    "evaluation/service.py": GATE[1:2],
    "evaluation/leaks.py": ("evaluation/leaks",),
    "model/contract.py": (CONTRACT, GATE[1]),
}
PARTS = {  # of modules that hold more than what the gate asks
    "evaluation/settings.py": ("_check_reason", "_check_rules", "Comparison", "Agreement", "Gate"),
    "model/contract.py": ("compare", "inputs_of", "version_of", "next_version", "_only_in"),
}
SECONDS = 120  # a mutant that runs longer never ends
OPERATORS: dict[type[ast.AST], tuple[type[ast.AST], ...]] = {
    **{ast.Lt: (ast.LtE, ast.GtE), ast.LtE: (ast.Lt, ast.Gt), ast.Gt: (ast.GtE, ast.LtE), ast.GtE: (ast.Gt, ast.Lt)},
    **{ast.Eq: (ast.NotEq,), ast.NotEq: (ast.Eq,), ast.In: (ast.NotIn,), ast.NotIn: (ast.In,), ast.Is: (ast.IsNot,)},
    **{ast.IsNot: (ast.Is,), ast.And: (ast.Or,), ast.Or: (ast.And,), ast.Add: (ast.Sub,), ast.Sub: (ast.Add,)},
    **{ast.Mult: (ast.Div,), ast.Div: (ast.Mult,), ast.BitAnd: (ast.BitOr,), ast.BitOr: (ast.BitAnd,)},
}
NAMES = {"min": "max", "any": "all", "argmin": "argmax", "minimum": "maximum"}
NAMES |= {other: name for name, other in NAMES.items()}
WORDS = "pass fail inconclusive, block warn, better not_worse unharmed, pooled latest cohort as_it_is, refresh change"
WORDS += ", higher lower same"


def copied(node: ast.AST, **values: Any) -> Any:
    """A node like this one, with some fields replaced."""
    return type(node)(**{**dict(ast.iter_fields(node)), **values})


def without(items: list[Any]) -> Iterator[list[Any]]:
    """The list without each of its items."""
    return (items[:place] + items[place + 1 :] for place in range(len(items)))


def others(node: Any) -> Iterator[ast.AST]:
    """What may stand in place of a node: another operator, a clause, filter, item, `if` or sign less, the other function."""
    yield from (other() for other in OPERATORS.get(type(node), ()))
    match node:
        case ast.Compare(left, ops, comparators) if len(ops) > 1:
            yield ast.Compare(left, ops[:-1], comparators[:-1])
            yield ast.Compare(comparators[0], ops[1:], comparators[1:])
        case ast.BoolOp(op, values):
            yield from (ast.BoolOp(op, some) if len(some) > 1 else some[0] for some in without(values))
        case ast.UnaryOp(ast.Not() | ast.USub(), operand):
            yield operand
        case ast.BinOp(left, ast.BitAnd() | ast.BitOr(), right) | ast.IfExp(_, left, right):
            yield from (left, right)
        case ast.comprehension(ifs=ifs):
            yield from (copied(node, ifs=some) for some in without(ifs))
        case ast.Call(ast.Name(name) as called) if name in NAMES:
            yield copied(node, func=copied(called, id=NAMES[name]))
        case ast.Call(ast.Attribute(_, name) as called) if name in NAMES:
            yield copied(node, func=copied(called, attr=NAMES[name]))
        case ast.Constant(value):
            yield from map(ast.Constant, other_values(value))
        case ast.List(elts, ast.Load()) | ast.Tuple([ast.Tuple() | ast.Constant(), *_] as elts, ast.Load()):
            yield from (copied(node, elts=some) for some in without(elts))
        case ast.If():
            yield copied(node, test=ast.Constant(False))


def other_values(value: Any) -> Iterator[Any]:
    """One more than a number, and twice as much; for a word by which the gate decides, each other one of its kind."""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        yield from {value + 1: 0, value * 2 or value + 1: 0}
    for kind in WORDS.split(", "):
        if value in kind.split():
            yield from (word for word in kind.split() if word != value)


def parts_of(node: ast.AST, in_class: bool = False) -> Iterator[tuple[ast.AST, Callable[[Any], None]]]:
    """Each part of a tree, and what puts another one in its place. Not the types, but what is Annotated in a class."""
    for name, value in ast.iter_fields(node):
        is_type = name == "annotation" and not (in_class and isinstance(value, ast.Subscript))
        if name in ("returns", "format_spec") or is_type:
            continue
        holder: Any = value if isinstance(value, list) else node.__dict__
        places: Any = range(len(value)) if isinstance(value, list) else [name]
        for place in places:
            if isinstance(holder[place], ast.AST):
                yield holder[place], partial(holder.__setitem__, place)
                yield from parts_of(holder[place], isinstance(node, ast.ClassDef))


def mutants(source: str, names: tuple[str, ...]) -> Iterator[tuple[dict[str, Any], CodeType]]:
    """Where and how the source is changed, and its code then; in the functions and classes of these names, or in all."""
    tree, lines, line = ast.parse(source), source.splitlines(), 0
    whole = ast.unparse(tree)
    seen = {whole}
    for top in tree.body:
        if names and getattr(top, "name", None) not in names:
            continue
        for node, put in parts_of(top):
            line = getattr(node, "lineno", line)
            for other in others(node):
                put(other)
                text = ast.unparse(tree)
                if text not in seen:
                    seen.add(text)
                    pairs = zip(whole.splitlines(), text.splitlines(), strict=False)
                    before, after = next((one.strip(), two.strip()) for one, two in pairs if one != two)
                    where = {"line": line, "text": lines[line - 1].strip(), "before": before, "after": after}
                    yield where, compile(text, "mutant", "exec")
                put(node)


def passes(tests: list[str]) -> bool:
    """Whether all tests pass; quiet, and without a trace in the checkout."""
    options = "-x -n 0 -W ignore -p no:cacheprovider --tb=no --assert=plain --hypothesis-seed=0 --override-ini=addopts="
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):
        os.environ["HYPOTHESIS_STORAGE_DIRECTORY"] = folder
        return pytest.main([*options.split(), *tests]) == pytest.ExitCode.OK


def is_killed(module: str, code: CodeType, tests: list[str]) -> bool:
    """Whether a test fails, or nothing ends, where the module has this code; in a process of its own."""
    child = os.fork()
    if not child:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
        signal.alarm(SECONDS)
        try:
            spec = importlib.util.find_spec(module)
            assert spec is not None
            made = sys.modules[module] = importlib.util.module_from_spec(spec)
            exec(code, made.__dict__)
            package, _, name = module.rpartition(".")
            setattr(sys.modules[package], name, made)
            os._exit(not all(passes([one]) for one in tests))  # one by one: fewer are collected
        finally:
            os._exit(1)
    return os.waitpid(child, 0)[1] != 0


def forget() -> None:
    """Let the next import read this project's modules again; others, which are slow to import, stay."""
    ours = (str(ROOT / "src"), str(ROOT / "tests"))
    for name, one in list(sys.modules.items()):
        if (getattr(one, "__file__", None) or "").startswith(ours):
            del sys.modules[name]
    gc.freeze()


def main(path: str, part: str = "") -> int:
    """Change one thing at a time; print and keep what survives. 1 where the reasons are not those of the survivors."""
    os.chdir(ROOT)
    sys.path.insert(0, str(ROOT / "src"))  # of this checkout, whatever is installed
    tests = [f"tests/unit/{one.replace('/', '/test_')}.py" for one in TESTS[path]]
    source, began = (ROOT / "src/flywheel" / path).read_text(), time.monotonic()
    module = f"flywheel.{path.removesuffix('.py').replace('/', '.')}"
    sys.dont_write_bytecode = False  # else each child compiles what it imports
    as_it_is = passes(tests)
    forget()
    if not as_it_is or is_killed(module, compile(source, "mutant", "exec"), tests):
        sys.exit(f"The tests of {path} fail without a change. Mend them first: pytest {' '.join(tests)}")
    reasons = {(one["before"], one["after"]): one["why"] for one in json.loads(REASONS.read_text()).get(path, [])}
    n, survivors = 0, []
    for where, code in mutants(source, (part,) if part else PARTS.get(path, ())):
        n += 1
        if not is_killed(module, code, tests):
            why = reasons.pop((where["before"], where["after"]), None)
            survivors.append(where | {"why_left": why})
            print(
                f"{path}:{where['line']} {why or 'has no reason'}\n- {where['before']}\n+ {where['after']}", flush=True
            )
    print(f"{path}: {n} mutants, {len(survivors)} survived, {time.monotonic() - began:.0f} s")
    if part:
        return 0
    for before, after in reasons:
        print(f"{REASONS.name} has a reason for what does not survive; take it out\n- {before}\n+ {after}")
    found = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    found[path] = {"mutants": n, "killed": n - len(survivors), "survivors": survivors}
    RESULTS.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n")
    return int(bool(reasons) or any(one["why_left"] is None for one in survivors))


if __name__ == "__main__":
    if len(sys.argv) < 2 or sys.argv[1] not in TESTS:
        sys.exit(f"Say which module: {', '.join(TESTS)}")
    sys.exit(main(*sys.argv[1:3]))
