"""A model that does not fit is refused before it is loaded."""

from __future__ import annotations

from pathlib import Path

import psutil
import pytest

from consumer.parser.seams import DeviceOutOfMemoryError
from consumer.service.loading import model_loader
from consumer.service.memory import Free, Need, check_fits, free_host_bytes, need_of
from consumer.store import open_store
from consumer.store.first_spec import spec_of
from consumer.stream.residency import refusal_code
from contracts.errors import FatalError
from tests.streams.worker import settings_for_tests


@pytest.mark.parametrize(
    ("need", "free", "fits"),
    [
        (Need(100), Free(100), True),
        (Need(101), Free(100), False),
        (Need(100, 50), Free(100, 50), True),
        (Need(100, 51), Free(100, 50), False),
        (Need(100, 50), Free(None, None), True),
    ],
)
def test_a_model_fits_when_every_place_has_room_for_it(need: Need, free: Free, fits: bool) -> None:
    if fits:
        check_fits(need, free, version="v")
        return
    with pytest.raises(FatalError) as refused:
        check_fits(need, free, version="v")
    assert refused.value.code == "model_too_large"


def test_half_precision_halves_the_weights_on_the_device_and_the_cpu_needs_no_device() -> None:
    none, whole, half = (
        need_of(parameters, on_cuda=True, half=half).device
        for parameters, half in ((0, False), (1_000_000, False), (1_000_000, True))
    )
    assert whole - none == 2 * (half - none) > 4_000_000
    assert none > 0, "a tile and the recordings"
    assert need_of(1_000_000, on_cuda=False, half=False).device == 0
    hosts = {need_of(1_000_000, on_cuda=True, half=half).host for half in (False, True)}
    assert len(hosts) == 1
    assert hosts.pop() >= 2 * 4_000_000, "the file and the network at once"


def test_the_limit_of_a_container_counts_and_its_cached_files_are_free(tmp_path: Path) -> None:
    (tmp_path / "memory.max").write_text("1000000\n")
    (tmp_path / "memory.current").write_text("900000\n")
    (tmp_path / "memory.stat").write_text("anon 800000\ninactive_file 50000\n")
    assert free_host_bytes(tmp_path) == 150_000
    (tmp_path / "memory.max").write_text("max\n")
    machine = psutil.virtual_memory()
    assert 0 < free_host_bytes(tmp_path) <= machine.total
    assert 0 < free_host_bytes(tmp_path / "nowhere") <= machine.total


def test_a_real_release_is_refused_where_there_is_no_room_and_loaded_where_there_is() -> None:
    settings = settings_for_tests(device="cpu", warm_up=False)
    spec = spec_of(open_store(settings), "mgeo-starter-v2-20261015", settings)
    with pytest.raises(FatalError) as refused:
        model_loader(settings, lambda: Free(1_000_000))(spec)
    assert refusal_code(refused.value) == "model_too_large"
    assert model_loader(settings, lambda: Free(1 << 40))(spec).spec == spec


def test_every_way_of_running_out_has_the_same_name() -> None:
    assert refusal_code(MemoryError()) == "model_too_large"
    assert refusal_code(DeviceOutOfMemoryError("no memory")) == "model_too_large"
    assert refusal_code(RuntimeError("its own")) == "model_load_failed"
    assert refusal_code(FatalError("x", code="model_digest_mismatch")) == "model_digest_mismatch"
