"""The verdict on a stream that was hurt: by the final reader, and by one that watched."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from contracts.settings import KafkaSettings
from tests.oracles.stream import Output, StreamSeen, look, violations
from tests.streams.concurrent_reader import ConcurrentReader


async def complaints(kafka: KafkaSettings, watcher: ConcurrentReader | None = None) -> list[str]:
    """What is wrong with the whole stream, in words; empty when nothing is."""
    seen = await look(kafka)
    found = violations(seen)
    if watcher is not None:
        await watcher.finish()
        found += differences(seen, watcher.results, watcher.dead_letters)
    return found


def differences(
    seen: StreamSeen, results: Sequence[Output], dead_letters: Sequence[Output]
) -> list[str]:
    """Where the concurrent reader saw anything else than the final one, partition by partition."""
    pairs = (("results", seen.results, results), ("dead letters", seen.dead_letters, dead_letters))
    return [
        f"the concurrent reader saw other {name} in partition {partition}"
        for name, final, watched in pairs
        for partition in {out.partition for out in (*final, *watched)}
        if _by_partition(final)[partition] != _by_partition(watched)[partition]
    ]


def _by_partition(outputs: Sequence[Output]) -> dict[int, list[Output]]:
    grouped: dict[int, list[Output]] = defaultdict(list)
    for out in outputs:
        grouped[out.partition].append(out)
    return grouped
