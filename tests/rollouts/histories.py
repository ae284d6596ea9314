"""Hypothesis strategies: what the logs of a whole rollout may hold, cut by cut."""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import strategies as st

from contracts.events import ParsedBatch, ShadowPair
from contracts.rollout import Cut
from rollout.evidence.pairing import MissingRecord
from tests.rollouts.pairs import cut_of, failed, pair_of, parsed, result_of

TEXTS = ("浙江省杭州市文三路1号", "浙江省宁波市中山路2号", "上海市南京东路3号", "北京市长安街4号")
PARTITIONS = (0, 1)


@dataclass(frozen=True)
class Delivery:
    """What one cut brings."""

    cut: Cut
    pairs: tuple[ShadowPair, ...]
    parsed: tuple[ParsedBatch, ...]
    missing: tuple[MissingRecord, ...]


@st.composite
def results(draw: st.DrawFn) -> tuple[list, list]:  # type: ignore[type-arg]  # of results
    """Both sides of a record of one to three addresses."""
    candidate, reference = [], []
    for _ in range(draw(st.integers(1, 3))):
        text = draw(st.sampled_from(TEXTS))
        good = parsed(text, {"prov": text[:3]})
        other = parsed(text, {"city": text[:3]})
        candidate.append(draw(st.sampled_from([good, good, other, failed(text)])))
        reference.append(draw(st.sampled_from([good, good, failed(text)])))
    return candidate, reference


@st.composite
def histories(draw: st.DrawFn) -> list[Delivery]:
    """A rollout's evidence: some records missing, results of production early or late."""
    deliveries = []
    frontier = dict.fromkeys(PARTITIONS, 0)
    late: list[ParsedBatch] = []
    for number in range(1, draw(st.integers(2, 4))):
        pairs, production, missing = [], late, []
        late = []
        for partition in PARTITIONS:
            for _ in range(draw(st.integers(0, 5))):
                offset = frontier[partition]
                frontier[partition] += draw(st.integers(1, 2))  # gaps: transaction markers
                candidate, reference = draw(results())
                if draw(st.integers(0, 5)) == 0:
                    units = tuple(draw(st.lists(st.integers(1, 9), min_size=1, max_size=2)))
                    missing.append(MissingRecord(partition, offset, units))
                elif draw(st.integers(0, 9)) == 0:
                    crashed = ("candidate_crashed", None)
                    pairs.append(pair_of(offset, [], [], partition=partition, errors=crashed))
                    missing.append(MissingRecord(partition, offset, (offset + 100, None)))
                else:
                    batch = draw(st.sampled_from([None, f"d-{number}-{offset // 2}"]))
                    pairs.append(
                        pair_of(offset, candidate, reference, partition=partition, batch=batch)
                    )
                theirs = result_of(
                    offset, draw(st.sampled_from([reference, candidate])), partition=partition
                )
                (production if draw(st.booleans()) else late).append(theirs)
        deliveries.append(
            Delivery(
                cut_of(number, dict(frontier)), tuple(pairs), tuple(production), tuple(missing)
            )
        )
    return deliveries
