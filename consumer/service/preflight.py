"""What must be true of the topics before a worker joins: checked, never mended, here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from contracts.access import check_visible
from contracts.errors import FatalError
from contracts.limits import DEAD_LETTER_HEADROOM_BYTES


@dataclass(frozen=True, slots=True)
class FoundTopic:
    """A topic as it is.

    Attributes:
        partitions: how many.
        max_message_bytes: its ``max.message.bytes``; None when the broker did not say.
    """

    partitions: int
    max_message_bytes: int | None


def check_topics(
    found: Mapping[str, FoundTopic],
    *,
    inputs: Sequence[str],
    least_bytes: Mapping[str, int],
    replies: Mapping[str, int],
    dead_letters: str | None = None,
) -> None:
    """Refuse topics that would lose or stop something later.

    Args:
        found: by name.
        inputs: the topics that are read.
        least_bytes: for each output topic the record size it must accept.
        replies: the same for topics whose partitions are chosen by whoever reads them.
        dead_letters: the topic that must have room for every record of the inputs, as it came.

    Raises:
        FatalError: ``topic_missing``, ``too_few_partitions``, ``topic_too_small`` or
            ``topic_too_large``.
    """
    hint = "`mgeo topics create` makes them as they must be, `mgeo topics check` compares"
    for name in (*inputs, *least_bytes, *replies):
        if name not in found:
            raise FatalError(f"topic {name} does not exist", code="topic_missing", hint=hint)
    widest = max(inputs, key=lambda name: found[name].partitions)
    wanted = found[widest].partitions
    for name in least_bytes:
        if found[name].partitions < wanted:
            raise FatalError(
                f"topic {name} has {found[name].partitions} partitions, {widest} has {wanted}: "
                "a result goes to its input's partition",
                code="too_few_partitions",
                hint=f"add partitions to {name}; {hint}",
            )
    for name, size in (*least_bytes.items(), *replies.items()):
        most = found[name].max_message_bytes
        if most is not None and most < size:
            raise FatalError(
                f"topic {name} takes records of {most} bytes, a worker may write {size}",
                code="topic_too_small",
                hint=f"raise max.message.bytes of {name}; {hint}",
            )
    room = None if dead_letters is None else found[dead_letters].max_message_bytes
    if room is None:
        return
    for name in inputs:
        most = found[name].max_message_bytes
        if most is not None and most + DEAD_LETTER_HEADROOM_BYTES > room:
            raise FatalError(
                f"topic {name} takes records of {most} bytes; as a dead letter one needs "
                f"{most + DEAD_LETTER_HEADROOM_BYTES}, and {dead_letters} takes {room}",
                code="topic_too_large",
                hint=f"lower max.message.bytes of {name}, or raise that of {dead_letters}; {hint}",
            )


async def find_topics(admin: AIOKafkaAdminClient, names: Sequence[str]) -> dict[str, FoundTopic]:
    """Look the topics up; a missing one is absent from the answer.

    Raises:
        AccessRefusedError: this user may not even see one of them.
    """
    described: Sequence[Mapping[str, Any]] = await admin.describe_topics(list(names))
    check_visible(described)
    existing = {
        topic["topic"]: len(topic["partitions"]) for topic in described if topic["error_code"] == 0
    }
    sizes = await _max_message_bytes(admin, sorted(existing))
    return {name: FoundTopic(count, sizes.get(name)) for name, count in existing.items()}


async def _max_message_bytes(admin: AIOKafkaAdminClient, names: Sequence[str]) -> dict[str, int]:
    if not names:
        return {}
    resources = [ConfigResource(ConfigResourceType.TOPIC, name) for name in names]
    sizes: dict[str, int] = {}
    for response in await admin.describe_configs(resources):
        for _, _, _, name, entries in response.resources:
            for entry in entries:
                if entry[0] == "max.message.bytes" and entry[1]:
                    sizes[name] = int(entry[1])
    return sizes
