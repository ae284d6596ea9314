"""Making a result fit the topic that carries it. Pure.

Components can make a result many times as large as its input. Instead of a crash or a
silent cut, the largest results become ``result_too_large`` errors until the rest fits.
"""

from __future__ import annotations

from contracts.errors import PermanentError
from contracts.events import AddressResult, ParsedBatch


def encode_message(message: ParsedBatch) -> bytes:
    """The message as it stands on the wire: UTF-8 JSON."""
    return message.model_dump_json().encode()


def too_large(result: AddressResult) -> AddressResult:
    """The error that stands for a result that cannot be carried."""
    return AddressResult(id=result.id, text=None, status="error", error="result_too_large")


def fit_results(batch: ParsedBatch, max_bytes: int) -> tuple[ParsedBatch, bytes]:
    """Replace as few of the largest results as needed for the message to fit.

    Returns:
        The batch as it will be published and its bytes, at most ``max_bytes`` long.

    Raises:
        PermanentError: ``result_too_large`` when even errors alone do not fit.
    """
    encoded = encode_message(batch)
    if len(encoded) <= max_bytes:
        return batch, encoded
    results = list(batch.results)
    sizes = [len(result.model_dump_json().encode()) for result in results]
    by_size = sorted(range(len(results)), key=lambda index: (-sizes[index], index))
    excess = len(encoded) - max_bytes
    for index in by_size:
        replacement = too_large(results[index])
        excess -= sizes[index] - len(replacement.model_dump_json().encode())
        results[index] = replacement
        if excess <= 0:
            fitted = batch.model_copy(update={"results": tuple(results)})
            return fitted, encode_message(fitted)
    raise PermanentError(
        f"a result of {len(encoded)} bytes cannot be brought below {max_bytes}",
        code="result_too_large",
    )
