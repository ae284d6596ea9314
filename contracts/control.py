"""The control record: which model serves. Written by the controller, followed by workers."""

from __future__ import annotations

from typing import Final, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from contracts.errors import MgeoError, PermanentError
from contracts.events import SINCE_1_1
from contracts.rollout import Rollout
from contracts.spec import ModelSpec
from contracts.strict_json import read_json

SCHEMA_VERSION: Final = 1
_MAX_STATE_BYTES: Final = 900 * 1024


UNUSABLE: Final = ("control_corrupt", "control_from_the_future")
"""Codes of control records that cannot be used."""


class ServingSet(BaseModel):
    """What lanes adopt: the models, the candidate's share, and the epoch that names them."""

    model_config = ConfigDict(
        frozen=True,
        extra="ignore",
        use_attribute_docstrings=True,
        allow_inf_nan=False,
        json_schema_serialization_defaults_required=True,
    )

    stable: ModelSpec
    candidate: ModelSpec | None = None
    share: float = Field(default=0.0, ge=0.0, le=1.0)
    """The part of the records that the candidate serves (``contracts.routing``)."""
    serving_epoch: int = Field(ge=1)
    """One more only when stable, candidate or share changes; it names this set in results."""
    rollout_id: str = ""
    """The rollout that the candidate belongs to; empty when there is none."""

    @model_validator(mode="after")
    def _share_needs_a_candidate(self) -> Self:
        if self.share > 0 and self.candidate is None:
            raise ValueError("a share above 0 needs a candidate to serve it")
        return self

    @property
    def specs(self) -> tuple[ModelSpec, ...]:
        """Every spec that must be resident to serve under this set."""
        return (self.stable,) if self.candidate is None else (self.stable, self.candidate)


class RolloutState(BaseModel):
    """The whole state in one record: records under several keys tear under compaction."""

    # A later controller's extra fields are kept, so that an older one hands them on.
    model_config = ConfigDict(
        frozen=True,
        extra="allow",
        use_attribute_docstrings=True,
        json_schema_serialization_defaults_required=True,
    )

    schema_version: int = Field(default=SCHEMA_VERSION, ge=1)
    incarnation: str
    """New with every creation of the topic."""
    revision: int = Field(ge=1)
    """One more with every write."""
    serving: ServingSet
    previous: ModelSpec | None = None
    """The stable model before this one: kept resident as the way back."""
    phase: str | None = None
    """The phase of the rollout; null when none has ever run."""
    paused: bool = False
    """True stops forward moves and timers, never protective ones."""
    updated_at: str = ""
    """RFC 3339 in UTC."""
    rollout: Rollout | None = Field(default=None, json_schema_extra=SINCE_1_1)
    """The rollout that runs, or the last one that ran; null when none ever has."""
    promoted: Rollout | None = Field(default=None, json_schema_extra=SINCE_1_1)
    """The last rollout that was promoted, once a later one is registered: it can be rolled back
    for as long as its reference is ``previous``. Null while it is ``rollout`` itself."""
    next_request_offset: int = Field(default=0, ge=0, json_schema_extra=SINCE_1_1)
    """The first request that is not judged yet: written with the state, so that none is twice."""


def first_state(
    stable: ModelSpec, *, incarnation: str, updated_at: str, serving_epoch: int = 1
) -> RolloutState:
    """The record that an empty control topic is started with.

    Args:
        stable: the model to serve.
        incarnation: a new name for the topic's life.
        updated_at: RFC 3339 in UTC.
        serving_epoch: above every epoch that partitions have adopted in an earlier life of the
            topic: they never go back to a lower one.
    """
    return RolloutState(
        incarnation=incarnation,
        revision=1,
        serving=ServingSet(stable=stable, serving_epoch=serving_epoch),
        updated_at=updated_at,
    )


def supersedes(new: RolloutState, old: RolloutState | None) -> bool:
    """True when ``new`` is to be followed after ``old``.

    Within one incarnation of the topic only a higher revision counts: a late write of a
    fenced controller never does. Another incarnation is a topic made anew.
    """
    return old is None or new.incarnation != old.incarnation or new.revision > old.revision


def encode_state(state: RolloutState) -> bytes:
    """The state as it stands on the control topic."""
    return state.model_dump_json().encode()


def decode_state(raw: bytes | None) -> RolloutState:
    """Read a control record.

    Raises:
        PermanentError: ``control_corrupt`` or ``control_from_the_future``. A follower then
            keeps its last good state and raises an alert; it never guesses.
    """
    try:
        document = read_json(raw or b"", max_bytes=_MAX_STATE_BYTES)
        future = isinstance(document, dict) and (
            isinstance(version := document.get("schema_version"), int) and version > SCHEMA_VERSION
        )
        if future:
            raise PermanentError(
                f"the control record has schema version {version}, this program knows "
                f"{SCHEMA_VERSION}",
                code="control_from_the_future",
                hint="upgrade this process",
            )
        return RolloutState.model_validate(document)
    except PermanentError as error:
        if error.code == "control_from_the_future":
            raise
        raise PermanentError(
            f"the control record cannot be read: {error}", code="control_corrupt"
        ) from error
    except (ValidationError, MgeoError) as error:
        raise PermanentError(
            "the control record cannot be read: it lacks fields or has wrong ones",
            code="control_corrupt",
        ) from error
