"""Device batches: everything once, within the budget, little padding, nobody starves."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from consumer.stream.batcher import Batch, Batcher

windows = st.lists(st.tuples(st.sampled_from("ab"), st.integers(1, 200)), min_size=1, max_size=120)


def drain(batcher: Batcher[int]) -> list[Batch[int]]:
    batches = []
    while (batch := batcher.next()) is not None:
        batches.append(batch)
    return batches


@given(windows, st.integers(16, 400), st.integers(1, 32), st.sampled_from([0.0, 0.1, 0.5, 1.0]))
def test_every_window_runs_once_within_every_bound(
    arriving: list[tuple[str, int]], budget: int, rows: int, waste: float
) -> None:
    batcher: Batcher[int] = Batcher(token_budget=lambda: budget, batch_size=rows)
    for number, (model, length) in enumerate(arriving):
        batcher.add(model, number, length, max_padding_waste=waste)
    assert len(batcher) == len(arriving)
    seen: list[int] = []
    for batch in drain(batcher):
        seen += batch.items
        assert len(batch.items) <= rows
        assert batch.padded_tokens <= budget or len(batch.items) == 1
        assert batch.padding_waste <= waste + 1e-9
        assert list(batch.lengths) == sorted(batch.lengths, reverse=True)
        assert [arriving[item] for item in batch.items] == [
            (batch.model, length) for length in batch.lengths
        ]
    assert sorted(seen) == list(range(len(arriving)))
    assert len(batcher) == 0
    assert not batcher.has_full_batch()


@given(windows, windows, st.integers(1, 8))
def test_no_window_is_passed_over_for_ever(
    first: list[tuple[str, int]], later: list[tuple[str, int]], rows: int
) -> None:
    """The oldest is in every next batch, whatever keeps arriving."""
    batcher: Batcher[int] = Batcher(token_budget=lambda: 256, batch_size=rows)
    waiting: dict[int, None] = {}
    arrivals = iter(enumerate([*first, *later]))
    for number, (model, length) in arrivals:
        batcher.add(model, number, length, max_padding_waste=0.1)
        waiting[number] = None
        if number >= len(first):
            oldest = next(iter(waiting))
            batch = batcher.next()
            assert batch is not None
            assert oldest in batch.items
            for item in batch.items:
                del waiting[item]


@given(st.lists(st.integers(1, 200), min_size=1, max_size=8))
def test_where_padding_is_free_what_fits_runs_together(lengths: list[int]) -> None:
    """A record of a few addresses is one batch, however unlike they are."""
    batcher: Batcher[int] = Batcher(token_budget=lambda: 2048, batch_size=256)
    for number, length in enumerate(lengths):
        batcher.add("a", number, length, max_padding_waste=1.0)
    assert len(drain(batcher)) == 1
