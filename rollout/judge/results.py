"""From the figures of a gate to its result: status, and one sentence with the figures in it.

One rule for all gates of a kind, so that none can have a softer one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from contracts.judgement import GateKind, GateResult, GateStatus
from rollout.judge.figures import needed, rounded, shown_log_e


@dataclass(frozen=True, slots=True)
class Measure:
    """How the figure of a gate is spoken of.

    Attributes:
        quantity: what was measured, such as ``exact match``.
        units: of what, such as ``distinct addresses``.
        show: writes a value.
        good: on which side of the threshold a value is good.
    """

    quantity: str
    units: str
    show: Callable[[float], str]
    good: Literal["above", "below"] = "above"

    @property
    def bad(self) -> str:
        """The other side."""
        return "below" if self.good == "above" else "above"

    def within(self, value: float, threshold: float) -> bool:
        """Whether a value is good; exactly on the threshold is."""
        return value >= threshold if self.good == "above" else value <= threshold


@dataclass(frozen=True, slots=True)
class Seen:
    """What a gate saw.

    Attributes:
        value: point estimate; None when nothing was seen.
        bound: the worst value that the evidence leaves open at 1 − ``alpha.promote``, always-valid.
        n: units seen.
        log_e: ln of the e-value that decides, as computed.
        alpha: it decides at 1/alpha.
    """

    value: float | None
    bound: float | None
    n: int
    log_e: float
    alpha: float


def crossed(seen: Seen) -> bool:
    """Whether the e-value decides at this look."""
    return seen.n > 0 and shown_log_e(seen.log_e) >= needed(seen.alpha)


def proof(name: str, measure: Measure, seen: Seen, threshold: float, *, proven: bool) -> GateResult:
    """The result of a gate that must be proven.

    Args:
        name: of the gate.
        measure: how to speak of it.
        seen: its figures.
        threshold: that has to be surpassed.
        proven: at this look or an earlier one.
    """
    good = seen.value is not None and measure.within(rounded(seen.value), threshold)
    status: GateStatus
    aim = f"{measure.good} {measure.show(threshold)}"
    if seen.value is None:
        status, ending = "undecided", f": nothing was seen yet; it must be proven to be {aim}"
    elif proven and good:
        status, ending = "passed", f": proven to be {aim}"
    elif proven:
        status, ending = "undecided", f": it was proven to be {aim}, and is now {measure.bad} it"
    elif good:
        status, ending = "undecided", f": not proven yet to be {aim}"
    else:
        status, ending = "undecided", f": {measure.bad} the {measure.show(threshold)} to be proven"
    return _result(name, "proof", status, measure, seen, threshold, ending)


def guard(
    name: str, measure: Measure, seen: Seen, threshold: float, *, own_n: int, harmed: bool
) -> GateResult:
    """The result of a gate that stops the rollout when harm is proven.

    Args:
        name: of the gate.
        measure: how to speak of it.
        seen: its figures.
        threshold: beyond which it is harm.
        own_n: units that it needs before it can count as passed.
        harmed: harm was proven at this look or an earlier one.
    """
    limit = measure.show(threshold)
    status: GateStatus
    if harmed:
        status, ending = "failed", f": proven to be {measure.bad} {limit}"
    elif seen.n < own_n or seen.value is None:
        status, ending = "undecided", f": {own_n:,} are needed before this says anything"
    elif not measure.within(rounded(seen.value), threshold):
        status, ending = "undecided", f": {measure.bad} {limit}, which chance may explain so far"
    else:
        status, ending = "passed", f": not shown to be {measure.bad} {limit}"
    return _result(name, "guard", status, measure, seen, threshold, ending)


def _result(
    name: str,
    kind: GateKind,
    status: GateStatus,
    measure: Measure,
    seen: Seen,
    threshold: float,
    ending: str,
) -> GateResult:
    value = None if seen.value is None else rounded(seen.value)
    bound = None if seen.bound is None or seen.value is None else rounded(seen.bound)
    figure = "" if value is None else f" {measure.show(value)}"
    worst = ""
    if bound is not None:
        worst = f" (at {'least' if measure.good == 'above' else 'most'} {measure.show(bound)})"
    return GateResult(
        name=name,
        kind=kind,
        status=status,
        value=value,
        bound=bound,
        threshold=threshold,
        n=seen.n,
        log_e=shown_log_e(seen.log_e),
        log_e_needed=needed(seen.alpha),
        reason=f"{measure.quantity}{figure}{worst} over {seen.n:,} {measure.units}{ending}",
    )
