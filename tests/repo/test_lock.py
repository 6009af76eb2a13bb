"""uv.lock installs the same versions on every Python that the project claims, so that a run gives the same bytes on each."""

from __future__ import annotations

import re
import tomllib
from collections import Counter
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
PYTHONS = ("cp311", "cp312", "cp313")


def read(name: str) -> dict[str, Any]:
    return tomllib.loads((ROOT / name).read_text())


def test_each_package_has_one_version() -> None:
    """Two versions of NumPy would be two results, by the Python that happens to be there."""
    found = Counter(package["name"] for package in read("uv.lock")["package"])
    assert [] == [name for name, n in found.items() if n > 1]


def test_the_pythons_of_this_test_are_those_that_the_project_claims() -> None:
    """So that the next test asks for all of them."""
    lowest, above = re.fullmatch(r">=3\.(\d+),<3\.(\d+)", read("pyproject.toml")["project"]["requires-python"]).groups()
    assert tuple(f"cp3{minor}" for minor in range(int(lowest), int(above))) == PYTHONS


def left_out() -> set[str]:
    """What `pyproject.toml` itself asks for on some Pythons only: the tests that need it say so on the others."""
    asked = [one for group in read("pyproject.toml")["dependency-groups"].values() for one in group]
    return {re.split(r"[\s=<>\[;]", one)[0] for one in asked if "python_version" in one}


def test_what_is_compiled_is_there_compiled_for_each_python() -> None:
    """Else `make setup` would need a compiler on one Python, and the result would depend on it."""
    missing = [
        f"{package['name']} {python}"
        for package in read("uv.lock")["package"]
        if package["name"] not in left_out()
        and (
            linux := [
                url for wheel in package.get("wheels", []) if "linux" in (url := wheel["url"]) and "x86_64" in url
            ]
        )
        for python in PYTHONS
        if not any(f"-{python}-" in url or "-abi3-" in url or "-py3-" in url for url in linux)
    ]
    assert [] == missing
