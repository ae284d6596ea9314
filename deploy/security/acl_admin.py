"""Asks a cluster which rights it has granted, and grants those that are missing.

Takes none away. aiokafka's admin client knows nothing of rights, but its protocol does.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType, TracebackType
from typing import Any, Final, Self

from aiokafka.client import AIOKafkaClient
from aiokafka.errors import KafkaError, for_code
from aiokafka.protocol.admin import CreateAclsRequest, DescribeAclsRequest

from contracts.access import refusal, refused_by
from contracts.acls import Operation, Resource, Right
from contracts.errors import BackendUnreachableError, MgeoError
from contracts.settings import KafkaSettings, client_options
from deploy.errors import DeployError
from deploy.security.grants import Comparison, Grant, compare

# Kafka's numbers (org.apache.kafka.common.acl and .resource): the protocol has no names.
_RESOURCES: Final[Mapping[Resource, int]] = MappingProxyType(
    {"topic": 2, "group": 3, "cluster": 4, "transactional_id": 5}
)
_OPERATIONS: Final[Mapping[Operation, int]] = MappingProxyType(
    {"read": 3, "write": 4, "create": 5, "alter": 7, "describe": 8, "describe_configs": 10}
)
_ANY: Final = 1
_LITERAL, _PREFIXED = 3, 4
_ALLOW: Final = 3
_ANY_HOST: Final = "*"
_SECURITY_DISABLED: Final = 54


class AclAdmin:
    """The rights on a cluster. Use as ``async with``.

    Args:
        kafka: how to reach it, as somebody who may alter the cluster.
    """

    def __init__(self, kafka: KafkaSettings) -> None:
        self._kafka = kafka
        self._client = AIOKafkaClient(**client_options(kafka))

    async def __aenter__(self) -> Self:
        try:
            await self._client.bootstrap()
        except (KafkaError, OSError, TimeoutError) as error:
            await self._client.close()
            refused = await refused_by(error, self._kafka)
            raise refused or BackendUnreachableError(
                f"Kafka does not answer at {self._kafka.kafka_bootstrap_servers}.",
                hint="Check MGEO_KAFKA_BOOTSTRAP_SERVERS, or start one with `mgeo up --secure`.",
            ) from error
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._client.close()

    async def granted(self) -> tuple[Grant, ...]:
        """Every right that is granted in words that this project uses, from any host.

        Raises:
            AccessRefusedError: this user may not see rights.
            DeployError: the cluster keeps none.
        """
        # aiokafka's type says str, but null is the protocol's word for any.
        everything: Any = (_ANY, None, _ANY, None, None, _ANY, _ANY)
        response = await self._client.send(self._node(), DescribeAclsRequest(*everything))
        self._check(response.error_code, response.error_message)
        kinds = {number: kind for kind, number in _RESOURCES.items()}
        operations = {number: operation for operation, number in _OPERATIONS.items()}
        return tuple(
            sorted(
                Grant(
                    who,
                    Right(kinds[kind], name, operations[operation], pattern == _PREFIXED),
                )
                for kind, name, pattern, entries in response.resources
                for who, host, operation, permission in entries
                if kind in kinds
                and operation in operations
                and permission == _ALLOW
                and host == _ANY_HOST
            )
        )

    async def compare(self, wanted: Iterable[Grant]) -> Comparison:
        """Hold what is granted against what should be."""
        return compare(wanted, await self.granted())

    async def grant(self, missing: Sequence[Grant]) -> None:
        """Grant these; a right that is there already stays as it is.

        Raises:
            AccessRefusedError: this user may not grant.
            DeployError: Kafka refused one, or keeps no rights.
        """
        for one in missing:
            right = one.right
            request = CreateAclsRequest(
                _RESOURCES[right.resource],
                right.name,
                _PREFIXED if right.prefixed else _LITERAL,
                one.principal,
                _ANY_HOST,
                _OPERATIONS[right.operation],
                _ALLOW,
            )
            response = await self._client.send(self._node(), request)
            for code, message in response.creation_responses:
                self._check(code, message)

    def _node(self) -> int:
        return int(self._client.get_random_node())

    def _check(self, code: int, message: str | None) -> None:
        if code == 0:
            return
        if code == _SECURITY_DISABLED:
            raise DeployError(
                "This cluster keeps no rights: its brokers run without an authorizer.",
                hint="Set authorizer.class.name on them; the local one has it with "
                "`mgeo up --secure`.",
            )
        error: MgeoError = refusal(for_code(code)(), self._kafka) or DeployError(
            f"Kafka refused: {message or for_code(code).__name__}."
        )
        raise error
