"""Each of the four batch and device settings changes what a real worker is seen to do."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
import torch

from consumer.service.loading import model_loader
from consumer.settings import ParserSettings
from consumer.store import open_store
from consumer.store.add import add_directory
from consumer.store.first_spec import spec_of
from consumer.store.manifest import ModelSource
from contracts.control import first_state
from contracts.errors import MgeoError
from contracts.settings import KafkaSettings
from contracts.spec import ModelSpec
from producer import AddressPublisher
from tests.brokers.admin import TopicFactory
from tests.models.recording import RecordedModel
from tests.models.tiny import write_tiny_checkpoint
from tests.streams.topic import everything
from tests.streams.worker import running_worker, settings_for_tests, until_done, write_state

pytestmark = pytest.mark.broker

VERSION = "mgeo-tiny-v1-20260101"
LONG_TEXT = "浙江省杭州市余杭区文一西路" * 4


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("settings")
    add_directory(
        open_store(ParserSettings(model_store=str(folder / "store"))),
        write_tiny_checkpoint(folder / "model", seed=5),
        version=VERSION,
        source=ModelSource(kind="directory"),
        created=datetime(2026, 1, 1, tzinfo=UTC),
    )
    return str(folder / "store")


@pytest.fixture
async def stream(
    kafka: KafkaSettings, topics: TopicFactory, store: str, monkeypatch: pytest.MonkeyPatch
) -> KafkaSettings:
    monkeypatch.setenv("MGEO_MODEL_STORE", store)
    monkeypatch.setenv("MGEO_CACHE_CHARS", "0")
    names = topics.create_standard(2)
    return kafka.model_copy(update={"topic_prefix": names.prefix})


class Observed:
    """What was seen from outside: the device batches, the results, a metric."""

    def __init__(self) -> None:
        self.batches: list[tuple[int, int]] = []
        self.results: list[Any] = []
        self.counted_batches = 0.0

    @property
    def most_rows(self) -> int:
        return max(rows for rows, _ in self.batches)

    @property
    def most_tokens(self) -> int:
        """Padded, of a batch of several rows: a single row may always run."""
        return max((rows * width for rows, width in self.batches if rows > 1), default=0)

    @property
    def longest_row(self) -> int:
        return max(width for _, width in self.batches)


async def observe(stream: KafkaSettings, texts: list[str]) -> Observed:
    """Run a worker under the environment's settings over these addresses."""
    settings = settings_for_tests(version=VERSION)
    seen = Observed()
    loaded: list[RecordedModel] = []

    def load(spec: ModelSpec) -> RecordedModel:
        loaded.append(RecordedModel(model_loader(settings)(spec)))
        return loaded[-1]

    spec = spec_of(open_store(settings), VERSION, settings)
    await write_state(
        stream, first_state(spec, incarnation="test", updated_at="2026-01-01T00:00:00Z")
    )
    async with AddressPublisher(stream) as publisher:
        await publisher.publish([(str(i), text) for i, text in enumerate(texts)], batch_id="b")
    async with running_worker(stream, load=load, version=VERSION) as worker:
        await worker.ready()
        await until_done(stream)
        seen.counted_batches = await worker.metric("mgeo_device_batches_total")
    (record,) = await everything(stream, stream.names.parsed)
    seen.results = [json.loads(record.value)]
    met, *seen.batches = loaded[-1].encoder.batches
    assert met == (1, 8)  # before it is ready, a model runs once in the device thread
    assert seen.counted_batches == len(seen.batches)
    return seen


TEXTS = [f"浙江省杭州市余杭区文一西路{number}号" for number in range(100, 160)]


async def test_the_token_budget_bounds_the_padded_tokens_of_a_batch(
    stream: KafkaSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MGEO_TOKEN_BUDGET", "100")
    seen = await observe(stream, TEXTS)
    assert 50 < seen.most_tokens <= 100
    assert len(seen.batches) >= len(TEXTS) * 15 / 100


async def test_the_batch_size_bounds_the_rows_of_a_batch(
    stream: KafkaSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MGEO_BATCH_SIZE", "7")
    seen = await observe(stream, TEXTS)
    assert seen.most_rows == 7
    assert len(seen.batches) >= len(TEXTS) / 7


async def test_without_them_the_same_addresses_share_far_larger_batches(
    stream: KafkaSettings,
) -> None:
    seen = await observe(stream, TEXTS)
    assert seen.most_rows > 7
    assert seen.most_tokens > 100


async def test_the_sequence_length_cuts_a_long_address_into_windows(
    stream: KafkaSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MGEO_SEQUENCE_LENGTH", "24")
    seen = await observe(stream, [LONG_TEXT])
    assert seen.longest_row == 24
    assert sum(rows for rows, _ in seen.batches) > 2
    for component in seen.results[0]["results"][0]["components"]:
        assert LONG_TEXT[component["start"] : component["end"]] == component["text"]


async def test_with_room_for_it_a_long_address_is_one_row(stream: KafkaSettings) -> None:
    seen = await observe(stream, [LONG_TEXT])
    assert seen.batches == [(1, len(LONG_TEXT) + 2)]


async def test_the_device_is_named_in_every_result(
    stream: KafkaSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MGEO_DEVICE", "cpu")
    seen = await observe(stream, TEXTS)
    assert seen.results[0]["timing"]["device"] == "cpu"
    assert seen.results[0]["model"]["precision"] == "fp32"


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
async def test_another_device_is_named_as_well(
    stream: KafkaSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MGEO_DEVICE", "cuda:0")
    seen = await observe(stream, TEXTS)
    assert seen.results[0]["timing"]["device"] == torch.cuda.get_device_name(0)
    assert seen.results[0]["model"]["precision"] == "fp16"


def test_a_device_that_is_not_there_is_refused(store: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MGEO_MODEL_STORE", store)
    cpu = ParserSettings()
    spec = spec_of(open_store(cpu), VERSION, cpu)
    monkeypatch.setenv("MGEO_DEVICE", "cuda:99")
    with pytest.raises(MgeoError) as refusal:
        model_loader(settings_for_tests(version=VERSION))(spec)
    assert refusal.value.code == "device_not_found"


async def test_a_worker_says_ready_only_after_its_warm_up(
    stream: KafkaSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    shapes: dict[str, int] = {}
    for switch in ("true", "false"):
        monkeypatch.setenv("MGEO_WARM_UP", switch)
        shapes[switch] = await shapes_before_ready(stream)
    assert shapes["true"] >= 6
    assert shapes["false"] == 0


async def shapes_before_ready(stream: KafkaSettings) -> int:
    """How many different batch shapes had run when the worker first said ready."""
    from consumer.parser.encoder import TorchEncoder

    settings = settings_for_tests(version=VERSION)
    spec = spec_of(open_store(settings), VERSION, settings)
    await write_state(
        stream, first_state(spec, incarnation="test", updated_at="2026-01-01T00:00:00Z")
    )
    shapes: set[tuple[int, ...]] = set()
    real = TorchEncoder.encode

    def watched(self: TorchEncoder, token_ids: Any, lengths: Any) -> Any:
        shapes.add(token_ids.shape)
        return real(self, token_ids, lengths)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TorchEncoder, "encode", watched)
        async with running_worker(stream, load=model_loader(settings), version=VERSION) as worker:
            await worker.ready()
            return len(shapes)
