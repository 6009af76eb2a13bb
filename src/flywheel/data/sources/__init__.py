"""Where the two tables come from: what a source must be able to do, and how the one in `conf/` is opened."""

from __future__ import annotations

from flywheel.data.settings import Source as SourceParams
from flywheel.data.sources.part import Part
from flywheel.data.sources.protocol import Source
from flywheel.errors import DataError
from flywheel.project import load_function

__all__ = ["Part", "Source", "open_source"]


def open_source(params: SourceParams) -> Source:
    """Open the source that `source.factory` names, such as `shop.source:open_source`, or the part of it that is asked for.

    ConfigError if there is none; DataError if it cannot be opened.
    """
    factory = load_function(params.factory, "source.factory")
    try:
        source: Source = factory(params.options)
    except OSError as error:
        raise DataError(f"{params.factory} could not open the source: {error}. Mend it and run again.") from error
    is_whole = params.first_day is None and params.share == 1
    return source if is_whole else Part(source, params.first_day, params.share)
