"""Which retrains were started: refs at `origin`, one for each day, `refs/flywheel/retrains/DAY`.

Making such a ref is one atomic step, so of two retrains of the same day only one continues. The refs are also the record that
cool-down and budget count.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import os
from collections.abc import Iterator

from flywheel import git, origin

CLAIMS = "refs/flywheel/retrains/"


def started() -> list[dt.date]:
    """The days as of which a retrain was started, oldest first, as `origin` knows them."""
    days = []
    for ref in origin.refs(f"{CLAIMS}*"):
        with contextlib.suppress(ValueError):  # a ref of another form is not a claim
            days.append(dt.date.fromisoformat(ref.removeprefix(CLAIMS)[:10]))
    return sorted(days)


@contextlib.contextmanager
def claim(day: dt.date, again: bool) -> Iterator[bool]:
    """Claim a day for one retrain; yields whether it is ours. A retrain that fails gives its claim back."""
    if origin.url() is None:  # without an origin there is nobody to race with
        yield True
        return
    ref = f"{CLAIMS}{day.isoformat()}"
    if again:
        ref += f"-{os.environ.get('GITHUB_RUN_ID') or dt.datetime.now(dt.UTC).strftime('%H%M%S%f')}"
    if not origin.push_new(ref, git.run("rev-parse", "HEAD").strip()):
        yield False
        return
    try:
        yield True
    except BaseException:
        with contextlib.suppress(Exception):  # the first error says more
            origin.delete(ref)
        raise
