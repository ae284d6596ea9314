"""One check of one stored model on this machine, with the settings it would be served with."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from consumer.selfcheck.conformance import Conformance, compare
from consumer.selfcheck.known import KNOWN_ADDRESSES, KnownReport, judge, read_known
from consumer.settings import ParserSettings
from consumer.store.naming import resolve_name
from consumer.store.store import open_store
from contracts.spec import ModelSpec

_COMPARED_SEQUENCES = 20
"""Enough to see any difference of the network; each is run alone, unpadded."""


@dataclass(frozen=True, slots=True)
class SelfCheck:
    """What came of it."""

    spec: ModelSpec
    device: str
    conformance: Conformance
    known: KnownReport


def selfcheck(
    name: str | None, settings: ParserSettings, *, known: Path = KNOWN_ADDRESSES
) -> SelfCheck:
    """Verify and load a model, compare it with modelscope's own, parse the known addresses.

    Args:
        name: ``VERSION[@precision]`` or a hub id; None: the settings' version.
        settings: how it would be served; the comparison is in fp32 on the CPU whatever they say.
        known: a file as ``known.read_known`` reads it.

    Raises:
        UsageError: ``bad_known_addresses``, ``extra_missing``, and those of loading a model.
        FatalError: ``model_digest_mismatch``.
        TransientError: ``model_store_unreachable``.
    """
    from consumer.address_parser import AddressParser
    from consumer.parser.model import load_model

    addresses = read_known(known)
    store = open_store(settings)
    version, precision = resolve_name(store, name or settings.version)
    if precision is not None:
        settings = settings.model_copy(update={"precision": precision})
    files = store.open(version)
    model = load_model(files.directory, version=version, digest=files.digest, settings=settings)
    texts = [address.text for address in addresses]
    results = AddressParser(model, settings).parse(texts)
    prepared = model.prepare(texts[:_COMPARED_SEQUENCES])
    return SelfCheck(
        spec=model.spec,
        device=model.encoder.device_name,
        conformance=compare(
            files.directory, [window.token_ids for one in prepared for window in one.windows]
        ),
        known=judge(
            addresses,
            [[(c.type, c.start, c.end) for c in result.components] for result in results],
            {label.partition("-")[2] for label in files.manifest.labels if "-" in label},
        ),
    )
