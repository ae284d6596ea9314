"""A secured broker, and whole systems on it in which every role is a user of its own."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from contracts.acls import Role, role_named, roles
from contracts.settings import KafkaSettings
from contracts.topics import TopicNames
from deploy.local import LocalBroker
from deploy.local.security import LocalSecurity
from deploy.security.acl_admin import AclAdmin
from deploy.security.grants import grants


@dataclass(frozen=True)
class Tenant:
    """One system's topics under a prefix of their own, each role granted what it needs there."""

    broker: LocalBroker
    names: TopicNames

    def as_(self, role: str) -> KafkaSettings:
        """How this role reaches the broker: by password."""
        return self._here(self.broker.client(f"mgeo-{role}"))

    def by_certificate(self, role: str) -> KafkaSettings:
        """How this role reaches it by certificate."""
        where = f"127.0.0.1:{self.broker.mutual_port}"
        return self._here(self.security.mutual_client(f"mgeo-{role}", where))

    @property
    def owner(self) -> KafkaSettings:
        """Who may do everything: the test itself."""
        return self._here(self.broker.client())

    @property
    def security(self) -> LocalSecurity:
        assert self.broker.security is not None
        return self.broker.security

    @property
    def roles(self) -> tuple[Role, ...]:
        return roles(self.names)

    def role(self, name: str) -> Role:
        found = role_named(name, self.roles)
        assert found is not None
        return found

    def grant_all(self) -> None:
        """Grant every role what it needs, but the super user, who needs nothing."""

        async def work() -> None:
            async with AclAdmin(self.owner) as admin:
                wanted = grants([one for one in self.roles if one.name != "admin"], {})
                compared = await admin.compare(wanted)
                await admin.grant(compared.missing)

        asyncio.run(work())

    def _here(self, kafka: KafkaSettings) -> KafkaSettings:
        return kafka.model_copy(update={"topic_prefix": self.names.prefix})
