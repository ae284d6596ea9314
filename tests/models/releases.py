"""Prepared model directories for tests of the store; no torch, no real network."""

from __future__ import annotations

import json
import random
import struct
from datetime import UTC, datetime
from pathlib import Path

from consumer.store.manifest import Manifest, ModelSource
from consumer.store.release import describe_release

CREATED = datetime(2026, 11, 1, 12, 0, tzinfo=UTC)


def write_prepared(directory: Path, *, seed: int, vocabulary: int = 30) -> Path:
    """A directory as ``mgeo model add`` prepares one, with one small tensor in it."""
    directory.mkdir(parents=True, exist_ok=True)
    numbers = random.Random(seed).randbytes(4 * 8)
    header = json.dumps(
        {"classifier.weight": {"dtype": "F32", "shape": [2, 4], "data_offsets": [0, 32]}}
    ).encode()
    weights = struct.pack("<Q", len(header)) + header + numbers
    (directory / "model.safetensors").write_bytes(weights)
    config = {
        "vocab_size": vocabulary,
        "hidden_size": 4,
        "num_hidden_layers": 1,
        "num_attention_heads": 1,
        "intermediate_size": 4,
        "max_position_embeddings": 16,
        "id2label": {"0": "O", "1": "S-poi"},
    }
    (directory / "config.json").write_text(json.dumps(config))
    (directory / "vocab.txt").write_text("".join(f"t{i}\n" for i in range(vocabulary)))
    (directory / "tokenizer_config.json").write_text('{"do_lower_case": true}')
    return directory


def prepared_release(
    directory: Path, *, version: str, seed: int = 1, vocabulary: int = 30
) -> Manifest:
    """Such a directory and its manifest."""
    write_prepared(directory, seed=seed, vocabulary=vocabulary)
    return describe_release(
        directory, version=version, source=ModelSource(kind="directory"), created=CREATED
    )
