"""A prepared model directory and the manifest that describes it.

Reads headers and JSON only, so it needs neither torch nor safetensors.
"""

from __future__ import annotations

import json
import math
import struct
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from consumer.store.digests import describe_file
from consumer.store.manifest import (
    CALIBRATION_NAME,
    CONFIG_NAME,
    MANIFEST_NAME,
    OPTIONAL_FILES,
    REQUIRED_FILES,
    WEIGHTS_NAME,
    Architecture,
    Manifest,
    ModelSource,
)
from contracts.errors import UsageError

_HEADER_MAX_BYTES: Final = 100 * 1024 * 1024
"""The safetensors format's own bound on its header."""


def describe_release(
    directory: Path, *, version: str, source: ModelSource, created: datetime
) -> Manifest:
    """The manifest of a prepared directory: canonical ``config.json``, safetensors weights.

    Args:
        directory: holds the required files, perhaps the optional ones; others are left out.
        version: its name from now on.
        source: where it came from.
        created: when it was prepared, with a time zone.

    Raises:
        UsageError: ``bad_version``, ``model_incomplete`` when a required file is missing.
    """
    missing = [name for name in REQUIRED_FILES if not (directory / name).is_file()]
    if missing:
        raise UsageError(
            f"the model directory has no {', '.join(missing)}", code="model_incomplete"
        )
    config = json.loads((directory / CONFIG_NAME).read_bytes())
    labels: dict[str, str] = config["id2label"]
    present = [n for n in (*REQUIRED_FILES, *OPTIONAL_FILES) if (directory / n).is_file()]
    files = tuple(describe_file(directory / name) for name in present)
    weights = next(file for file in files if file.name == WEIGHTS_NAME)
    return Manifest(
        version=version,
        digest=f"sha256:{weights.sha256}",
        source=source,
        created=created,
        labels=tuple(labels[str(row)] for row in range(len(labels))),
        architecture=Architecture(
            layers=config["num_hidden_layers"],
            hidden_size=config["hidden_size"],
            heads=config["num_attention_heads"],
            vocabulary=config["vocab_size"],
            positions=config["max_position_embeddings"],
            parameters=count_parameters(directory / WEIGHTS_NAME),
        ),
        temperature=_temperature(directory),
        files=files,
    )


def write_release(
    directory: Path, *, version: str, source: ModelSource, created: datetime
) -> Manifest:
    """Describe a prepared directory and leave the manifest in it, as the starter models have.

    Raises:
        UsageError: as :func:`describe_release`.
    """
    manifest = describe_release(directory, version=version, source=source, created=created)
    (directory / MANIFEST_NAME).write_bytes(manifest.to_json())
    return manifest


def tensor_shapes(path: Path) -> dict[str, tuple[int, ...]]:
    """Name and shape of every tensor in a safetensors file, from its header alone.

    Raises:
        UsageError: ``bad_weights`` when the file is not of that format or is cut short.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        prefix = file.read(8)
        length = struct.unpack("<Q", prefix)[0] if len(prefix) == 8 else size
        if length > min(size - 8, _HEADER_MAX_BYTES):
            raise _damaged(path)
        try:
            header: dict[str, Any] = json.loads(file.read(length))
            tensors = {k: v for k, v in header.items() if k != "__metadata__"}
            end = max((int(t["data_offsets"][1]) for t in tensors.values()), default=0)
            shapes = {name: tuple(int(n) for n in t["shape"]) for name, t in tensors.items()}
        except (ValueError, KeyError, TypeError, AttributeError, IndexError, RecursionError):
            raise _damaged(path) from None
    if 8 + length + end != size:
        raise _damaged(path)
    return shapes


def count_parameters(path: Path) -> int:
    """Numbers in all tensors of a safetensors file. Raises as :func:`tensor_shapes`."""
    return sum(math.prod(shape) for shape in tensor_shapes(path).values())


def _temperature(directory: Path) -> float | None:
    try:
        calibration: dict[str, Any] = json.loads((directory / CALIBRATION_NAME).read_bytes())
    except FileNotFoundError:
        return None
    return float(calibration["temperature"])


def _damaged(path: Path) -> UsageError:
    return UsageError(
        f"{path.name} cannot be read: it is damaged, cut short or not safetensors",
        code="bad_weights",
        hint="fetch the model again",
    )
