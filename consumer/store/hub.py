"""Fetches a model from the hub at a pinned revision, whole and checked, or not at all.

Downloads data only, and only the files a model is made of; nothing fetched is ever imported.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from consumer.store.digests import find_mismatch
from consumer.store.hub_client import HubClient, Watch
from consumer.store.hub_errors import corrupted
from consumer.store.hub_receipts import Receipt, find_receipts, forget, write_receipt
from consumer.store.hub_revisions import chosen_weights, find_revision
from consumer.store.intake import DEFAULT_WEIGHTS_MAX_BYTES, SMALL_FILES
from consumer.store.kinds import refuse_by_configuration, refuse_by_hub_id
from consumer.store.source import HubModel
from contracts.errors import UsageError


@dataclass(frozen=True, slots=True)
class Fetched:
    """A model of the hub on this machine, every file checked."""

    model: HubModel
    """With the revision that was really fetched."""
    directory: Path
    size_bytes: int
    from_cache: bool
    """True when it was here already and nothing was asked of the hub."""


def fetch(
    model: HubModel,
    root: Path,
    *,
    offline: bool = False,
    notice: Callable[[str], None] = lambda _: None,
    watch: Watch | None = None,
) -> Fetched:
    """Bring a model of the hub to this machine, or find it here.

    A repeat after an interruption goes on where it stopped.

    Args:
        model: without a revision, the newest commit is looked up, and ``notice`` is told.
        root: where fetched models are kept.
        offline: ask nothing of the hub; what is not here already is an error at once.
        notice: told what the person should know.
        watch: told of the progress.

    Raises:
        UsageError: ``not_fetched`` (offline), ``hub_not_found``, ``hub_unauthorized``,
            ``hub_forbidden``, ``hub_unpinned``, ``wrong_model_kind``, ``model_incomplete``,
            ``model_too_large``, ``extra_missing``.
        FatalError: ``hub_digest_mismatch`` when the hub gave other bytes than it lists.
        BackendUnreachableError: ``hub_unreachable``.
    """
    refuse_by_hub_id(model.hub_id)
    known = find_receipts(root, model)
    if offline or (model.is_pinned and known):
        return _from_cache(model, root, known)
    client = HubClient(model.hub_id)
    pinned, listing = find_revision(client, model)
    if pinned != model:
        notice(
            f"{model} names no fixed revision: taking {pinned.revision}. "
            f"Write {pinned} to get the same again."
        )
        if known := find_receipts(root, pinned):
            return _from_cache(pinned, root, known)
    weights = chosen_weights(listing, pinned)
    if listing[weights].size_bytes > DEFAULT_WEIGHTS_MAX_BYTES:
        raise UsageError(f"{weights} of {pinned} is too large", code="model_too_large")
    small = [name for name in SMALL_FILES if name in listing]
    directory = client.download(pinned, root, small, watch)
    # Small files first: a model of another kind is refused before its weights are fetched.
    refuse_by_configuration(
        _peek(directory / "configuration.json"), _peek(directory / "config.json")
    )
    client.download(pinned, root, [weights], watch)
    files = tuple(listing[name].described(directory) for name in (*small, weights))
    problem = find_mismatch(directory, files)
    if problem is not None:
        raise corrupted(pinned, client.host)
    write_receipt(root, pinned, directory, files)
    return Fetched(pinned, directory, sum(f.size_bytes for f in files), from_cache=False)


def _peek(path: Path) -> dict[str, Any] | None:
    try:
        content = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return None  # what it is worth is for ``add`` to say
    return content if isinstance(content, dict) else None


def _from_cache(model: HubModel, root: Path, known: Sequence[Receipt]) -> Fetched:
    if len(known) > 1:
        raise UsageError(
            f"several revisions of {model.hub_id} are here: "
            + ", ".join(sorted(r.revision for r in known)),
            code="not_fetched",
            hint=f"name one: modelscope:{model.hub_id}@REVISION",
        )
    if not known:
        raise UsageError(
            f"{model} has not been fetched to this machine",
            code="not_fetched",
            hint=f"where the hub can be reached: mgeo model fetch {model}; or copy the model "
            "directory here and: mgeo model add DIR --version VERSION",
        )
    receipt = known[0]
    directory = root / receipt.directory
    problem = find_mismatch(directory, receipt.files)
    if problem is not None:
        forget(root, receipt)
        raise UsageError(
            f"the fetched copy of {model} is damaged: {problem}",
            code="not_fetched",
            hint="run the same command again where the hub can be reached",
        )
    size = sum(file.size_bytes for file in receipt.files)
    return Fetched(HubModel(receipt.hub_id, receipt.revision), directory, size, from_cache=True)
