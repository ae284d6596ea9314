"""Whether the hub has a model that the store has not: told by content, whatever it is called.

Asks for listings only; downloads nothing and adds nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from consumer.store.hub_client import HubClient
from consumer.store.hub_revisions import Listing, chosen_weights, find_revision, same_content
from consumer.store.kinds import refuse_by_hub_id
from consumer.store.manifest import Manifest
from consumer.store.naming import derive_version
from consumer.store.source import HubModel, same_model
from contracts.errors import UsageError


@dataclass(frozen=True, slots=True)
class Update:
    """What the hub has of one model, held against the store."""

    newest: HubModel
    """At the newest revision, pinned: what ``mgeo model add`` takes."""
    known_as: str | None
    """The version that has this content already; None: the store has not got it."""
    version: str | None
    """A name for it where it is new."""
    unlisted: tuple[str, ...]
    """Versions whose revision the hub lists no more, so that only its name could be compared."""

    @property
    def new(self) -> bool:
        """Whether there is something to add."""
        return self.known_as is None


def hub_models(manifests: Iterable[Manifest]) -> list[HubModel]:
    """Every model of the hub that something was added from, each once, by its latest name."""
    found: list[str] = []
    for manifest in sorted(manifests, key=_age, reverse=True):
        hub_id = manifest.source.hub_id
        if hub_id is not None and not any(same_model(hub_id, known) for known in found):
            found.append(hub_id)
    return [HubModel(hub_id) for hub_id in sorted(found)]


def added_from(model: HubModel, manifests: Iterable[Manifest]) -> list[Manifest]:
    """What was added from this model at any revision, the latest first."""
    found = [
        manifest
        for manifest in manifests
        if manifest.source.hub_id is not None and same_model(manifest.source.hub_id, model.hub_id)
    ]
    return sorted(found, key=_age, reverse=True)


def judge_update(
    newest: HubModel,
    listing: Listing,
    stored: Sequence[Manifest],
    listed: Mapping[str, Listing | None],
    today: date,
) -> Update:
    """Whether the newest revision is one of the store's models.

    Args:
        newest: pinned.
        listing: its files.
        stored: what was added from the same model, the latest first; the first that fits is named.
        listed: by version, what the hub lists for the revision that it came from; None where
            it lists that revision no more. Versions of the newest revision may be left out.
        today: the day of a version that has to be made up.
    """
    known_as = None
    for manifest in stored:
        there = listed.get(manifest.version)
        if manifest.source.revision == newest.revision or (
            there is not None and same_content(there, listing)
        ):
            known_as = manifest.version
            break
    return Update(
        newest=newest,
        known_as=known_as,
        version=derive_version(newest, today) if known_as is None else None,
        unlisted=tuple(
            manifest.version
            for manifest in stored
            if manifest.version in listed and listed[manifest.version] is None
        ),
    )


def check_update(model: HubModel, manifests: Iterable[Manifest], *, today: date) -> Update:
    """Ask the hub for the newest revision of a model, and whether the store has it.

    Args:
        model: at a branch, or at none for the default one. A commit or a tag is its own newest.
        manifests: all of the store.
        today: the day of a version that has to be made up.

    Raises:
        UsageError: ``hub_not_found``, ``hub_unauthorized``, ``hub_forbidden``, ``hub_unpinned``,
            ``wrong_model_kind``, ``model_incomplete``, ``extra_missing``.
        BackendUnreachableError: ``hub_unreachable``.
    """
    refuse_by_hub_id(model.hub_id)
    newest, listing = find_revision(HubClient(model.hub_id), model)
    chosen_weights(listing, newest)
    stored = added_from(model, manifests)
    listed: dict[str, Listing | None] = {}
    if all(manifest.source.revision != newest.revision for manifest in stored):
        listed = {manifest.version: _listed(manifest) for manifest in stored}
    return judge_update(newest, listing, stored, listed, today)


def _listed(manifest: Manifest) -> Listing | None:
    """What the hub lists today for the revision that a version came from."""
    hub_id, revision = manifest.source.hub_id, manifest.source.revision
    if hub_id is None or revision is None:
        return None
    try:
        return HubClient(hub_id).listing(revision)
    except UsageError as error:
        if error.code == "hub_not_found":
            return None
        raise


def _age(manifest: Manifest) -> tuple[float, str]:
    return manifest.created.timestamp(), manifest.version
