"""Our forward pass is transformers' own, to rounding, and nothing else is imported for it."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from consumer.parser.architecture import ACTIVATIONS
from consumer.parser.checkpoint import build_network, read_checkpoint
from consumer.parser.encoder import TorchEncoder
from consumer.parser.network import (
    TaggingNetwork,
    _PackedProduct,
    padded_rows,
    without_python,
)
from consumer.parser.seams import DeviceLostError, DeviceOutOfMemoryError
from consumer.parser.tiles import TILE_TOKENS, Tile, Tiles, run_tile
from contracts.errors import UsageError
from tests.models.tiny import write_tiny_checkpoint
from tests.unit.parser.test_checkpoint import edit_json

LENGTHS = np.array([17, 3, 11, 2])


def batch() -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(1)
    ids = generator.integers(5, 500, size=(len(LENGTHS), LENGTHS.max()))
    real = np.arange(ids.shape[1]) < LENGTHS[:, None]
    return np.where(real, ids, 0), real


def rows_multiplied(network: TaggingNetwork) -> set[int]:
    """Grows by the number of rows of every product from here on; the network is packed."""
    seen: set[int] = set()
    for module in network.modules():
        if isinstance(module, _PackedProduct):
            module.register_forward_hook(lambda _, given, __: seen.add(given[0].shape[0]))
    return seen


@pytest.fixture
def in_python(monkeypatch: pytest.MonkeyPatch) -> None:
    """The network stays Python's, where hooks see what happens."""
    monkeypatch.setattr("consumer.parser.encoder.without_python", lambda network: network)


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_scores_equal_those_of_transformers(tmp_path: Path, activation: str) -> None:
    directory = write_tiny_checkpoint(
        tmp_path / "model", seed=9, hidden=64, layers=3, scale=0.1, mgeo_keys=False
    )
    edit_json(directory / "config.json", hidden_act=activation)
    checkpoint = read_checkpoint(directory)
    ids, real = batch()
    with torch.inference_mode():
        expected = build_network(checkpoint)(
            input_ids=torch.from_numpy(ids), attention_mask=torch.from_numpy(real).long()
        ).logits.numpy()
    encoder = TorchEncoder(
        TaggingNetwork(checkpoint.weights, checkpoint.architecture),
        device=torch.device("cpu"),
        precision="fp32",
    )
    scores = encoder.encode(ids, LENGTHS)
    assert scores.dtype == np.float32
    assert np.abs(expected[real]).max() > 0.05
    assert np.abs(scores - expected)[real].max() < 1e-5


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_packing_the_weights_changes_the_scores_by_rounding_alone(
    tmp_path: Path, activation: str
) -> None:
    directory = write_tiny_checkpoint(tmp_path / "model", seed=9, hidden=64, scale=0.1)
    edit_json(directory / "config.json", hidden_act=activation)
    checkpoint = read_checkpoint(directory)
    plain = TaggingNetwork(checkpoint.weights, checkpoint.architecture)
    packed = TaggingNetwork(checkpoint.weights, checkpoint.architecture)
    packed.pack_for_cpu()
    packed.pack_for_cpu()
    ids = torch.from_numpy(batch()[0])
    with torch.inference_mode():
        assert torch.allclose(plain(ids, None), packed(ids, None), atol=1e-6)


@pytest.mark.usefixtures("in_python")
def test_the_cpu_multiplies_few_numbers_of_rows_whatever_the_batches_are(tmp_path: Path) -> None:
    """Each has a kernel of its own, made once and kept: a new one for every batch costs both."""
    checkpoint = read_checkpoint(write_tiny_checkpoint(tmp_path / "model", seed=9))
    network = TaggingNetwork(checkpoint.weights, checkpoint.architecture)
    network.pack_for_cpu()
    assert network.packed
    seen = rows_multiplied(network)
    encoder = TorchEncoder(network, device=torch.device("cpu"), precision="fp32")
    shapes = [(rows, length) for rows in range(1, 30) for length in range(2, 24, 3)]
    for rows, length in shapes:
        scores = encoder.encode(
            np.ones((rows, length), dtype=np.int64), np.full(rows, length, dtype=np.int64)
        )
        assert scores.shape[:2] == (rows, length)

    tokens = {rows * length for rows, length in shapes}
    assert len(tokens) > 100
    assert seen == {padded_rows(one) for one in tokens}
    assert len(seen) < 40


@pytest.mark.usefixtures("in_python")
def test_the_cpu_multiplies_what_is_no_padding(tmp_path: Path) -> None:
    """A record's addresses differ in length: a third of its rectangle is nothing at all."""
    checkpoint = read_checkpoint(write_tiny_checkpoint(tmp_path / "model", seed=9))
    network = TaggingNetwork(checkpoint.weights, checkpoint.architecture)
    encoder = TorchEncoder(network, device=torch.device("cpu"), precision="fp32")
    seen = rows_multiplied(network)
    lengths = np.array([17, *[2] * 15])
    ids = np.ones((len(lengths), 17), dtype=np.int64)
    alone = [encoder.encode(ids[:1, :length], np.array([length]))[0] for length in (17, 2)]
    seen.clear()
    scores = encoder.encode(ids, lengths)
    assert seen == {padded_rows(17 + 15 * 2)}
    assert np.abs(scores[0] - alone[0]).max() < 1e-5
    assert np.abs(scores[1:, :2] - alone[1]).max() < 1e-5
    assert not scores[1:, 2:].any()


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_python_waits_once_for_a_batch_and_the_scores_are_the_same(
    tmp_path: Path, activation: str
) -> None:
    directory = write_tiny_checkpoint(tmp_path / "model", seed=9, hidden=64, scale=0.1)
    edit_json(directory / "config.json", hidden_act=activation)
    checkpoint = read_checkpoint(directory)
    network = TaggingNetwork(checkpoint.weights, checkpoint.architecture)
    network.pack_for_cpu()
    with torch.inference_mode():
        script = without_python(network)
        assert isinstance(script, torch.jit.ScriptModule)
        ids, real = batch()
        for rows in (1, 2, 4, 3, 4):  # new shapes are no new kernels, and no others
            given = torch.from_numpy(ids[:rows])
            places = torch.from_numpy(np.flatnonzero(real[:rows]))
            assert torch.equal(script(given, None, None), network(given, None, None))
            assert torch.equal(script(given, None, places), network(given, None, places))


def test_without_torchscript_the_network_itself_serves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(_: object) -> None:
        raise RuntimeError("not in this torch any more")

    monkeypatch.setattr(torch.jit, "script", gone)
    checkpoint = read_checkpoint(write_tiny_checkpoint(tmp_path / "model", seed=9))
    network = TaggingNetwork(checkpoint.weights, checkpoint.architecture)
    network.pack_for_cpu()
    assert without_python(network) is network


@given(st.integers(1, 16_384))
def test_rows_are_rounded_up_a_little(rows: int) -> None:
    padded = padded_rows(rows)
    assert rows <= padded < rows + 64
    assert padded - rows <= max(7, rows / 4)
    assert padded_rows(padded) == padded


def test_an_unknown_activation_is_refused(tmp_path: Path) -> None:
    directory = write_tiny_checkpoint(tmp_path / "model", seed=9)
    edit_json(directory / "config.json", hidden_act="swish2")
    with pytest.raises(UsageError) as caught:
        read_checkpoint(directory)
    assert caught.value.code == "bad_model_config"


def test_a_layer_count_beyond_the_weights_is_refused_at_once(tmp_path: Path) -> None:
    directory = write_tiny_checkpoint(tmp_path / "model", seed=9)
    edit_json(directory / "config.json", num_hidden_layers=10**9, fusion_layer=10**9)
    with pytest.raises(UsageError) as caught:
        read_checkpoint(directory)
    assert caught.value.code == "bad_weights"


def test_warm_up_runs_full_and_padded_shapes_up_to_the_longest(tmp_path: Path) -> None:
    checkpoint = read_checkpoint(write_tiny_checkpoint(tmp_path / "m", seed=9, positions=40))
    network = TaggingNetwork(checkpoint.weights, checkpoint.architecture)
    seen: list[tuple[int, int, bool]] = []
    network.register_forward_pre_hook(
        lambda _, inputs: seen.append((*inputs[0].shape, inputs[1] is not None))
    )
    TorchEncoder(network, device=torch.device("cpu"), precision="fp32").warm_up(512)
    assert max(width for _, width, _ in seen) == 40
    assert {padded for _, _, padded in seen} == {False, True}
    assert all(rows * width <= 512 for rows, width, _ in seen)


@pytest.mark.usefixtures("in_python")
@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("[enforce fail] DefaultCPUAllocator: can't allocate memory", DeviceOutOfMemoryError),
        ("CUDA error: CUBLAS_STATUS_ALLOC_FAILED", DeviceOutOfMemoryError),
        ("CUDA error: out of memory", DeviceOutOfMemoryError),
        ("CUDA error: an illegal memory access was encountered", DeviceLostError),
        ("the shapes do not fit", RuntimeError),
    ],
)
def test_memory_that_runs_out_and_a_broken_device_have_their_own_errors(
    tmp_path: Path, message: str, expected: type[Exception]
) -> None:
    checkpoint = read_checkpoint(write_tiny_checkpoint(tmp_path / "model", seed=9))
    network = TaggingNetwork(checkpoint.weights, checkpoint.architecture)
    encoder = TorchEncoder(network, device=torch.device("cpu"), precision="fp32")
    ids, _ = batch()

    def fail(*_: object) -> None:
        raise RuntimeError(message)

    handle = network.register_forward_pre_hook(fail)
    with pytest.raises(expected):
        encoder.encode(ids, LENGTHS)
    handle.remove()
    assert encoder.encode(ids, LENGTHS).shape == (4, 17, 57)


@pytest.mark.skipif(
    time.get_clock_info("thread_time").resolution > 1e-6, reason="no fine clock of a thread"
)
def test_on_the_cpu_a_model_is_not_charged_for_the_time_that_others_have(tmp_path: Path) -> None:
    checkpoint = read_checkpoint(write_tiny_checkpoint(tmp_path / "model", seed=9))
    network = TaggingNetwork(checkpoint.weights, checkpoint.architecture)
    encoder = TorchEncoder(network, device=torch.device("cpu"), precision="fp32")
    ids, _ = batch()
    began = encoder.now_s()
    encoder.encode(ids, LENGTHS)
    assert encoder.now_s() > began, "its own work counts"
    began, wall = encoder.now_s(), time.monotonic()
    time.sleep(0.1)  # what being kept off the core looks like from within
    assert encoder.now_s() - began < 0.05
    assert time.monotonic() - wall >= 0.1, "the wall's clock would have charged it"


def test_serving_a_model_imports_neither_transformers_nor_modelscope() -> None:
    code = (
        "import sys, consumer.address_parser, consumer.parser.model;"
        "print(sorted({'transformers', 'modelscope', 'aiokafka'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=Path(__file__).resolve().parents[3],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(("rows", "width"), [(1, 7), (1, 128), (70, 20), (9, 130), (200, 33)])
def test_tiles_have_the_scores_of_the_whole_batch(tmp_path: Path, rows: int, width: int) -> None:
    """What is recorded on CUDA, computed on the CPU: a tile's run is then a plain call."""
    checkpoint = read_checkpoint(
        write_tiny_checkpoint(tmp_path / "m", seed=9, hidden=64, scale=0.1, positions=130)
    )
    multiplied: set[int] = set()
    network = TaggingNetwork(checkpoint.weights, checkpoint.architecture)
    network.product_rows = TILE_TOKENS
    network.classifier.register_forward_hook(lambda _, given, __: multiplied.add(len(given[0])))

    def tile(rows: int, width: int) -> Tile:
        inputs = torch.full((rows, width + 1), 7, dtype=torch.int32)
        scores = torch.full((rows, width, len(network.classifier.bias)), torch.nan)
        run = partial(run_tile, network, inputs, scores)
        return Tile(run, inputs.numpy(), scores.numpy())

    generator = np.random.default_rng(1)
    lengths = generator.integers(1, width + 1, size=rows)
    lengths[rows // 2] = width
    real = np.arange(width) < lengths[:, None]
    ids = np.where(real, generator.integers(5, 500, size=(rows, width)), 0)
    expected = TorchEncoder(
        TaggingNetwork(checkpoint.weights, checkpoint.architecture),
        device=torch.device("cpu"),
        precision="fp32",
    ).encode(ids, lengths)
    with torch.inference_mode():
        tiles = Tiles(tile, positions=130)
        for _ in range(2):  # nothing of the last batch is left over
            scores = tiles.scores(ids, lengths)
            assert scores.shape == expected.shape
            assert np.abs(scores - expected)[real].max() < 1e-5
    assert np.abs(expected[real]).max() > 0.05
    assert multiplied == {TILE_TOKENS}


def test_tiles_have_few_widths_and_none_that_the_network_does_not_know() -> None:
    def none_is_made(rows: int, width: int) -> Tile:
        raise AssertionError(rows, width)

    tiles = Tiles(none_is_made, positions=30)
    assert tiles.widths(20) == [8, 16, 24]
    assert tiles.widths(30) == [8, 16, 24, 25, 26, 27, 28, 29, 30]


@pytest.mark.gpu
class TestOnCuda:
    """Half precision on a CUDA device; skipped by name where there is none."""

    pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")

    @pytest.mark.parametrize("precision", ["fp16", "bf16", "fp32"])
    def test_scores_are_those_of_the_cpu_to_half_precision(
        self, tmp_path: Path, precision: str
    ) -> None:
        checkpoint = read_checkpoint(
            write_tiny_checkpoint(tmp_path / "model", seed=9, hidden=64, layers=3, scale=0.1)
        )

        def encoder(device: str, chosen: str) -> TorchEncoder:
            network = TaggingNetwork(checkpoint.weights, checkpoint.architecture)
            return TorchEncoder(network, device=torch.device(device), precision=chosen)  # type: ignore[arg-type]  # the parameters above

        ids, real = batch()
        on_device = encoder("cuda:0", precision)
        assert on_device.device_name != "cpu"
        on_device.warm_up(64)
        scores = on_device.encode(ids, LENGTHS)
        expected = encoder("cpu", "fp32").encode(ids, LENGTHS)
        assert scores.shape == expected.shape
        tolerance = 1e-4 if precision == "fp32" else 0.05
        assert np.abs(scores - expected)[real].max() < tolerance

    def test_attention_builds_no_plan_for_each_new_shape(self, tmp_path: Path) -> None:
        checkpoint = read_checkpoint(write_tiny_checkpoint(tmp_path / "model", seed=9))
        network = TaggingNetwork(checkpoint.weights, checkpoint.architecture)
        torch.backends.cuda.enable_cudnn_sdp(True)
        encoder = TorchEncoder(network, device=torch.device("cuda:0"), precision="fp16")
        ids, _ = batch()
        with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as seen:
            encoder.encode(ids, LENGTHS)
        called = {event.key for event in seen.key_averages()}
        assert "aten::scaled_dot_product_attention" in called
        assert not any("cudnn_attention" in name for name in called), called

    def test_a_row_has_the_same_scores_in_any_company(self, tmp_path: Path) -> None:
        checkpoint = read_checkpoint(write_tiny_checkpoint(tmp_path / "model", seed=9, hidden=768))
        network = TaggingNetwork(checkpoint.weights, checkpoint.architecture)
        encoder = TorchEncoder(network, device=torch.device("cuda:0"), precision="fp16")
        generator = np.random.default_rng(1)
        watched = generator.integers(5, 500, size=(1, 9))
        seen = set()
        for rows in (1, 2, 3, 7, 30, 100, 300):
            for width in (9, 16, 17, 30, 60):
                ids = generator.integers(5, 500, size=(rows, width))
                lengths = generator.integers(1, width + 1, size=rows)
                place = int(generator.integers(rows))
                ids[place, :9], lengths[place] = watched, 9
                lengths[(place + 1) % rows] = width if rows > 1 else 9
                scores = encoder.encode(ids[:, : lengths.max()], lengths)
                seen.add(scores[place, :9].tobytes())
        assert len(seen) == 1

    def test_a_model_is_recorded_while_another_one_serves(self, tmp_path: Path) -> None:
        checkpoint = read_checkpoint(write_tiny_checkpoint(tmp_path / "model", seed=9))

        def encoder() -> TorchEncoder:
            network = TaggingNetwork(checkpoint.weights, checkpoint.architecture)
            return TorchEncoder(network, device=torch.device("cuda:0"), precision="fp16")

        serving = encoder()
        serving.warm_up(64)
        ids, real = batch()
        expected = serving.encode(ids, LENGTHS)[real].tobytes()
        ended = threading.Event()

        def serve() -> set[bytes]:
            found = set()
            while not ended.is_set():
                found.add(serving.encode(ids, LENGTHS)[real].tobytes())
            return found

        with ThreadPoolExecutor() as pool:
            served = pool.submit(serve)
            try:
                for _ in range(3):
                    loaded = encoder()
                    loaded.warm_up(64)
                    assert loaded.encode(ids, LENGTHS)[real].tobytes() == expected
            finally:
                ended.set()
            assert served.result() == {expected}

    def test_memory_that_is_missing_is_said_so_and_the_next_batch_runs(
        self, tmp_path: Path
    ) -> None:
        checkpoint = read_checkpoint(write_tiny_checkpoint(tmp_path / "model", seed=9))
        network = TaggingNetwork(checkpoint.weights, checkpoint.architecture)
        encoder = TorchEncoder(network, device=torch.device("cuda:0"), precision="fp16")
        ids, _ = batch()
        torch.cuda.empty_cache()
        torch.cuda.set_per_process_memory_fraction(0.0)
        try:
            with pytest.raises(DeviceOutOfMemoryError):
                encoder.encode(ids, LENGTHS)
        finally:
            torch.cuda.set_per_process_memory_fraction(1.0)
        assert encoder.encode(ids, LENGTHS).shape == (4, 17, 57)
