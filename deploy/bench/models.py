"""Which model is measured: a version of the store, or random weights in a known shape."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from consumer.settings import STARTER_VERSION, ParserSettings
from consumer.store import open_store
from consumer.store.add import add_directory
from consumer.store.first_spec import spec_of
from consumer.store.manifest import ModelSource
from consumer.store.starters import StarterReleases
from contracts.errors import UsageError
from contracts.spec import ModelSpec, parse_spec_name, parse_version
from deploy.bench.random_model import BASE, SMALL, Shape, write_random_checkpoint

STARTER: Final = "starter"
BASE_RANDOM: Final = "base-random"
SMALL_RANDOM: Final = "small-random"
_RANDOM: Final[Mapping[str, tuple[str, Shape]]] = {
    BASE_RANDOM: ("mgeo-baserandom-v1-20260101", BASE),
    SMALL_RANDOM: ("mgeo-smallrandom-v1-20260101", SMALL),
}


@dataclass(frozen=True, slots=True)
class BenchModel:
    """One model, ready to be measured.

    Attributes:
        name: what the person asked for.
        spec: what the stream serves.
        directory: its stored files, for the loop that knows no store.
        checkpoint: the directory as on the hub; None for a model that was there already.
        environment: settings under which a worker finds it.
        parameters: weights of the network that text runs through.
    """

    name: str
    spec: ModelSpec
    directory: Path
    checkpoint: Path | None
    environment: Mapping[str, str]
    parameters: int


def find_model(name: str, *, scratch: Path, seed: int) -> BenchModel:
    """A model by name: ``starter``, ``base-random``, ``small-random`` or ``VERSION[@precision]``.

    Args:
        name: see above; random ones are made, in a store of their own.
        scratch: a folder for them.
        seed: of random weights.

    Raises:
        UsageError: ``unknown_version``, ``bad_version``, ``bad_precision``.
    """
    settings = ParserSettings()
    if name not in _RANDOM:
        version, precision = parse_spec_name(_newest_starter() if name == STARTER else name)
        try:
            return _stored(name, version, settings, precision=precision)
        except UsageError as error:
            if name == STARTER and error.code == "unknown_version":
                raise UsageError(
                    "this installation has no starter model",
                    code="unknown_version",
                    hint=f"measure --model {SMALL_RANDOM}, or train one: make model",
                ) from error
            raise
    version, shape = _RANDOM[name]
    settings = settings.model_copy(update={"model_store": str(scratch / "store")})
    checkpoint = scratch / name
    if not checkpoint.exists():
        write_random_checkpoint(checkpoint, shape, seed=seed)
        add_directory(
            open_store(settings),
            checkpoint,
            version=version,
            source=ModelSource(kind="directory"),
            created=datetime.now(UTC),
        )
    return _stored(name, version, settings, checkpoint=checkpoint)


def _newest_starter() -> str:
    """The starter model that a fresh installation serves, or the newest that is there."""
    versions = StarterReleases().versions()
    if STARTER_VERSION in versions or not versions:
        return STARTER_VERSION
    return max(versions, key=lambda version: parse_version(version).day)


def _stored(
    name: str,
    version: str,
    settings: ParserSettings,
    *,
    precision: str | None = None,
    checkpoint: Path | None = None,
) -> BenchModel:
    if precision is not None:
        settings = settings.model_copy(update={"precision": precision})
    store = open_store(settings)
    spec = spec_of(store, version, settings)
    files = store.open(version)
    environment = {"MGEO_VERSION": version}
    if settings.model_store is not None:
        environment["MGEO_MODEL_STORE"] = settings.model_store
    shape = files.manifest.architecture
    return BenchModel(name, spec, files.directory, checkpoint, environment, shape.parameters)
