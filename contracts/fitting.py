"""Making a result fit the topic that carries it. Pure.

Components can make a result many times as large as its input. Instead of a crash or a
silent cut, as few results as possible become ``result_too_large`` errors until the rest fits.
"""

from __future__ import annotations

from contracts.errors import PermanentError
from contracts.events import AddressResult, ParsedBatch


def encode_message(message: ParsedBatch) -> bytes:
    """The message as it stands on the wire: UTF-8 JSON."""
    return message.model_dump_json().encode()


def too_large(result: AddressResult) -> AddressResult:
    """The error that stands for a result that cannot be carried.

    A result that was an error already keeps its own code and gives up its text alone.
    """
    return AddressResult(
        id=result.id, text=None, status="error", error=result.error or "result_too_large"
    )


def fit_results(batch: ParsedBatch, max_bytes: int) -> tuple[ParsedBatch, bytes]:
    """Replace as few results as possible for the message to fit, those that save most first.

    ``Limits`` refuses bounds under which the errors alone could exceed ``max_result_bytes``,
    so for an admissible input this does not raise.

    Returns:
        The batch as it will be published and its bytes, at most ``max_bytes`` long.

    Raises:
        PermanentError: ``result_too_large`` when even errors alone do not fit.
    """
    encoded = encode_message(batch)
    if len(encoded) <= max_bytes:
        return batch, encoded
    results = list(batch.results)
    replacements = [too_large(result) for result in results]
    savings = [
        _size(result) - _size(replacement)
        for result, replacement in zip(results, replacements, strict=True)
    ]
    excess = len(encoded) - max_bytes
    for index in sorted(range(len(results)), key=lambda index: (-savings[index], index)):
        if excess <= 0 or savings[index] <= 0:
            break
        results[index] = replacements[index]
        excess -= savings[index]
    if excess > 0:
        raise PermanentError(
            f"a result of {len(encoded)} bytes cannot be brought below {max_bytes}",
            code="result_too_large",
            hint="publish fewer addresses per batch, or raise max_result_bytes",
        )
    fitted = batch.model_copy(update={"results": tuple(results)})
    return fitted, encode_message(fitted)


def _size(result: AddressResult) -> int:
    return len(result.model_dump_json().encode())
