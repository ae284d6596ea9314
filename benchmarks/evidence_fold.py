"""How fast evidence is folded, and how much memory a million distinct addresses take.

``python -m benchmarks.evidence_fold [--units N]`` prints one JSON document. No Kafka: records are
made beforehand, decoded and folded as the reader does it, with the real judge. Times are of the
processor, so that a busy machine does not count.
"""

from __future__ import annotations

import argparse
import json
import resource
import time
from collections.abc import Iterator

from contracts.events import (
    AddressResult,
    Component,
    Origin,
    ServedModel,
    ShadowBatch,
    ShadowPair,
    ShadowSide,
)
from contracts.policy import Policy
from contracts.rollout import Cut, Rollout
from contracts.spec import ModelSpec
from rollout.evidence import Trial
from rollout.evidence.units import UnitSet

ADDRESSES = 10
"""In one record."""
RECORDS = 200
"""In one cut."""


def spec(digit: str) -> ModelSpec:
    """A made-up spec."""
    return ModelSpec(
        version=f"mgeo-base-v{digit}-20260101",
        digest="sha256:" + digit * 64,
        precision="fp32",
        fingerprint=digit * 16,
    )


REFERENCE, CANDIDATE = spec("1"), spec("2")


def result(number: int, *, same: bool) -> AddressResult:
    """A result of usual size: five components."""
    text = f"浙江省杭州市西湖区文三路{number}号"
    edges = [("prov", 0, 3), ("city", 3, 6), ("district", 6, 9), ("road", 9, 12)]
    edges.append(("roadno" if same else "houseno", 12, len(text)))
    parts = tuple(
        Component(type=kind, text=text[a:b], start=a, end=b, confidence=0.98765)
        for kind, a, b in edges
    )
    return AddressResult(
        id=str(number),
        text=text,
        status="ok",
        components=parts,
        address={one.type: one.text for one in parts},
        adcode="330106",
        confidence=0.95,
    )


def records(first: int, offset: int) -> Iterator[bytes]:
    """The values of one cut's records."""

    def side(model: ModelSpec, results: tuple[AddressResult, ...], ms: float) -> ShadowSide:
        served = ServedModel(**model.model_dump(), track="stable", serving_epoch=1)
        return ShadowSide(model=served, device_ms=ms, results=results)

    for record in range(RECORDS):
        numbers = range(first + record * ADDRESSES, first + (record + 1) * ADDRESSES)
        pair = ShadowPair(
            batch_id="b",
            origin=Origin(topic="address.events", partition=0, offset=offset + record),
            batch=ShadowBatch(
                id=f"d-{offset + record}", rows=10, tokens=300, order="candidate_first"
            ),
            candidate=side(CANDIDATE, tuple(result(n, same=n % 10 != 0) for n in numbers), 8.0),
            reference=side(REFERENCE, tuple(result(n, same=True) for n in numbers), 8.1),
            rollout_id="r-1",
            input_ms=0,
        )
        yield pair.model_dump_json().encode()


def peak_mib() -> float:
    """The most memory that this process has had, MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--units", type=int, default=1_000_000)
    units = parser.parse_args().units
    rollout = Rollout(
        rollout_id="r-1",
        candidate=CANDIDATE,
        reference=REFERENCE,
        policy=Policy(),
        policy_digest="sha256:" + "0" * 64,
        share=1.0,
        from_offsets={0: 0},
        started_revision=1,
        started_at="2026-01-01T00:00:00+00:00",
        phase_entry=1,
        phase_since="2026-01-01T00:00:00+00:00",
    )
    trial = Trial(rollout)
    before, decoding, folding, longest, number = peak_mib(), 0.0, 0.0, 0.0, 0
    while trial.accounting.addresses < units:
        offset = number * RECORDS
        written = list(records(number * RECORDS * ADDRESSES, offset))
        number += 1
        started = time.process_time()
        for value in written:
            trial.take_pair(ShadowPair.model_validate_json(value))
        taken = time.process_time()
        end = {0: offset + RECORDS}
        cut = Cut(
            number=number,
            at="2026-01-01T01:00:00+00:00",
            elapsed_ms=number,
            shadow=end,
            parsed={},
            shadow_committed=end,
            events=end,
        )
        trial.close(cut)
        closed = time.process_time()
        decoding, folding = decoding + taken - started, folding + closed - taken
        longest = max(longest, closed - taken)
    folded = trial.accounting.addresses
    table = UnitSet(units)
    started = time.process_time()
    for one in range(units):
        table.add(one * 0x9E3779B97F4A7C15 % 2**64)
    print(
        json.dumps(
            {
                "addresses": folded,
                "addresses_per_record": ADDRESSES,
                "decoded_addresses_per_cpu_s": round(folded / decoding),
                "folded_addresses_per_cpu_s": round(folded / folding),
                "both_addresses_per_cpu_s": round(folded / (decoding + folding)),
                "longest_fold_of_a_cut_cpu_ms": round(1000 * longest, 1),
                "addresses_per_cut": RECORDS * ADDRESSES,
                "peak_memory_grew_mib": round(peak_mib() - before, 1),
                "unit_set_bytes_per_unit": round(table.nbytes / len(table), 1),
                "unit_set_adds_per_cpu_s": round(units / (time.process_time() - started)),
            },
            indent=2,
        )
    )


if __name__ == "__main__":
    main()
