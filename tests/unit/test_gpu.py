"""Which GPU the metrics are of: the one that the worker computes on."""

from __future__ import annotations

import pytest

from consumer.service.gpu import gpu_of


@pytest.mark.parametrize(
    ("device", "visible", "gpu"),
    [
        ("auto", None, 0),
        ("cuda", None, 0),
        ("cuda:3", None, 3),
        ("cpu", None, None),
        ("cpu", "0", None),
        ("auto", "2,3", 2),
        ("cuda:1", "2, 3", 3),
        ("cuda:1", "GPU-a,GPU-b", "GPU-b"),
        ("auto", "MIG-1", "MIG-1"),
        ("auto", "", None),
        ("auto", "-1", None),
        ("cuda:1", "2", None),
    ],
)
def test_the_gpu_of_a_device_is_the_one_that_cuda_shows_it(
    device: str, visible: str | None, gpu: int | str | None
) -> None:
    assert gpu_of(device, visible) == gpu
