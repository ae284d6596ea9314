"""The first request after readiness is served like those after it, thanks to the warm-up.

The network is real; the first call's price, which on a GPU is seconds and on a CPU hardly
anything, is put into its encoder. Ratios within one run are judged, three tries for each
claim: a busy machine stalls single requests.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
import pytest
from aiokafka import AIOKafkaProducer
from numpy.typing import NDArray

import consumer.parser.model
from consumer.parser.encoder import TorchEncoder
from consumer.parser.seams import Scores, TokenIds
from consumer.service.loading import model_loader
from consumer.settings import ParserSettings
from consumer.store import open_store
from consumer.store.add import add_directory
from consumer.store.first_spec import spec_of
from consumer.store.manifest import ModelSource
from contracts.control import first_state
from contracts.settings import KafkaSettings, client_options
from deploy.bench.figures import percentile
from deploy.bench.stream import batch_of
from producer.topic_log import TopicLog
from tests.brokers.admin import TopicFactory
from tests.models.tiny import write_tiny_checkpoint
from tests.streams.worker import running_worker, settings_for_tests, write_state

pytestmark = pytest.mark.broker

VERSION = "mgeo-tiny-v1-20260101"
FIRST_CALL_S = 3.0
REQUESTS = 60
MOST = 2.0
TRIES = 3


class ColdEncoder(TorchEncoder):
    """The real one on a device whose very first call is expensive."""

    _warm = False

    def encode(self, token_ids: TokenIds, lengths: NDArray[np.int64]) -> Scores:
        if not self._warm:
            self._warm = True
            time.sleep(FIRST_CALL_S)
        return super().encode(token_ids, lengths)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("first-request")
    add_directory(
        open_store(ParserSettings(model_store=str(folder / "store"))),
        write_tiny_checkpoint(folder / "model", seed=5),
        version=VERSION,
        source=ModelSource(kind="directory"),
        created=datetime(2026, 1, 1, tzinfo=UTC),
    )
    return str(folder / "store")


@pytest.fixture(autouse=True)
def _cold_device(store: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MGEO_MODEL_STORE", store)
    monkeypatch.setattr(consumer.parser.model, "TorchEncoder", ColdEncoder)


@dataclass(frozen=True, slots=True)
class Served:
    """Service times in milliseconds, as the results themselves say."""

    first: float
    steady: tuple[float, ...]

    @property
    def ratio(self) -> float:
        return self.first / percentile(self.steady, 0.99)


async def serve(kafka: KafkaSettings, topics: TopicFactory, *, warm_up: bool) -> Served:
    """One request at a time, the first as soon as the worker says ready."""
    stream = kafka.model_copy(update={"topic_prefix": topics.create_standard(1).prefix})
    settings = settings_for_tests(version=VERSION, warm_up=warm_up)
    spec = spec_of(open_store(settings), VERSION, settings)
    state = first_state(spec, incarnation="test", updated_at="2026-01-01T00:00:00Z")
    await write_state(stream, state)
    times = []
    async with (
        running_worker(
            stream, load=model_loader(settings), version=VERSION, warm_up=warm_up
        ) as worker,
        TopicLog(stream, stream.names.parsed) as results,
        AIOKafkaProducer(**client_options(stream)) as producer,
    ):
        results.seek(await results.beginnings())
        await worker.ready()
        for number in range(REQUESTS):
            record = batch_of([f"杭州市文一西路{number + 100}号"], number)
            await producer.send_and_wait(stream.names.events, record)
            (found,) = await results.poll(timeout_ms=30_000)
            times.append(json.loads(found.value)["timing"]["service_ms"])
    return Served(times[0], tuple(times[5:]))


async def test_the_first_request_takes_at_most_twice_the_steady_p99(
    kafka: KafkaSettings, topics: TopicFactory
) -> None:
    ratios = []
    while len(ratios) < TRIES and min(ratios, default=MOST + 1) > MOST:
        ratios.append((await serve(kafka, topics, warm_up=True)).ratio)
    assert min(ratios) <= MOST, ratios


async def test_without_a_warm_up_it_takes_longer_than_that(
    kafka: KafkaSettings, topics: TopicFactory
) -> None:
    ratios = []
    while len(ratios) < TRIES and max(ratios, default=0.0) <= MOST:
        ratios.append((await serve(kafka, topics, warm_up=False)).ratio)
    assert max(ratios) > MOST, ratios
