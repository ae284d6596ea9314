"""The audit topic: everything the controller did and why, one record each, kept for ever."""

from __future__ import annotations

from typing import Any, Final, Literal

from pydantic import Field, ValidationError

from contracts.control import ServingSet
from contracts.errors import PermanentError
from contracts.frozen import Frozen
from contracts.judgement import Judgement
from contracts.phases import Phase
from contracts.requests import RequestKind
from contracts.rollout import Cut, Rollout
from contracts.strict_json import read_json

AuditKind = Literal["transition", "cut", "request", "decision", "alert"]

_MAX_AUDIT_BYTES: Final = 900 * 1024


class TransitionEntry(Frozen):
    """A phase (or canary step) was entered."""

    previous: Phase | None
    phase: Phase
    code: str
    reason: str = ""
    step: int = 0
    serving: ServingSet
    """The serving set from now on."""


class RequestEntry(Frozen):
    """A request was consumed."""

    request_id: str
    kind: RequestKind | Literal["unreadable"]
    offset: int
    """Its offset on the requests topic."""
    accepted: bool
    code: str = ""
    """Why it was refused; ``already_so`` for an idempotent repeat, which is accepted."""
    message: str = ""
    requested_by: str = ""


class CutEntry(Frozen):
    """The evidence was judged at a cut."""

    cut: Cut
    judgement: Judgement
    outcomes: int = Field(default=0, ge=0)
    """Pairs folded in up to this cut."""
    chain: str = ""
    """The hash chain over them: where two chains part is where a result was changed. Empty
    where the controller did not say."""


class AuditRecord(Frozen):
    """One entry. Written in the transaction of the state that it explains."""

    kind: AuditKind
    incarnation: str
    revision: int = Field(ge=1)
    """Revision of the state that was written with it."""
    at: str
    """RFC 3339 in UTC."""
    rollout_id: str = ""
    transition: TransitionEntry | None = None
    request: RequestEntry | None = None
    cut: CutEntry | None = None
    rollout: Rollout | None = None
    """With a transition: the rollout as it stood after it, so that a rollout that is no longer
    the newest can still be reported and verified."""
    decision: dict[str, Any] | None = None
    """The whole decision record; its canonical JSON has the digest that the state names."""
    message: str = ""


def encode_audit(record: AuditRecord) -> bytes:
    """The record as it stands on the topic."""
    return record.model_dump_json().encode()


def decode_audit(raw: bytes | None) -> AuditRecord:
    """Read an audit record.

    Raises:
        PermanentError: ``audit_unreadable``.
    """
    try:
        return AuditRecord.model_validate(read_json(raw or b"", max_bytes=_MAX_AUDIT_BYTES))
    except (PermanentError, ValidationError) as error:
        raise PermanentError(
            "the audit record cannot be read: it lacks fields or has wrong ones",
            code="audit_unreadable",
        ) from error
