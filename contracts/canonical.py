"""One text for one value: what digests and signatures are taken over. Pure."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from pydantic import BaseModel


def canonical_json(value: BaseModel | dict[str, Any]) -> bytes:
    """UTF-8 JSON with sorted keys and without white space.

    Numbers are written as Python writes them (shortest text that reads back the same), so two
    programs of ours agree; a value that went through JSON and back has the same bytes.
    """
    document = value.model_dump(mode="json") if isinstance(value, BaseModel) else value
    text = json.dumps(
        document, ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False
    )
    return text.encode()


def digest_of(value: BaseModel | dict[str, Any]) -> str:
    """``sha256:<hex>`` of the canonical JSON."""
    return f"sha256:{hashlib.sha256(canonical_json(value)).hexdigest()}"
