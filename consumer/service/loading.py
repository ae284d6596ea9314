"""From a spec to a model that may serve: found, verified, loaded, warm. Imports torch."""

from __future__ import annotations

from consumer.parser.model import load_model
from consumer.parser.seams import AddressModel
from consumer.settings import WorkerSettings
from consumer.store import open_store
from consumer.stream.residency import ModelLoader
from contracts.errors import FatalError
from contracts.logs import get_logger
from contracts.spec import ModelSpec

_log = get_logger(__name__)


def model_loader(settings: WorkerSettings) -> ModelLoader:
    """A loader that takes models from the store.

    The loader raises:
        FatalError: ``model_digest_mismatch`` when the store's version is not the one that the
            control record names, and what the store itself raises.
    """
    store = open_store(settings)

    def load(spec: ModelSpec) -> AddressModel:
        files = store.open(spec.version)
        if files.digest != spec.digest:
            raise FatalError(
                f"model {spec.version} in this store has digest {files.digest}, the control "
                f"record names {spec.digest}",
                code="model_digest_mismatch",
                hint="give this worker the store that the model was added to",
            )
        model = load_model(
            files.directory,
            version=spec.version,
            digest=files.digest,
            settings=settings.model_copy(update={"precision": spec.precision}),
        )
        if model.spec.fingerprint != spec.fingerprint:
            _log.warning(
                "this program reads texts or scores otherwise than the one that wrote the "
                "control record; results carry the fingerprint they were made with",
                recorded=spec.fingerprint,
                running=model.spec.fingerprint,
            )
        if settings.warm_up:
            model.encoder.warm_up(settings.token_budget, settings.sequence_length)
        return model

    return load
