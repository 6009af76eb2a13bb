"""Which files a project's function is made of."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from flywheel.errors import ConfigError
from flywheel.project import own_files


@pytest.fixture
def sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A repository with two packages: `trees` imports a bit of itself, `far` is elsewhere in src/."""
    texts = {
        "trees/__init__.py": "",
        "trees/leaves.py": "import numpy\nfrom trees.bark import deep\nfrom . import roots\nfrom flywheel import errors\n",
        "trees/bark.py": "def deep():\n    from trees.sap import flow\n",
        "trees/roots.py": "",
        "trees/sap.py": "from .leaves import numpy\n",
        "trees/alone.py": "",
        "trees/lost.py": "import far.away\n",
        "far/__init__.py": "",
        "far/away.py": "",
    }
    for name, text in texts.items():
        (tmp_path / "src" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "src" / name).write_text(text)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path / "src"))
    importlib.invalidate_caches()
    yield tmp_path / "src"
    for name in [name for name in sys.modules if name.split(".")[0] in ("trees", "far")]:
        del sys.modules[name]


def test_a_function_is_made_of_its_module_and_what_that_imports(sources: Path) -> None:
    """Also what is imported within a function, relatively, or in a circle; not other libraries, the loop, or neighbours."""
    found = own_files("trees.leaves:grow", "project.derive", "src/trees")
    assert ["__init__", "bark", "leaves", "roots", "sap"] == [path.stem for path in found]


def test_without_a_function_or_with_one_of_a_library_there_are_no_files(sources: Path) -> None:
    """The project has none to watch."""
    assert own_files(None, "project.derive", "src/trees") == []
    assert own_files("json:loads", "project.derive", "src/trees") == []


def test_code_elsewhere_is_refused(sources: Path) -> None:
    """Nobody would see it change: DVC looks at the project's folder."""
    with pytest.raises(
        ConfigError, match=r"^project.derive: 'trees.lost:x' needs .*/src/far/.*project.code \(src/trees\)"
    ):
        own_files("trees.lost:x", "project.derive", "src/trees")
