"""One short hash over everything but the weights that a result depends on.

Imports neither torch nor tokenizers, so that a spec can be named where no model can run.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from consumer.gazetteer.completion import COMPLETION_VERSION
from consumer.parser.normalise import NORMALISER_VERSION

TOKENIZER_VERSION: Final = "2"
"""Of ``tokenizer``: raise it when the same files give other tokens."""

DECODER_VERSION: Final = "1"
"""Of ``spans``: raise it when the same scores give other spans."""

TOKENIZER_FILES: Final = ("vocab.txt", "tokenizer_config.json")


def read_tokenizer_files(directory: Path) -> dict[str, bytes]:
    """The tokenizer's files of a model directory, by name; a missing one is empty."""
    paths = {name: directory / name for name in TOKENIZER_FILES}
    return {name: path.read_bytes() if path.exists() else b"" for name, path in paths.items()}


def fingerprint(
    tokenizer_files: Mapping[str, bytes],
    *,
    labels: Sequence[str],
    temperature: float,
    window_tokens: int,
    gazetteer_digest: str,
) -> str:
    """16 hex characters over the tokenizer, the rules, the gazetteer and the calibration.

    Args:
        tokenizer_files: content of each of ``TOKENIZER_FILES``.
        labels: row by row.
        temperature: 1.0 where a model is not calibrated.
        window_tokens: most tokens of one window, special ones included.
        gazetteer_digest: of the divisions that addresses are completed from.
    """
    digest = hashlib.sha256()
    for name in TOKENIZER_FILES:
        content = tokenizer_files[name]
        digest.update(f"{name}:{len(content)}:".encode() + content)
    facts = {
        "tokenizer": TOKENIZER_VERSION,
        "normaliser": NORMALISER_VERSION,
        "decoder": DECODER_VERSION,
        "completion": COMPLETION_VERSION,
        "gazetteer": gazetteer_digest,
        "labels": list(labels),
        "temperature": temperature,
        "window_tokens": window_tokens,
    }
    digest.update(json.dumps(facts, sort_keys=True, ensure_ascii=True).encode())
    return digest.hexdigest()[:16]
