"""Rows as one array."""

from __future__ import annotations

import numpy as np
import pytest

from consumer.parser.isolation import padded


def test_rows_keep_their_ids_and_get_zeros_behind() -> None:
    token_ids, lengths = padded([np.array([7, 8]), np.array([1, 2, 3]), np.array([9])])
    assert token_ids.tolist() == [[7, 8, 0], [1, 2, 3], [9, 0, 0]]
    assert lengths.tolist() == [2, 3, 1]
    assert token_ids.dtype == lengths.dtype == np.int64


def test_no_rows_are_no_batch() -> None:
    with pytest.raises(ValueError, match="zero-size"):
        padded([])
