"""Where the two tables come from: what a source must be able to do, and how the one in `conf/` is opened."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from flywheel.data.settings import Source as SourceParams
from flywheel.data.sources.part import Part
from flywheel.data.sources.protocol import OF_ROWS, Counted, Foretold, LeavesOut, Source
from flywheel.errors import DataError
from flywheel.project import load_function

__all__ = ["OF_ROWS", "Counted", "Foretold", "LeavesOut", "Part", "Source", "open_source"]


def open_source(params: SourceParams) -> Source:
    """Open the source that `source.factory` names, or the part of it that is asked for: `files`, `sql`, or a function of
    the project such as `shop.source:open_source`.

    ConfigError if there is none; DataError if it cannot be opened.
    """
    factory = _built_in(params.factory) or load_function(params.factory, "source.factory")
    try:
        source: Source = factory(params.options)
    except OSError as error:
        raise DataError(f"{params.factory} could not open the source: {error}. Mend it and run again.") from error
    is_whole = params.first_day is None and params.share == 1
    return source if is_whole else Part(source, params.first_day, params.share)


def _built_in(name: str) -> Callable[[Mapping[str, Any]], Source] | None:
    """The function that opens a source of the loop's own; None for a project's. Imported here, so that a stage's code shows."""
    if name == "files":
        from flywheel.data.sources.files import open_source as opened

        return opened
    if name == "sql":
        from flywheel.data.sources.sql import open_source as connected

        return connected
    return None
