"""From the hub into the store: fetch at a pinned revision, then add like any directory."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from consumer.store.add import Added, add_directory
from consumer.store.digests import Progress, no_progress
from consumer.store.hub import fetch
from consumer.store.hub_client import Watch
from consumer.store.manifest import ModelSource
from consumer.store.naming import derive_version
from consumer.store.source import HubModel
from consumer.store.store import ModelStore


def hub_folder(cache: Path) -> Path:
    """Where fetched models lie, beside those opened from the store."""
    return cache / "hub"


def add_from_hub(
    store: ModelStore,
    model: HubModel,
    *,
    cache: Path,
    now: datetime,
    version: str | None = None,
    offline: bool = False,
    notice: Callable[[str], None] = lambda _: None,
    watch: Watch | None = None,
    progress: Progress = no_progress,
) -> Added:
    """Fetch a model of the hub, unless it is here, and add it to the store.

    Args:
        store: gets the model.
        model: with or without a revision (see ``hub.fetch``).
        cache: the cache's directory.
        now: recorded; and the day of a version that has to be made up.
        version: its name from now on; None: made from the hub's name, the revision, the day.
        offline: ask nothing of the hub.
        notice: told what the person should know.
        watch: told of the download's progress.
        progress: told of the bytes taken in.

    Raises:
        MgeoError: the codes of ``hub.fetch`` and ``add.add_directory``.
    """
    fetched = fetch(model, hub_folder(cache), offline=offline, notice=notice, watch=watch)
    pinned = fetched.model
    return add_directory(
        store,
        fetched.directory,
        version=version or derive_version(pinned, now.date()),
        source=ModelSource(kind="modelscope", hub_id=pinned.hub_id, revision=pinned.revision),
        created=now,
        progress=progress,
    )
