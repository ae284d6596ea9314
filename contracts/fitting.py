"""Making a result fit the topic that carries it. Pure.

Components can make a result many times as large as its input. Instead of a crash or a
silent cut, as few results as possible become ``result_too_large`` errors until the rest fits.
"""

from __future__ import annotations

from collections.abc import Sequence

from contracts.errors import PermanentError
from contracts.events import AddressResult, ParsedBatch, ShadowPair


def encode_message(message: ParsedBatch | ShadowPair) -> bytes:
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
    (results,) = _give_way([batch.results], encoded=len(encoded), max_bytes=max_bytes)
    fitted = batch.model_copy(update={"results": results})
    return fitted, encode_message(fitted)


def fit_pair(pair: ShadowPair, max_bytes: int) -> tuple[ShadowPair, bytes]:
    """The same for a shadow pair: an address gives way on both sides or on neither.

    One side alone would look like a fault of that model.

    Returns:
        The pair as it will be published and its bytes, at most ``max_bytes`` long.

    Raises:
        PermanentError: ``result_too_large`` when even errors alone do not fit.
    """
    encoded = encode_message(pair)
    if len(encoded) <= max_bytes:
        return pair, encoded
    candidate, reference = _give_way(
        [pair.candidate.results, pair.reference.results],
        encoded=len(encoded),
        max_bytes=max_bytes,
    )
    fitted = pair.model_copy(
        update={
            "candidate": pair.candidate.model_copy(update={"results": candidate}),
            "reference": pair.reference.model_copy(update={"results": reference}),
        }
    )
    return fitted, encode_message(fitted)


def _give_way(
    sides: Sequence[Sequence[AddressResult]], *, encoded: int, max_bytes: int
) -> list[tuple[AddressResult, ...]]:
    """Replace the addresses that save most, on all sides, until the excess is gone."""
    replacements = [[too_large(result) for result in results] for results in sides]
    savings = [
        sum(_size(result) for result in before) - sum(_size(result) for result in after)
        for before, after in zip(
            zip(*sides, strict=True), zip(*replacements, strict=True), strict=True
        )
    ]
    excess = encoded - max_bytes
    gone: set[int] = set()
    for index in sorted(range(len(savings)), key=lambda index: (-savings[index], index)):
        if excess <= 0 or savings[index] <= 0:
            break
        gone.add(index)
        excess -= savings[index]
    if excess > 0:
        raise PermanentError(
            f"a result of {encoded} bytes cannot be brought below {max_bytes}",
            code="result_too_large",
            hint="publish fewer addresses per batch, or raise max_result_bytes",
        )
    return [
        tuple(
            after if index in gone else before
            for index, (before, after) in enumerate(zip(results, replaced, strict=True))
        )
        for results, replaced in zip(sides, replacements, strict=True)
    ]


def _size(result: AddressResult) -> int:
    return len(result.model_dump_json().encode())
