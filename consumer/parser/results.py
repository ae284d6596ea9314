"""What is said of an address: its parts, or why there are none."""

from __future__ import annotations

from consumer.parser.seams import Interpretation
from contracts.events import AddressResult
from contracts.limits import Limits


def parsed_address(
    identifier: str, text: str, found: Interpretation, limits: Limits
) -> AddressResult:
    """The result of an address that was parsed.

    It is an error where what was found is none: ``result_too_large`` above
    ``limits.max_components``, ``model_error`` where it cannot be a result, as a confidence that
    is no number.
    """
    if len(found.components) > limits.max_components:
        return failed_address(identifier, text, "result_too_large")
    try:
        return AddressResult(
            id=identifier,
            text=text,
            status="ok",
            components=found.components,
            address=found.address,
            inferred=found.inferred,
            adcode=found.adcode,
            issues=found.issues,
            confidence=found.confidence,
        )
    except ValueError:
        return failed_address(identifier, text, "model_error")


def failed_address(identifier: str, text: str | None, code: str) -> AddressResult:
    """The result of an address that could not be parsed."""
    return AddressResult(id=identifier, text=text, status="error", error=code)
