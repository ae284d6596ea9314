"""Which HTTP status each error code has, as data. The gateway writes it, the client reads it."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, NamedTuple


class ProblemSpec(NamedTuple):
    """How a code is told over HTTP."""

    status: int
    title: str


_NOT_READABLE = "The body cannot be read"
_TOO_LARGE = "The request is too large"
_NOT_VALID = "The request is not valid"
_NO_SUCH_MODEL = "That model does not answer here"
_NOT_NOW = "It cannot be done now"

PROBLEMS: Final[Mapping[str, ProblemSpec]] = MappingProxyType(
    {
        "bad_http": ProblemSpec(400, "This is no HTTP request"),
        "not_utf8": ProblemSpec(400, _NOT_READABLE),
        "not_json": ProblemSpec(400, _NOT_READABLE),
        "duplicate_key": ProblemSpec(400, _NOT_READABLE),
        "bad_number": ProblemSpec(400, _NOT_READABLE),
        "too_deep": ProblemSpec(400, _NOT_READABLE),
        "not_found": ProblemSpec(404, "There is nothing here"),
        "method_not_allowed": ProblemSpec(405, "The method is not allowed here"),
        "body_timeout": ProblemSpec(408, "The body did not come in time"),
        "no_candidate": ProblemSpec(409, _NO_SUCH_MODEL),
        "version_not_resident": ProblemSpec(409, _NO_SUCH_MODEL),
        "version_moved": ProblemSpec(409, _NO_SUCH_MODEL),
        "body_too_large": ProblemSpec(413, _TOO_LARGE),
        "record_too_large": ProblemSpec(413, _TOO_LARGE),
        "text_too_long": ProblemSpec(413, _TOO_LARGE),
        "too_many_addresses": ProblemSpec(413, _TOO_LARGE),
        "result_too_large": ProblemSpec(413, "The result is too large"),
        "unsupported_media_type": ProblemSpec(415, "The body is not of a kind that is read here"),
        "unsupported_encoding": ProblemSpec(415, "The body is not of a kind that is read here"),
        "bad_body": ProblemSpec(422, _NOT_VALID),
        "bad_request_header": ProblemSpec(422, _NOT_VALID),
        "empty_text": ProblemSpec(422, _NOT_VALID),
        "lone_surrogate": ProblemSpec(422, _NOT_VALID),
        "overloaded": ProblemSpec(429, "Too much is waiting"),
        "head_too_large": ProblemSpec(431, "The header fields are too large"),
        "internal_error": ProblemSpec(500, "The gateway failed"),
        "model_error": ProblemSpec(500, "The model failed on this address"),
        "device_out_of_memory": ProblemSpec(500, "The model failed on this address"),
        "crashed_worker": ProblemSpec(500, "The model failed on this address"),
        "bad_reply": ProblemSpec(502, "A worker's answer cannot be used"),
        "backend_unreachable": ProblemSpec(503, _NOT_NOW),
        "not_confirmed": ProblemSpec(503, _NOT_NOW),
        "no_topic": ProblemSpec(503, _NOT_NOW),
        "no_first_state": ProblemSpec(503, _NOT_NOW),
        "no_workers": ProblemSpec(503, _NOT_NOW),
        "stopping": ProblemSpec(503, _NOT_NOW),
        "too_many_connections": ProblemSpec(503, _NOT_NOW),
        "deadline_exceeded": ProblemSpec(504, "No answer came in time"),
    }
)
"""Code to status and title. The title is the same for every occurrence, as RFC 9457 wants it."""

OTHER: Final = ProblemSpec(500, "The gateway failed")
"""How a code is told that is not in the list, such as one of a later worker."""


def problem_spec(code: str) -> ProblemSpec:
    """Status and title of a code."""
    return PROBLEMS.get(code, OTHER)


def problem_type(code: str) -> str:
    """The stable URI of a code."""
    return f"urn:mgeo:problem:{code}"


RETRIABLE: Final = frozenset(
    {
        "overloaded",
        "backend_unreachable",
        "no_first_state",
        "no_workers",
        "stopping",
        "too_many_connections",
    }
)
"""Nothing was begun: asking again, later, can succeed and does nothing twice."""
