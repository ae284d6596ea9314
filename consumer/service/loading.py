"""From a spec to a model that may serve: found, verified, loaded, warm. Imports torch."""

from __future__ import annotations

import torch  # noqa: F401  (a worker without it must fail when it starts, not when it loads)

from consumer.parser.opening import open_spec
from consumer.parser.seams import AddressModel
from consumer.settings import WorkerSettings
from consumer.stream.residency import ModelLoader
from contracts.logs import get_logger
from contracts.spec import ModelSpec

_log = get_logger(__name__)


def model_loader(settings: WorkerSettings) -> ModelLoader:
    """A loader that takes models from the store; it raises what ``open_spec`` raises."""

    def load(spec: ModelSpec) -> AddressModel:
        model = open_spec(spec, settings)
        if model.spec.fingerprint != spec.fingerprint:
            # After an upgrade of this program the record still names the old fingerprint.
            # Refusing to serve would stop the stream; results say what really made them.
            _log.warning(
                "the control record was written by another release, or with another "
                "MGEO_SEQUENCE_LENGTH; results carry their own fingerprint",
                recorded=spec.fingerprint,
                running=model.spec.fingerprint,
            )
        if settings.warm_up:
            model.encoder.warm_up(settings.token_budget, settings.sequence_length)
        return model

    return load
