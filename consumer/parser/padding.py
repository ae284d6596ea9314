"""Rows of different lengths as the one array that an encoder takes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from consumer.parser.seams import TokenIds


def padded(rows: Sequence[TokenIds]) -> tuple[TokenIds, NDArray[np.int64]]:
    """The rows with zeros behind them, shape (rows, longest), and their lengths, shape (rows,).

    Which id stands behind a row is of no account: an encoder never looks past a row's length.

    Raises:
        ValueError: there are no rows.
    """
    lengths = np.array([len(row) for row in rows], dtype=np.int64)
    token_ids = np.zeros((len(rows), int(lengths.max())), dtype=np.int64)
    for index, row in enumerate(rows):
        token_ids[index, : len(row)] = row
    return token_ids, lengths
