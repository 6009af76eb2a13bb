"""conf/ and params.yaml agree, and no key is dead."""

import re
from pathlib import Path

import pytest
import yaml

from flywheel.loop.compose import as_text, compose

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def _in_the_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)


def leaves(values: object, prefix: str = "") -> list[str]:
    """The dotted keys of nested mappings."""
    if not isinstance(values, dict):
        return [prefix]
    return [leaf for key, value in values.items() for leaf in leaves(value, f"{prefix}.{key}" if prefix else str(key))]


def test_the_committed_params_are_the_composition() -> None:
    """params.yaml is what conf/ says: `dvc repro` alone would run the same."""
    assert as_text(compose()) == Path("params.yaml").read_text()


# Names that the user of the template chooses: columns, cohorts, and options of a source.
CHOSEN = re.compile(
    r"^(contract\.\w+\.\w+|evaluate\.(cohorts|behaviours)\.[^.]+|features\.history|.*annotations\.accuracy.*)"
)


@pytest.mark.parametrize("key", leaves(yaml.safe_load((ROOT / "params.yaml").read_text())))
def test_every_conf_key_is_read_by_code(key: str) -> None:
    """A key that no code reads is an option that does nothing."""
    name = CHOSEN.sub("", key).strip(".").split(".")[-1]
    if not name:
        return
    code = [p for p in (ROOT / "src").rglob("*.py") if p.name != "params.py"]
    by_name = re.compile(rf"(\.{name}_?\b|\"{name}\"|\b{name}: )")
    in_params = re.compile(r"(alert_right|alert_wrong|missed|quiet_right|train_days|evaluation_days|current_days)")
    pool = [*code, ROOT / "src/flywheel/params.py"] if in_params.fullmatch(name) else code
    assert any(by_name.search(path.read_text()) for path in pool), f"{key} is read nowhere"


def is_explained(lines: list[str], at: int) -> bool:
    """Whether a comment stands above a key, above a sibling that it is listed with, or above the group that it is in."""
    indent = len(lines[at]) - len(lines[at].lstrip())
    for above in range(at - 1, -1, -1):
        line = lines[above]
        if not line.strip():
            return False
        if line.lstrip().startswith("# "):
            return True
        if len(line) - len(line.lstrip()) < indent:
            return is_explained(lines, above)
    return False


@pytest.mark.parametrize("path", ["config.yaml", "state.yaml", "project/flights.yaml", "model/lightgbm.yaml"])
def test_every_key_of_conf_is_explained(path: str) -> None:
    """A comment says what each key is, when to change it, and what that costs."""
    lines = (ROOT / "conf" / path).read_text().splitlines()
    keys = [at for at, line in enumerate(lines) if re.match(r"\s*[\w ]+:", line) and not line.startswith("defaults")]
    silent = [lines[at].strip() for at in keys if lines[at].startswith(" ") and not is_explained(lines, at)]
    assert [] == silent


def test_tiny_changes_only_the_size() -> None:
    """size=tiny names only keys that full has, so that a tiny run is the same pipeline."""
    full, tiny = set(leaves(compose())), set(leaves(compose(["size=tiny"])))
    assert full == tiny
