"""The first request after readiness on a GPU, where a first call of a shape is expensive.

With the real network in worker processes of their own, judged on ratios within one run. On a
CPU there is nothing to see: with three layers of 256 the first call took 10 to 19 ms, the
steady P99 was 8 to 12 ms, with and without a warm-up. What the warm-up is for is shown there
by ``tests/integration/test_first_request.py``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from aiokafka import AIOKafkaProducer

from contracts.settings import KafkaSettings, client_options
from deploy.bench.addresses import distinct_addresses
from deploy.bench.figures import percentile
from deploy.bench.models import SMALL_RANDOM, BenchModel, find_model
from deploy.bench.stream import batch_of, topics
from deploy.bench.workers import Setup, running
from producer.topic_log import TopicLog

pytestmark = [
    pytest.mark.broker,
    pytest.mark.fault,
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device"),
]

REQUESTS = 120
PATIENCE = 2.0
TRIES = 3


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> BenchModel:
    return find_model(SMALL_RANDOM, scratch=tmp_path_factory.mktemp("small"), seed=1)


@dataclass(frozen=True, slots=True)
class Served:
    """Service times in milliseconds, as the results themselves say."""

    first: float
    steady: tuple[float, ...]

    @property
    def ratio(self) -> float:
        return self.first / percentile(self.steady, 0.99)


async def serve(
    kafka: KafkaSettings, model: BenchModel, log: Path, more: Mapping[str, str]
) -> Served:
    """One request at a time to a fresh worker, the first as soon as it says ready."""
    # Texts of one length: steady requests then differ by noise alone.
    texts = [text for text in distinct_addresses(4000, 3) if len(text) == 20][:REQUESTS]
    setup = Setup(environment={**model.environment, **more})
    times = []
    async with (
        topics(kafka, model.spec) as stream,
        running(setup, stream, log),
        TopicLog(stream, stream.names.parsed) as results,
        AIOKafkaProducer(**client_options(stream)) as producer,
    ):
        results.seek(await results.beginnings())
        for number, text in enumerate(texts):
            await producer.send_and_wait(stream.names.events, batch_of([text], number))
            found = await results.poll(timeout_ms=30_000)
            times.append(json.loads(found[0].value)["timing"]["service_ms"])
    return Served(times[0], tuple(times[10:]))


async def ratios(
    kafka: KafkaSettings, model: BenchModel, log: Path, *, warm_up: bool
) -> list[float]:
    more = {"MGEO_WARM_UP": str(warm_up).lower()}
    return [(await serve(kafka, model, log, more)).ratio for _ in range(TRIES)]


async def test_the_first_request_takes_at_most_twice_the_steady_p99(
    kafka: KafkaSettings, tmp_path: Path, model: BenchModel
) -> None:
    found = await ratios(kafka, model, tmp_path / "worker.log", warm_up=True)
    assert min(found) <= PATIENCE, found


async def test_without_a_warm_up_the_first_request_takes_longer_than_that(
    kafka: KafkaSettings, tmp_path: Path, model: BenchModel
) -> None:
    found = await ratios(kafka, model, tmp_path / "worker.log", warm_up=False)
    assert max(found) > PATIENCE, found
