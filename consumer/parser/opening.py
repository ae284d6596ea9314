"""From the name of a model to the loaded model: the store's verified files, then the device."""

from __future__ import annotations

from typing import TYPE_CHECKING

from consumer.settings import ParserSettings
from consumer.store import open_store
from consumer.store.naming import resolve_name
from contracts.spec import ModelSpec

if TYPE_CHECKING:
    from consumer.parser.model import MgeoModel


def open_model(name: str | None = None, settings: ParserSettings | None = None) -> MgeoModel:
    """Load a model by name.

    Args:
        name: ``VERSION``, ``VERSION@precision``, or the hub id of a model in the store (the
            newest version of it); default: the settings' ``version``.
        settings: default: from the environment.

    Raises:
        UsageError: ``unknown_version``, ``bad_version``, ``bad_precision``, ``bad_hub_id``, and
            the codes of ``model.load_model``.
        FatalError: ``model_digest_mismatch``, ``model_manifest_broken``.
        TransientError: ``model_store_unreachable``.
    """
    from consumer.parser.model import load_model

    settings = settings or ParserSettings()
    store = open_store(settings)
    version, precision = resolve_name(store, name or settings.version)
    if precision is not None:
        settings = settings.model_copy(update={"precision": precision})
    files = store.open(version)
    return load_model(files.directory, version=version, digest=files.digest, settings=settings)


def open_spec(spec: ModelSpec, settings: ParserSettings) -> MgeoModel:
    """Load the model of a spec: exactly its weights, at its precision.

    Its fingerprint can be another than the spec's when this program is another release than
    the one that wrote the spec; the caller decides what that means.

    Raises:
        FatalError: ``model_digest_mismatch`` when the weights are others.
        UsageError, TransientError: as ``open_model``.
    """
    from consumer.parser.model import load_model

    files = open_store(settings).open(spec.version, digest=spec.digest)
    return load_model(
        files.directory,
        version=spec.version,
        digest=files.digest,
        settings=settings.model_copy(update={"precision": spec.precision}),
    )
