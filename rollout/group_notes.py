"""What a consumer group has committed of a topic, and what its lanes have noted beside it.

The one reader of it for everybody who is not a lane. Reads only, and holds no rule.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from aiokafka.admin import AIOKafkaAdminClient

from contracts.group_offsets import stored_offsets
from contracts.offset_metadata import OffsetMetadata
from contracts.rollout import Offsets
from contracts.settings import KafkaSettings, client_options

COORDINATOR_WITHIN_S: Final = 30.0
"""A new cluster makes its topic of groups only when it is first asked for one."""


@dataclass(frozen=True, slots=True)
class GroupNotes:
    """One consumer group on one topic.

    Attributes:
        offsets: committed, by partition.
        notes: what stands beside them; a group of another program has noted nothing.
    """

    offsets: Offsets
    notes: Mapping[int, OffsetMetadata]


async def read_group(
    admin: AIOKafkaAdminClient,
    group: str,
    topic: str,
    *,
    within_s: float = COORDINATOR_WITHIN_S,
) -> GroupNotes:
    """Ask the group's coordinator, and wait a while for there to be one.

    Args:
        admin: started.
        group: its name.
        topic: the others that the group reads are left out.
        within_s: how long it may take until the cluster has a coordinator for the group.

    Raises:
        KafkaError: Kafka does not answer, or has no coordinator by then.
    """
    found = await stored_offsets(admin, group, within_s=within_s)
    mine = {pair.partition: at for pair, at in found.items() if pair.topic == topic}
    return GroupNotes(
        {partition: int(at.offset) for partition, at in mine.items()},
        {
            partition: OffsetMetadata.decode(at.metadata) or OffsetMetadata()
            for partition, at in mine.items()
        },
    )


async def group_notes(kafka: KafkaSettings, group: str, topic: str) -> GroupNotes:
    """The same over a connection of its own.

    Raises:
        KafkaError: as ``read_group``.
    """
    admin = AIOKafkaAdminClient(**client_options(kafka))
    try:
        await admin.start()
        return await read_group(admin, group, topic)
    finally:
        await admin.close()
