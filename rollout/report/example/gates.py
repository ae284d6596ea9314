"""Made-up gates and their histories."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence

from contracts.judgement import GateResult
from rollout.report.data import (
    GateHistory,
    HistoryPoint,
    SliceFigures,
)
from rollout.report.example.parts import DISTINCT


def gates(*, exact: float, f1: float, seen: int = DISTINCT) -> tuple[GateResult, ...]:
    few = seen < 2000

    def proof(name: str, value: float, minimum: float) -> GateResult:
        proven = value > minimum and not few
        width = 0.9 / math.sqrt(seen)
        return GateResult(
            name=name,
            kind="proof",
            status="passed" if proven else "undecided",
            value=value,
            bound=value - width,
            threshold=minimum,
            n=seen,
            log_e=9.1 if proven else 1.2 if value > minimum else -40.0,
            log_e_needed=math.log(20),
            reason=f"{value:.2%} over {seen:,} addresses, at least {value - width:.2%}",
        )

    def harm(name: str, value: float, minimum: float) -> GateResult:
        fired = value < minimum
        width = 1.2 / math.sqrt(seen)
        return GateResult(
            name=name,
            kind="guard",
            status="failed" if fired else "passed",
            value=value,
            bound=value + width,
            threshold=minimum,
            n=seen,
            log_e=96.0 if fired else -3.0,
            log_e_needed=math.log(18_000),
            reason=(
                f"proven to lie below {minimum:.2%}: at most {value + width:.2%}"
                if fired
                else f"not shown to lie below {minimum:.2%}"
            ),
        )

    batches = max(1, seen // 9)
    return (
        proof("exact_match", exact, 0.95),
        proof("span_f1", f1, 0.98),
        harm("harm_exact_match", exact, 0.95),
        harm("harm_span_f1", f1, 0.98),
        GateResult(
            name="error_rate",
            kind="guard",
            status="undecided" if few else "passed",
            value=0.0001,
            bound=0.0007,
            threshold=0.001,
            n=seen,
            log_e=0.4,
            log_e_needed=math.log(18_000),
            reason="not shown to have risen by more than 0.10 points",
        ),
        GateResult(
            name="latency_p99",
            kind="guard",
            status="undecided" if few else "passed",
            value=0.0062,
            bound=0.0091,
            threshold=0.01,
            n=batches,
            log_e=0.9,
            log_e_needed=math.log(18_000),
            reason="0.62 points more batches of the candidate took longer than 14.2 ms",
        ),
        GateResult(
            name="latency_ratio",
            kind="guard",
            status="passed",
            value=1.03,
            bound=1.041,
            threshold=1.10,
            n=batches,
            log_e=0.2,
            log_e_needed=math.log(18_000),
            reason="the median batch took 1.030 times as long",
        ),
        GateResult(
            name="aa",
            kind="instrument",
            status="undecided" if few else "passed",
            value=0.0004,
            bound=0.0021,
            threshold=0.01,
            n=seen - 300,
            log_e=1.9 if few else 14.0,
            log_e_needed=math.log(20),
            reason="shadow and production read 0.04% of addresses differently",
        ),
        GateResult(
            name="golden",
            kind="golden",
            status="passed",
            value=0.0041,
            bound=0.0007,
            threshold=-0.002,
            n=1200,
            reason="mean F1 rose by 0.41 points",
        ),
    )


def slice_gates(slices: Sequence[SliceFigures], *, fired: bool) -> tuple[GateResult, ...]:
    gates = []
    for one in slices:
        value = one.exact / one.judged
        thin = one.judged < 200
        bad = fired and not thin and value < 0.885
        gates.append(
            GateResult(
                name=f"slice:{one.name}",
                kind="guard",
                status="unjudged" if thin else "failed" if bad else "passed",
                value=value,
                bound=None if thin else min(1.0, value + 1.4 / math.sqrt(one.judged)),
                threshold=0.90,
                n=one.judged,
                log_e=None if thin else 22.0 if bad else -1.0,
                log_e_needed=None if thin else math.log(18_000),
                reason=(
                    f"too thin: {one.judged} of 200 addresses"
                    if thin
                    else f"{value:.2%} over {one.judged:,} addresses"
                ),
            )
        )
    return tuple(gates)


def history(gate: GateResult, seed: int) -> GateHistory:
    rng = random.Random(seed)  # noqa: S311  (a made-up curve)
    points = []
    steps = 48
    rising = (gate.bound or 0.0) > (gate.value or 0.0)
    for step in range(1, steps + 1):
        part = (step / steps) ** 1.3
        n = max(1, round(gate.n * part))
        wobble = rng.gauss(0, 0.35) * abs((gate.bound or 0) - (gate.value or 0)) / math.sqrt(part)
        value = (gate.value or 0.0) + wobble * (1 - part)
        width = abs((gate.bound or 0.0) - (gate.value or 0.0)) / math.sqrt(part)
        log_e = None
        if gate.log_e is not None:
            log_e = gate.log_e * part + rng.gauss(0, 0.3) * (1 - part)
        points.append(
            HistoryPoint(
                cut=step * 3,
                n=n,
                value=round(value, 6),
                bound=None
                if gate.bound is None
                else round(value + (width if rising else -width), 6),
                log_e=None if log_e is None else round(log_e, 6),
            )
        )
    return GateHistory(
        name=gate.name,
        kind=gate.kind,
        threshold=gate.threshold,
        log_e_needed=gate.log_e_needed,
        points=tuple(points) if gate.name != "golden" else (),
    )
