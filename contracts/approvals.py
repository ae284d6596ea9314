"""What an approval signs. Pure."""

from __future__ import annotations

from contracts.canonical import canonical_json


def signed_bytes(*, cluster: str, rollout_id: str, decision: str, expires_at: str) -> bytes:
    """The bytes under the Ed25519 signature (RFC 8032) of an approval.

    The first field keeps a signature over anything else from ever being taken for an approval.
    """
    return canonical_json(
        {
            "purpose": "mgeo-stream rollout approval v1",
            "cluster": cluster,
            "rollout_id": rollout_id,
            "decision": decision,
            "expires_at": expires_at,
        }
    )
