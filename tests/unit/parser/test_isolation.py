"""Rows as one array, and what the log says of a model that fails."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import numpy as np
import pytest

from consumer.parser import isolation
from consumer.parser.isolation import (
    RowFault,
    interpret_each,
    padded,
    prepare_each,
    score_rows,
)
from consumer.parser.seams import AddressModel, Encoder, PreparedAddress, TokenIds
from contracts.logs import LogBudget


def test_rows_keep_their_ids_and_get_zeros_behind() -> None:
    token_ids, lengths = padded([np.array([7, 8]), np.array([1, 2, 3]), np.array([9])])
    assert token_ids.tolist() == [[7, 8, 0], [1, 2, 3], [9, 0, 0]]
    assert lengths.tolist() == [2, 3, 1]
    assert token_ids.dtype == lengths.dtype == np.int64


def test_no_rows_are_no_batch() -> None:
    with pytest.raises(ValueError, match="zero-size"):
        padded([])


ADDRESS = "北京市海淀区中关村大街1号"
PREPARED = PreparedAddress(ADDRESS, ())


class Failing:
    """Every step raises, with an address in the message."""

    def prepare(self, texts: Sequence[str]) -> Any:
        raise KeyError(ADDRESS)

    def encode(self, *_: Any) -> Any:
        raise NotImplementedError(ADDRESS)

    def interpret(self, *_: Any) -> Any:
        raise LookupError(ADDRESS)


@pytest.fixture(autouse=True)
def whole_budgets(monkeypatch: pytest.MonkeyPatch) -> None:
    stages = ("tokenizer", "network", "decoder")
    monkeypatch.setattr(isolation, "_fault_lines", {one: LogBudget(window_s=60) for one in stages})


def test_the_log_names_the_class_of_each_fault_and_no_text(
    caplog: pytest.LogCaptureFixture,
) -> None:
    model = cast("AddressModel", Failing())
    assert prepare_each(model, [ADDRESS]) == [None]
    assert interpret_each(model, [PREPARED], [[]]) == [None]
    outcomes, _ = score_rows(cast("Encoder", Failing()), [np.array([1, 2])])
    assert outcomes == [RowFault("model_error")]
    assert caplog.messages == [
        "the tokenizer of a model failed: KeyError; others not logged: 0",
        "the decoder of a model failed: LookupError; others not logged: 0",
        "the network of a model failed: NotImplementedError; others not logged: 0",
    ]
    assert ADDRESS not in caplog.text


def test_results_that_are_no_results_are_named_too(caplog: pytest.LogCaptureFixture) -> None:
    class Odd(Failing):
        def prepare(self, texts: Sequence[str]) -> Any:
            return []

        def encode(self, token_ids: TokenIds, lengths: Any) -> Any:
            return np.full((*token_ids.shape, 2), np.nan)

        def interpret(self, *_: Any) -> Any:
            return []

    model = cast("AddressModel", Odd())
    assert prepare_each(model, ["a"]) == [None]
    assert interpret_each(model, [PREPARED], [[]]) == [None]
    score_rows(cast("Encoder", Odd()), [np.array([1, 2])])
    assert [line.split(";")[0] for line in caplog.messages] == [
        "the tokenizer of a model failed: another number of results",
        "the decoder of a model failed: another number of results",
        "the network of a model failed: scores that are no numbers",
    ]


def test_a_model_that_always_fails_does_not_flood_the_log(
    caplog: pytest.LogCaptureFixture,
) -> None:
    model = cast("AddressModel", Failing())
    assert prepare_each(model, ["a"] * 200) == [None] * 200
    assert len(caplog.messages) == 10


def test_a_model_that_works_is_no_line(caplog: pytest.LogCaptureFixture) -> None:
    class Good(Failing):
        def prepare(self, texts: Sequence[str]) -> Any:
            return [PREPARED for _ in texts]

    assert prepare_each(cast("AddressModel", Good()), ["a", "b"]) == [PREPARED, PREPARED]
    assert not caplog.messages
