"""What people and pipelines ask of the controller. One record each on the requests topic."""

from __future__ import annotations

from typing import Final, Literal, Self

from pydantic import Field, ValidationError, model_validator

from contracts.errors import PermanentError
from contracts.events import SINCE_1_1
from contracts.frozen import Frozen
from contracts.policy import Policy
from contracts.rollout import Approval, GoldenOutcome
from contracts.spec import ModelSpec
from contracts.strict_json import read_json

RequestKind = Literal["start", "approve", "abort", "rollback", "pause", "resume"]

COMPARED: Final = frozenset({"start", "approve", "resume"})
"""Kinds that are compare-and-set on the phase entry; the others are idempotent and protective."""

_MAX_REQUEST_BYTES: Final = 256 * 1024
_SHORT: Final = 200
ROLLOUT_ID: Final = r"^[A-Za-z0-9._-]{1,200}$"
"""It stands in terminals, comments, names of consumer groups and of folders as it is."""
_LAST_MS: Final = 253_402_214_400_000
"""The last day of the year 9999, beyond which no calendar of ours goes."""


class ReplayFrom(Frozen):
    """Where a replay begins."""

    asked: str = Field(max_length=_SHORT)
    """As the person wrote it."""
    since_ms: int | None = Field(default=None, ge=0, le=_LAST_MS)
    """Milliseconds since 1970: the first record at or after this moment."""
    offset: int | None = Field(default=None, ge=0, le=2**63 - 1)
    """The same offset in every partition."""

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.since_ms is None) == (self.offset is None):
            raise ValueError("a replay begins at a moment or at an offset: give one of both")
        return self


class StartRequest(Frozen):
    """Everything that a rollout starts with."""

    candidate: ModelSpec
    policy: Policy
    replay_from: ReplayFrom | None = None
    golden: GoldenOutcome | None = None
    renewed: ModelSpec | None = Field(default=None, json_schema_extra=SINCE_1_1)
    """The stable model with the fingerprint that this release makes of it: what serves is named
    so from the start on, and compared with. Null leaves the name that stands."""

    def reference(self, stable: ModelSpec) -> ModelSpec:
        """What the candidate is compared with, where ``stable`` serves when this is asked."""
        return self.renewed or stable


class RolloutRequest(Frozen):
    """One request, judged once, when it is consumed."""

    request_id: str = Field(min_length=1, max_length=_SHORT)
    kind: RequestKind
    rollout_id: str = Field(default="", pattern=ROLLOUT_ID)
    """The rollout it is about. For ``start``: the id that the new one shall have."""
    requested_at: str = Field(max_length=_SHORT)
    expires_at: str = Field(max_length=_SHORT)
    """RFC 3339 in UTC: consumed later, it is refused with ``request_expired``."""
    requested_by: str = Field(default="", max_length=_SHORT)
    """Who asks, as they call themselves; for the audit, never for authorisation."""
    expected_entry: int | None = Field(default=None, ge=0)
    """``phase_entry`` that the asker saw (``start``: the state's revision at the last ending,
    or null). Another one by now: refused with ``request_outdated``."""
    start: StartRequest | None = None
    approval: Approval | None = None
    reason: str = Field(default="", max_length=1000)

    @model_validator(mode="after")
    def _has_what_its_kind_needs(self) -> Self:
        if (self.kind == "start") != (self.start is not None):
            raise ValueError("exactly a start request has `start`")
        if (self.kind == "approve") != (self.approval is not None):
            raise ValueError("exactly an approve request has `approval`")
        if not self.rollout_id:
            raise ValueError("a request names its rollout")
        return self


def encode_request(request: RolloutRequest) -> bytes:
    """The request as it stands on the topic."""
    return request.model_dump_json().encode()


def decode_request(raw: bytes | None) -> RolloutRequest:
    """Read a request.

    Raises:
        PermanentError: ``request_unreadable``. The controller records and skips it.
    """
    try:
        return RolloutRequest.model_validate(read_json(raw or b"", max_bytes=_MAX_REQUEST_BYTES))
    except (PermanentError, ValidationError) as error:
        raise PermanentError(
            "the request cannot be read: it lacks fields or has wrong ones",
            code="request_unreadable",
        ) from error
