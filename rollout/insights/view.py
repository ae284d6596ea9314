"""One parsed address as detectors see it: its text, and what the model covered of it. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Final, NamedTuple

from contracts.components import ADMINISTRATIVE_TYPES
from contracts.events import AddressResult, Component
from contracts.lookalikes import fold

REGION_TYPES: Final = (*ADMINISTRATIVE_TYPES, "town")
"""Types that an address begins with."""


class Finding(NamedTuple):
    """One trouble in one address.

    Attributes:
        code: of a ``TroubleClass``.
        detail: which part of the class; empty where it has none.
        start, end: half-open code points where it is; both 0 where it is nowhere in the text.
    """

    code: str
    detail: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class View:
    """One address that was parsed.

    Attributes:
        text: as it came.
        folded: look-alikes replaced; offsets are the same.
        components: in reading order.
        result: the whole of it.
    """

    text: str
    folded: str
    components: Sequence[Component]
    result: AddressResult

    def gaps(self) -> Iterator[tuple[int, int]]:
        """The stretches outside all components, in order; none is empty."""
        at = 0
        for one in self.components:
            if one.start > at:
                yield at, one.start
            at = max(at, one.end)
        if at < len(self.text):
            yield at, len(self.text)

    def inside(self, position: int) -> bool:
        """Whether one component covers the characters on both sides of this position."""
        return any(one.start < position < one.end for one in self.components)

    def region_runs(self) -> list[tuple[bool, list[Component]]]:
        """Components in runs: (of a region?, the run)."""
        return [
            (region, list(run))
            for region, run in groupby(self.components, lambda one: one.type in REGION_TYPES)
        ]


def view_of(result: AddressResult) -> View | None:
    """What detectors look at; None where the address could not be parsed."""
    if result.status != "ok" or result.text is None:
        return None
    return View(result.text, fold(result.text), result.components, result)
