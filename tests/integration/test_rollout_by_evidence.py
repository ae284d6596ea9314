"""A rollout decided from real evidence: shadow pairs and production's results, on a real broker."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest
from aiokafka import AIOKafkaProducer

from contracts.control import RolloutState, decode_state
from contracts.events import (
    Address,
    AddressBatch,
    AddressResult,
    Component,
    Origin,
    ParsedBatch,
    ServedModel,
    ShadowBatch,
    ShadowPair,
    ShadowSide,
    Timing,
)
from contracts.offset_metadata import OffsetMetadata
from contracts.phases import SHADOWED
from contracts.policy import Policy
from contracts.rollout import Rollout
from contracts.routing import takes_candidate
from contracts.settings import KafkaSettings, client_options
from contracts.spec import ModelSpec
from deploy.rollout_service import controller_parts
from tests.brokers.admin import TopicFactory
from tests.oracles.rollout_history import violations
from tests.streams import controller as c
from tests.streams.topic import everything

pytestmark = [pytest.mark.broker, pytest.mark.timeout(480)]

PARTITIONS = 2

POLICY = Policy.model_validate(
    {
        "shadow": {"min_pairs": 100, "min_duration": "1s", "max_duration": "1h"},
        "aa": {"max": 0.2},
        "gates": {
            "exact_match": {"min": 0.7},
            "span_f1": {"min": 0.7},
            "error_rate": {"max_increase": 0.1},
            "latency_p99": {"min_batches": 100, "max_ratio": 3.0},
            "latency_ratio": {"min_batches": 20, "max_ratio": 3.0},
        },
        "canary": {"steps": [{"share": 0.5, "duration": "1s", "min_results": 20}]},
        "bake": {"duration": "1s", "min_results": 20},
    }
)


@dataclass
class Models:
    """How the two models answer: the candidate errs once it is told to."""

    candidate_is_bad: bool = False

    def answer(self, text: str, *, candidate: bool) -> AddressResult:
        end = len(text) - 1 if candidate and self.candidate_is_bad else len(text)
        part = Component(type="road", text=text[:end], start=0, end=end, confidence=0.9)
        return AddressResult(
            id="1",
            text=text,
            status="ok",
            components=(part,),
            address={"road": text[:end]},
            confidence=0.9,
        )


def served(spec: ModelSpec, epoch: int, *, canary: bool = False) -> ServedModel:
    return ServedModel(
        version=spec.version,
        digest=spec.digest,
        precision=spec.precision,
        fingerprint=spec.fingerprint,
        track="canary" if canary else "stable",
        serving_epoch=epoch,
    )


@asynccontextmanager
async def stream_of(kafka: KafkaSettings, models: Models) -> AsyncIterator[None]:
    """Publisher, stable workers and shadow workers in one: they write what those would write."""
    names = kafka.names

    published: list[tuple[Origin, int, int]] = []
    paired: set[str] = set()

    async def work() -> None:
        async with AIOKafkaProducer(**client_options(kafka)) as producer:
            while True:
                state = await c.state_of(kafka)
                for _ in range(40):
                    await one_record(producer, state, len(published))
                rollout = state.rollout
                shadowed = rollout is not None and state.phase in SHADOWED
                if rollout is not None and shadowed:
                    await pair_all(producer, rollout)
                await producer.flush()
                ends = {origin.partition: origin.offset + 1 for origin, _, _ in published}
                adopted = OffsetMetadata(state.serving.serving_epoch)
                await c.note(kafka, names.stable_group, dict.fromkeys(ends, adopted), ends)
                if rollout is not None and shadowed:
                    warm = OffsetMetadata(rollout.started_revision)
                    group = names.shadow_group(rollout.rollout_id)
                    await c.note(kafka, group, dict.fromkeys(ends, warm), ends)
                await asyncio.sleep(0.2)

    async def one_record(producer: AIOKafkaProducer, state: RolloutState, number: int) -> None:
        text = f"和平路{number}号"
        batch = AddressBatch(batch_id=f"b-{number}", addresses=(Address(id="1", text=text),))
        meta = await producer.send_and_wait(
            names.events, batch.model_dump_json().encode(), partition=number % PARTITIONS
        )
        origin = Origin(topic=names.events, partition=meta.partition, offset=meta.offset)
        published.append((origin, number, meta.timestamp))
        serving = state.serving
        canary = serving.candidate is not None and takes_candidate(
            serving.rollout_id, meta.partition, meta.offset, serving.share
        )
        spec = serving.candidate if canary and serving.candidate else serving.stable
        parsed = ParsedBatch(
            batch_id=batch.batch_id,
            origin=origin,
            model=served(spec, serving.serving_epoch, canary=canary),
            timing=Timing(queue_ms=1, service_ms=1, device="none"),
            results=(models.answer(text, candidate=spec == c.CANDIDATE),),
        )
        await producer.send(
            names.parsed, parsed.model_dump_json().encode(), partition=meta.partition
        )

    async def pair_all(producer: AIOKafkaProducer, rollout: Rollout) -> None:
        for origin, number, at in published:
            if origin.offset < rollout.from_offsets[origin.partition] or origin.id in paired:
                continue
            paired.add(origin.id)
            sides = {
                spec.version: ShadowSide(
                    model=served(spec, 0),
                    device_ms=5.0 + number % 7 / 10,
                    results=(models.answer(f"和平路{number}号", candidate=spec == c.CANDIDATE),),
                )
                for spec in (rollout.candidate, rollout.reference)
            }
            pair = ShadowPair(
                batch_id=f"b-{number}",
                origin=origin,
                batch=ShadowBatch(
                    id=f"s-{number}",
                    rows=1,
                    tokens=8,
                    order="candidate_first" if number // 2 % 2 else "reference_first",
                ),
                candidate=sides[rollout.candidate.version],
                reference=sides[rollout.reference.version],
                rollout_id=rollout.rollout_id,
                input_ms=at,
            )
            await producer.send(
                names.shadow, pair.model_dump_json().encode(), partition=origin.partition
            )

    task = asyncio.create_task(work())
    try:
        yield
    finally:
        if task.done():
            task.result()
        task.cancel()
        await asyncio.wait([task])


@pytest.fixture
async def stream(kafka: KafkaSettings, topics: TopicFactory) -> KafkaSettings:
    names = topics.create_standard(PARTITIONS)
    found = kafka.model_copy(update={"topic_prefix": names.prefix})
    await c.first(found)
    return found


async def test_equal_models_are_promoted_by_the_evidence_alone(stream: KafkaSettings) -> None:
    parts = controller_parts(c.quick_settings(), stream)
    async with (
        c.running_controller(stream, parts, cut_interval_ms=500),
        stream_of(stream, Models()),
    ):
        await c.start(stream, policy=POLICY)
        done = await c.until_phase(stream, "PROMOTED", "ABORTED", "INCONCLUSIVE", timeout_s=150)
    assert done.phase == "PROMOTED", done.rollout and done.rollout.reason
    states = [decode_state(one.value) for one in await everything(stream, stream.names.control)]
    assert violations(await c.audit_of(stream), states) == []


async def test_a_candidate_that_turns_bad_is_thrown_out_in_the_canary(
    stream: KafkaSettings,
) -> None:
    models = Models()
    policy = POLICY.model_copy(
        update={
            "canary": POLICY.canary.model_validate(
                {"steps": [{"share": 0.5, "duration": "10m", "min_results": 20}]}
            )
        }
    )
    parts = controller_parts(c.quick_settings(), stream)
    async with c.running_controller(stream, parts, cut_interval_ms=500), stream_of(stream, models):
        await c.start(stream, policy=policy)
        await c.until_phase(stream, "CANARY", timeout_s=150)
        models.candidate_is_bad = True
        done = await c.until_phase(stream, "ABORTED", timeout_s=150)
    assert done.serving.stable == c.STABLE
    assert done.rollout is not None
    assert done.rollout.judgement is not None
    assert "harm_exact_match" in done.rollout.judgement.harmed
