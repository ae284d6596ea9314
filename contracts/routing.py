"""Which model a record goes to: a pure function of its place in the log.

Deterministic, so that a redelivered record chooses the same model, and nested, so that a
larger share keeps every record that a smaller share had.
"""

from __future__ import annotations

import hashlib
from typing import Final

_BITS: Final = 53
"""As many bits as a double holds exactly: with more, the largest hashes would round up to 1."""


def hash_unit(rollout_id: str, partition: int, offset: int) -> float:
    """A number in [0, 1), uniform over records: the first 53 bits of SHA-256 over the key."""
    key = f"{rollout_id}/{partition}/{offset}".encode()
    first_64_bits = int.from_bytes(hashlib.sha256(key).digest()[:8], "big")
    return (first_64_bits >> (64 - _BITS)) / float(1 << _BITS)


def takes_candidate(rollout_id: str, partition: int, offset: int, share: float) -> bool:
    """True when the record at this place belongs to the candidate at this share."""
    return share > 0.0 and hash_unit(rollout_id, partition, offset) < share


def in_shadow(rollout_id: str, partition: int, offset: int, share: float) -> bool:
    """True when the record at this place belongs to the sample that shadow workers run.

    Another hash than the candidate's share: the canary's records are a fair part of the sample.
    """
    return share >= 1.0 or hash_unit(f"shadow:{rollout_id}", partition, offset) < share
