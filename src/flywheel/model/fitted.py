"""What the fits of the last training took: `.flywheel/fit.json`. It is true of one machine, so it is no output of the stage."""

from __future__ import annotations

import resource
import sys
from collections.abc import Iterable

from typing_extensions import TypedDict

from flywheel import files, shapes
from flywheel.model.card import identity

MIB = 1 << 20 if sys.platform == "darwin" else 1 << 10  # in the units of ru_maxrss, which are bytes there


class Fitted(TypedDict):
    """`.flywheel/fit.json`: of which candidate, the seconds of its own fit (null: the memo spared it), how many fits of the
    run were made and spared, the seconds of all together, and the peak memory of the process in MiB.
    """

    candidate: str | None
    seconds: float | None
    made: int
    spared: int
    together: float
    peak_mib: int


def note(own: float | None, fits: Iterable[float | None], together: float) -> None:
    """Write what the candidate in `models/candidate/` took: its own fit, each fit of the run, and all of them together."""
    took = list(fits)
    spared = took.count(None)
    found: Fitted = {
        "candidate": identity(files.CANDIDATE),
        "seconds": own,
        "made": len(took) - spared,
        "spared": spared,
        "together": together,
        "peak_mib": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / MIB),
    }
    files.write_json(files.FITTED, found)


def read_fitted() -> Fitted | None:
    """What the last training here took; None where there was none. DataError when the file has another shape."""
    return shapes.read_if_there(files.FITTED, Fitted, shapes.DELETE)
