"""Asking again what may be back soon: a server that was restarted, a database that another one takes over for."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from tenacity import RetryCallState, Retrying, retry_if_exception, stop_after_attempt, wait_exponential

T = TypeVar("T")
# All pauses together are a quarter of a minute, in which a standby takes over.
TRIES = 6
PAUSE_S = 0.5  # before the second try; each pause is twice as long as the one before
LONGEST_S = 8
LONGEST_ASKED_S = 60  # a server that wants to be left alone for longer is asked by the next run


def no_wish(error: BaseException) -> None:
    """The seconds that a server wants to be left alone, where none says so."""


def patiently(
    work: Callable[[], T],
    may_pass: Callable[[BaseException], bool],
    wish: Callable[[BaseException], float | None] = no_wish,
) -> T:
    """What `work` returns; it begins again, a few times, after an error that may pass. The last error is raised.

    `wish` says for how many seconds the server wants to be left alone: so long is the pause; where that is too long, there is
    none, and no more tries.
    """
    usual = wait_exponential(multiplier=PAUSE_S, max=LONGEST_S)

    def wait(state: RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome is not None else None
        return max(usual(state), (wish(error) if error is not None else None) or 0.0)

    tries = Retrying(
        stop=stop_after_attempt(TRIES),
        wait=wait,
        retry=retry_if_exception(lambda error: may_pass(error) and (wish(error) or 0.0) <= LONGEST_ASKED_S),
        reraise=True,
    )
    found: T = tries(work)
    return found
