"""Whether Kafka will have us, and in words why not. Keeps no connection and prints no secret.

aiokafka takes a wrong password or an untrusted certificate for a broker that is away, and tries
for ever. Here a refusal is told from an absence: only the second passes by itself.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from contracts.errors import UsageError
from contracts.settings import KafkaSettings, client_options

_ANSWER_WITHIN_MS: Final = 5_000
_MOST_SERVERS: Final = 3
_ONCE_MORE_S: Final = 1.0

# OpenSSL's X509_V_ERR_*: what Python has no names for.
_NOT_YET_VALID, _EXPIRED, _WRONG_HOST, _WRONG_ADDRESS = 9, 10, 62, 64
_OF_OUR_CERTIFICATE: Final = (
    "CERTIFICATE_REQUIRED",
    "BAD_CERTIFICATE",
    "CERTIFICATE_UNKNOWN",
    "CERTIFICATE_EXPIRED",
    "CERTIFICATE_REVOKED",
    "UNSUPPORTED_CERTIFICATE",
    "UNKNOWN_CA",
    "ACCESS_DENIED",
    "HANDSHAKE_FAILURE",
)
"""The alerts by which a broker says that it does not like what we have shown it."""


class AccessRefusedError(UsageError):
    """Kafka is there and refuses: trying again helps only once somebody has changed something."""

    default_code = "not_authorized"


def refusal(error: BaseException, kafka: KafkaSettings | None = None) -> AccessRefusedError | None:
    """Our error for one that says that Kafka refuses us; None for any other. Pure.

    Args:
        error: of aiokafka or of TLS; what it was caused by counts too.
        kafka: names the user; without it the message leaves the name out.
    """
    from aiokafka import errors as kafka_errors

    for one in _with_causes(error):
        match one:
            case AccessRefusedError():
                return one
            case ssl.SSLCertVerificationError():
                return _distrusted(one)
            case ssl.SSLError() if _says(one, _OF_OUR_CERTIFICATE):
                return AccessRefusedError(
                    "Kafka does not accept this client's certificate, or wants one and got none",
                    code="tls_client_refused",
                    hint="set MGEO_KAFKA_SSL_CERTIFICATE_FILE (and _KEY_FILE) to a certificate "
                    "that is in force and signed by an authority that the brokers trust",
                )
            case ssl.SSLError() if _says(one, ("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE")):
                return _no_tls()
            case kafka_errors.SaslAuthenticationFailed() | kafka_errors.AuthenticationFailedError():
                return _wrong_password(kafka)
            case kafka_errors.UnsupportedSaslMechanismError():
                return AccessRefusedError(
                    "Kafka does not offer this SASL mechanism",
                    code="sasl_refused",
                    hint="set MGEO_KAFKA_SASL_MECHANISM to one that the brokers enable",
                )
            case kafka_errors.IllegalSaslStateError():
                return AccessRefusedError(
                    "the listener of Kafka at this port takes no user name and password",
                    code="sasl_refused",
                    hint="set MGEO_KAFKA_SECURITY_PROTOCOL as that listener has it, or use "
                    "another port",
                )
            case kafka_errors.TopicAuthorizationFailedError():
                return _not_authorized("topic", one, kafka)
            case kafka_errors.GroupAuthorizationFailedError():
                return _not_authorized("consumer group", one, kafka)
            case kafka_errors.TransactionalIdAuthorizationFailed():
                return _not_authorized("transactional id", one, kafka)
            case kafka_errors.ClusterAuthorizationFailedError():
                return _not_authorized("cluster", one, kafka)
            case _:
                pass
    return None


def not_authorized(kind: str, name: str, kafka: KafkaSettings | None = None) -> AccessRefusedError:
    """The error for something that this user may not use.

    Args:
        kind: ``topic``, ``consumer group``, ``transactional id`` or ``cluster``.
        name: of it; may be empty where Kafka does not say.
        kafka: names the user.
    """
    user = kafka.kafka_sasl_username if kafka is not None else None
    who = f"the user {user}" if user else "this user"
    what = f"{who} has no right in Kafka to use the {kind} {name} as is needed here"
    if kind == "cluster":
        # Kafka's answer to a producer whose user may write nowhere, too.
        what = f"{who} may write to no topic in Kafka, or lacks a right on the cluster itself"
    return AccessRefusedError(
        " ".join(what.split()),
        code="not_authorized",
        hint="`mgeo topics acls` prints the rights of each role and grants them with --apply",
    )


def check_visible(
    described: Iterable[Mapping[str, Any]], kafka: KafkaSettings | None = None
) -> None:
    """Tell a topic that may not be seen from one that is not there. Pure.

    Args:
        described: what aiokafka's ``describe_topics`` gave.
        kafka: names the user.

    Raises:
        AccessRefusedError: this user may not even see one of them.
    """
    from aiokafka.errors import TopicAuthorizationFailedError

    for topic in described:
        if topic["error_code"] == TopicAuthorizationFailedError.errno:
            raise not_authorized("topic", topic["topic"], kafka)


class _HungUpError(Exception):
    """The server told its versions and closed the connection at the first question."""


async def refused_by(error: BaseException, kafka: KafkaSettings) -> AccessRefusedError | None:
    """Our error where Kafka refuses us, told from the error or else by asking; None where not.

    Raises:
        UsageError: as ``why_refused``.
    """
    return refusal(error, kafka) or await why_refused(kafka)


async def why_refused(kafka: KafkaSettings) -> AccessRefusedError | None:
    """Ask the bootstrap servers over a connection of our own whether they would have us.

    For whoever was told only that nobody answers. None when one of them would, or when none can
    be reached. Takes a few seconds at most.

    Raises:
        UsageError: as ``client_options``.
    """
    options = client_options(kafka)
    servers = [one.strip() for one in options.pop("bootstrap_servers").split(",") if one.strip()]
    asked = (_ask(server, options, kafka) for server in servers[:_MOST_SERVERS])
    answers = await asyncio.gather(*asked)
    if "welcome" in answers:
        return None
    return next((one for one in answers if isinstance(one, AccessRefusedError)), None)


async def _ask(
    server: str, options: Mapping[str, Any], kafka: KafkaSettings
) -> AccessRefusedError | str:
    host, port = _host_and_port(server)
    try:
        await _greet(host, port, options)
    except (ConnectionRefusedError, socket.gaierror, TimeoutError):
        return "away"  # nobody is there who could hang up
    except Exception as error:  # noqa: BLE001  (whatever it is: the question is only whether it is a refusal)
        return refusal(error, kafka) or await _mismatch(host, port, options, error) or "away"
    return "welcome"


async def _greet(host: str, port: int, options: Mapping[str, Any]) -> None:
    """Connect, show who we are, and ask one harmless question: a listener that wants a user
    hangs up only then."""
    from aiokafka.conn import create_conn
    from aiokafka.errors import KafkaConnectionError
    from aiokafka.protocol.metadata import MetadataRequest

    connection = await create_conn(host, port, request_timeout_ms=_ANSWER_WITHIN_MS, **options)
    try:
        await connection.send(MetadataRequest([]))
    except KafkaConnectionError as error:
        raise _HungUpError from error
    finally:
        connection.close()


async def _mismatch(
    host: str, port: int, options: Mapping[str, Any], error: Exception
) -> AccessRefusedError | None:
    """Why a server hung up without a word: it speaks TLS and we do not, or the other way.

    A broker that is starting or stopping hangs up too. So only what is seen counts, and hanging
    up only where it is done twice.
    """
    if isinstance(error, _HungUpError):
        shows_no_user = not options["security_protocol"].startswith("SASL")
        wanted = shows_no_user and await _hangs_up_again(host, port, options)
        return _wants_user() if wanted else None
    if "ssl_context" in options:
        return _no_tls() if await _tells_versions(host, port) else None
    if await _speaks_tls(host, port):
        return AccessRefusedError(
            "Kafka speaks TLS at this port, and this client does not",
            code="tls_mismatch",
            hint="set MGEO_KAFKA_SECURITY_PROTOCOL to SSL or SASL_SSL",
        )
    return None


async def _hangs_up_again(host: str, port: int, options: Mapping[str, Any]) -> bool:
    await asyncio.sleep(_ONCE_MORE_S)
    try:
        await _greet(host, port, options)
    except _HungUpError:
        return True
    except Exception:  # noqa: BLE001  (any other failure is no hanging up)
        return False
    return False


async def _tells_versions(host: str, port: int) -> bool:
    from aiokafka.conn import create_conn

    try:
        connection = await create_conn(host, port, request_timeout_ms=_ANSWER_WITHIN_MS)
    except Exception:  # noqa: BLE001  (any failure is the same answer: no)
        return False
    connection.close()
    return True


async def _speaks_tls(host: str, port: int) -> bool:
    # Only whether, not who: nothing is sent over it.
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    try:
        async with asyncio.timeout(_ANSWER_WITHIN_MS / 1000):
            _, writer = await asyncio.open_connection(host, port, ssl=context)
    except (OSError, TimeoutError):
        return False
    writer.close()
    return True


def _host_and_port(server: str) -> tuple[str, int]:
    host, _, port = server.rpartition(":")
    if not host or not port.isdigit():
        return server, 9092
    return host.strip("[]"), int(port)


def _with_causes(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    one: BaseException | None = error
    while one is not None and id(one) not in seen:
        seen.add(id(one))
        yield one
        one = one.__cause__ or one.__context__


def _says(error: ssl.SSLError, reasons: tuple[str, ...]) -> bool:
    said = getattr(error, "reason", None) or ""  # one that Python itself raises has none
    return any(reason in said for reason in reasons)


def _distrusted(error: ssl.SSLCertVerificationError) -> AccessRefusedError:
    if error.verify_code in (_EXPIRED, _NOT_YET_VALID):
        what = "has expired" if error.verify_code == _EXPIRED else "is not in force yet"
        return AccessRefusedError(
            f"the certificate that Kafka shows, or its authority's, {what}",
            code="tls_expired",
            hint="renew the brokers' certificates, and check this machine's clock",
        )
    if error.verify_code in (_WRONG_HOST, _WRONG_ADDRESS):
        return AccessRefusedError(
            "the certificate that Kafka shows was made for another host name",
            code="tls_wrong_host",
            hint="name the brokers in MGEO_KAFKA_BOOTSTRAP_SERVERS and in advertised.listeners as "
            "their certificates do, or add the name to the certificates",
        )
    return AccessRefusedError(
        "the certificate that Kafka shows is not signed by an authority that is trusted here",
        code="tls_untrusted",
        hint="set MGEO_KAFKA_SSL_CA_FILE to the PEM file of the brokers' authority",
    )


def _no_tls() -> AccessRefusedError:
    return AccessRefusedError(
        "Kafka does not speak TLS at this port, and this client does",
        code="tls_mismatch",
        hint="use the port of a listener with TLS, or set MGEO_KAFKA_SECURITY_PROTOCOL as that "
        "listener has it",
    )


def _wants_user() -> AccessRefusedError:
    return AccessRefusedError(
        "Kafka wants a user name and a password at this port",
        code="sasl_refused",
        hint="set MGEO_KAFKA_SECURITY_PROTOCOL to SASL_SSL (or SASL_PLAINTEXT, as the listener has "
        "it), MGEO_KAFKA_SASL_USERNAME and MGEO_KAFKA_SASL_PASSWORD_FILE",
    )


def _wrong_password(kafka: KafkaSettings | None) -> AccessRefusedError:
    user = kafka.kafka_sasl_username if kafka is not None else None
    return AccessRefusedError(
        f"Kafka refused the password of the user {user}, or knows no such user"
        if user
        else "Kafka refused user name or password",
        code="authentication_failed",
        hint="check MGEO_KAFKA_SASL_USERNAME, MGEO_KAFKA_SASL_PASSWORD or their _FILE, and "
        "MGEO_KAFKA_SASL_MECHANISM: a user has a password for each mechanism",
    )


def _not_authorized(
    kind: str, error: BaseException, kafka: KafkaSettings | None
) -> AccessRefusedError:
    named = error.args[0] if error.args else ""
    if isinstance(named, set | frozenset | list | tuple):
        named = ", ".join(sorted(str(one) for one in named))
    return not_authorized(kind, named if isinstance(named, str) else "", kafka)
