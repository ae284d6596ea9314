"""Settings that every part shares: how Kafka is reached and what the topics are called."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from contracts.limits import Limits
from contracts.topics import TopicNames


class MgeoSettings(BaseSettings):
    """Base of every settings model: frozen, from the environment, prefix ``MGEO_``."""

    model_config = SettingsConfigDict(
        env_prefix="MGEO_",
        frozen=True,
        extra="ignore",
        use_attribute_docstrings=True,
        env_ignore_empty=True,
    )


class KafkaSettings(MgeoSettings):
    """How to reach Kafka."""

    kafka_bootstrap_servers: str = "127.0.0.1:9092"
    """Comma-separated ``host:port`` of some brokers; ``mgeo up`` starts a local one."""

    kafka_security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    """How connections are secured; PLAINTEXT only where the network itself is trusted."""

    kafka_sasl_mechanism: Literal["SCRAM-SHA-256", "SCRAM-SHA-512", "PLAIN"] = "SCRAM-SHA-512"
    """SASL mechanism; used with the SASL protocols."""

    kafka_sasl_username: str | None = None
    """User name for SASL."""

    kafka_sasl_username_file: Path | None = None
    """File that holds the user name, as secrets are mounted by Kubernetes and Docker."""

    kafka_sasl_password: SecretStr | None = None
    """Password for SASL; never printed."""

    kafka_sasl_password_file: Path | None = None
    """File that holds the password. Better than the variable: an environment is inherited, and
    shown by many tools."""

    kafka_ssl_ca_file: Path | None = None
    """PEM file of the authority that signed the brokers' certificates; default: the system's.
    Certificates and host names are always checked."""

    kafka_ssl_certificate_file: Path | None = None
    """PEM file of this client's own certificate and what leads from it to its authority: for
    brokers that ask for one (mutual TLS)."""

    kafka_ssl_key_file: Path | None = None
    """PEM file of that certificate's private key; default: in the certificate's own file."""

    kafka_ssl_key_password: SecretStr | None = None
    """Password of the private key, where it is encrypted; never printed."""

    kafka_ssl_key_password_file: Path | None = None
    """File that holds the private key's password."""

    kafka_ssl_check_interval_s: float = Field(default=3600.0, ge=1.0)
    """How often a service looks whether certificate files were replaced, and when certificates
    end. Shorter than the time between a renewal and the old one's end: where certificates live
    for hours, minutes."""

    topic_prefix: str = Field(default="", pattern=r"^[A-Za-z0-9._-]*$", max_length=100)
    """Put before every topic and group name, so that several systems can share a cluster."""

    @property
    def names(self) -> TopicNames:
        """The topic and group names under this prefix."""
        return TopicNames(self.topic_prefix)


class LogSettings(MgeoSettings):
    """What services log: see ``contracts.logs``. No level logs an address."""

    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    """Least level of what is logged. DEBUG adds one line for each record that was committed;
    the Kafka client's own DEBUG lines would hold keys and values, and are never logged."""

    log_format: Literal["auto", "json", "text"] = "auto"
    """``json``: one JSON object a line; ``text``: for people; ``auto``: text where a person
    watches standard error, else JSON."""

    @field_validator("log_level", mode="before")
    @classmethod
    def _in_any_case(cls, level: object) -> object:
        return level.upper() if isinstance(level, str) else level


class LimitSettings(MgeoSettings):
    """Bounds that publishers, workers and topics agree on: the same for all of one system."""

    limits: Limits = Limits()
    """Bounds on messages; the sizes of the topics follow from them."""


def client_options(settings: KafkaSettings) -> dict[str, Any]:
    """Keyword arguments that every aiokafka client of ours is made with.

    From the first call on, consumers of this process read every record, whatever bytes the names
    of its headers are (``contracts.header_names``).

    Secrets are read from their files here, each time: a client that is made later has the new
    ones. TLS is one context for all clients of these files (``contracts.credentials``).

    Raises:
        UsageError: ``credentials_missing``, ``credentials_twice``, ``secret_unreadable`` or
            ``certificate_unreadable``.
    """
    options: dict[str, Any] = {
        "bootstrap_servers": settings.kafka_bootstrap_servers,
        "security_protocol": settings.kafka_security_protocol,
    }
    from contracts.header_names import read_any_header_name

    read_any_header_name()
    if settings.kafka_security_protocol == "PLAINTEXT":
        return options
    from contracts.credentials import sasl_credentials, tls_context

    if settings.kafka_security_protocol.endswith("SSL"):
        options["ssl_context"] = tls_context(settings)
    if settings.kafka_security_protocol.startswith("SASL"):
        username, password = sasl_credentials(settings)
        options |= {
            "sasl_mechanism": settings.kafka_sasl_mechanism,
            "sasl_plain_username": username,
            "sasl_plain_password": password,
        }
    return options
