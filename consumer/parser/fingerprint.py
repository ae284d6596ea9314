"""One short hash over everything but the weights that a result depends on."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Final

_TOKENIZER_FILES: Final = ("vocab.txt", "tokenizer_config.json")


def fingerprint(directory: Path, facts: Mapping[str, object]) -> str:
    """16 hex characters over the tokenizer's files and ``facts``.

    Args:
        directory: the model directory.
        facts: JSON values by name: versions of our own rules, labels, calibration …
    """
    digest = hashlib.sha256()
    for name in _TOKENIZER_FILES:
        path = directory / name
        content = path.read_bytes() if path.exists() else b""
        digest.update(f"{name}:{len(content)}:".encode() + content)
    digest.update(json.dumps(facts, sort_keys=True, ensure_ascii=True).encode())
    return digest.hexdigest()[:16]
