"""The spec that the settings name, found without loading the model: what the first control
record says, and what ``mgeo topics create`` writes where no model could run."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from importlib.util import find_spec
from pathlib import Path

from consumer.gazetteer.completion import default_completer
from consumer.parser.fingerprint import TOKENIZER_FILES, fingerprint
from consumer.settings import ParserSettings
from consumer.store.manifest import Manifest
from consumer.store.naming import resolve_name
from consumer.store.source import is_hub_model, parse_hub_model
from consumer.store.store import ModelStore, default_cache, open_store
from contracts.errors import UsageError
from contracts.spec import ModelSpec, Precision, SpecName

_NVIDIA_DEVICES = Path("/proc/driver/nvidia/gpus")


def first_spec(
    settings: ParserSettings,
    *,
    now: datetime,
    fetch: bool = True,
    notice: Callable[[str], None] = lambda _: None,
) -> ModelSpec:
    """The spec of ``MGEO_VERSION``; reads the manifest and the tokenizer's files alone.

    A hub id means the newest model that was added from it. Where there is none it is fetched
    and added, under a version made from the hub's name, the revision and the day.

    Args:
        settings: version, store, device, precision, window length.
        now: the day of a version that has to be made up, with a time zone.
        fetch: False: a hub id that was never added is an error.
        notice: told when something is fetched, and under which version it was added.

    Raises:
        UsageError: ``unknown_version``, ``bad_version``, ``bad_precision``, ``bad_hub_id``,
            and where it has to be fetched the codes of ``hub.fetch`` and ``convert``.
        FatalError: ``model_digest_mismatch``, ``model_manifest_broken``.
        TransientError: ``model_store_unreachable``, ``hub_unreachable``.
    """
    store = open_store(settings)
    version, precision = _find_or_fetch(store, settings, now=now, fetch=fetch, notice=notice)
    return spec_of(store, version, settings, precision=precision)


def spec_of(
    store: ModelStore,
    version: str,
    settings: ParserSettings,
    *,
    precision: Precision | None = None,
) -> ModelSpec:
    """The spec of a version as a worker with these settings would serve it.

    Args:
        store: holds the version.
        version: a model version.
        settings: device, precision and window length.
        precision: instead of the settings'.

    Raises:
        UsageError: ``unknown_version``, ``bad_version``.
        FatalError: ``model_digest_mismatch``, ``model_manifest_broken``.
        TransientError: ``model_store_unreachable``.
    """
    manifest: Manifest = store.find(version).manifest
    return ModelSpec(
        version=version,
        digest=manifest.digest,
        precision=precision or precision_of(settings),
        fingerprint=fingerprint(
            {name: store.read(version, name) for name in TOKENIZER_FILES},
            labels=manifest.labels,
            temperature=1.0 if manifest.temperature is None else manifest.temperature,
            window_tokens=min(settings.sequence_length, manifest.architecture.positions),
            gazetteer_digest=default_completer().digest,
        ),
    )


def precision_of(settings: ParserSettings) -> Precision:
    """What ``auto`` means on this machine: fp16 with a CUDA device, else fp32."""
    if settings.precision != "auto":
        return settings.precision
    if settings.device != "auto":
        return "fp16" if settings.device.startswith("cuda") else "fp32"
    if find_spec("torch") is not None:
        import torch

        return "fp16" if torch.cuda.is_available() else "fp32"
    return "fp16" if _NVIDIA_DEVICES.is_dir() and any(_NVIDIA_DEVICES.iterdir()) else "fp32"


def _find_or_fetch(
    store: ModelStore,
    settings: ParserSettings,
    *,
    now: datetime,
    fetch: bool,
    notice: Callable[[str], None],
) -> SpecName:
    try:
        return resolve_name(store, settings.version)
    except UsageError as error:
        if error.code != "unknown_version" or not fetch or not is_hub_model(settings.version):
            raise
    from consumer.store.hub_add import add_from_hub

    notice(f"{settings.version} is not in {store.place} yet: fetching it")
    added = add_from_hub(
        store,
        parse_hub_model(settings.version),
        cache=settings.model_cache or default_cache(),
        now=now,
        notice=notice,
    )
    notice(f"added as {added.manifest.version} with digest {added.manifest.digest}")
    return SpecName(added.manifest.version, None)
