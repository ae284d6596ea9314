"""Secrets come from variables or files, from one of them, and are never shown."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from pydantic import SecretStr

from contracts.credentials import refresh, sasl_credentials, tls_context
from contracts.errors import UsageError
from contracts.settings import KafkaSettings, client_options
from deploy.local.authority import Authority

CANARY = "canary-secret"


def sasl(**more: object) -> KafkaSettings:
    return KafkaSettings.model_validate({"kafka_security_protocol": "SASL_SSL", **more})


def refused(settings: KafkaSettings) -> UsageError:
    with pytest.raises(UsageError) as caught:
        client_options(settings)
    assert caught.value.hint
    assert CANARY not in f"{caught.value} {caught.value.hint} {caught.value!r}"
    return caught.value


@pytest.mark.parametrize("end", ["", "\n", "\r\n"])
def test_user_and_password_come_from_files_without_their_line_end(tmp_path: Path, end: str) -> None:
    user, password = tmp_path / "user", tmp_path / "password"
    user.write_text(f"worker{end}", encoding="utf-8", newline="")
    password.write_text(f" {CANARY} é{end}", encoding="utf-8", newline="")
    settings = sasl(kafka_sasl_username_file=user, kafka_sasl_password_file=password)
    assert sasl_credentials(settings) == ("worker", f" {CANARY} é")
    assert CANARY not in repr(settings) + settings.model_dump_json()


def test_a_changed_file_is_read_again(tmp_path: Path) -> None:
    password = tmp_path / "password"
    password.write_text("one")
    settings = sasl(kafka_sasl_username="w", kafka_sasl_password_file=password)
    assert client_options(settings)["sasl_plain_password"] == "one"  # noqa: S105  (made up here)
    password.write_text("two")
    assert client_options(settings)["sasl_plain_password"] == "two"  # noqa: S105  (made up here)


@pytest.mark.parametrize(
    ("more", "named"),
    [
        ({}, "MGEO_KAFKA_SASL_USERNAME"),
        ({"kafka_sasl_username": "w"}, "MGEO_KAFKA_SASL_PASSWORD"),
        ({"kafka_sasl_password": CANARY}, "MGEO_KAFKA_SASL_USERNAME"),
    ],
)
def test_what_is_missing_is_named(more: dict[str, object], named: str) -> None:
    error = refused(sasl(**more))
    assert error.code == "credentials_missing"
    assert named in error.hint


def test_a_secret_given_twice_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text(CANARY)
    settings = sasl(
        kafka_sasl_username="w", kafka_sasl_password=CANARY, kafka_sasl_password_file=file
    )
    assert refused(settings).code == "credentials_twice"


@pytest.mark.parametrize("content", [None, b"", b"\n", b"\xff\xfe", b"x" * 70_000])
def test_a_file_that_holds_no_secret_is_refused(tmp_path: Path, content: bytes | None) -> None:
    file = tmp_path / "password"
    if content is not None:
        file.write_bytes(content)
    error = refused(sasl(kafka_sasl_username="w", kafka_sasl_password_file=file))
    assert error.code == "secret_unreadable"
    assert "MGEO_KAFKA_SASL_PASSWORD_FILE" in error.hint


def tls(folder: Path, **more: object) -> KafkaSettings:
    return KafkaSettings.model_validate(
        {
            "kafka_security_protocol": "SSL",
            "kafka_ssl_ca_file": folder / "ca.pem",
            "kafka_ssl_certificate_file": folder / "client.pem",
            "kafka_ssl_key_file": folder / "client.key",
            **more,
        }
    )


def made(folder: Path, name: str = "client") -> Authority:
    authority = Authority.make("an authority")
    authority.write(folder / "ca.pem", folder / "ca.key")
    authority.sign(name).write(folder / "client.pem", folder / "client.key")
    return authority


def test_host_names_and_certificates_are_always_checked(tmp_path: Path) -> None:
    made(tmp_path)
    for settings in (
        tls(tmp_path),
        KafkaSettings(kafka_security_protocol="SSL"),
    ):
        context = tls_context(settings)
        assert context.verify_mode is ssl.CERT_REQUIRED
        assert context.check_hostname
        assert context.minimum_version >= ssl.TLSVersion.TLSv1_2


def test_only_the_named_authority_is_trusted(tmp_path: Path) -> None:
    made(tmp_path)
    assert len(tls_context(tls(tmp_path)).get_ca_certs()) == 1


def test_key_and_certificate_may_be_one_file(tmp_path: Path) -> None:
    made(tmp_path).sign("other").write(tmp_path / "both.pem", tmp_path / "both.pem")
    settings = tls(
        tmp_path, kafka_ssl_certificate_file=tmp_path / "both.pem", kafka_ssl_key_file=None
    )
    assert isinstance(tls_context(settings), ssl.SSLContext)


def test_an_encrypted_key_needs_its_password(tmp_path: Path) -> None:
    made(tmp_path)
    key = serialization.load_pem_private_key((tmp_path / "client.key").read_bytes(), None)
    (tmp_path / "client.key").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(CANARY.encode()),
        )
    )
    secret = tmp_path / "key-password"
    secret.write_text(f"{CANARY}\n")
    error = refused(tls(tmp_path))
    assert error.code == "certificate_unreadable"
    assert "password" in str(error)
    assert (
        refused(tls(tmp_path, kafka_ssl_key_password=SecretStr("wrong"))).code
        == "certificate_unreadable"
    )
    for more in ({"kafka_ssl_key_password": CANARY}, {"kafka_ssl_key_password_file": secret}):
        assert client_options(tls(tmp_path, **more))["ssl_context"]


def test_files_that_cannot_be_used_are_named(tmp_path: Path) -> None:
    made(tmp_path)
    (tmp_path / "no.pem").write_text("nothing")
    stranger = Authority.make("another").sign("client")
    stranger.write(tmp_path / "stranger.pem", tmp_path / "stranger.key")
    cases: list[dict[str, object]] = [
        {"kafka_ssl_ca_file": tmp_path / "absent.pem"},
        {"kafka_ssl_ca_file": tmp_path / "no.pem"},
        {"kafka_ssl_certificate_file": tmp_path / "no.pem"},
        {"kafka_ssl_key_file": tmp_path / "stranger.key"},
    ]
    for case in cases:
        error = refused(tls(tmp_path, **case))
        assert error.code == "certificate_unreadable", case
        assert "MGEO_KAFKA_SSL_" in error.hint
    alone = tls(tmp_path, kafka_ssl_certificate_file=None)
    assert refused(alone).code == "credentials_missing"


def test_clients_of_the_same_files_share_one_context(tmp_path: Path) -> None:
    made(tmp_path)
    assert tls_context(tls(tmp_path)) is tls_context(tls(tmp_path))


def test_replaced_files_are_loaded_and_half_replaced_ones_are_not(tmp_path: Path) -> None:
    authority = made(tmp_path)
    settings = tls(tmp_path)
    context = tls_context(settings)
    assert refresh(settings)

    renewed = authority.sign("client", now=datetime.now(UTC) + timedelta(days=1))
    (tmp_path / "client.pem").write_bytes(renewed.certificate)  # the key is still the old one
    assert not refresh(settings)
    assert tls_context(settings) is context  # what was loaded goes on

    renewed.write(tmp_path / "client.pem", tmp_path / "client.key")
    assert refresh(settings)
    assert tls_context(settings) is context
