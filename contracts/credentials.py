"""What a client shows Kafka: user and password, certificates. Read from files; never printed.

One TLS context serves every client of a process that uses the same files, so that files which
were replaced reach connections that are opened later.
"""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from contracts.errors import UsageError

if TYPE_CHECKING:
    from pydantic import SecretStr

    from contracts.settings import KafkaSettings

_MOST_BYTES: Final = 64 * 1024
"""A secret is a line; a longer file is another one that was named by mistake."""

_Files = tuple[Path | None, Path | None, Path | None]
_Stamp = tuple[tuple[int, int, int] | None, ...]


@dataclass(slots=True)
class _Shared:
    """One context, and what its files looked like when they were loaded."""

    context: ssl.SSLContext
    stamp: _Stamp


_contexts: dict[_Files, _Shared] = {}


def sasl_credentials(settings: KafkaSettings) -> tuple[str, str]:
    """User name and password.

    Raises:
        UsageError: ``credentials_missing``, ``credentials_twice`` or ``secret_unreadable``.
    """
    username = _one_of(
        "kafka_sasl_username", settings.kafka_sasl_username, settings.kafka_sasl_username_file
    )
    password = _one_of(
        "kafka_sasl_password",
        _plain(settings.kafka_sasl_password),
        settings.kafka_sasl_password_file,
    )
    for name, value in (("username", username), ("password", password)):
        if value is None:
            variable = f"MGEO_KAFKA_SASL_{name.upper()}"
            raise UsageError(
                f"{settings.kafka_security_protocol} needs a {name}, and none is set",
                code="credentials_missing",
                hint=f"set {variable}, or {variable}_FILE to a file that holds it",
            )
    assert username is not None and password is not None  # noqa: S101, PT018  (seen above)
    return username, password


def tls_context(settings: KafkaSettings) -> ssl.SSLContext:
    """What connections are secured with: host names and certificates are checked, always.

    Raises:
        UsageError: ``certificate_unreadable``, ``credentials_missing``, ``credentials_twice``
            or ``secret_unreadable``.
    """
    files = _files(settings)
    shared = _contexts.get(files)
    if shared is None:
        stamp = _stamp(files)
        shared = _contexts[files] = _Shared(_loaded(settings), stamp)
    else:
        refresh(settings)
    return shared.context


def refresh(settings: KafkaSettings) -> bool:
    """Load the files again if they were replaced, for connections that are opened from now on.

    Authorities that were trusted before stay trusted until the process ends.

    Returns:
        True where what is loaded is what the files hold; False where they cannot be used, and
        what was loaded before goes on.
    """
    files = _files(settings)
    shared, stamp = _contexts.get(files), _stamp(files)
    if shared is None or shared.stamp == stamp:
        return True
    try:
        _loaded(settings)  # a half-written pair must not spoil the context that is in use
        _load(shared.context, settings)
    except UsageError:
        return False
    shared.stamp = stamp
    return True


def _loaded(settings: KafkaSettings) -> ssl.SSLContext:
    authorities = settings.kafka_ssl_ca_file
    # Without a file of its own: what the system trusts.
    context = (
        ssl.create_default_context()
        if authorities is None
        else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    )
    _load(context, settings)
    return context


def _load(context: ssl.SSLContext, settings: KafkaSettings) -> None:
    authorities = settings.kafka_ssl_ca_file
    try:
        if authorities is not None:
            context.load_verify_locations(cafile=authorities)
    except (OSError, ssl.SSLError) as error:
        raise _unreadable("MGEO_KAFKA_SSL_CA_FILE", authorities, error) from None
    show_client_certificate(context, settings)


def show_client_certificate(context: ssl.SSLContext, settings: KafkaSettings) -> None:
    """Let a context show our own certificate to brokers that ask for one, if there is one.

    Raises:
        UsageError: as ``tls_context``.
    """
    _, certificate, key = _files(settings)
    if key is not None and certificate is None:
        raise UsageError(
            "a private key is set without the certificate that it belongs to",
            code="credentials_missing",
            hint="set MGEO_KAFKA_SSL_CERTIFICATE_FILE too",
        )
    if certificate is None:
        return
    password = _one_of(
        "kafka_ssl_key_password",
        _plain(settings.kafka_ssl_key_password),
        settings.kafka_ssl_key_password_file,
    )
    try:
        # Always a password: without one OpenSSL asks for it on the terminal.
        context.load_cert_chain(certificate, key, password=password or "")
    except (OSError, ssl.SSLError) as error:
        raise _unreadable("MGEO_KAFKA_SSL_CERTIFICATE_FILE", certificate, error, key) from None


def _unreadable(
    variable: str, path: Path | None, error: OSError, key: Path | None = None
) -> UsageError:
    beside = f" with its key {key}" if key is not None else ""
    return UsageError(
        f"{path}{beside} cannot be loaded: {_in_words(error, key or path)}",
        code="certificate_unreadable",
        hint=f"{variable} names it; PEM files are wanted, readable by this user",
    )


def _in_words(error: OSError, holds_key: Path | None) -> str:
    if not isinstance(error, ssl.SSLError):
        return error.strerror or type(error).__name__
    reason = getattr(error, "reason", None) or ""
    if reason == "KEY_VALUES_MISMATCH":
        return "key and certificate do not belong together"
    # OpenSSL has no word of its own for it.
    if holds_key is not None and b"ENCRYPTED" in holds_key.read_bytes():
        return "the key is encrypted, and its password is wrong or missing"
    return reason.replace("_", " ").lower() or "there is no PEM of that kind inside"


def _files(settings: KafkaSettings) -> _Files:
    return (
        settings.kafka_ssl_ca_file,
        settings.kafka_ssl_certificate_file,
        settings.kafka_ssl_key_file,
    )


def _stamp(files: _Files) -> _Stamp:
    found: list[tuple[int, int, int] | None] = []
    for path in files:
        try:
            stat = path.stat() if path is not None else None
        except OSError:
            stat = None
        found.append((stat.st_mtime_ns, stat.st_size, stat.st_ino) if stat is not None else None)
    return tuple(found)


def _plain(secret: SecretStr | None) -> str | None:
    return secret.get_secret_value() if secret is not None else None


def _one_of(setting: str, value: str | None, file: Path | None) -> str | None:
    variable = f"MGEO_{setting.upper()}"
    if file is None:
        return value
    if value is not None:
        raise UsageError(
            f"both {variable} and {variable}_FILE are set",
            code="credentials_twice",
            hint="unset one of them",
        )
    return read_secret(file, f"{variable}_FILE")


def read_secret(path: Path, variable: str) -> str:
    """A secret from its file, without the line end that editors leave.

    Raises:
        UsageError: ``secret_unreadable``.
    """
    try:
        with path.open("rb") as file:
            raw = file.read(_MOST_BYTES + 1)
        text = raw.decode("utf-8").rstrip("\r\n")
    except OSError as error:
        why = error.strerror or type(error).__name__
    except UnicodeDecodeError:
        why = "it is not UTF-8 text"
    else:
        if text and len(raw) <= _MOST_BYTES:
            return text
        why = "it is empty" if not text else "it is far too long for a secret"
    raise UsageError(
        f"the secret in {path} cannot be read: {why}",
        code="secret_unreadable",
        hint=f"{variable} names the file",
    )
