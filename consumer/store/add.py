"""Adding a model: take its files, check and convert them, name them, store them."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from consumer.store.convert import convert
from consumer.store.digests import Progress, no_progress
from consumer.store.intake import take
from consumer.store.manifest import Manifest, ModelSource
from consumer.store.release import describe_release
from consumer.store.store import ModelStore
from contracts.spec import parse_version


@dataclass(frozen=True, slots=True)
class Added:
    """What came of adding a model."""

    manifest: Manifest
    stored: bool
    """False when the very same model was there already."""
    ignored: tuple[str, ...]
    """Entries of the directory that are no part of a model and were left alone."""


def add_directory(
    store: ModelStore,
    directory: Path,
    *,
    version: str,
    source: ModelSource,
    created: datetime,
    progress: Progress = no_progress,
) -> Added:
    """Put a model directory into the store under a version.

    Args:
        store: gets the model.
        directory: laid out as on the hub; nothing in it is trusted or changed.
        version: its name from now on, ``<base>-<finetune>-<yyyymmdd>``.
        source: recorded as where it came from.
        created: recorded as when, with a time zone.
        progress: called with the number of bytes just taken in.

    Raises:
        UsageError: ``bad_version``, ``version_taken``, ``model_not_found``,
            ``unsafe_model_directory``, ``model_too_large`` and all of ``convert``.
        TransientError: ``model_store_unreachable``.
    """
    parse_version(version)
    with store.workspace() as workspace:
        taken, prepared = workspace / "taken", workspace / "prepared"
        taken.mkdir()
        prepared.mkdir()
        intake = take(directory, taken, progress=progress)
        convert(taken, prepared)
        manifest = describe_release(prepared, version=version, source=source, created=created)
        stored = store.put(prepared, manifest)
    return Added(store.find(version).manifest, stored, intake.ignored)


def prepare_release(directory: Path, target: Path) -> None:
    """Check and convert a model directory into ``target``, without storing it.

    For directories that come with the package: the same way in as for all models.

    Raises:
        UsageError: as :func:`add_directory`.
    """
    target.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as taken:
        take(directory, Path(taken))
        convert(Path(taken), target)
