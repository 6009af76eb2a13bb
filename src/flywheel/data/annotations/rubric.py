"""Which versions of the rubric there are: `docs/rubric.md`, whose table of versions says so."""

from __future__ import annotations

import re
from pathlib import Path

from flywheel.errors import ConfigError

FILE = Path("docs/rubric.md")
_TABLE = re.compile(r"^## Versions$(.*?)(?=^## |\Z)", re.MULTILINE | re.DOTALL)
_ROW = re.compile(r"^\|\s*([0-9]{1,4})\s*\|", re.MULTILINE)


def versions(path: Path = FILE) -> tuple[str, ...]:
    """The versions of the rubric, the one that holds now last.

    ConfigError when the file is missing, or its section Versions has no table whose first cells are 1, 2 and so on.
    """
    shape = (
        "It needs a section `## Versions` with a table, a version a row: | 1 | the day since it holds | what changed |"
    )
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ConfigError(f"{path} is missing. It tells annotators what to answer. {shape}") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{path} is not UTF-8. Save it as UTF-8.") from None
    table = _TABLE.search(text)
    found = tuple(_ROW.findall(table[1])) if table else ()
    if not found or found != tuple(str(number) for number in range(1, len(found) + 1)):
        raise ConfigError(
            f"{path}: found the versions {', '.join(found) or 'none'}; allowed are 1, 2 and so on. {shape}"
        )
    return found
