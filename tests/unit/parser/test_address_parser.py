"""``AddressParser``: from Python to results, without Kafka."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from consumer.address_parser import AddressParser
from consumer.parser.model import MgeoModel, load_model
from consumer.parser.opening import open_model, open_spec
from consumer.parser.seams import DeviceLostError, DeviceOutOfMemoryError, Scores, TokenIds
from consumer.settings import ParserSettings
from consumer.store import open_store
from consumer.store.manifest import ModelSource
from consumer.store.release import describe_release
from contracts.errors import FatalError, UsageError
from contracts.events import AddressResult
from contracts.limits import Limits
from tests.models.tagging import ADDRESSES, entities_of, text_of, write_tagging_checkpoint
from tests.models.tiny import write_tiny_checkpoint

VERSION = "mgeo-test-v1-20260101"
TEXTS = [text_of(address) for address in ADDRESSES]


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tagging_checkpoint(tmp_path_factory.mktemp("m") / "tagging", safetensors=True)


@pytest.fixture(scope="module")
def stored(directory: Path, tmp_path_factory: pytest.TempPathFactory) -> ParserSettings:
    root = tmp_path_factory.mktemp("store")
    settings = ParserSettings(
        device="cpu", model_store=str(root / "store"), model_cache=root / "cache", version=VERSION
    )
    for version, day in ((VERSION, 1), ("mgeo-test-v2-20260201", 2)):
        manifest = describe_release(
            directory,
            version=version,
            source=ModelSource(kind="modelscope", hub_id="damo/mgeo_test", revision="v1"),
            created=datetime(2026, day, 1, tzinfo=UTC),
        )
        open_store(settings).put(directory, manifest)
    return settings


@pytest.fixture(scope="module")
def parser(stored: ParserSettings) -> AddressParser:
    return AddressParser.load(settings=stored)


def entities(result: AddressResult) -> list[tuple[str, int, int]]:
    return [(c.type, c.start, c.end) for c in result.components]


def test_one_address_gives_its_components_and_its_completed_flat_view(
    parser: AddressParser,
) -> None:
    result = parser.parse("北京市海淀区中关村大街1号")
    assert result.status == "ok"
    assert result.address == {
        "prov": "北京市",
        "city": "北京市",
        "district": "海淀区",
        "road": "中关村大街",
        "roadno": "1号",
    }
    assert result.inferred == ("prov",)
    assert result.adcode == "110108"
    assert result.issues == ()
    assert result.confidence is not None
    assert result.confidence > 0.9
    assert all(result.text[c.start : c.end] == c.text for c in result.components if result.text)


def test_many_addresses_come_back_in_their_order(parser: AddressParser) -> None:
    texts = TEXTS * 30 + TEXTS[::-1]
    results = parser.parse(texts)
    assert [result.text for result in results] == texts
    assert [result.id for result in results] == [f"#{i}" for i in range(len(texts))]
    expected = {text_of(address): entities_of(address) for address in ADDRESSES}
    assert all(entities(result) == expected[result.text or ""] for result in results)


def test_each_bad_address_is_an_error_of_its_own(stored: ParserSettings) -> None:
    small = stored.model_copy(update={"limits": Limits(max_address_chars=40)})
    bad: list[Any] = ["", "  \u3000\u200b", "路" * 41, "北\ud800京", None, 7]
    mixed = [part for item in bad for part in (TEXTS[0], item)]
    results = AddressParser.load(settings=small).parse(mixed)
    assert [entities(r) for r in results[::2]] == [entities_of(ADDRESSES[0])] * len(bad)
    assert [(r.status, r.error) for r in results[1::2]] == [
        ("error", "empty_text"),
        ("error", "empty_text"),
        ("error", "text_too_long"),
        ("error", "bad_text"),
        ("error", "bad_text"),
        ("error", "bad_text"),
    ]
    assert all(AddressResult.model_validate_json(r.model_dump_json()) == r for r in results)


def test_a_result_of_too_many_components_is_an_error(stored: ParserSettings) -> None:
    few = stored.model_copy(update={"limits": Limits(max_components=4)})
    results = AddressParser.load(settings=few).parse([TEXTS[0], TEXTS[2]])
    assert [result.error for result in results] == [None, "result_too_large"]


def test_a_list_of_100_is_at_least_3_times_as_fast_as_one_by_one(tmp_path: Path) -> None:
    directory = write_tiny_checkpoint(tmp_path / "tiny", seed=5)
    parser = AddressParser.from_directory(directory, settings=ParserSettings(device="cpu"))
    texts = [f"{TEXTS[i % len(TEXTS)]}{i}号" for i in range(100)]

    def seconds(work: Callable[[], object]) -> float:
        best = float("inf")
        for _ in range(3):
            # Of this process alone: other work on the machine must not decide the test.
            started = time.process_time()
            work()
            best = min(best, time.process_time() - started)
        return best

    together = seconds(lambda: parser.parse(texts))
    one_by_one = seconds(lambda: [parser.parse(text) for text in texts])
    assert one_by_one >= 3 * together


def test_stream_takes_its_input_in_bounded_portions(parser: AddressParser) -> None:
    taken = 0

    def endless() -> Iterator[str]:
        nonlocal taken
        while True:
            taken += 1
            yield TEXTS[taken % len(TEXTS)]

    results = parser.stream(endless())
    first = [next(results) for _ in range(10)]
    assert [r.id for r in first] == [f"#{i}" for i in range(10)]
    assert taken <= 4096


class RecordingEncoder:
    """An encoder that answers with "O" everywhere and has memory for so many tokens."""

    device_name = "recording"
    max_padding_waste = 0.1

    def __init__(self, memory: int) -> None:
        self.memory = memory
        self.shapes: list[tuple[int, int]] = []

    def now_s(self) -> float:
        return time.monotonic()

    def encode(self, token_ids: TokenIds, lengths: np.ndarray[Any, Any]) -> Scores:
        if token_ids.size > self.memory:
            raise DeviceOutOfMemoryError("no memory")
        self.shapes.append((token_ids.shape[0], token_ids.shape[1]))
        scores = np.full((*token_ids.shape, 57), -5, dtype=np.float32)
        scores[:, :, 0] = 5
        return scores

    def warm_up(self, sequence_length: int) -> None:
        return None


def with_encoder(
    directory: Path, encoder: RecordingEncoder, settings: ParserSettings
) -> AddressParser:
    model = load_model(directory, version=VERSION, digest="sha256:" + "0" * 64, settings=settings)
    model._encoder = encoder
    return AddressParser(model, settings)


def test_batches_keep_the_token_budget_and_the_batch_size(directory: Path) -> None:
    for token_budget, batch_size in ((64, 256), (4096, 5)):
        encoder = RecordingEncoder(memory=10**9)
        settings = ParserSettings(device="cpu", token_budget=token_budget, batch_size=batch_size)
        texts = [f"{TEXTS[i % len(TEXTS)]}{i}" for i in range(60)]
        with_encoder(directory, encoder, settings).parse(texts)
        assert sum(rows for rows, _ in encoder.shapes) == len(texts)
        assert all(rows <= batch_size for rows, _ in encoder.shapes)
        assert all(rows == 1 or rows * width <= token_budget for rows, width in encoder.shapes)


class FailsOnLong(RecordingEncoder):
    """Raises whatever it is told for a batch with a row of at least so many tokens."""

    def __init__(self, tokens: int, error: Exception) -> None:
        super().__init__(memory=10**9)
        self.tokens, self.error = tokens, error

    def encode(self, token_ids: TokenIds, lengths: np.ndarray[Any, Any]) -> Scores:
        if lengths.max() >= self.tokens:
            raise self.error
        return super().encode(token_ids, lengths)


def test_what_the_network_cannot_score_is_an_error_and_costs_the_others_nothing(
    directory: Path,
) -> None:
    encoder = FailsOnLong(60, RuntimeError("index out of range"))
    settings = ParserSettings(device="cpu")
    texts = [TEXTS[0], TEXTS[2] * 5, TEXTS[1]]
    results = with_encoder(directory, encoder, settings).parse(texts)
    assert [one.status for one in results] == ["ok", "error", "ok"]
    assert results[1].error == "model_error"


def test_a_lost_device_is_no_fault_of_an_address(directory: Path) -> None:
    encoder = FailsOnLong(1, DeviceLostError("gone"))
    with pytest.raises(DeviceLostError):
        with_encoder(directory, encoder, ParserSettings(device="cpu")).parse(TEXTS[0])


def test_the_sequence_length_bounds_what_the_network_sees(directory: Path) -> None:
    encoder = RecordingEncoder(memory=10**9)
    settings = ParserSettings(device="cpu", sequence_length=16)
    [result] = with_encoder(directory, encoder, settings).parse([TEXTS[2] * 3])
    assert result.status == "ok"
    assert max(width for _, width in encoder.shapes) == 16


def test_running_out_of_memory_costs_only_the_address_that_cannot_fit(directory: Path) -> None:
    encoder = RecordingEncoder(memory=40)
    parser = with_encoder(directory, encoder, ParserSettings(device="cpu", sequence_length=512))
    results = parser.parse([TEXTS[0], TEXTS[2] * 3, TEXTS[1]])
    assert [r.error for r in results] == [None, "device_out_of_memory", None]


def test_a_version_may_name_its_precision_or_be_a_hub_id(stored: ParserSettings) -> None:
    model = open_model(f"{VERSION}@fp32", stored)
    assert model.spec.name == f"{VERSION}@fp32"
    assert open_model("damo/mgeo_test", stored).spec.version == "mgeo-test-v2-20260201"
    assert open_model("iic/mgeo_test", stored).spec.version == "mgeo-test-v2-20260201"
    for name, code in (
        (f"{VERSION}@fp16", "bad_precision"),
        ("mgeo-none-v1-20260101", "unknown_version"),
        ("damo/other", "unknown_version"),
        ("nonsense", "bad_version"),
    ):
        with pytest.raises(UsageError) as caught:
            open_model(name, stored)
        assert caught.value.code == code


def test_a_spec_opens_only_with_its_own_weights(stored: ParserSettings) -> None:
    spec = open_model(VERSION, stored).spec
    assert open_spec(spec, stored).spec == spec
    with pytest.raises(FatalError) as caught:
        open_spec(spec.model_copy(update={"digest": "sha256:" + "1" * 64}), stored)
    assert caught.value.code == "model_digest_mismatch"


def test_the_fingerprint_follows_all_that_a_result_depends_on(
    directory: Path, tmp_path: Path
) -> None:
    import shutil

    def loaded(path: Path, **changes: Any) -> MgeoModel:
        settings = ParserSettings(device="cpu", **changes)
        return load_model(path, version=VERSION, digest="sha256:" + "0" * 64, settings=settings)

    original = loaded(directory).spec.fingerprint
    assert loaded(directory).spec.fingerprint == original
    assert loaded(directory, token_budget=64).spec.fingerprint == original
    assert loaded(directory, sequence_length=64).spec.fingerprint != original
    for name, content in (
        ("calibration.json", '{"temperature": 1.5}'),
        ("tokenizer_config.json", '{"do_lower_case": false}'),
    ):
        copy = tmp_path / name
        shutil.copytree(directory, copy)
        (copy / name).write_text(content)
        assert loaded(copy).spec.fingerprint != original
    (copy / "calibration.json").write_text('{"temperature": 0}')
    with pytest.raises(UsageError) as caught:
        loaded(copy)
    assert caught.value.code == "bad_calibration"


def test_a_higher_temperature_lowers_confidence_and_changes_no_span(
    directory: Path, tmp_path: Path
) -> None:
    import shutil

    shutil.copytree(directory, tmp_path / "warm")
    (tmp_path / "warm" / "calibration.json").write_text('{"temperature": 3.0}')
    settings = ParserSettings(device="cpu")
    cold = AddressParser.from_directory(directory, settings=settings).parse(TEXTS[2])
    warm = AddressParser.from_directory(tmp_path / "warm", settings=settings).parse(TEXTS[2])
    assert entities(cold) == entities(warm)
    assert cold.confidence is not None
    assert warm.confidence is not None
    assert warm.confidence < cold.confidence
    assert warm.confidence <= min(component.confidence for component in warm.components)


@pytest.mark.parametrize(
    ("device", "code"),
    [("cuda:99", "device_not_found"), ("tpu", "bad_device"), ("", "bad_device")],
)
def test_a_device_that_is_not_there_is_refused_by_name(
    directory: Path, device: str, code: str
) -> None:
    with pytest.raises(UsageError) as caught:
        AddressParser.from_directory(directory, settings=ParserSettings(device=device))
    assert caught.value.code == code
