"""When certificates end is read from the file and from the broker, expired ones included."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from contracts.certificates import certificate_ends, first_end, watch_certificates
from contracts.settings import KafkaSettings, client_options

NOW = datetime.now(UTC).replace(microsecond=0)


def made(folder: Path, name: str, ends: datetime) -> Path:
    """A self-signed certificate and its key in one PEM file."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(ends - timedelta(days=400))
        .not_valid_after(ends)
        .sign(key, hashes.SHA256())
    )
    path = folder / f"{name}.pem"
    path.write_bytes(
        certificate.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return path


@asynccontextmanager
async def tls_server(certificate: Path) -> AsyncIterator[int]:
    """A server that does nothing but shake hands; its port."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)

    async def serve(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


async def test_the_end_of_the_brokers_certificate_is_seen_in_the_handshake(tmp_path: Path) -> None:
    soon, late, past = (NOW + timedelta(days=days) for days in (5, 50, -3))
    authority = made(tmp_path, "authority", late)
    async with (
        tls_server(made(tmp_path, "one", soon)) as first,
        tls_server(made(tmp_path, "two", past)) as second,
    ):
        both = KafkaSettings(
            kafka_bootstrap_servers=f"127.0.0.1:{first}, 127.0.0.1:{second}",
            kafka_security_protocol="SASL_SSL",
            kafka_ssl_ca_file=authority,
        )
        assert await certificate_ends(both) == {"authority": late, "broker": past}
        one = both.model_copy(update={"kafka_bootstrap_servers": f"127.0.0.1:{first}"})
        assert await certificate_ends(one) == {"authority": late, "broker": soon}


async def test_what_cannot_be_read_is_left_out(tmp_path: Path) -> None:
    file = tmp_path / "none.pem"
    file.write_text("nothing")
    away = KafkaSettings(
        kafka_bootstrap_servers="127.0.0.1:1",
        kafka_security_protocol="SSL",
        kafka_ssl_ca_file=file,
    )
    assert await certificate_ends(away) == {}


async def test_a_renewed_certificate_of_ours_counts_once_it_is_in_use(tmp_path: Path) -> None:
    """A certificate without its new key cannot be used: the old one goes on, and ends."""
    old, new = NOW + timedelta(days=4), NOW + timedelta(days=90)
    mine, renewed = made(tmp_path, "mine", old), made(tmp_path, "renewed", new)
    settings = KafkaSettings(
        kafka_bootstrap_servers="127.0.0.1:1",
        kafka_security_protocol="SSL",
        kafka_ssl_certificate_file=mine,
        kafka_ssl_key_file=tmp_path / "mine.key",
    )
    (tmp_path / "mine.key").write_bytes(mine.read_bytes())
    client_options(settings)  # a client has loaded them
    shown: list[tuple[str, float]] = []
    looked = asyncio.Event()

    def show(which: str, ends: float) -> None:
        shown.append((which, ends))
        looked.set()

    watching = asyncio.create_task(watch_certificates(settings, show, every_s=0.01))
    await looked.wait()
    assert {*shown} == {("client", old.timestamp())}

    mine.write_bytes(renewed.read_bytes())  # the key's file is still the old one
    await asyncio.sleep(0.1)
    assert {*shown} == {("client", old.timestamp())}

    (tmp_path / "mine.key").write_bytes(renewed.read_bytes())
    while ("client", new.timestamp()) not in shown:
        looked.clear()
        await looked.wait()
    watching.cancel()


def test_of_many_certificates_in_a_file_the_first_to_end_counts(tmp_path: Path) -> None:
    ends = [NOW + timedelta(days=days) for days in (80, 8, 800)]
    files = [made(tmp_path, f"n{index}", end) for index, end in enumerate(ends)]
    assert first_end(b"".join(file.read_bytes() for file in files)) == ends[1]
    with pytest.raises(ValueError, match=r".+"):
        first_end(b"")


async def test_a_replaced_file_is_seen_and_plain_connections_are_left_alone(tmp_path: Path) -> None:
    seen: list[tuple[str, float]] = []
    await watch_certificates(KafkaSettings(), lambda *what: seen.append(what))
    assert not seen

    old, new = NOW + timedelta(days=1), NOW + timedelta(days=90)
    file = made(tmp_path, "old", old)
    settings = KafkaSettings(
        kafka_bootstrap_servers="127.0.0.1:1",
        kafka_security_protocol="SSL",
        kafka_ssl_ca_file=file,
    )
    shown: asyncio.Queue[tuple[str, float]] = asyncio.Queue()
    watching = asyncio.create_task(
        watch_certificates(settings, lambda *what: shown.put_nowait(what), every_s=0.01)
    )
    assert await shown.get() == ("authority", old.timestamp())
    made(tmp_path, "new", new).replace(file)
    while await shown.get() != ("authority", new.timestamp()):
        pass
    watching.cancel()
