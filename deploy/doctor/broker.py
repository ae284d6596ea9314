"""Checks of Kafka: what the local broker needs, whether a broker answers, and its topics."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator, Mapping

from contracts.errors import BackendUnreachableError, MgeoError
from contracts.settings import KafkaSettings
from deploy.doctor.finding import Finding, absent, broken, ok
from deploy.errors import JavaMissingError
from deploy.local import jars as pinned_jars
from deploy.local.discovery import VARIABLE, bootstrap_servers, kafka_settings
from deploy.local.java import find_java
from deploy.local.settings import LocalSettings
from deploy.local.stack import current
from deploy.local.storage import FolderState, inspect_folder
from deploy.topics import TopicAdmin

FETCH = 1
INIT_PRODUCER_ID = 22
# The newest Fetch version tells the release that brought it (the protocol's own history).
FETCH_RELEASES = ((18, "4.1"), (17, "3.9"), (16, "3.7"), (15, "3.5"), (13, "3.1"), (12, "2.7"))
FETCH_MINIMUM_OF_4 = 4
"""Kafka 4.0 dropped the older Fetch versions."""


def release(apis: Mapping[int, tuple[int, int]]) -> str | None:
    """The oldest release that speaks these API versions, key → (lowest, highest).

    None when that is older than 2.7.
    """
    lowest, highest = apis.get(FETCH, (0, 0))
    newest = next((name for version, name in FETCH_RELEASES if highest >= version), None)
    if lowest >= FETCH_MINIMUM_OF_4 and newest == "3.9":
        return "4.0"
    return newest


def java() -> Iterator[Finding]:
    """A Java for the local broker."""
    try:
        found = find_java(LocalSettings().java)
    except JavaMissingError as error:
        if os.environ.get(VARIABLE):
            yield absent("Java", f"none, and {VARIABLE} is set: none is needed")
        else:
            yield broken("Java", str(error), error.hint)
        return
    yield ok("Java", f"{found.major} ({found.origin}: {found.path})")


def jars() -> Iterator[Finding]:
    """The local broker's jars, every digest checked."""
    jar_set = pinned_jars.pinned()
    folder = pinned_jars.jar_dir(LocalSettings().cache_dir, jar_set)
    if not folder.is_dir():
        yield absent("broker jars", "not downloaded yet", "mgeo up downloads them (44 MB)")
        return
    count = len(pinned_jars.verify(folder, jar_set.jars))
    yield ok("broker jars", f"Kafka {jar_set.kafka_version}, {count} jars, digests match")


def data_folder() -> Iterator[Finding]:
    """The local broker's records."""
    folder = LocalSettings().broker_dir / "data"
    state = inspect_folder(folder)
    match state:
        case FolderState.EMPTY:
            yield absent("broker data", "none yet", "mgeo up makes it")
        case FolderState.FORMATTED:
            yield ok("broker data", str(folder))
        case FolderState.HALF_WRITTEN:
            yield absent("broker data", f"{folder} is half written", "mgeo up makes it anew")
        case _:
            yield broken("broker data", f"{folder} is {state}", "mgeo down --wipe gives it up")


def kafka() -> Iterator[Finding]:
    """Whether a broker answers, how new it is, and whether the topics are right."""
    try:
        address = bootstrap_servers()
    except BackendUnreachableError:
        yield broken("Kafka", "no broker is set or running", f"mgeo up, or set {VARIABLE}")
        return
    settings = kafka_settings()
    try:
        yield from asyncio.run(_examine(settings))
    except BackendUnreachableError:
        local = current(LocalSettings()) is not None and not os.environ.get(VARIABLE)
        hint = "mgeo down, then mgeo up" if local else f"check {VARIABLE}, network and credentials"
        yield broken("Kafka", f"no answer at {address}", hint)
    except MgeoError as error:  # it answers and refuses us, or what we are to show it is missing
        yield broken("Kafka", f"{address}: {error}", error.hint)


async def _examine(settings: KafkaSettings) -> list[Finding]:
    async with TopicAdmin(settings) as admin:
        brokers = await admin.broker_count()
        apis = await admin.api_versions()
        findings = [_version(settings, brokers, release(apis), INIT_PRODUCER_ID in apis)]
        try:
            differences = await admin.check()
        except MgeoError as error:
            return [*findings, broken("topics", str(error), error.hint)]
    if not differences:
        return [*findings, ok("topics", "all there, with the settings they need")]
    return findings + [broken(f"topic {d.topic}", d.sentence, d.hint) for d in differences]


def _version(
    settings: KafkaSettings, brokers: int, version: str | None, transactions: bool
) -> Finding:
    where = f"{settings.kafka_bootstrap_servers}, {brokers} broker{'s' if brokers != 1 else ''}"
    if version is None or not transactions:
        return broken("Kafka", f"{where}: too old", "use Kafka 3.1 or newer; 4.1 is tested")
    return ok("Kafka", f"{where}, version {version} or newer")
