"""Approvals: keys, signatures, and whether one is good for what is awaited.

Ed25519 (RFC 8032) over ``contracts.approvals.signed_bytes``. Nothing here reads a clock or Kafka;
only ``load_keyring`` and ``write_private_key`` touch files.
"""

from __future__ import annotations

import base64
import binascii
import os
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from contracts.approvals import signed_bytes
from contracts.errors import UsageError
from contracts.rollout import Approval

_RAW_KEY_BYTES: Final = 32

Keyring = Mapping[str, bytes]
"""Key id to the 32 bytes of its Ed25519 public key."""


def objection(
    approval: Approval,
    keyring: Keyring,
    *,
    cluster: str,
    rollout_id: str,
    decision: str,
    now: datetime,
) -> tuple[str, str] | None:
    """Why this approval is not good for this decision, as code and sentence; None when it is.

    Args:
        approval: what was signed.
        keyring: the keys that the controller trusts.
        cluster: incarnation of the control topic.
        rollout_id: the rollout that awaits it.
        decision: digest of the frozen decision.
        now: the present moment, with its zone.
    """
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    if approval.cluster != cluster:
        return "approval_other_cluster", "it was signed for another system"
    if approval.rollout_id != rollout_id:
        return "approval_other_rollout", "it was signed for another rollout"
    if approval.decision != decision:
        return "approval_other_decision", "it was signed for another decision record"
    key = keyring.get(approval.key_id)
    if key is None:
        return "approval_unknown_key", f"the controller knows no key {approval.key_id[:80]!r}"
    try:
        signature = base64.b64decode(approval.signature, validate=True)
        Ed25519PublicKey.from_public_bytes(key).verify(
            signature,
            signed_bytes(
                cluster=approval.cluster,
                rollout_id=approval.rollout_id,
                decision=approval.decision,
                expires_at=approval.expires_at,
            ),
        )
    except (InvalidSignature, binascii.Error, ValueError):
        return "approval_bad_signature", f"it is not signed with the key {approval.key_id[:80]!r}"
    try:
        expires = datetime.fromisoformat(approval.expires_at)
    except ValueError:
        return "approval_expired", "its time of expiry cannot be read"
    if expires.tzinfo is None or expires <= now:
        return "approval_expired", f"it expired at {approval.expires_at}"
    return None


def sign(
    private_key: bytes,
    *,
    key_id: str,
    cluster: str,
    rollout_id: str,
    decision: str,
    expires_at: str,
) -> Approval:
    """An approval of a decision.

    Args:
        private_key: PEM (PKCS 8) as ``new_key`` made it.
        key_id: the key's name in the controller's keyring.
        cluster: incarnation of the control topic.
        rollout_id: the rollout that awaits approval.
        decision: digest of its decision record.
        expires_at: RFC 3339 in UTC.

    Raises:
        UsageError: ``bad_key``.
    """
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        key = load_pem_private_key(private_key, password=None)
    except (ValueError, TypeError) as error:
        raise _bad_key() from error
    if not isinstance(key, Ed25519PrivateKey):
        raise _bad_key()
    signature = key.sign(
        signed_bytes(
            cluster=cluster, rollout_id=rollout_id, decision=decision, expires_at=expires_at
        )
    )
    return Approval(
        key_id=key_id,
        cluster=cluster,
        rollout_id=rollout_id,
        decision=decision,
        expires_at=expires_at,
        signature=base64.b64encode(signature).decode(),
    )


def new_key() -> tuple[bytes, str]:
    """A new key pair: the private key as PEM (PKCS 8), the public key's 32 bytes as base64."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import (
        Encoding,
        NoEncryption,
        PrivateFormat,
    )

    key = Ed25519PrivateKey.generate()
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return pem, base64.b64encode(key.public_key().public_bytes_raw()).decode()


def write_private_key(path: Path, pem: bytes) -> None:
    """Write a private key that only its owner can read; never over a file that exists.

    Raises:
        UsageError: ``cannot_write``.
    """
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError as error:
        raise UsageError(
            f"{path} exists already",
            code="cannot_write",
            hint="a key is never written over: name another file",
        ) from error
    except OSError as error:
        raise UsageError(
            f"{path} cannot be written: {error.strerror}", code="cannot_write"
        ) from error
    with os.fdopen(descriptor, "wb") as file:
        file.write(pem)


def keyring_yaml(keys: Mapping[str, str]) -> str:
    """The keyring file that holds these keys (base64 by id)."""
    import yaml

    text: str = yaml.safe_dump({"keys": dict(keys)}, sort_keys=True, allow_unicode=True)
    return text


def load_keyring(path: Path) -> dict[str, bytes]:
    """Read a keyring file: YAML, ``keys: {ID: BASE64}``.

    ``keys`` may stand there several times, as it does where the output of ``keygen`` was appended:
    plain YAML would take the last one and drop the approvers before it without a word.

    Raises:
        UsageError: ``no_file`` or ``bad_keyring``; the message names the entry.
    """
    import yaml

    try:
        document = yaml.compose(path.read_text("utf-8"), Loader=yaml.SafeLoader)
    except OSError as error:
        raise UsageError(
            f"the keyring {path} cannot be read: {error.strerror}", code="no_file"
        ) from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise _bad_keyring(path, "it is no YAML") from error
    keys: dict[str, bytes] = {}
    for name, text in _entries(document):
        if name in keys:
            raise _bad_keyring(path, f"the key {name!r} stands there twice")
        keys[name] = _public_key(path, name, text)
    if not keys:
        raise _bad_keyring(path, "it has no `keys` with entries")
    return keys


def _entries(document: Any) -> Iterator[tuple[str, object]]:
    """Names and values below every ``keys`` of a YAML document."""
    for section, entries in _pairs(document):
        if section.value == "keys":
            yield from ((str(name.value), entry.value) for name, entry in _pairs(entries))


def _pairs(node: Any) -> Sequence[tuple[Any, Any]]:
    found: Sequence[tuple[Any, Any]] = node.value if getattr(node, "id", "") == "mapping" else ()
    return found


def _public_key(path: Path, name: str, text: object) -> bytes:
    try:
        raw = base64.b64decode(str(text), validate=True)
    except (binascii.Error, ValueError) as error:
        raise _bad_keyring(path, f"the key {name!r} is no base64") from error
    if len(raw) != _RAW_KEY_BYTES:
        raise _bad_keyring(path, f"the key {name!r} has {len(raw)} bytes instead of 32")
    return raw


def _bad_keyring(path: Path, why: str) -> UsageError:
    return UsageError(
        f"the keyring {path} cannot be used: {why}",
        code="bad_keyring",
        hint="mgeo rollout keygen prints entries as they must be",
    )


def _bad_key() -> UsageError:
    return UsageError(
        "the private key cannot be read: it is no unencrypted Ed25519 key in PEM",
        code="bad_key",
        hint="make one with mgeo rollout keygen",
    )
