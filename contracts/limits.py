"""The sizes that bound every message, as data.

They are chosen together: what an admissible input can grow into always fits the topic that
carries it, or is turned into a per-address ``result_too_large`` (``contracts.fitting``).
"""

from __future__ import annotations

from typing import Final, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

KIB: Final = 1024
MIB: Final = 1024 * KIB

DEAD_LETTER_HEADROOM_BYTES: Final = 64 * KIB
"""What a dead letter may be larger than its original: its headers."""

OFFSET_METADATA_MAX_BYTES: Final = 4096
"""Kafka's own limit (``offset.metadata.max.bytes``); beyond it a commit is refused."""


RESULT_ENVELOPE_BYTES: Final = 2 * KIB
"""What a result record holds beside the ids and the results: names, model, origin, timing."""

ERROR_RESULT_BYTES: Final = 256
"""The most that one error result has beside its id; a property test holds it."""


class Limits(BaseModel):
    """Bounds on one input record. Over a bound is an error code, never a crash."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    max_record_bytes: int = Field(default=1 * MIB, ge=1 * KIB)
    """Bytes of one input record's value; above: ``record_too_large``."""

    max_addresses: int = Field(default=1000, ge=1)
    """Addresses in one batch; above: ``too_many_addresses``."""

    max_address_chars: int = Field(default=1000, ge=1)
    """Code points of one address; above: ``text_too_long`` for that address alone."""

    max_id_chars: int = Field(default=200, ge=1)
    """Code points of an id, a batch id or a source."""

    max_components: int = Field(default=256, ge=1)
    """Components of one result; above: ``result_too_large`` for that address alone."""

    max_result_bytes: int = Field(default=4 * MIB, ge=1 * KIB)
    """Bytes of one result record's value; addresses give way until it fits."""

    @property
    def smallest_result_bytes(self) -> int:
        """The most that a result needs when every address in it has become an error.

        Ids, batch id and source come back as they came, so together they are no longer than
        the input record was: JSON written by us is never longer than the JSON we read.
        """
        return (
            self.max_record_bytes
            + self.max_addresses * ERROR_RESULT_BYTES
            + (RESULT_ENVELOPE_BYTES)
        )

    @model_validator(mode="after")
    def _errors_alone_fit(self) -> Self:
        if self.max_result_bytes < self.smallest_result_bytes:
            raise ValueError(
                f"max_result_bytes must be at least {self.smallest_result_bytes} "
                f"(max_record_bytes + {ERROR_RESULT_BYTES} for each of max_addresses + "
                f"{RESULT_ENVELOPE_BYTES}), so that a result of errors alone always fits"
            )
        return self
