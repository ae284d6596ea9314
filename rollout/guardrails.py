"""The controller's own limits: how loose a policy may be that somebody asks for. Rules are pure.

Whoever may write a request decides what is tested; whoever runs the controller decides what is
the least that must be tested. A request can be stricter than the guardrails, never looser.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from enum import Enum
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from contracts.durations import Duration, format_duration
from contracts.policy import Policy, Rate, Share
from contracts.rollout import GoldenOutcome
from contracts.spec import Digest
from rollout.documents import DocumentError, check, read_document, read_text

BAD_GUARDRAILS: Final = "bad_guardrails"


class Bound(Enum):
    """Which side of a guardrail a policy must be on."""

    LOWEST = "at least"
    HIGHEST = "at most"
    CONTAINS = "with"


class _Section(BaseModel):
    model_config = ConfigDict(
        frozen=True, extra="forbid", use_attribute_docstrings=True, allow_inf_nan=False
    )


Count = Annotated[int, Field(ge=1)]
Ratio = Annotated[float, Field(gt=0.0)]


class ShadowRails(_Section):
    """How much evidence there must be."""

    share: Annotated[Share | None, Bound.LOWEST] = None
    min_pairs: Annotated[Count | None, Bound.LOWEST] = None
    max_pairs: Annotated[Count | None, Bound.HIGHEST] = None
    """Bounds the controller's memory."""
    min_duration: Annotated[Duration | None, Bound.LOWEST] = None
    max_duration: Annotated[Duration | None, Bound.HIGHEST] = None
    """A rollout holds its place, and the shadow workers, for no longer."""
    stale_after: Annotated[Duration | None, Bound.HIGHEST] = None
    min_partitions_share: Annotated[Share | None, Bound.LOWEST] = None


class InstrumentRails(_Section):
    """How noisy the instrument may be."""

    max: Annotated[Rate | None, Bound.HIGHEST] = None


class FloorRails(_Section):
    """The lowest threshold of an agreement."""

    min: Annotated[Rate | None, Bound.LOWEST] = None


class ErrorRateRails(_Section):
    """How many more errors a candidate may make."""

    max_increase: Annotated[Annotated[float, Field(ge=0.0, lt=1.0)] | None, Bound.HIGHEST] = None


class LatencyRails(_Section):
    """How much slower a candidate may be, and from how many batches that is judged."""

    max_ratio: Annotated[Ratio | None, Bound.HIGHEST] = None
    min_batches: Annotated[Count | None, Bound.LOWEST] = None


class GateRails(_Section):
    """Bounds of the gates' thresholds."""

    exact_match: FloorRails = FloorRails()
    span_f1: FloorRails = FloorRails()
    error_rate: ErrorRateRails = ErrorRateRails()
    latency_p99: LatencyRails = LatencyRails()
    latency_ratio: LatencyRails = LatencyRails()


class GoldenRails(_Section):
    """What must be asked of the labelled set."""

    min_addresses: Annotated[Count | None, Bound.LOWEST] = None
    min_delta: Annotated[Annotated[float, Field(ge=-1.0, le=1.0)] | None, Bound.LOWEST] = None
    required: Annotated[bool | Literal["auto"] | None, Bound.LOWEST] = None
    """``true``: no rollout without a golden set. The order is false, auto, true."""
    files: tuple[Digest, ...] | None = None
    """Only these labelled files, by their digest (``mgeo golden check`` prints it): whoever asks
    for a rollout takes the look, but does not choose at what."""


class SliceRails(_Section):
    """Which parts of the traffic must be guarded."""

    by: Annotated[tuple[Literal["prov"], ...] | None, Bound.CONTAINS] = None
    min_pairs: Annotated[Count | None, Bound.HIGHEST] = None
    """A policy that asks for more leaves more slices unjudged."""
    exact_match: FloorRails = FloorRails()
    when_thin: Annotated[Literal["report", "inconclusive"] | None, Bound.LOWEST] = None
    """The order is report, inconclusive."""


class AlphaRails(_Section):
    """Error probabilities.

    ``promote`` is the chance of a wrong promotion: it must be small. ``abort`` and ``rollback``
    are chances of a wrong *alarm*: a policy that makes them tiny takes longer to see harm.
    """

    promote: Annotated[Rate | None, Bound.HIGHEST] = None
    abort: Annotated[Rate | None, Bound.LOWEST] = None
    rollback: Annotated[Rate | None, Bound.LOWEST] = None


class ApprovalRails(_Section):
    """Whether a person must sign."""

    required: Annotated[Literal[True] | None, Bound.LOWEST] = None
    valid_for: Annotated[Duration | None, Bound.HIGHEST] = None


class CanaryRails(_Section):
    """How carefully the candidate takes over. A policy without steps jumps to the whole."""

    min_steps: Count | None = None
    """As many steps at least, before the whole traffic."""
    max_first_share: Annotated[float, Field(gt=0.0, le=1.0)] | None = None
    """The candidate serves no more than this at first."""
    max_increase: Annotated[float, Field(gt=0.0, le=1.0)] | None = None
    """No step, nor the cut-over after the last one, adds more than this to the share."""
    min_duration: Duration | None = None
    """Of each step."""
    min_results: Count | None = None
    """Of each step."""


class BakeRails(_Section):
    """How long it is watched after the cut-over."""

    duration: Annotated[Duration | None, Bound.LOWEST] = None
    min_results: Annotated[Count | None, Bound.LOWEST] = None
    max_results: Annotated[Count | None, Bound.HIGHEST] = None
    """A larger one raises the alarm's threshold."""
    max_error_rate: Annotated[Rate | None, Bound.HIGHEST] = None
    auto_rollback: Annotated[Literal[True] | None, Bound.LOWEST] = None


@dataclass(frozen=True, slots=True)
class Objection:
    """A field of a policy that is looser than the guardrails allow."""

    field: str
    """Its dotted name in the policy: ``gates.exact_match.min``."""
    message: str
    """One sentence with the field's name, its value and what is allowed."""


class Guardrails(_Section):
    """The loosest policy that this controller takes. A field that is left out is not bounded.

    Sections and fields have the policy's names; ``canary`` alone has its own, since a list of
    steps has no one loosest value.
    """

    shadow: ShadowRails = ShadowRails()
    aa: InstrumentRails = InstrumentRails()
    gates: GateRails = GateRails()
    golden: GoldenRails = GoldenRails()
    slices: SliceRails = SliceRails()
    alpha: AlphaRails = AlphaRails()
    approval: ApprovalRails = ApprovalRails()
    canary: CanaryRails = CanaryRails()
    bake: BakeRails = BakeRails()

    def objections(
        self, policy: Policy, golden: GoldenOutcome | None = None
    ) -> tuple[Objection, ...]:
        """Every field in which the policy is looser than allowed; none when it may be used.

        Args:
            policy: what is asked for.
            golden: what came with it from the labelled set.
        """
        found = [
            Objection(name, _sentence(name, bound, rail, value))
            for name, bound, rail in _rails(self)
            if _looser(value := _value(policy, name), bound, rail)
        ]
        files = self.golden.files
        if golden is not None and files is not None and golden.file_digest not in files:
            found.append(
                Objection(
                    "golden.path",
                    f"golden.path is a file with the digest {golden.file_digest}, which is none of "
                    "the controller's guardrails",
                )
            )
        return (*found, *_canary_objections(self.canary, policy))


def load_guardrails(path: str | Path) -> Guardrails:
    """The guardrails of a file.

    Args:
        path: YAML, UTF-8, read as strictly as a policy.

    Raises:
        UsageError: code ``bad_guardrails``, with every fault as ``file:line:column``.
    """
    root, problems = read_document(read_text(path, "guardrails", BAD_GUARDRAILS), str(path))
    guardrails, faults = check(Guardrails, root)
    problems += faults
    if guardrails is None or problems:
        raise DocumentError(
            "guardrails file",
            problems,
            code=BAD_GUARDRAILS,
            hint="Every field is described in docs/guides/policy.md.",
        )
    return guardrails


def _rails(section: BaseModel, prefix: str = "") -> Iterator[tuple[str, Bound, Any]]:
    """Every bound that is set: dotted name, side, value."""
    for name, field in type(section).model_fields.items():
        value = getattr(section, name)
        if isinstance(value, BaseModel):
            yield from _rails(value, f"{prefix}{name}.")
        elif value is not None:
            for mark in field.metadata:
                if isinstance(mark, Bound):
                    yield prefix + name, mark, value


def _value(policy: Policy, name: str) -> Any:
    found: Any = policy
    for part in name.split("."):
        found = getattr(found, part)
    return found


_RANKS: Final = {False: 0, "auto": 1, True: 2, "report": 0, "inconclusive": 1}


def _looser(value: Any, bound: Bound, rail: Any) -> bool:
    if bound is Bound.CONTAINS:
        return not set(rail) <= set(value)
    ours, limit = (_RANKS[one] if isinstance(one, bool | str) else one for one in (value, rail))
    return bool(ours < limit if bound is Bound.LOWEST else ours > limit)


def _sentence(name: str, bound: Bound, rail: Any, value: Any) -> str:
    wanted = _shown(rail)
    if isinstance(rail, bool | str):
        allowed = wanted if rail in (True, "inconclusive") else f"{wanted} or true"
    else:
        allowed = f"{bound.value} {wanted}"
    return f"{name} is {_shown(value)}, the controller's guardrails allow {allowed}"


def _canary_objections(rails: CanaryRails, policy: Policy) -> Iterator[Objection]:
    def objection(name: str, value: Any, bound: Bound, rail: Any) -> Objection:
        return Objection(name, _sentence(name, bound, rail, value))

    steps = policy.canary.steps
    if rails.min_steps is not None and len(steps) < rails.min_steps:
        yield Objection(
            "canary.steps",
            f"canary.steps has {len(steps)} steps, the controller's guardrails allow at least "
            f"{rails.min_steps}",
        )
    before = 0.0
    for index, share in enumerate((*(step.share for step in steps), 1.0)):
        last = index == len(steps)
        # What no step leads up to is the cut-over's: the list of steps is then what is too short.
        name = "canary.steps" if last else f"canary.steps[{index}].share"
        first = index == 0 and rails.max_first_share is not None
        if first and share > (rails.max_first_share or 0.0):
            what = "goes to the whole traffic at once" if last else f"begins with {share}"
            yield Objection(
                name,
                f"{name} {what}, the controller's guardrails allow at most "
                f"{rails.max_first_share} at first",
            )
        if rails.max_increase is not None and share - before > rails.max_increase + 1e-9:
            yield Objection(
                name,
                f"{name} goes from {before} to {share} in one step, the controller's guardrails "
                f"allow at most {rails.max_increase} more",
            )
        before = share
    for index, step in enumerate(steps):
        if rails.min_duration is not None and step.duration < rails.min_duration:
            name = f"canary.steps[{index}].duration"
            yield objection(name, step.duration, Bound.LOWEST, rails.min_duration)
        if rails.min_results is not None and step.min_results < rails.min_results:
            name = f"canary.steps[{index}].min_results"
            yield objection(name, step.min_results, Bound.LOWEST, rails.min_results)


def _shown(value: Any) -> str:
    if isinstance(value, timedelta):
        return format_duration(value)
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return f"[{', '.join(map(str, value))}]"
    return str(value)
