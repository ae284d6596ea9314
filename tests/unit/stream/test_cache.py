"""The cache of repeats answers as before and takes the memory that its setting says."""

from __future__ import annotations

import random
import tracemalloc

import pytest

from consumer.parser.seams import Interpretation
from consumer.stream.cache import InterpretationCache
from contracts.events import Component

BYTES_OF_A_UNIT = 60  # as the setting and the sizing page say
UNITS = 30_000


def answer_of(text: str, parts: int, rng: random.Random) -> Interpretation:
    width = len(text) // parts
    components = tuple(
        Component(
            type=f"kind{number}",
            text=text[start : start + width],
            start=start,
            end=start + width,
            confidence=rng.random(),
        )
        for number, start in enumerate(range(0, width * parts, width))
    )
    address = {part.type: part.text for part in components}
    return Interpretation(components, address, (), None, (), rng.random())


def remembered(size: int, parts: int, sides: int) -> tuple[InterpretationCache, int]:
    """A full cache of texts of this size, and the bytes that it takes."""
    rng = random.Random(1)
    cache = InterpretationCache(UNITS)
    put = 0
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        while len(cache) == put:  # until the first has to make room
            text = "".join(chr(rng.randrange(0x4E00, 0x9FFF)) for _ in range(size))
            key = ("mgeo-test-v1-20261101@fp32", len(cache) * 0)  # equal, never the same object
            cache.put(key, text, tuple(answer_of(text, parts, rng) for _ in range(sides)))
            put += 1
        return cache, tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("sides", [1, 2])
@pytest.mark.parametrize(("size", "parts"), [(2, 1), (2, 2), (8, 3), (20, 7), (100, 12)])
def test_a_full_cache_takes_at_most_the_memory_that_its_setting_says(
    size: int, parts: int, sides: int
) -> None:
    _, taken = remembered(size, parts, sides)
    assert taken <= UNITS * BYTES_OF_A_UNIT


def test_what_was_used_longest_ago_makes_room_for_what_is_new() -> None:
    rng = random.Random(1)
    answers = {text: answer_of(text, 2, rng) for text in ("北京", "上海", "天津")}
    cache = InterpretationCache(2 * (2 + 4 + 8))
    for text in ("北京", "上海"):
        cache.put("model", text, (answers[text],))
    assert cache.get("model", "北京") == (answers["北京"],)
    cache.put("model", "天津", (answers["天津"],))
    assert cache.get("model", "上海") is None
    assert cache.get("model", "北京") == (answers["北京"],)
    assert cache.get("model", "天津") == (answers["天津"],)
    assert cache.get("other model", "天津") is None


def test_no_room_is_no_cache() -> None:
    cache = InterpretationCache(0)
    cache.put("model", "", (Interpretation((), {}, (), None, (), 1.0),))
    assert len(cache) == 0
