"""Checks of models: whether the store answers, and whether what is served is sound."""

from __future__ import annotations

from collections.abc import Iterator

from consumer.settings import ParserSettings
from consumer.store import open_store
from consumer.store.naming import resolve_name
from contracts.errors import MgeoError
from deploy.doctor.finding import Finding, broken, ok


def store() -> Iterator[Finding]:
    """Whether the model store can be read, and what is in it."""
    models = open_store(ParserSettings())
    try:
        versions = models.versions()
    except MgeoError as error:
        yield broken("model store", str(error), error.hint)
        return
    count = f"{len(versions)} model{'s' if len(versions) != 1 else ''}"
    yield ok("model store", f"{models.place}, {count} with those of the package")


def digests() -> Iterator[Finding]:
    """Whether every byte of the model that workers start with is what its digest says."""
    settings = ParserSettings()
    models = open_store(settings)
    try:
        version = resolve_name(models, settings.version).version
        models.verify(version)
    except MgeoError as error:
        yield broken("MGEO_VERSION", str(error), error.hint)
        return
    yield ok("MGEO_VERSION", f"{version}, {models.find(version).manifest.digest[:19]}… matches")
