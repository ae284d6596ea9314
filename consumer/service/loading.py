"""From a spec to a model that may serve: found, verified, fitting, loaded, warm. Imports torch."""

from __future__ import annotations

import torch

from consumer.parser.encoder import choose_device
from consumer.parser.opening import open_spec
from consumer.parser.seams import AddressModel
from consumer.service.memory import Free, FreeMemory, check_fits, free_host_bytes, need_of
from consumer.settings import WorkerSettings
from consumer.store import open_store
from consumer.stream.residency import ModelLoader
from contracts.logs import get_logger
from contracts.spec import ModelSpec

_log = get_logger(__name__)


def model_loader(settings: WorkerSettings, free_memory: FreeMemory | None = None) -> ModelLoader:
    """A loader that takes models from the store.

    Args:
        settings: where the store is and how models run.
        free_memory: what a model may take; default: of this machine and its device.

    The loader raises what ``open_spec`` raises, and ``FatalError`` ``model_too_large``.
    """
    device = choose_device(settings.device)

    def free() -> Free:
        if device.type == "cuda":
            return Free(free_host_bytes(), torch.cuda.mem_get_info(device)[0])
        return Free(free_host_bytes())

    def load(spec: ModelSpec) -> AddressModel:
        manifest = open_store(settings).find(spec.version).manifest
        need = need_of(
            manifest.architecture.parameters,
            on_cuda=device.type == "cuda",
            half=spec.precision != "fp32",
        )
        check_fits(need, (free_memory or free)(), version=spec.version)
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
            model.encoder.warm_up(settings.sequence_length)
        return model

    return load
