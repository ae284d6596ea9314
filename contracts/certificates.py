"""When the certificates end that Kafka is reached with. Reads dates; trusts and keeps nothing."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Final

from contracts.credentials import refresh, show_client_certificate
from contracts.errors import MgeoError
from contracts.settings import KafkaSettings

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

_ANSWER_WITHIN_S: Final = 10.0

Show = Callable[[str, float], None]
"""Told which certificate (``authority`` or ``broker``) and when it ends, in Unix seconds."""


async def watch_certificates(
    settings: KafkaSettings, show: Show, *, every_s: float | None = None
) -> None:
    """Look at the certificates now and again and again; ends at once without TLS.

    A file may be replaced and a broker restarted under a running service, so nothing is read
    once and for all: files that were replaced are loaded for connections to come. What cannot be
    read keeps the value it had.

    Args:
        settings: how Kafka is reached, and how often it is looked.
        show: told what was found.
        every_s: instead of the settings'.
    """
    if not settings.kafka_security_protocol.endswith("SSL"):
        return
    while True:
        found = await certificate_ends(settings)
        if not refresh(settings):
            # What is in use is still the old one, and ends when the old one does.
            found.pop("client", None)
            _warn("replaced certificates not usable", None)
        for which, ends in found.items():
            show(which, ends.timestamp())
        await asyncio.sleep(settings.kafka_ssl_check_interval_s if every_s is None else every_s)


async def certificate_ends(settings: KafkaSettings) -> dict[str, datetime]:
    """When the first certificate of each kind ends; a kind that cannot be read is left out.

    ``authority``: of the file in ``kafka_ssl_ca_file``. ``client``: of our own, in
    ``kafka_ssl_certificate_file``. ``broker``: of those that the bootstrap servers show.
    """
    found: dict[str, datetime] = {}
    files = {
        "authority": settings.kafka_ssl_ca_file,
        "client": settings.kafka_ssl_certificate_file,
    }
    for kind, file in files.items():
        if file is None:
            continue
        try:
            found[kind] = first_end(await asyncio.to_thread(file.read_bytes))
        except (OSError, ValueError) as error:
            _warn("certificates not readable", error)
    shown = await asyncio.gather(
        *(
            _broker_end(server.strip(), settings)
            for server in settings.kafka_bootstrap_servers.split(",")
        )
    )
    brokers = [end for end in shown if end is not None]
    if brokers:
        found["broker"] = min(brokers)
    return found


def first_end(pem: bytes) -> datetime:
    """When the first certificate of a PEM file ends.

    Raises:
        ValueError: it holds none.
    """
    from cryptography.x509 import load_pem_x509_certificates

    return min(_end(certificate) for certificate in load_pem_x509_certificates(pem))


async def _broker_end(server: str, settings: KafkaSettings) -> datetime | None:
    from cryptography.x509 import load_der_x509_certificate

    host, _, port = server.rpartition(":")
    # One that has ended would not be shown to a client that insists on it. Nothing is sent.
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    try:
        show_client_certificate(context, settings)
        async with asyncio.timeout(_ANSWER_WITHIN_S):
            _, writer = await asyncio.open_connection(host.strip("[]"), int(port), ssl=context)
            try:
                raw = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
            finally:
                writer.close()
        return _end(load_der_x509_certificate(raw))
    except (OSError, ValueError, MgeoError) as error:
        _warn("certificate of a broker not readable", error)
        return None


def _end(certificate: Certificate) -> datetime:
    return certificate.not_valid_after_utc


def _warn(what: str, error: Exception | None) -> None:
    from contracts.logs import get_logger  # a logger is heavy to make

    get_logger(__name__).warning(what, error=type(error).__name__ if error else "")
