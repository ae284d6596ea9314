"""Whether a client asks again, and when. Pure.

Full jitter (Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015): the wait
is uniform between nothing and the bound, so that clients that failed together do not come back
together. What the gateway says of when to come back is a least wait.
"""

from __future__ import annotations

from dataclasses import dataclass

from contracts.problems import RETRIABLE
from producer.client.errors import GatewayBusyError, GatewayFailedError

_REPEATABLE = RETRIABLE | {"bad_reply", "deadline_exceeded", "gateway_unreachable"}
"""Asking for an answer once more does no harm, whatever became of the first time."""


@dataclass(frozen=True, slots=True)
class Retries:
    """How a client asks again.

    Attributes:
        attempts: at most, the first included.
        first_s: bound of the first wait; each further one is twice as large.
        most_s: bound of any wait.
    """

    attempts: int = 4
    first_s: float = 0.1
    most_s: float = 5.0


@dataclass(frozen=True, slots=True)
class Failure:
    """What went wrong with one attempt.

    Attributes:
        error: as the caller would get it.
        begun: False where the gateway certainly did nothing.
    """

    error: GatewayBusyError | GatewayFailedError
    begun: bool


def wait_before_retry(
    failure: Failure,
    *,
    attempt: int,
    retries: Retries,
    idempotent: bool,
    left_s: float,
    chance: float,
) -> float | None:
    """Seconds to wait before the next attempt; None: give up with the error.

    Args:
        failure: of this attempt.
        attempt: its number, from 1.
        retries: how often and how patiently.
        idempotent: whether doing it twice is as good as once.
        left_s: until the caller's deadline.
        chance: uniform in [0, 1).
    """
    if attempt >= retries.attempts:
        return None
    error = failure.error
    nothing_done = not failure.begun or error.code in RETRIABLE
    if not (nothing_done or (idempotent and error.code in _REPEATABLE)):
        return None
    bound = min(retries.first_s * 2 ** (attempt - 1), retries.most_s)
    wait = bound * chance + (error.retry_after_s or 0.0)
    return wait if wait < left_s else None
