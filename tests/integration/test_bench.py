"""The bench on a real broker: it counts right, and a planted fault shows in its figures."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from contracts.settings import KafkaSettings
from deploy.bench.figures import figure
from deploy.bench.machine import describe_machine
from deploy.bench.plan import QUICK
from deploy.bench.regression import Comparison, compare
from deploy.bench.sections import Bench

pytestmark = pytest.mark.broker

SLEEP_MS = 500.0
ADDRESSES = 2000


def against(rate: float, baseline: float) -> Comparison:
    """What `mgeo bench --against` makes of two measured rates."""

    def document(measured: float) -> dict[str, Any]:
        summary = {"exactly_once": asdict(figure([measured]))}
        return {"machine": describe_machine(), "sections": {"broker": {"summary": summary}}}

    return compare(document(rate), document(baseline))


async def test_a_sleep_planted_in_the_lanes_makes_the_ratio_fall_short(
    kafka: KafkaSettings, tmp_path: Path
) -> None:
    rates = []
    for planted in (0.0, SLEEP_MS, 0.0):
        bench = Bench(kafka, QUICK, 3, tmp_path, planted, say=lambda _: None)
        drained = await bench.drain(None, bench.texts(ADDRESSES), "exactly_once")
        assert drained.addresses == ADDRESSES
        assert drained.memory.bytes
        rates.append(drained.rate)
    before, planted_rate, after = rates
    assert [one.name for one in against(planted_rate, before).regressions(0.15)]
    assert not against(max(before, after), min(before, after)).regressions(0.15)
    # Without a sleep the two outer runs are alike; with it most of the time is wasted.
    assert planted_rate / min(before, after) < 0.5
