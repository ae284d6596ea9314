"""What can go wrong between a client and a gateway, by consequence."""

from __future__ import annotations

from contracts.errors import FatalError, MgeoError, PermanentError, TransientError, UsageError
from contracts.http import Problem


class _GatewayError(MgeoError):
    """An answer that is no result.

    Attributes:
        problem: the gateway's own document; None where none came.
        status: HTTP status; 0 where no answer came.
        retry_after_s: when the gateway wants to be asked again; None: it did not say.
        request_id: finds the request in the gateway's log; empty where there is none.
    """

    def __init__(
        self,
        message: str,
        *,
        code: str,
        hint: str = "",
        problem: Problem | None = None,
        status: int = 0,
        retry_after_s: float | None = None,
        request_id: str = "",
    ) -> None:
        super().__init__(message, code=code, hint=hint)
        self.problem = problem
        self.status = status
        self.retry_after_s = retry_after_s
        self.request_id = request_id


class GatewayBusyError(_GatewayError, TransientError):
    """Asking again, later, can succeed: overloaded, no worker, no answer in time, away."""


class GatewayRefusedError(_GatewayError, PermanentError):
    """This address or body can never succeed; ``problem.errors`` names the fields."""


class VersionUnavailableError(_GatewayError, UsageError):
    """The model that was asked for does not answer here, or not any more."""


class GatewayFailedError(_GatewayError, FatalError):
    """The gateway or the model failed, or something else than a gateway answered."""
