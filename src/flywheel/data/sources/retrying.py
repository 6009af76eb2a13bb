"""Asking again what may be back soon: a server that was restarted, a database that another one takes over for."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from tenacity import Retrying, retry_if_exception, stop_after_attempt, wait_exponential

T = TypeVar("T")
# All pauses together are a quarter of a minute, in which a standby takes over.
TRIES = 6
PAUSE_S = 0.5  # before the second try; each pause is twice as long as the one before
LONGEST_S = 8


def patiently(work: Callable[[], T], may_pass: Callable[[BaseException], bool]) -> T:
    """What `work` returns; it begins again, a few times, after an error that may pass. The last error is raised."""
    tries = Retrying(
        stop=stop_after_attempt(TRIES),
        wait=wait_exponential(multiplier=PAUSE_S, max=LONGEST_S),
        retry=retry_if_exception(may_pass),
        reraise=True,
    )
    found: T = tries(work)
    return found
