"""From the name of a model to the loaded model: the store's verified files, then the device."""

from __future__ import annotations

from typing import TYPE_CHECKING

from consumer.settings import ParserSettings
from consumer.store import open_store
from consumer.store.source import is_hub_model, parse_hub_model, same_model
from contracts.errors import UsageError
from contracts.spec import ModelSpec, parse_spec_name

if TYPE_CHECKING:
    from consumer.parser.model import MgeoModel
    from consumer.store import ModelStore


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
    name = name or settings.version
    if is_hub_model(name):
        version = _newest_of(store, name)
    else:
        version, precision = parse_spec_name(name)
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


def _newest_of(store: ModelStore, name: str) -> str:
    hub_id = parse_hub_model(name).hub_id
    found = [
        model.manifest
        for model in store.models()
        if model.manifest.source.hub_id is not None
        and same_model(model.manifest.source.hub_id, hub_id)
    ]
    if not found:
        raise UsageError(
            f"no version of {hub_id} is in {store.place}",
            code="unknown_version",
            hint=f"add one with: mgeo model add modelscope:{hub_id}@REVISION --version VERSION",
        )
    return max(found, key=lambda manifest: manifest.created).version
