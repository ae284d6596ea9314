"""The device thread: memory that runs out, rows that break, calls that hang."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator

import numpy as np
import pytest
from numpy.typing import NDArray

from consumer.parser.isolation import RowFault
from consumer.parser.seams import DeviceLostError, DeviceOutOfMemoryError, Scores, TokenIds
from consumer.stream.executor import DeviceExecutor, SideRows, SideRun


class Observer:
    def __init__(self) -> None:
        self.busy = self.idle = 0.0
        self.out_of_memory = 0

    def device_time(self, *, busy_s: float, idle_s: float) -> None:
        self.busy += busy_s
        self.idle += idle_s

    def device_out_of_memory(self) -> None:
        self.out_of_memory += 1


class ScriptedEncoder:
    """Does with a batch what the test says; scores are the token ids."""

    device_name = "scripted"
    max_padding_waste = 0.1

    def __init__(self, act: Callable[[TokenIds], None]) -> None:
        self._act = act
        self.rows: list[int] = []

    def now_s(self) -> float:
        return time.monotonic()

    def encode(self, token_ids: TokenIds, lengths: NDArray[np.int64]) -> Scores:
        self.rows.append(len(lengths))
        self._act(token_ids)
        return np.repeat(token_ids[:, :, None], 2, axis=2).astype(np.float32)

    def warm_up(self, sequence_length: int) -> None: ...


def rows(*firsts: int) -> list[TokenIds]:
    return [np.array([first, 7][: 1 + first % 2], dtype=np.int64) for first in firsts]


@pytest.fixture
def device() -> Iterator[tuple[DeviceExecutor, Observer, list[float]]]:
    hangs: list[float] = []
    observer = Observer()
    executor = DeviceExecutor(hang_after_s=0.4, on_hang=hangs.append, observer=observer)
    yield executor, observer, hangs
    executor.close()


Device = tuple[DeviceExecutor, Observer, list[float]]


async def run_one(device: Device, encoder: ScriptedEncoder, one: list[TokenIds]) -> SideRun:
    (side,) = (await device[0].run([SideRows(encoder, one)])).sides
    return side


async def test_each_row_gets_its_own_scores_without_padding(device: Device) -> None:
    run = await run_one(device, ScriptedEncoder(lambda _: None), rows(1, 2, 3))
    assert [row.shape for row in run.rows if not isinstance(row, RowFault)] == [
        (2, 2),
        (1, 2),
        (2, 2),
    ]
    assert run.splits == 0


async def test_a_model_is_met_in_the_thread_that_runs_its_batches(device: Device) -> None:
    threads: list[threading.Thread] = []
    encoder = ScriptedEncoder(lambda _: threads.append(threading.current_thread()))
    await device[0].meet(encoder)
    assert encoder.rows == [1]
    await run_one(device, encoder, rows(1, 2))
    assert threads[0] is threads[1]
    assert threads[0] is not threading.current_thread()


async def test_a_side_took_what_its_own_clock_says_and_the_device_was_busy_for_longer(
    device: Device,
) -> None:
    class Elsewhere(ScriptedEncoder):
        """Half a second of work by its own clock, while the wall's hardly moves."""

        def now_s(self) -> float:
            return 0.5 * len(self.rows)

    run = await run_one(device, Elsewhere(lambda _: time.sleep(0.01)), rows(1, 2))
    assert run.own_s == 0.5
    assert run.seconds >= 0.01
    assert run.seconds != run.own_s


async def test_memory_that_runs_out_splits_down_to_the_row_that_does_not_fit(
    device: Device,
) -> None:
    def only_small(token_ids: TokenIds) -> None:
        if len(token_ids) > 2 or 9 in token_ids[:, 0]:
            raise DeviceOutOfMemoryError("no memory")

    run = await run_one(device, ScriptedEncoder(only_small), rows(1, 2, 3, 9, 5, 6, 7, 8))
    faults = [row.code if isinstance(row, RowFault) else "" for row in run.rows]
    assert faults == ["", "", "", "device_out_of_memory", "", "", "", ""]
    assert run.splits > 0
    assert device[1].out_of_memory > 0


async def test_a_row_that_breaks_the_network_is_alone_in_its_fault(device: Device) -> None:
    def not_five(token_ids: TokenIds) -> None:
        if 5 in token_ids[:, 0]:
            raise RuntimeError("broken")

    run = await run_one(device, ScriptedEncoder(not_five), rows(1, 5, 3))
    assert [isinstance(row, RowFault) for row in run.rows] == [False, True, False]
    assert run.rows[1] == RowFault("model_error")
    again = await run_one(device, ScriptedEncoder(lambda _: None), rows(1))
    assert not isinstance(again.rows[0], RowFault), "the device goes on"


async def test_a_broken_device_is_not_taken_for_broken_rows(device: Device) -> None:
    def lost(_: TokenIds) -> None:
        raise DeviceLostError("an illegal memory access")

    encoder = ScriptedEncoder(lost)
    with pytest.raises(DeviceLostError):
        await run_one(device, encoder, rows(1, 2, 3))
    assert encoder.rows == [3], "it was not tried again row by row"


async def test_scores_of_the_wrong_shape_are_a_fault_and_not_the_end(device: Device) -> None:
    class Short(ScriptedEncoder):
        def encode(self, token_ids: TokenIds, lengths: NDArray[np.int64]) -> Scores:
            return super().encode(token_ids, lengths)[:1]

    run = await run_one(device, Short(lambda _: None), rows(1, 2))
    assert len(run.rows) == 2


async def test_a_call_that_hangs_is_reported_once_while_it_hangs(device: Device) -> None:
    release = threading.Event()
    task = asyncio.create_task(
        run_one(device, ScriptedEncoder(lambda _: release.wait(5) and None), rows(1))
    )
    deadline = time.monotonic() + 4
    while not device[2]:
        assert time.monotonic() < deadline
        await asyncio.sleep(0.02)
    assert not task.done()
    release.set()
    await task
    assert len(device[2]) == 1
    assert device[2][0] >= 0.4


async def test_a_long_sequence_of_short_calls_is_no_hang(device: Device) -> None:
    for _ in range(12):
        await run_one(device, ScriptedEncoder(lambda _: time.sleep(0.05)), rows(1))
    assert device[2] == []
    assert device[1].busy >= 0.6


async def test_batches_run_one_at_a_time_in_the_order_they_came(device: Device) -> None:
    order: list[int] = []
    inside = threading.Lock()

    def note(token_ids: TokenIds) -> None:
        assert inside.acquire(blocking=False)
        order.append(int(token_ids[0, 0]))
        time.sleep(0.001)
        inside.release()

    encoder = ScriptedEncoder(note)
    await asyncio.gather(*(run_one(device, encoder, rows(number)) for number in range(20)))
    assert order == list(range(20))
    assert device[1].busy + device[1].idle > 0
