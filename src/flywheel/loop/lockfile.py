"""Write `dvc.lock` a stage at a time.

After each stage DVC reads all of the file with its slow parser, so that comments would be kept, and writes all of it again:
with thousands of lines that is more work than most stages have. Here the lines of the other stages stay as they are, and only
those of the stage are made, by DVC's own functions: the bytes are the same.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from flywheel import files

HEAD = "schema: '2.0'\nstages:\n"  # as DVC writes it
STAGE = re.compile(r"^  ([\w@.-]+):\n", re.MULTILINE)


def blocks(text: str) -> dict[str, str] | None:
    """The lines of each stage in the text of a `dvc.lock`, by name; None where the text is not as DVC writes it."""
    if not text.startswith(HEAD):
        return None
    names = list(STAGE.finditer(text, len(HEAD)))
    starts = [found.start() for found in names]
    if starts[:1] != [len(HEAD)]:
        return None
    ends = [*starts[1:], len(text)]
    return {found[1]: text[start:end] for found, start, end in zip(names, starts, ends, strict=True)}


def written(stages: dict[str, Any], before: dict[str, Any], text: dict[str, str]) -> str:
    """The text of a `dvc.lock` with some stages, of which those that are as `before` keep their `text`."""
    from dvc.utils.serialize import dumps_yaml

    made = []
    for name, stage in stages.items():
        if name in before and stage is before[name]:
            made.append(text[name])
        else:
            made.append(dumps_yaml({"stages": {name: stage}}).partition("\n")[2])
    return HEAD + "".join(made)


@contextlib.contextmanager
def a_stage_at_a_time() -> Iterator[None]:
    """Let DVC, in this process, write `dvc.lock` so; a file that is not as DVC writes it, it writes as always."""
    from dvc import dvcfile
    from dvc.utils.serialize import loads_yaml

    whole = dvcfile.modify_yaml

    @contextlib.contextmanager
    def modify(path: str, fs: Any = None) -> Iterator[Any]:
        file = Path(path)
        is_lock = file.suffix == ".lock" and file.exists()
        text = blocks(file.read_text(encoding="utf-8")) if is_lock else None
        data = loads_yaml(HEAD + "".join(text.values())) if text else {}
        if text is None or set(data) != {"schema", "stages"} or list(data["stages"]) != list(text):
            with whole(path, fs=fs) as all_of_it:
                yield all_of_it
            return
        before = dict(data["stages"])
        yield data
        files.write_text(file, written(data["stages"], before, text))

    dvcfile.modify_yaml = modify
    try:
        yield
    finally:
        dvcfile.modify_yaml = whole
