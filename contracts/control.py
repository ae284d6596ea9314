"""The control record: which model serves. Written by the controller, followed by workers."""

from __future__ import annotations

from typing import Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from contracts.errors import MgeoError, PermanentError
from contracts.spec import ModelSpec
from contracts.strict_json import read_json

SCHEMA_VERSION: Final = 1
_MAX_STATE_BYTES: Final = 900 * 1024


class ServingSet(BaseModel):
    """What lanes adopt: the models, the candidate's share, and the epoch that names them."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    stable: ModelSpec
    candidate: ModelSpec | None = None
    share: float = Field(default=0.0, ge=0.0, le=1.0)
    serving_epoch: int = Field(ge=1)
    rollout_id: str = ""

    @property
    def specs(self) -> tuple[ModelSpec, ...]:
        """Every spec that must be resident to serve under this set."""
        return (self.stable,) if self.candidate is None else (self.stable, self.candidate)


class RolloutState(BaseModel):
    """The whole state in one record: records under several keys tear under compaction."""

    model_config = ConfigDict(frozen=True, extra="allow")

    schema_version: int = Field(default=SCHEMA_VERSION, ge=1)
    incarnation: str
    """New with every creation of the topic."""
    revision: int = Field(ge=1)
    """One more with every write."""
    serving: ServingSet
    previous: ModelSpec | None = None
    """The stable model before this one: kept resident as the way back."""
    phase: str | None = None
    paused: bool = False
    updated_at: str = ""
    """RFC 3339 in UTC."""


def first_state(stable: ModelSpec, *, incarnation: str, updated_at: str) -> RolloutState:
    """The record that an empty control topic is started with."""
    return RolloutState(
        incarnation=incarnation,
        revision=1,
        serving=ServingSet(stable=stable, serving_epoch=1),
        updated_at=updated_at,
    )


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
