"""What makes the local broker a secured one: certificates, users, and who may do what.

All of it lies in one folder that only its owner may read. Holds no process and no socket.
"""

from __future__ import annotations

import secrets
import shlex
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final, Self

from contracts.acls import roles
from contracts.settings import KafkaSettings
from contracts.topics import TopicNames
from deploy.local.authority import Authority, write_private

CLIENTS: Final = "SASL_SSL"
"""The listener for users with passwords."""

MUTUAL: Final = "SSL"
"""The listener for clients with certificates; the broker talks to itself over it."""

SUPER_USER: Final = "mgeo-admin"
"""May do everything: whoever may start this broker may anyway."""

MECHANISM: Final = "SCRAM-SHA-512"
HOSTS: Final = ("localhost", "127.0.0.1", "::1")

_NOTHING_ELSE: Final[Mapping[str, None]] = MappingProxyType(
    dict.fromkeys(
        (
            "kafka_sasl_username_file",
            "kafka_sasl_password",
            "kafka_ssl_certificate_file",
            "kafka_ssl_key_file",
        )
    )
)
"""What the environment may say of another broker does not count for this one."""

_BROKER: Final = "mgeo-broker"
_SCRAM_MODULE: Final = "org.apache.kafka.common.security.scram.ScramLoginModule required;"


class LocalSecurity:
    """The secrets of one local broker.

    Args:
        folder: holds them; see ``prepare``.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @classmethod
    def prepare(cls, folder: Path) -> Self:
        """Make what is missing: all of it, or nothing where the folder is there already."""
        if not folder.exists():
            folder.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            scratch = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
            try:
                cls(scratch)._make()
                scratch.replace(folder)  # whole or not at all
            finally:
                shutil.rmtree(scratch, ignore_errors=True)
        return cls(folder)

    @property
    def users(self) -> tuple[str, ...]:
        """One for each role."""
        return tuple(role.user for role in roles(TopicNames()))

    @property
    def authority(self) -> Authority:
        """Signs more certificates; tests need expired ones and strangers'."""
        return Authority.load(self.authority_file, self.folder / "authority.key")

    @property
    def authority_file(self) -> Path:
        """The certificate of the authority: what clients trust."""
        return self.folder / "authority.pem"

    def password_file(self, user: str) -> Path:
        """The file with a user's password."""
        return self.folder / "users" / user / "password"

    def environment_file(self, user: str) -> Path:
        """What a client sets to be this user, as lines that a shell reads: ``set -a; . FILE``."""
        return self.folder / "users" / user / "kafka.env"

    def client(self, user: str, bootstrap_servers: str) -> KafkaSettings:
        """How a user reaches the broker by name and password."""
        return KafkaSettings(
            kafka_bootstrap_servers=bootstrap_servers,
            kafka_security_protocol="SASL_SSL",
            kafka_sasl_mechanism=MECHANISM,
            kafka_sasl_username=user,
            kafka_sasl_password_file=self.password_file(user),
            kafka_ssl_ca_file=self.authority_file,
            **_NOTHING_ELSE,
        )

    def mutual_client(self, user: str, bootstrap_servers: str) -> KafkaSettings:
        """How a user reaches the broker by certificate, at the broker's other port."""
        home = self.password_file(user).parent
        return KafkaSettings(
            kafka_bootstrap_servers=bootstrap_servers,
            kafka_security_protocol="SSL",
            kafka_ssl_ca_file=self.authority_file,
            kafka_ssl_certificate_file=home / "certificate.pem",
            kafka_ssl_key_file=home / "key.pem",
            kafka_ssl_key_password=None,
            kafka_ssl_key_password_file=None,
        )

    def write_environments(self, bootstrap_servers: str) -> None:
        """Say in each user's file how the broker is reached now. Holds no secret itself."""
        for user in self.users:
            lines = environment(self.client(user, bootstrap_servers)).items()
            text = "".join(f"{name}={shlex.quote(value)}\n" for name, value in lines)
            self.environment_file(user).write_text(text, encoding="utf-8")

    def format_arguments(self) -> list[str]:
        """More arguments for the formatter of the data folder: the users and their passwords."""
        return [
            argument
            for user in self.users
            for argument in (
                "--add-scram",
                f"{MECHANISM}=[name={user},password={self.password_file(user).read_text()}]",
            )
        ]

    def broker_properties(
        self, *, host: str, port: int, mutual_port: int, controller_port: int
    ) -> Mapping[str, str]:
        """The broker's settings that secure it; they win over the plain ones."""
        authority, broker = str(self.authority_file.absolute()), self.folder / "broker.pem"
        return {
            "listeners": f"{CLIENTS}://{host}:{port},{MUTUAL}://127.0.0.1:{mutual_port},"
            f"CONTROLLER://127.0.0.1:{controller_port}",
            "advertised.listeners": f"{CLIENTS}://{host}:{port},{MUTUAL}://127.0.0.1:{mutual_port}",
            "listener.security.protocol.map": f"{CLIENTS}:SASL_SSL,{MUTUAL}:SSL,CONTROLLER:SSL",
            "inter.broker.listener.name": MUTUAL,
            "sasl.enabled.mechanisms": MECHANISM,
            f"listener.name.{CLIENTS.lower()}.{MECHANISM.lower()}.sasl.jaas.config": _SCRAM_MODULE,
            "ssl.keystore.type": "PEM",
            "ssl.keystore.location": str(broker.absolute()),
            "ssl.truststore.type": "PEM",
            "ssl.truststore.location": authority,
            "ssl.endpoint.identification.algorithm": "https",
            f"listener.name.{MUTUAL.lower()}.ssl.client.auth": "required",
            "listener.name.controller.ssl.client.auth": "required",
            # A certificate's common name is the user, as with a password.
            "ssl.principal.mapping.rules": "RULE:^CN=([^,]+).*$/$1/",
            "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
            "super.users": f"User:{_BROKER};User:{SUPER_USER}",
            "allow.everyone.if.no.acl.found": "false",
        }

    def _make(self) -> None:
        authority = Authority.make("mgeo-stream local authority")
        authority.write(self.authority_file, self.folder / "authority.key")
        broker = self.folder / "broker.pem"
        authority.sign(_BROKER, hosts=HOSTS).write(broker, broker)
        for user in self.users:
            home = self.password_file(user).parent
            home.mkdir(parents=True, mode=0o700)
            write_private(home / "password", secrets.token_urlsafe(24).encode())
            authority.sign(user).write(home / "certificate.pem", home / "key.pem")


def environment(kafka: KafkaSettings) -> dict[str, str]:
    """The variables that make these settings: those that are not the defaults. No secret.

    A password that stands in the settings themselves is left out: it belongs in a file.
    """
    found = kafka.model_dump(exclude_defaults=True, mode="json")
    return {
        f"MGEO_{name.upper()}": str(value)
        for name, value in found.items()
        if name.startswith("kafka_") and not name.endswith("_password")
    }


def read_environment(file: Path) -> KafkaSettings:
    """The settings that such a file makes.

    Raises:
        OSError: it cannot be read.
    """
    fields: dict[str, str] = {}
    for line in file.read_text(encoding="utf-8").splitlines():
        name, _, value = line.partition("=")
        fields[name.removeprefix("MGEO_").lower()] = "".join(shlex.split(value))
    return KafkaSettings.model_validate(fields)
