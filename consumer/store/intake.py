"""Takes the known files out of a directory that nobody vouches for, and nothing else.

What it returns is a private copy: later steps never touch the original, so nobody can
change a file between its check and its use. No content is interpreted here.
"""

from __future__ import annotations

import errno
import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from consumer.store.digests import Progress, copy_and_hash, no_progress
from consumer.store.manifest import (
    CALIBRATION_NAME,
    CARD_NAME,
    CONFIG_NAME,
    CONFIGURATION_NAME,
    LABEL_MAPPING_NAME,
    PICKLED_WEIGHTS_NAME,
    TOKENIZER_NAME,
    VOCABULARY_NAME,
    WEIGHTS_NAME,
)
from contracts.errors import UsageError

_MIB: Final = 1024 * 1024
_TEXT_MAX_BYTES: Final = 4 * _MIB
_VOCABULARY_MAX_BYTES: Final = 32 * _MIB
DEFAULT_WEIGHTS_MAX_BYTES: Final = 8 * 1024 * _MIB

WEIGHTS: Final = (WEIGHTS_NAME, PICKLED_WEIGHTS_NAME)
"""In order of preference: the second is read only where there is no first."""

SMALL_FILES: Final = (
    CONFIG_NAME,
    CONFIGURATION_NAME,
    LABEL_MAPPING_NAME,
    VOCABULARY_NAME,
    TOKENIZER_NAME,
    CALIBRATION_NAME,
    CARD_NAME,
)


@dataclass(frozen=True, slots=True)
class Intake:
    """What was taken and what was left."""

    taken: tuple[str, ...]
    ignored: tuple[str, ...]
    """Names of entries that were left where they are; code among them never runs."""


def take(
    source: Path,
    target: Path,
    *,
    weights_max_bytes: int = DEFAULT_WEIGHTS_MAX_BYTES,
    progress: Progress = no_progress,
) -> Intake:
    """Copy the files that a model is made of from ``source`` into the empty ``target``.

    Raises:
        UsageError: ``model_not_found`` when there is no such directory;
            ``unsafe_model_directory`` for a link that leads out of it or anything that is
            no plain file; ``model_too_large``.
    """
    if not source.is_dir():
        raise UsageError(
            f"there is no model directory {source}",
            code="model_not_found",
            hint="give the directory that holds config.json, vocab.txt and the weights",
        )
    root = source.resolve()
    present = {entry.name for entry in root.iterdir()}
    weights = next((name for name in WEIGHTS if name in present), None)
    wanted = [name for name in (*SMALL_FILES, weights) if name is not None and name in present]
    for name in wanted:
        _copy(root, name, target / name, _limit(name, weights_max_bytes), progress)
    return Intake(tuple(wanted), tuple(sorted(present - set(wanted))))


def _limit(name: str, weights_max_bytes: int) -> int:
    if name in WEIGHTS:
        return weights_max_bytes
    return _VOCABULARY_MAX_BYTES if name == VOCABULARY_NAME else _TEXT_MAX_BYTES


def _copy(root: Path, name: str, target: Path, limit_bytes: int, progress: Progress) -> None:
    # A link may stay inside the directory (some caches are laid out so), never lead out of it.
    real = (root / name).resolve()
    if not real.is_relative_to(root):
        raise UsageError(
            f"{name} is a link that leads out of the model directory",
            code="unsafe_model_directory",
            hint="if you trust it, make a plain copy first: cp -rL DIR COPY, then add COPY",
        )
    try:
        descriptor = os.open(real, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError as error:
        reason = "it is a link" if error.errno == errno.ELOOP else error.strerror
        raise UsageError(
            f"{name} cannot be read: {reason}", code="unsafe_model_directory"
        ) from error
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise UsageError(f"{name} is not a plain file", code="unsafe_model_directory")
    with os.fdopen(descriptor, "rb") as opened, target.open("xb") as out:
        _, size = copy_and_hash(opened, out, limit_bytes=limit_bytes, progress=progress)
    if size > limit_bytes:
        raise UsageError(
            f"{name} is larger than {limit_bytes // _MIB:,} MiB", code="model_too_large"
        )
