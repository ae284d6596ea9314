"""Two models on one device batch: each has its own windows, its own faults, its own time."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager

import numpy as np
import pytest
from numpy.typing import NDArray
from prometheus_client import CollectorRegistry

from consumer.parser.seams import Interpretation, PreparedAddress, Scores, TokenIds, Window
from consumer.stream.batcher import Batcher
from consumer.stream.cache import InterpretationCache
from consumer.stream.executor import DeviceExecutor
from consumer.stream.in_flight import InFlight
from consumer.stream.pipeline import Pipeline
from consumer.stream.records import DeadLetter, Record
from consumer.stream.shadow import CANDIDATE_CRASHED, PairComposer
from consumer.stream.sides import Route, Side
from consumer.stream.telemetry import Telemetry
from contracts.events import Origin, ShadowPair
from contracts.limits import Limits
from contracts.topics import TopicNames
from tests.models import instant
from tests.models.misbehaving import WAYS, misbehaving
from tests.streams.load import record_of
from tests.streams.rollouts import CANDIDATE


class Pairs:
    """A shadow's pipeline without Kafka."""

    def __init__(self, candidate: instant.InstantModel, reference: instant.InstantModel) -> None:
        self.models = (candidate, reference)
        self.in_flight = InFlight(max_addresses=10_000, max_bytes=1 << 30)
        self.telemetry = Telemetry(CollectorRegistry(), token_budget=64)
        self._pool = ThreadPoolExecutor(2)
        self._executor = DeviceExecutor(
            hang_after_s=30, on_hang=lambda _: None, observer=self.telemetry
        )
        self.pipeline = Pipeline(
            batcher=Batcher(token_budget=lambda: 64, batch_size=8),
            executor=self._executor,
            cache=InterpretationCache(0),
            composer=PairComposer(TopicNames(), Limits()),
            limits=Limits(),
            cpu_pool=self._pool,
            telemetry=self.telemetry,
        )
        self.done: list[Record] = []

    def record(self, *texts: str) -> Record:
        value = record_of(1, [(str(n), text) for n, text in enumerate(texts)])
        candidate, reference = self.models
        return Record(
            origin=Origin(topic="in", partition=0, offset=len(self.done)),
            key=None,
            value=value,
            headers=(),
            route=Route((Side(candidate.spec, "canary"), Side(reference.spec, "stable")), 3, "r-1"),
            models=self.models,
            ticket=self.in_flight.enter(len(value)),
            received_at=0.0,
            done=self.done.append,
            timestamp_ms=17,
        )

    async def pair(self, *texts: str) -> ShadowPair:
        record = self.record(*texts)
        self.pipeline.submit(record)
        async with asyncio.timeout(10):
            await self.pipeline.idle.wait()
        return read(record)

    def close(self) -> None:
        self._executor.close()
        self._pool.shutdown()


def read(record: Record) -> ShadowPair:
    assert record.outgoing is not None
    return ShadowPair.model_validate_json(record.outgoing.value)


@asynccontextmanager
async def pairs(
    candidate: instant.InstantModel, reference: instant.InstantModel | None = None
) -> AsyncIterator[Pairs]:
    one = Pairs(candidate, reference or instant.InstantModel())
    running = asyncio.create_task(one.pipeline.run())
    try:
        yield one
        assert not running.done()
    finally:
        running.cancel()
        await asyncio.wait({running})
        one.close()


class Halving(instant.InstantModel):
    """A tokenizer of another kind: long texts in windows of four characters."""

    def prepare(self, texts: Sequence[str]) -> list[PreparedAddress]:
        return [
            PreparedAddress(
                text,
                tuple(self._window(text[start : start + 4]) for start in range(0, len(text), 4)),
            )
            for text in texts
        ]

    def interpret(
        self, prepared: Sequence[PreparedAddress], scores: Sequence[Sequence[Scores]]
    ) -> list[Interpretation]:
        for address, found in zip(prepared, scores, strict=True):
            assert [len(rows) for rows in found] == [w.length for w in address.windows]
        return super().interpret(prepared, scores)


class Untokenizable(instant.InstantModel):
    def prepare(self, texts: Sequence[str]) -> list[PreparedAddress]:
        raise ValueError("a tokenizer that breaks")


class Undecodable(instant.InstantModel):
    def interpret(
        self, prepared: Sequence[PreparedAddress], scores: Sequence[Sequence[Scores]]
    ) -> list[Interpretation]:
        return []


async def test_each_side_runs_its_own_windows_on_the_same_batch() -> None:
    async with pairs(Halving(CANDIDATE)) as shadow:
        pair = await shadow.pair("十二个字长的一条地址在此", "短地址")
    candidate, reference = (model.encoder for model in shadow.models)
    assert sum(rows for rows, _ in candidate.batches) == 4
    assert sum(rows for rows, _ in reference.batches) == 2
    assert max(width for _, width in candidate.batches) == 6
    assert max(width for _, width in reference.batches) == 14
    for side in (pair.candidate, pair.reference):
        assert [one.error for one in side.results] == [None, None]
    assert pair.batch is not None
    assert pair.batch.rows < 4, "a batch on which one of them had nothing to do compares nothing"
    assert min(pair.candidate.device_ms, pair.reference.device_ms) > 0


async def test_a_pair_names_the_batch_that_ended_it_and_what_it_took_on_each_model() -> None:
    slow = instant.InstantModel(CANDIDATE, instant.InstantEncoder(0.001))
    async with pairs(slow) as shadow:
        first = await shadow.pair("长安街1号", "中山路22号")
        second = await shadow.pair("长安街1号")
    assert first.batch is not None
    assert second.batch is not None
    assert first.batch.id != second.batch.id
    assert first.batch.tokens == 2 * 8
    assert first.candidate.device_ms >= 16.0 > first.reference.device_ms
    assert (first.rollout_id, first.input_ms) == ("r-1", 17)
    assert first.candidate.model.serving_epoch == 3


async def test_a_batch_id_is_used_once_among_all_processes() -> None:
    found = set()
    for _ in range(3):
        async with pairs(instant.InstantModel(CANDIDATE)) as shadow:
            for number in range(4):
                pair = await shadow.pair(f"长安街{number}号")
                assert pair.batch is not None
                found.add(pair.batch.id)
    assert len(found) == 12


@pytest.mark.parametrize("wrong", [0, 1])
@pytest.mark.parametrize("way", WAYS)
async def test_what_one_model_does_is_no_fault_of_the_other(way: str, wrong: int) -> None:
    models = [instant.InstantModel(CANDIDATE), instant.InstantModel()]
    models[wrong] = misbehaving(models[wrong].spec, way)
    async with pairs(*models) as shadow:
        pair = await shadow.pair("长安街1号", "  ", "中山路2号")
    code = WAYS[way][1]
    sides = [[one.error for one in side.results] for side in (pair.candidate, pair.reference)]
    assert sides[wrong] == [code, "empty_text", code]
    assert sides[1 - wrong] == [None, "empty_text", None]


@pytest.mark.parametrize("kind", [Untokenizable, Undecodable])
async def test_so_it_is_with_tokenizers_and_decoders(kind: type[instant.InstantModel]) -> None:
    async with pairs(kind(CANDIDATE)) as shadow:
        pair = await shadow.pair("长安街1号", "中山路2号")
    assert [one.error for one in pair.candidate.results] == ["model_error"] * 2
    assert [one.error for one in pair.reference.results] == [None] * 2
    assert (pair.batch is None) == (kind is Untokenizable), "timed only where both have run"


async def test_a_text_of_which_no_model_makes_tokens_has_a_pair_without_a_batch() -> None:
    async with pairs(instant.InstantModel(CANDIDATE)) as shadow:
        pair = await shadow.pair("  ")
    assert pair.batch is None
    assert pair.candidate.results == pair.reference.results
    assert pair.candidate.device_ms == 0


class OneRowNotANumber(instant.InstantEncoder):
    """One row is garbage, and so is all that lies beyond every row's length."""

    def encode(self, token_ids: TokenIds, lengths: NDArray[np.int64]) -> Scores:
        scores = super().encode(token_ids, lengths)
        for row, length in enumerate(lengths):
            scores[row, length:] = np.nan
            if "坏" in "".join(map(chr, token_ids[row, 1 : length - 1])):
                scores[row, 1] = np.inf
        return scores


async def test_scores_that_are_no_numbers_cost_their_own_row_alone() -> None:
    model = instant.InstantModel(CANDIDATE, OneRowNotANumber())
    async with pairs(model) as shadow:
        pair = await shadow.pair("好的一条", "坏的一条地址", "又一条好的地址在此")
    assert [one.error for one in pair.candidate.results] == [None, "model_error", None]
    assert [one.error for one in pair.reference.results] == [None] * 3


async def test_a_record_that_must_not_run_says_so_of_the_candidate_alone() -> None:
    async with pairs(instant.InstantModel(CANDIDATE)) as shadow:
        record = shadow.record("长安街1号")
        record.dead_letter = DeadLetter(CANDIDATE_CRASHED, "TASK_PUT", "ProcessCrash")
        await shadow.pipeline.publish_dead_letter(record)
    pair = read(record)
    assert record.outcome == "crashed"
    assert record.outgoing is not None
    assert record.outgoing.topic == "address.shadow"
    assert (pair.candidate.error, pair.reference.error) == ("candidate_crashed", None)
    assert (pair.batch_id, pair.batch, pair.candidate.results) == ("", None, ())
    assert json.loads(record.outgoing.value)["reference"]["results"] == []
    assert all(model.encoder.batches == [] for model in shadow.models)


def test_windows_are_what_the_stand_ins_say() -> None:
    (address,) = Halving(CANDIDATE).prepare(["十二个字长的一条地址在此"])
    assert [isinstance(one, Window) and one.length for one in address.windows] == [6, 6, 6]
