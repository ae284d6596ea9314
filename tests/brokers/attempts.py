"""Tries one thing on a broker as some user, and says whether it was allowed. Raw requests.

A client of aiokafka would hide part of the answer: what it may not see it takes for absent.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiokafka.client import AIOKafkaClient
from aiokafka.errors import (
    ClusterAuthorizationFailedError,
    GroupAuthorizationFailedError,
    TopicAuthorizationFailedError,
    TransactionalIdAuthorizationFailed,
)
from aiokafka.protocol.admin import (
    CreateTopicsRequest,
    DeleteAclsRequest,
    DeleteTopicsRequest,
    DescribeConfigsRequest,
    DescribeGroupsRequest,
)
from aiokafka.protocol.fetch import FetchRequest
from aiokafka.protocol.group import HeartbeatRequest
from aiokafka.protocol.offset import OffsetRequest
from aiokafka.protocol.produce import ProduceRequest
from aiokafka.protocol.transaction import InitProducerIdRequest
from aiokafka.record.default_records import DefaultRecordBatchBuilder

from contracts.acls import Operation, Resource
from contracts.settings import KafkaSettings, client_options

_REFUSED = {
    error.errno
    for error in (
        ClusterAuthorizationFailedError,
        GroupAuthorizationFailedError,
        TopicAuthorizationFailedError,
        TransactionalIdAuthorizationFailed,
    )
}


class Attempts:
    """What one user tries. Every attempt is harmless where it is allowed."""

    def __init__(self, client: AIOKafkaClient) -> None:
        self._client = client

    async def allowed(self, resource: Resource, name: str, operation: Operation) -> bool:
        """Whether Kafka lets this user do it."""
        tries = {
            ("topic", "read"): self._fetch,
            ("topic", "write"): self._produce,
            ("topic", "describe"): self._ask_for_the_end,
            ("topic", "describe_configs"): self._read_settings,
            ("topic", "create"): self._would_create,
            ("group", "read"): self._beat,
            ("group", "describe"): self._describe_group,
            ("transactional_id", "write"): self._open_producer,
            ("cluster", "alter"): self._revoke_nothing,
        }
        return await tries[resource, operation](name) not in _REFUSED

    async def may_delete(self, topic: str) -> bool:
        """Whether the topic could be removed; it is gone if it could."""
        response = await self._send(DeleteTopicsRequest([topic], 5000))
        return response.topic_error_codes[0][1] not in _REFUSED

    async def _send(self, request: Any) -> Any:
        return await self._client.send(self._client.get_random_node(), request)

    async def _fetch(self, topic: str) -> int:
        wanted = [(topic, [(0, 0, 1 << 20)])]
        response = await self._send(FetchRequest(0, 0, 1 << 20, 0, wanted))
        return int(response.topics[0][1][0][1])

    async def _produce(self, topic: str) -> int:
        batch = DefaultRecordBatchBuilder(2, 0, 0, -1, -1, -1, 1 << 14)
        batch.append(0, None, b"attempt", b"{}", [])
        response = await self._send(ProduceRequest(None, -1, 5000, [(topic, [(0, batch.build())])]))
        return int(response.topics[0][1][0][1])

    async def _ask_for_the_end(self, topic: str) -> int:
        response = await self._send(OffsetRequest(-1, 0, [(topic, [(0, -1)])]))
        return int(response.topics[0][1][0][1])

    async def _read_settings(self, topic: str) -> int:
        response = await self._send(DescribeConfigsRequest([(2, topic, ["retention.ms"])]))
        return int(response.resources[0][0])

    async def _would_create(self, topic: str) -> int:
        # Named like ours, so that a right that begins alike would be found out; never created.
        response = await self._send(CreateTopicsRequest([(topic, 1, 1, [], [])], 5000, True))
        return int(response.topic_errors[0][1])

    async def _beat(self, group: str) -> int:
        return int((await self._send(HeartbeatRequest(group, 1, "nobody"))).error_code)

    async def _describe_group(self, group: str) -> int:
        return int((await self._send(DescribeGroupsRequest([group]))).groups[0][0])

    async def _open_producer(self, transactional_id: str) -> int:
        return int((await self._send(InitProducerIdRequest(transactional_id, 5000))).error_code)

    async def _revoke_nothing(self, _: str) -> int:
        nobody = (2, "no such topic", 3, "User:nobody", "*", 3, 3)
        response = await self._send(DeleteAclsRequest(*nobody))
        return int(response.filter_responses[0][0])


@asynccontextmanager
async def attempts_of(kafka: KafkaSettings) -> AsyncIterator[Attempts]:
    """Connect as a user and try things."""
    client = AIOKafkaClient(**client_options(kafka))
    await client.bootstrap()
    try:
        yield Attempts(client)
    finally:
        await client.close()
