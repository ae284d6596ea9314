"""What a consumer group has committed, asked so that an error is never taken for "nothing".

A broker that is not, or not yet, the group's coordinator answers OffsetFetch (version 2 and later)
with an error for the whole group and no partition. aiokafka's ``list_consumer_group_offsets``
looks at the errors of partitions alone and gives such an answer as an empty one: to whoever
believes it, nothing was ever committed.
"""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from aiokafka.admin import AIOKafkaAdminClient
    from aiokafka.structs import OffsetAndMetadata, TopicPartition

_ASK_AGAIN_S: Final = 0.2


async def stored_offsets(
    admin: AIOKafkaAdminClient,
    group: str,
    partitions: Iterable[TopicPartition] | None = None,
    *,
    within_s: float = 0.0,
) -> dict[TopicPartition, OffsetAndMetadata]:
    """Offset and metadata by partition; a partition with none is left out.

    Args:
        admin: started.
        group: its name.
        partitions: which; all that have one when None.
        within_s: seconds that the group's coordinator may take to be there, as in a new cluster
            or while brokers restart: whatever passes is waited for.

    Raises:
        KafkaError: Kafka does not answer, refuses, or has no coordinator by then.
    """
    from aiokafka.errors import KafkaError

    deadline = time.monotonic() + within_s
    while True:
        try:
            return await _ask(admin, group, partitions)
        except KafkaError as error:
            if not error.retriable or time.monotonic() > deadline:
                raise
            await asyncio.sleep(_ASK_AGAIN_S)


async def _ask(
    admin: AIOKafkaAdminClient, group: str, partitions: Iterable[TopicPartition] | None
) -> dict[TopicPartition, OffsetAndMetadata]:
    from aiokafka.protocol.commit import OffsetFetchRequest
    from aiokafka.structs import OffsetAndMetadata, TopicPartition

    wanted = None if partitions is None else list(partitions)
    topics: dict[str, list[int]] = defaultdict(list)
    for one in wanted or ():
        topics[one.topic].append(one.partition)
    request = OffsetFetchRequest(group, None if wanted is None else list(topics.items()))
    coordinator = await admin.find_coordinator(group)
    # There is no public way to the error of the whole group.
    response: Any = await admin._send_request(request, coordinator)
    _raise_for(getattr(response, "error_code", 0), group)
    found = {}
    for topic, entries in response.topics:
        for partition, offset, metadata, error in entries:
            _raise_for(error, group)
            if offset >= 0:
                found[TopicPartition(topic, partition)] = OffsetAndMetadata(offset, metadata)
    return found


def _raise_for(code: int, group: str) -> None:
    if code:
        from aiokafka.errors import for_code

        raise for_code(code)(f"the offsets of {group} cannot be read")
