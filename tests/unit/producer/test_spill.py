"""Results wait on disk in whatever order they come, and leave in the order of the file."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from producer.awaiting import Spill
from producer.encoding import PackedRecord
from producer.publishing import PlannedBatch

events = st.permutations(
    [(kind, index) for kind in ("plan", "answer", "again") for index in range(6)]
)


@given(events)
def test_any_order_of_planning_and_answering_gives_each_row_its_own(
    order: list[tuple[str, int]],
) -> None:
    # Batch i holds rows i+1, i+7, i+13: interleaved, as keys interleave them.
    with Spill() as spill:
        answered: set[int] = set()
        for kind, index in order:
            rows = tuple(index + 1 + 6 * place for place in range(3))
            if kind == "plan":
                spill.plan(PlannedBatch(index, None, PackedRecord(b"", rows)))
            elif index == 5:
                assert spill.fail(index, "not_json") is (index not in answered)
                answered.add(index)
            else:
                cells = [[index, place, "ok", None] for place in range(3)]
                assert spill.answer(index, cells) is (index not in answered)
                answered.add(index)
        spill.refuse(19, "text_too_long")
        assert spill.missing == 0
        expected: list[tuple[int, list[object] | None, str | None]] = [
            (row, None, "not_json")
            if (row - 1) % 6 == 5
            else (row, [(row - 1) % 6, (row - 1) // 6, "ok", None], None)
            for row in range(1, 19)
        ]
        assert list(spill.by_row()) == [*expected, (19, None, "text_too_long")]
        assert spill.tally() == {"ok": 15, "not_json": 3, "text_too_long": 1}


def test_the_answer_to_a_replayed_dead_letter_takes_its_place() -> None:
    with Spill() as spill:
        spill.plan(PlannedBatch(0, None, PackedRecord(b"", (1,))))
        assert spill.fail(0, "crashed_worker")
        assert not spill.fail(0, "not_json")
        assert (spill.missing, spill.failed) == (0, 1)
        assert spill.answer(0, [["京", "ok", None]])
        assert (spill.missing, spill.failed) == (0, 0)
        assert not spill.answer(0, [["沪", "ok", None]])
        assert not spill.fail(0, "crashed_worker")
        assert list(spill.by_row()) == [(1, ["京", "ok", None], None)]


def test_what_was_not_answered_is_missing_by_name() -> None:
    with Spill() as spill:
        for index in range(4):
            spill.plan(PlannedBatch(index, None, PackedRecord(b"", (index + 1,))))
        spill.answer(2, [["x", "ok", None]])
        assert spill.missing == 3
        assert spill.missing_batches(2) == [0, 1]
        assert spill.tally() == {"ok": 1, "no_result": 3}
