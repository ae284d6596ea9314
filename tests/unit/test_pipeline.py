"""The way of a record: repeats once, faults alone, nothing that is not wanted any more."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager

import numpy as np
from prometheus_client import CollectorRegistry

from consumer.address_parser import AddressParser
from consumer.parser.seams import Interpretation, PreparedAddress, Scores, Window
from consumer.settings import ParserSettings
from consumer.stream.batcher import Batcher
from consumer.stream.cache import InterpretationCache
from consumer.stream.compose import ParsedComposer
from consumer.stream.executor import DeviceExecutor
from consumer.stream.in_flight import InFlight
from consumer.stream.pipeline import Pipeline
from consumer.stream.records import Record
from consumer.stream.sides import Route, Side
from consumer.stream.telemetry import Telemetry
from contracts.events import Origin
from contracts.limits import Limits
from contracts.topics import TopicNames
from tests.models import instant
from tests.streams.load import record_of


class Bench:
    """A pipeline with an instant model, and records for it."""

    def __init__(self, model: instant.InstantModel, cache_chars: int, limits: Limits) -> None:
        self.model = model
        self.in_flight = InFlight(max_addresses=10_000, max_bytes=1 << 30)
        self.telemetry = Telemetry(CollectorRegistry(), token_budget=64)
        self._pool = ThreadPoolExecutor(2)
        self._executor = DeviceExecutor(
            hang_after_s=30, on_hang=lambda _: None, observer=self.telemetry
        )
        self.pipeline = Pipeline(
            batcher=Batcher(token_budget=lambda: 64, batch_size=8),
            executor=self._executor,
            cache=InterpretationCache(cache_chars),
            composer=ParsedComposer(TopicNames(), limits),
            limits=limits,
            cpu_pool=self._pool,
            telemetry=self.telemetry,
        )
        self.done: list[Record] = []
        self._offset = 0

    def submit(self, *texts: str, raw: bytes | None = None) -> Record:
        value = raw if raw is not None else record_of(1, [(str(n), t) for n, t in enumerate(texts)])
        record = Record(
            origin=Origin(topic="in", partition=0, offset=self._offset),
            key=None,
            value=value,
            headers=(),
            route=Route((Side(self.model.spec, "stable"),), 1),
            models=(self.model,),
            ticket=self.in_flight.enter(len(value)),
            received_at=0.0,
            done=self.done.append,
        )
        self._offset += 1
        self.pipeline.submit(record)
        return record

    async def idle(self) -> None:
        async with asyncio.timeout(10):
            await self.pipeline.idle.wait()

    def close(self) -> None:
        self._executor.close()
        self._pool.shutdown()


@asynccontextmanager
async def bench(
    model: instant.InstantModel | None = None, cache_chars: int = 0, limits: Limits | None = None
) -> AsyncIterator[Bench]:
    one = Bench(model or instant.InstantModel(), cache_chars, limits or Limits())
    running = asyncio.create_task(one.pipeline.run())
    try:
        yield one
        assert not running.done()
    finally:
        running.cancel()
        await asyncio.wait({running})
        one.close()


def statuses(record: Record) -> list[str]:
    assert record.outgoing is not None
    return [one["error"] or "ok" for one in json.loads(record.outgoing.value)["results"]]


def rows_run(one: Bench) -> int:
    return sum(rows for rows, _ in one.model.encoder.batches)


async def test_a_text_that_comes_many_times_runs_once() -> None:
    async with bench() as one:
        records = [one.submit("长安街1号", "长安街1号", "长安街2号") for _ in range(5)]
        await one.idle()
        assert [statuses(record) for record in records] == [["ok"] * 3] * 5
        assert rows_run(one) == 2


async def test_the_cache_answers_later_repeats_and_without_it_they_run_again() -> None:
    for cache_chars, runs in ((1_000, 1), (0, 2)):
        async with bench(cache_chars=cache_chars) as one:
            for _ in range(2):
                one.submit("长安街1号")
                await one.idle()
            assert rows_run(one) == runs
            assert len(one.done) == 2


async def test_what_a_closed_lane_left_is_neither_run_nor_finished() -> None:
    async with bench() as one:
        gone = one.submit("长安街1号")
        gone.abandoned = True
        wanted = one.submit("长安街2号")
        await one.idle()
        assert one.done == [wanted]
        assert rows_run(one) == 1


async def test_a_text_given_up_on_its_way_is_parsed_for_whoever_asks_next() -> None:
    """A record joins a text that waits for the device, and its first asker goes away."""
    async with bench(instant.InstantModel(encoder=instant.InstantEncoder(0.002))) as one:
        first = one.submit("占着设备的一条")
        await asyncio.sleep(0.005)
        gone = one.submit("长安街1号")
        await asyncio.sleep(0.005)
        joined = one.submit("长安街1号")
        gone.abandoned = True
        await asyncio.sleep(0.02)
        later = one.submit("长安街1号")
        await one.idle()
        assert {id(record) for record in one.done} == {id(first), id(joined), id(later)}
        assert statuses(joined) == statuses(later) == ["ok"]


async def test_abandoned_work_leaves_no_trace_in_what_is_in_flight() -> None:
    """Also when it is decoded only after it was abandoned."""
    async with bench() as one:
        for _ in range(20):
            record = one.submit(*(f"路{n}号" for n in range(50)))
            record.abandoned = True
            record.ticket.leave()
        await one.idle()
        assert (one.in_flight.addresses, one.in_flight.bytes) == (0, 0)


async def test_faults_stay_with_their_address_and_unreadable_records_with_themselves() -> None:
    async with bench() as one:
        mixed = one.submit("好地址", instant.BROKEN_TEXT, "  ", "长" * 2000)
        unreadable = one.submit(raw=b"{no")
        fine = one.submit("好地址")
        await one.idle()
        assert statuses(mixed) == ["ok", "model_error", "empty_text", "text_too_long"]
        assert unreadable.dead_letter is not None
        assert unreadable.dead_letter.code == "not_json"
        assert statuses(fine) == ["ok"]


class Odd(instant.InstantModel):
    """Does strange things with strange texts."""

    def prepare(self, texts: Sequence[str]) -> list[PreparedAddress]:
        if any("拒" in text for text in texts):
            raise ValueError("a tokenizer that breaks")
        windows: Callable[[str], tuple[Window, ...]] = lambda text: (  # noqa: E731
            () if "空" in text else (self._window(text), self._window(text))
        )
        return [PreparedAddress(text, windows(text)) for text in texts]

    def interpret(
        self, prepared: Sequence[PreparedAddress], scores: Sequence[Sequence[Scores]]
    ) -> list[Interpretation]:
        if any("坏" in one.text for one in prepared):
            raise ValueError("a decoder that breaks")
        assert [len(s) for s in scores] == [len(one.windows) for one in prepared]
        found = super().interpret(prepared, scores)
        return [
            Interpretation((), {}, (), None, (), float("nan")) if "非" in one.text else answer
            for one, answer in zip(prepared, found, strict=True)
        ]


ODD_TEXTS = ("一号", "拒绝", "空的", "坏的", "非数", "二号")
ODD_STATUSES = ["ok", "model_error", "ok", "model_error", "model_error", "ok"]


async def test_whatever_a_model_does_with_one_text_the_others_are_parsed() -> None:
    async with bench(Odd()) as one:
        record = one.submit(*ODD_TEXTS)
        await one.idle()
        assert statuses(record) == ODD_STATUSES


def test_the_same_holds_without_kafka() -> None:
    results = AddressParser(Odd(), ParserSettings()).parse(ODD_TEXTS)
    assert [one.error or one.status for one in results] == ODD_STATUSES


async def test_an_address_of_too_many_parts_is_an_error_however_it_is_known() -> None:
    """Run and from the cache; every address of this model has one part."""
    for most, expected in ((1, "ok"), (0, "result_too_large")):
        limits = Limits().model_copy(update={"max_components": most})
        async with bench(cache_chars=1_000, limits=limits) as one:
            for _ in range(2):
                record = one.submit("长安街1号")
                await one.idle()
                assert statuses(record) == [expected]
            assert rows_run(one) == 1


async def test_records_finish_in_any_order_but_each_exactly_once() -> None:
    rng = np.random.default_rng(3)
    async with bench() as one:
        records = [
            one.submit(*(f"路{rng.integers(30)}号" * int(rng.integers(1, 9)) for _ in range(4)))
            for _ in range(40)
        ]
        await one.idle()
        assert sorted(r.origin.offset for r in one.done) == [r.origin.offset for r in records]
