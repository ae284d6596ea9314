"""Why a request is not done: one exception, and the document that tells it. Pure.

It never holds an address: details are our own sentences, fields are names.
"""

from __future__ import annotations

import orjson

from contracts.errors import MgeoError
from contracts.http import FieldFault
from contracts.problems import problem_spec, problem_type


class ProblemError(MgeoError):
    """A request that is not done.

    Attributes:
        errors: with 422, each faulty field.
        retry_after_s: when asking again makes sense, whole seconds; None: not said.
        close: the connection cannot be used again, for the body was not read.
    """

    default_code = "internal_error"

    def __init__(
        self,
        message: str,
        *,
        code: str,
        hint: str = "",
        errors: tuple[FieldFault, ...] = (),
        retry_after_s: int | None = None,
        close: bool = False,
    ) -> None:
        super().__init__(message, code=code, hint=hint)
        self.errors = errors
        self.retry_after_s = retry_after_s
        self.close = close

    @property
    def status(self) -> int:
        """The HTTP status."""
        return problem_spec(self.code).status


def problem_body(error: MgeoError) -> bytes:
    """The problem document of an error."""
    spec = problem_spec(error.code)
    document: dict[str, object] = {
        "type": problem_type(error.code),
        "title": spec.title,
        "status": spec.status,
        "detail": f"{error}; {error.hint}" if error.hint else str(error),
        "code": error.code,
    }
    if isinstance(error, ProblemError) and error.errors:
        document["errors"] = [fault.model_dump() for fault in error.errors]
    return orjson.dumps(document)


def field_fault(field: str, reason: str, detail: str, *, code: str = "bad_body") -> ProblemError:
    """A problem with one field.

    Args:
        field: a path into the body, or a header's name.
        reason: the field's own error code.
        detail: what it must be; never what it was.
        code: the code of the whole problem.
    """
    return ProblemError(
        f"{field}: {detail}",
        code=code,
        errors=(FieldFault(field=field, code=reason, detail=detail),),
    )
