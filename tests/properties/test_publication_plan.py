"""Plans and packings hold every row once, in order, within the limits; ledgers forget nothing."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.decode import decode_batch
from contracts.errors import UsageError
from contracts.limits import OFFSET_METADATA_MAX_BYTES, Limits
from producer.dead_letters.ledger import Ledger
from producer.encoding import pack
from producer.publishing.plan import (
    PlannedBatch,
    RefusedRow,
    batch_id,
    batch_index,
    plan_batches,
)
from producer.rows import BadLine, Row

texts = st.text(max_size=30) | st.text(alphabet='省市\x00"\\', min_size=200, max_size=500)
LIMITS = Limits(max_record_bytes=1024, max_addresses=7)


@given(st.lists(texts, max_size=40))
def test_packed_records_are_readable_and_lose_nothing(addresses: list[str]) -> None:
    packing = pack(addresses, batch_id="b", source="s", limits=LIMITS)
    rejected = {one.position for one in packing.rejected}
    read: list[tuple[int, str | None]] = []
    for record in packing.records:
        assert len(record.value) <= LIMITS.max_record_bytes
        batch = decode_batch(record.value, LIMITS)
        assert len(batch.addresses) <= LIMITS.max_addresses
        read += zip(record.positions, [one.text for one in batch.addresses], strict=True)
    kept = [(n, text) for n, text in enumerate(addresses) if n not in rejected]
    assert read == kept
    for position in rejected:
        alone = pack([addresses[position]], batch_id="b", source="s", limits=LIMITS)
        assert alone.records == ()


rows = st.lists(st.tuples(texts, st.sampled_from(["", "a", "b", "c"])), max_size=60)


@given(rows, st.integers(1, 9), st.booleans())
def test_a_plan_holds_every_row_once_and_keeps_each_keys_order(
    given_rows: list[tuple[str, str]], size: int, keyed: bool
) -> None:
    lines: list[Row | BadLine] = [
        Row(number, number, str(number), text, (text, key))
        for number, (text, key) in enumerate(given_rows, start=1)
    ]
    lines.insert(len(lines) // 2, BadLine(99, "not_json", ""))

    def plan() -> list[PlannedBatch | RefusedRow | BadLine]:
        return list(
            plan_batches(
                lines,
                run_id="run",
                source="s",
                batch_addresses=size,
                key_column=1 if keyed else None,
                limits=LIMITS,
            )
        )

    items = plan()
    assert items == plan()
    batches = [item for item in items if isinstance(item, PlannedBatch)]
    assert [batch.index for batch in batches] == list(range(len(batches)))
    refused = [item.number for item in items if isinstance(item, RefusedRow)]
    planned = [number for batch in batches for number in batch.record.positions]
    assert sorted(planned + refused) == list(range(1, len(given_rows) + 1))
    assert sum(isinstance(item, BadLine) for item in items) == 1
    for batch in batches:
        assert len(batch.record.value) <= LIMITS.max_record_bytes
        decoded = decode_batch(batch.record.value, LIMITS)
        assert decoded.batch_id == batch_id("run", batch.index)
        assert batch_index("run", decoded.batch_id) == batch.index
        assert len(decoded.addresses) <= min(size, LIMITS.max_addresses)
        assert [one.id for one in decoded.addresses] == [str(n) for n in batch.record.positions]
    for key in {batch.key for batch in batches}:
        mine = [n for batch in batches if batch.key == key for n in batch.record.positions]
        assert mine == sorted(mine)
        if keyed:
            expected = key.decode() if key else ""
            assert {given_rows[number - 1][1] for number in mine} == {expected}


def test_ids_of_other_runs_are_not_ours() -> None:
    for identifier in ("run-", "run-x", "other-000000001", "run-1-1", "run-²", "run-" + "9" * 5000):
        assert batch_index("run", identifier) is None


@given(st.lists(st.sets(st.integers(0, 60), max_size=20), max_size=6))
def test_a_ledger_remembers_exactly_what_it_was_told(replays: list[set[int]]) -> None:
    ledger = Ledger()
    told: set[int] = set()
    for offsets in replays:
        ledger = Ledger.decode(ledger.with_offsets(offsets).encode())
        told |= offsets
        assert {offset for offset in range(70) if offset in ledger} == told
    for (_, last), (first, _) in zip(ledger.ranges, ledger.ranges[1:], strict=False):
        assert first > last + 1


def test_a_ledger_that_kafka_could_not_hold_is_refused_not_cut() -> None:
    scattered = Ledger().with_offsets(range(0, 4000, 2))
    with pytest.raises(UsageError, match="2000 separate ranges"):
        scattered.encode()
    assert len(scattered.with_offsets(range(4000)).encode()) < OFFSET_METADATA_MAX_BYTES
    assert Ledger().with_offsets([1, 5, 9], log_start=6).ranges == ((9, 9),)


@pytest.mark.parametrize("text", ["v2;1-2", "v1;x", "v1;e=0;from=1;attempt=0", "anything"])
def test_what_is_no_ledger_is_not_taken_for_an_empty_one(text: str) -> None:
    with pytest.raises(UsageError, match="another program"):
        Ledger.decode(text)
