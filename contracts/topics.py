"""The topics, as data: names, partitions and the settings that correctness rests on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from contracts.limits import DEAD_LETTER_HEADROOM_BYTES, KIB, Limits

RECORD_OVERHEAD_BYTES: Final = 16 * KIB
"""Room for key, headers and the batch frame, beside the value itself."""

RECORD_FRAME_BYTES: Final = 128
"""Kafka's own frame around a batch of one record: 61 bytes, and lengths of at most ten each."""

_DAY_MS: Final = 24 * 60 * 60 * 1000

REPLY_RETENTION_MS: Final = 10 * 60 * 1000
"""How long replies are kept: nobody reads one after its request's deadline, and each repeats
addresses that ``address.parsed`` has for good."""


def max_request_bytes(limits: Limits) -> int:
    """The ``max_request_size`` that every producer of ours needs: its largest record.

    Readers need no such bound: a broker returns a first record that is larger than
    ``max_partition_fetch_bytes`` all the same (KIP-74).
    """
    return largest_pair_bytes(limits)


def result_value_bytes(limits: Limits, *, key_bytes: int, header_bytes: int) -> int:
    """How large a result's value may be for its record to fit the topic of results.

    Args:
        limits: the bounds that the topic was made with.
        key_bytes: length of the record's key, which is the input's and may be long.
        header_bytes: what the record's headers take (``contracts.headers.header_bytes``).
    """
    beside = key_bytes + header_bytes + RECORD_FRAME_BYTES
    return limits.max_result_bytes + min(0, RECORD_OVERHEAD_BYTES - beside)


def largest_pair_bytes(limits: Limits) -> int:
    """The largest record on ``address.shadow``: what two results take."""
    return 2 * (limits.max_result_bytes + RECORD_OVERHEAD_BYTES)


def pair_value_bytes(limits: Limits, *, key_bytes: int, header_bytes: int) -> int:
    """How large a shadow pair's value may be for its record to fit ``address.shadow``."""
    return largest_pair_bytes(limits) - key_bytes - header_bytes - RECORD_FRAME_BYTES


@dataclass(frozen=True, slots=True)
class TopicNames:
    """The names under one prefix, so that several systems can share a cluster."""

    prefix: str = ""

    @property
    def events(self) -> str:
        """Input: ``AddressBatch``."""
        return f"{self.prefix}address.events"

    @property
    def interactive(self) -> str:
        """Input for which somebody waits: ``AddressBatch``, served ahead of ``events``."""
        return f"{self.prefix}address.interactive"

    @property
    def inputs(self) -> tuple[str, str]:
        """The topics that stable workers serve."""
        return (self.events, self.interactive)

    @property
    def replies(self) -> str:
        """Results on their way back to a gateway, best effort: ``ParsedBatch``."""
        return f"{self.prefix}address.replies"

    @property
    def parsed(self) -> str:
        """Output: ``ParsedBatch``."""
        return f"{self.prefix}address.parsed"

    @property
    def dead_letters(self) -> str:
        """Original bytes of records that could not be processed."""
        return f"{self.prefix}address.dlq"

    @property
    def shadow(self) -> str:
        """Evidence: ``ShadowPair``."""
        return f"{self.prefix}address.shadow"

    @property
    def control(self) -> str:
        """``RolloutState``, the whole in one record."""
        return f"{self.prefix}mgeo.rollout"

    @property
    def requests(self) -> str:
        """What people and pipelines ask of the controller."""
        return f"{self.prefix}mgeo.rollout.requests"

    @property
    def audit(self) -> str:
        """Every transition, cut, gate value, request and its outcome."""
        return f"{self.prefix}mgeo.rollout.audit"

    @property
    def stable_group(self) -> str:
        """The consumer group of the stable workers."""
        return f"{self.prefix}mgeo.stable"

    @property
    def controller_group(self) -> str:
        """The consumer group whose single partition is the controller's leadership."""
        return f"{self.prefix}mgeo.controller"

    def shadow_group(self, rollout_id: str) -> str:
        """The consumer group of one rollout's shadow workers."""
        return f"{self.prefix}mgeo.shadow.{rollout_id}"

    def transactional_id(self, role: str, topic: str, partition: int) -> str:
        """The id of a lane's producer: one per owned input partition.

        Sharing it with the partition's previous owner is what fences a zombie.
        """
        return f"{self.prefix}mgeo.{role}.{topic}.{partition}"


CONTROL_KEY: Final = b"rollout"
"""The one key of the control topic."""


@dataclass(frozen=True, slots=True)
class TopicSpec:
    """One topic as it must be.

    Attributes:
        name: the full name.
        partitions: how many to create; a topic may have more.
        config: topic settings that must hold, as Kafka spells them.
        purpose: one line for people.
        fixed_partitions: True where more partitions than ``partitions`` would break order.
    """

    name: str
    partitions: int
    purpose: str
    config: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    fixed_partitions: bool = False


def standard_topics(
    names: TopicNames, *, partitions: int = 6, limits: Limits | None = None
) -> tuple[TopicSpec, ...]:
    """Every topic that the system uses.

    Args:
        names: the names under their prefix.
        partitions: of the input; the interactive input, results, dead letters and evidence
            have as many, because a result goes to its input's partition.
        limits: the bounds that the sizes follow from.

    ``compression.type=uncompressed`` makes the broker check a record's real size: a few
    kilobytes of zstd can unpack to hundreds of megabytes in every reader.
    """
    limits = limits or Limits()
    record = limits.max_record_bytes + RECORD_OVERHEAD_BYTES
    result = limits.max_result_bytes + RECORD_OVERHEAD_BYTES

    def data(size: int) -> Mapping[str, str]:
        return MappingProxyType(
            {"max.message.bytes": str(size), "compression.type": "uncompressed"}
        )

    def kept(**more: str) -> Mapping[str, str]:
        return MappingProxyType(
            {"retention.ms": "-1", **{key.replace("_", "."): value for key, value in more.items()}}
        )

    return (
        TopicSpec(names.events, partitions, "addresses to parse", data(record)),
        TopicSpec(
            names.interactive, partitions, "addresses for which somebody waits", data(record)
        ),
        TopicSpec(names.parsed, partitions, "parsed results", data(result)),
        TopicSpec(
            names.replies,
            partitions,
            "results on their way back to a gateway",
            MappingProxyType({**data(result), "retention.ms": str(REPLY_RETENTION_MS)}),
        ),
        TopicSpec(
            names.dead_letters,
            partitions,
            "records that could not be processed, as they came",
            data(record + DEAD_LETTER_HEADROOM_BYTES),
        ),
        TopicSpec(
            names.shadow,
            partitions,
            "candidate and reference side by side",
            MappingProxyType(
                {**data(largest_pair_bytes(limits)), "retention.ms": str(7 * _DAY_MS)}
            ),
        ),
        TopicSpec(
            names.control,
            1,
            "which model serves: the rollout's whole state",
            MappingProxyType({"cleanup.policy": "compact"}),
            fixed_partitions=True,
        ),
        TopicSpec(names.requests, 1, "what is asked of the controller", kept(), True),
        TopicSpec(names.audit, 1, "everything the controller did and why", kept(), True),
    )
