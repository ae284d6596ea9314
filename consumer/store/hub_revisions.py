"""Which commit a name on the hub means, and which of a revision's files a model is made of.

Reads listings only; downloads nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from consumer.store.hub_client import HubClient, ListedFile
from consumer.store.intake import SMALL_FILES, WEIGHTS
from consumer.store.manifest import CARD_NAME
from consumer.store.source import HubModel
from contracts.errors import UsageError

_DEFAULT_BRANCH: Final = "master"

Listing = Mapping[str, ListedFile]
"""The files of one revision by name."""


def find_revision(client: HubClient, model: HubModel) -> tuple[HubModel, Listing]:
    """The model at a revision that stays put, and what the hub lists for it.

    A commit or a tag is taken as it is written. A branch, the default one where none is named,
    is at the newest commit that touched any of its files. What the hub lists for that commit
    must be what it lists for the branch; else the newest tag is taken, where no branch was
    asked for.

    Raises:
        UsageError: ``hub_not_found``, ``hub_unauthorized``, ``hub_forbidden``, ``hub_unpinned``.
        BackendUnreachableError: ``hub_unreachable``.
    """
    listing = client.listing(model.revision or _DEFAULT_BRANCH)
    return (model, listing) if model.is_pinned else _pin(client, model, listing)


def _pin(client: HubClient, model: HubModel, listing: Listing) -> tuple[HubModel, Listing]:
    dated = [file for file in listing.values() if file.commit]
    if dated:
        commit = max(dated, key=lambda file: file.committed).commit
        pinned = HubModel(model.hub_id, commit)
        again = client.listing(str(commit))
        wanted = {*SMALL_FILES, *WEIGHTS} & listing.keys()
        if all(name in again and again[name].sha256 == listing[name].sha256 for name in wanted):
            return pinned, again
    tags = client.tags() if model.revision is None else []
    if tags:
        pinned = HubModel(model.hub_id, tags[0])
        return pinned, client.listing(tags[0])
    raise UsageError(
        f"the hub does not say at which commit {model} is",
        code="hub_unpinned",
        hint=f"name a commit or a tag: modelscope:{model.hub_id}@REVISION",
    )


def chosen_weights(listing: Listing, model: HubModel) -> str:
    """The name of the weights file that would be fetched.

    Raises:
        UsageError: ``model_incomplete`` when the revision cannot be an MGeo model.
    """
    name = _weights(listing)
    missing = [n for n in ("config.json", "vocab.txt") if n not in listing]
    if name is None or missing:
        raise UsageError(
            f"{model} has no {' and no '.join(missing or WEIGHTS)}: it cannot be an MGeo model",
            code="model_incomplete",
        )
    return name


def same_content(one: Listing, other: Listing) -> bool:
    """Whether two revisions list the same model: every file that it is made of but its card.

    A file without a listed digest is the same only where both revisions say that the same
    commit touched it last.
    """
    names = _parts(one)
    return (
        names == _parts(other)
        and _weights(one) is not None
        and all(_same_file(one[name], other[name]) for name in names)
    )


def _parts(listing: Listing) -> frozenset[str]:
    names = {name for name in SMALL_FILES if name in listing and name != CARD_NAME}
    weights = _weights(listing)
    return frozenset(names if weights is None else {*names, weights})


def _weights(listing: Listing) -> str | None:
    return next((name for name in WEIGHTS if name in listing), None)


def _same_file(one: ListedFile, other: ListedFile) -> bool:
    if one.sha256 is not None or other.sha256 is not None:
        return one.sha256 == other.sha256
    same = (one.commit, one.size_bytes) == (other.commit, other.size_bytes)
    return one.commit is not None and same
