"""Control states with a rollout in them, as a controller would write them, for worker tests."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from aiokafka.admin import AIOKafkaAdminClient

from contracts.control import RolloutState, ServingSet
from contracts.events import ShadowPair
from contracts.offset_metadata import OffsetMetadata
from contracts.phases import Phase
from contracts.policy import Policy
from contracts.rollout import Rollout
from contracts.settings import KafkaSettings, client_options
from contracts.spec import ModelSpec
from tests.models import instant
from tests.streams.topic import everything

CANDIDATE = instant.spec("mgeo-instant-v2-20260201")
NOON = "2026-01-01T12:00:00Z"


def rollout_of(
    number: int = 1,
    *,
    candidate: ModelSpec = CANDIDATE,
    reference: ModelSpec | None = None,
    share: float = 1.0,
    from_offsets: Mapping[int, int] | None = None,
    started_revision: int = 2,
) -> Rollout:
    """A rollout that has just been registered."""
    return Rollout(
        rollout_id=f"r-{number}",
        candidate=candidate,
        reference=reference or instant.spec(),
        policy=Policy(),
        policy_digest="sha256:" + hashlib.sha256(b"policy").hexdigest(),
        share=share,
        from_offsets=dict(from_offsets or {}),
        started_revision=started_revision,
        started_at=NOON,
        phase_entry=started_revision,
        phase_since=NOON,
    )


def state_of(
    rollout: Rollout | None,
    phase: Phase | None,
    *,
    revision: int,
    epoch: int = 1,
    stable: ModelSpec | None = None,
    candidate: ModelSpec | None = None,
    share: float = 0.0,
    previous: ModelSpec | None = None,
) -> RolloutState:
    """The control record of one moment."""
    return RolloutState(
        incarnation="test",
        revision=revision,
        serving=ServingSet(
            stable=stable or instant.spec(),
            candidate=candidate,
            share=share,
            serving_epoch=epoch,
            rollout_id=rollout.rollout_id if rollout is not None and candidate else "",
        ),
        previous=previous,
        phase=phase,
        rollout=rollout,
    )


async def memory_of(stream: KafkaSettings, group: str) -> dict[int, tuple[int, OffsetMetadata]]:
    """Committed offset and the lane's own words beside it, by partition."""
    admin = AIOKafkaAdminClient(**client_options(stream))
    await admin.start()
    try:
        offsets = await admin.list_consumer_group_offsets(group)
    finally:
        await admin.close()
    return {
        partition.partition: (
            found.offset,
            OffsetMetadata.decode(found.metadata) or OffsetMetadata(),
        )
        for partition, found in offsets.items()
        if partition.topic == stream.names.events
    }


async def pairs_of(stream: KafkaSettings) -> list[ShadowPair]:
    """Every pair on the evidence topic, and that each lies where its origin says."""
    records = await everything(stream, stream.names.shadow)
    pairs = [ShadowPair.model_validate_json(record.value) for record in records]
    for record, pair in zip(records, pairs, strict=True):
        assert record.partition == pair.origin.partition
    return pairs
