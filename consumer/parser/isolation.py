"""What goes wrong with one address costs that address alone.

The three steps of a model, each of which may fail for one text or row of many: what fails
together is tried again apart.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from consumer.parser.seams import (
    AddressModel,
    DeviceLostError,
    DeviceOutOfMemoryError,
    Encoder,
    Interpretation,
    PreparedAddress,
    Scores,
    TokenIds,
)
from contracts.logs import LogBudget

# Not structlog, which prints to standard output where nobody has set it up: there the results of
# mgeo parse go. A worker's log gets these lines like any other.
_log = logging.getLogger(__name__)

_Stage = Literal["tokenizer", "network", "decoder"]

_fault_lines: Final[Mapping[_Stage, LogBudget]] = {
    "tokenizer": LogBudget(window_s=60.0),
    "network": LogBudget(window_s=60.0),
    "decoder": LogBudget(window_s=60.0),
}
"""One for each stage: a model that fails on every address must not flood the log, nor may what
fails often hide what fails too."""


@dataclass(frozen=True, slots=True)
class RowFault:
    """This row has no scores; ``code`` says why."""

    code: str


RowOutcome = Scores | RowFault


def prepare_each(model: AddressModel, texts: Sequence[str]) -> list[PreparedAddress | None]:
    """Windows of each text; None where the tokenizer fails on it."""
    try:
        prepared = model.prepare(texts)
        if len(prepared) == len(texts):
            return list(prepared)
        _tell("tokenizer", None)
    except Exception as error:  # noqa: BLE001  (one text that breaks the tokenizer must not take the rest along)
        _tell("tokenizer", error)
    if len(texts) <= 1:
        return [None for _ in texts]
    return [one for text in texts for one in prepare_each(model, [text])]


def score_rows(
    encoder: Encoder, rows: Sequence[TokenIds], *, out_of_memory: Callable[[], None] | None = None
) -> tuple[list[RowOutcome], int]:
    """Score rows as one batch, and in halves where that fails.

    Args:
        encoder: the network.
        rows: at least one.
        out_of_memory: is told each time that the device had no memory for a batch.

    Returns:
        For each row its scores, shape (tokens, labels), or its fault: ``device_out_of_memory``
        or ``model_error``; and how many times a batch was halved.

    Raises:
        DeviceLostError: every further call would fail: no row is to blame.
    """
    token_ids, lengths = padded(rows)
    try:
        return _rows_of(encoder.encode(token_ids, lengths), token_ids, lengths), 0
    except DeviceLostError:
        raise
    except (DeviceOutOfMemoryError, MemoryError):
        if out_of_memory is not None:
            out_of_memory()
        code = "device_out_of_memory"
    except Exception as error:  # noqa: BLE001  (whatever the network raises, its batch must not be lost)
        _tell("network", error)
        code = "model_error"
    if len(rows) == 1:
        return [RowFault(code)], 0
    middle = len(rows) // 2
    first, first_halved = score_rows(encoder, rows[:middle], out_of_memory=out_of_memory)
    second, second_halved = score_rows(encoder, rows[middle:], out_of_memory=out_of_memory)
    return first + second, first_halved + second_halved + 1


def interpret_each(
    model: AddressModel,
    prepared: Sequence[PreparedAddress],
    scores: Sequence[Sequence[Scores]],
) -> list[Interpretation | None]:
    """What each address is made of; None where the decoder fails on it.

    Args:
        model: whose scores these are.
        prepared: addresses.
        scores: of each window of each address, shape (tokens, labels).
    """
    try:
        found = model.interpret(prepared, scores)
        if len(found) == len(prepared):
            return list(found)
        _tell("decoder", None)
    except Exception as error:  # noqa: BLE001  (the same, for the decoder)
        _tell("decoder", error)
    if len(prepared) <= 1:
        return [None for _ in prepared]
    return [
        interpret_each(model, [one], [its])[0] for one, its in zip(prepared, scores, strict=True)
    ]


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


def _rows_of(scores: Scores, token_ids: TokenIds, lengths: NDArray[np.int64]) -> list[RowOutcome]:
    """Each row's own scores; a row with a score that is no number is a fault.

    Raises:
        ValueError: the scores are not those of this batch.
    """
    if scores.ndim != 3 or scores.shape[:2] != token_ids.shape:
        raise ValueError(f"scores of shape {scores.shape} for token ids of {token_ids.shape}")
    rows = [scores[index, :length] for index, length in enumerate(lengths)]
    if np.isfinite(scores).all():
        return list(rows)
    # Rows beyond a length are undefined, so each row has to be looked at by itself.
    outcomes: list[RowOutcome] = [
        row if np.isfinite(row).all() else RowFault("model_error") for row in rows
    ]
    if any(isinstance(outcome, RowFault) for outcome in outcomes):
        _say("network", "scores that are no numbers")
    return outcomes


def _tell(stage: _Stage, error: Exception | None) -> None:
    """Name the class of what was raised; never its message, which may hold an address."""
    _say(stage, "another number of results" if error is None else type(error).__name__)


def _say(stage: _Stage, what: str) -> None:
    unsaid = _fault_lines[stage].spend(time.monotonic())
    if unsaid is not None:
        _log.warning("the %s of a model failed: %s; others not logged: %d", stage, what, unsaid)
