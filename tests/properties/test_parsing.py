"""Whatever the text and whatever the model thinks of it, a result is well formed."""

from __future__ import annotations

from functools import cache
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from consumer.address_parser import AddressParser
from consumer.parser.normalise import is_invisible
from consumer.settings import ParserSettings
from contracts.events import AddressResult
from tests.models.tiny import write_tiny_checkpoint
from tests.properties.test_tokenizing import texts


@cache
def parser(sequence_length: int) -> AddressParser:
    """A random model that finds something everywhere."""
    with TemporaryDirectory() as folder:
        directory = write_tiny_checkpoint(Path(folder) / "model", seed=4, scale=0.4)
        chosen = ParserSettings(device="cpu", sequence_length=sequence_length)
        return AddressParser.from_directory(directory, settings=chosen)


@settings(max_examples=150, deadline=None)
@given(st.lists(texts, max_size=6), st.sampled_from([8, 16, 128]))
@example(["浙江省杭州市余杭区文一西路969号" * 20, "", "\u200b", "a\ud800b", "\u0301市"], 16)
def test_components_are_spans_of_the_text_in_order_and_apart(
    batch: list[str], sequence_length: int
) -> None:
    results = parser(sequence_length).parse(batch)
    assert len(results) == len(batch)
    for text, result in zip(batch, results, strict=True):
        assert AddressResult.model_validate_json(result.model_dump_json()) == result
        if result.status == "error":
            assert result.error in {"empty_text", "bad_text", "text_too_long", "result_too_large"}
            continue
        assert result.text == text
        for component in result.components:
            assert text[component.start : component.end] == component.text
            assert not is_invisible(component.text[0])
            assert not is_invisible(component.text[-1])
        assert all(a.end <= b.start for a, b in pairwise(result.components))
        assert {c.type for c in result.components} <= set(result.address)
        assert result.confidence is not None
        assert all(result.confidence <= c.confidence + 2e-4 for c in result.components)


@settings(max_examples=40, deadline=None)
@given(st.lists(texts, min_size=1, max_size=5))
def test_company_does_not_change_a_result(batch: list[str]) -> None:
    together = parser(128).parse(batch)
    for text, result in zip(batch, together, strict=True):
        alone = parser(128).parse(text)
        assert [(c.type, c.start, c.end) for c in alone.components] == [
            (c.type, c.start, c.end) for c in result.components
        ]
        assert alone.address == result.address
        if alone.confidence is not None:
            assert alone.confidence == pytest.approx(result.confidence, abs=2e-3)
