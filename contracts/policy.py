"""The policy of a rollout: what must be shown before a candidate may serve. Pure data.

It is written as YAML in a repository, travels inside the request that starts a rollout, and
stays in the state and the decision record as it was. Names and defaults of every field are
the public interface; ``rollout.policy`` reads files and says where they are wrong.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Final, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from contracts.durations import Duration

Share = Annotated[float, Field(ge=0.0, le=1.0)]
_NEAREST: Final = 1e-9


def _decidable(rate: float) -> float:
    """Nearer to 0 or 1 no evidence ever decides, and quotients leave what a double can hold."""
    if not _NEAREST <= rate <= 1.0 - _NEAREST:
        raise ValueError(f"a rate must not be nearer than {_NEAREST:g} to 0 or 1")
    return rate


Rate = Annotated[float, Field(gt=0.0, lt=1.0), AfterValidator(_decidable)]
_MOST: Final = 100_000_000
"""Addresses that a gate remembers at most, at 16 to 32 bytes each."""

_SHORTEST: Final = timedelta(milliseconds=1)
"""Durations are written in whole milliseconds: a shorter one would read back as none."""


def _lasting(duration: timedelta) -> timedelta:
    """What lasts no time can only fail, some of it after the candidate has served."""
    if duration < _SHORTEST:
        raise ValueError("it must last 1ms at least")
    return duration


Lasting = Annotated[Duration, AfterValidator(_lasting)]

SLICE_KEYS: Final = ("prov",)


class _Section(BaseModel):
    # A misspelt threshold must never be read as the default.
    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        use_attribute_docstrings=True,
        allow_inf_nan=False,
        json_schema_serialization_defaults_required=True,
    )


class ShadowPolicy(_Section):
    """How much evidence is gathered, and for how long."""

    share: float = Field(default=1.0, gt=0.0, le=1.0)
    """The part of the input records that both models run on; 1.0 for low traffic."""
    min_pairs: int = Field(default=2000, ge=1)
    """Distinct addresses that must be compared before the rollout can pass."""
    max_pairs: int = Field(default=1_000_000, ge=1, le=_MOST)
    """After so many the gates take no more in: it bounds memory and the rollout's length."""
    min_duration: Duration = timedelta(hours=1)
    """Shadowing lasts at least so long, so that it sees more than one burst."""
    max_duration: Lasting = timedelta(hours=24)
    """Without a verdict by then the rollout is inconclusive."""
    stale_after: Lasting = timedelta(minutes=5)
    """Evidence is stale when its newest input is older than this."""
    min_partitions_share: Share = 0.9
    """Part of the input's partitions that must have contributed pairs, of those with traffic."""

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.min_duration > self.max_duration:
            raise ValueError("min_duration must not be longer than max_duration")
        if self.min_pairs > self.max_pairs:
            raise ValueError("min_pairs must not be larger than max_pairs")
        return self


class InstrumentPolicy(_Section):
    """A/A: the reference in the shadow against production's results of the same spec."""

    max: Rate = 0.01
    """Disagreement must be proven below this, else the instrument is too noisy to judge with."""


class ExactMatchGate(_Section):
    """Share of distinct addresses whose flat view is the same in both models."""

    min: Rate = 0.75
    """A floor, below which something is broken: a better model disagrees, too. The default lies
    3 points below what two releases one improvement apart agree on (``docs/guides/policy.md``)."""


class SpanF1Gate(_Section):
    """Mean F1 of the candidate's spans against the reference's, by address."""

    min: Rate = 0.92
    """A floor like that of ``exact_match``, from the same measurement."""


class ErrorRateGate(_Section):
    """Candidate errors minus reference errors, per address."""

    max_increase: float = Field(default=0.001, ge=0.0, lt=1.0)


class LatencyP99Gate(_Section):
    """Share of device batches above a limit set from the reference's own P99."""

    max_ratio: float = Field(default=1.10, ge=0.01, le=1e6)
    """The limit is so many times the upper bound of the reference's P99."""
    min_batches: int = Field(default=300, ge=100)
    """Device batches that set the limit, and that must be judged against it. Fewer than 299
    bound no P99 at 95%: the limit is then set by 299."""


class LatencyRatioGate(_Section):
    """Median over device batches of candidate time over reference time on the same batch."""

    max_ratio: float = Field(default=1.10, ge=0.01, le=1e6)
    min_batches: int = Field(default=200, ge=20)


class Gates(_Section):
    """Thresholds of the gates."""

    exact_match: ExactMatchGate = ExactMatchGate()
    span_f1: SpanF1Gate = SpanF1Gate()
    error_rate: ErrorRateGate = ErrorRateGate()
    latency_p99: LatencyP99Gate = LatencyP99Gate()
    latency_ratio: LatencyRatioGate = LatencyRatioGate()


class GoldenPolicy(_Section):
    """The labelled set: looked at once, before any traffic."""

    path: str | None = None
    """File of labelled addresses, relative to the policy file; null when there is none."""
    min_addresses: int = Field(default=500, ge=1)
    """A smaller set is refused: it could detect nothing."""
    min_delta: float = Field(default=-0.002, ge=-1.0, le=1.0)
    """Fails when the mean difference of F1, candidate minus reference, is below this."""
    required: bool | Literal["auto"] = "auto"
    """``auto``: judged where a path is given, else shown as not configured, never as passed."""


class SliceExactMatch(_Section):
    """Exact match within one slice."""

    min: Rate = 0.55
    """From the lowest slice of the same measurement, with room for a slice's own noise."""


class SlicePolicy(_Section):
    """Guards over parts of the traffic, by the reference's answer."""

    by: tuple[Literal["prov"], ...] = SLICE_KEYS
    min_pairs: int = Field(default=200, ge=20)
    """A thinner slice is listed as unjudged, with its share."""
    exact_match: SliceExactMatch = SliceExactMatch()
    when_thin: Literal["report", "inconclusive"] = "report"


class AlphaPolicy(_Section):
    """Error probabilities, each over all looks of a rollout together."""

    promote: Rate = 0.05
    abort: Rate = 0.001
    rollback: Rate = 0.001


class ApprovalPolicy(_Section):
    """Whether a person signs the decision."""

    required: bool = False
    valid_for: Lasting = timedelta(hours=24)
    """After so long without an approval the rollout is inconclusive."""


class CanaryStep(_Section):
    """One step: the candidate serves a share until time and results are there."""

    share: float = Field(gt=0.0, le=1.0)
    duration: Lasting
    min_results: int = Field(ge=1)
    """Addresses that the candidate must have served in this step."""


def _default_steps() -> tuple[CanaryStep, ...]:
    return (
        CanaryStep(share=0.05, duration=timedelta(minutes=10), min_results=1000),
        CanaryStep(share=0.5, duration=timedelta(minutes=10), min_results=5000),
    )


class CanaryPolicy(_Section):
    """The steps before the whole traffic."""

    steps: tuple[CanaryStep, ...] = Field(default_factory=_default_steps, max_length=100)

    @model_validator(mode="after")
    def _rising(self) -> Self:
        shares = [step.share for step in self.steps]
        if shares != sorted(set(shares)):
            raise ValueError("the shares of the steps must rise")
        return self


class BakePolicy(_Section):
    """After the cut-over: watched, and rolled back without asking."""

    duration: Lasting = timedelta(minutes=30)
    min_results: int = Field(default=10_000, ge=1)
    max_results: int = Field(default=1_000_000, ge=1, le=_MOST)
    """With ``alpha.rollback`` it sets the alarm's threshold: ``max_results / alpha.rollback``."""
    max_error_rate: Rate = 0.05
    """Hard ceiling on the served error rate, beyond which it is rolled back at once."""
    auto_rollback: bool = True


class Policy(_Section):
    """The whole policy. Every field has a default; a file names what differs."""

    shadow: ShadowPolicy = ShadowPolicy()
    aa: InstrumentPolicy = InstrumentPolicy()
    gates: Gates = Gates()
    golden: GoldenPolicy = GoldenPolicy()
    slices: SlicePolicy = SlicePolicy()
    alpha: AlphaPolicy = AlphaPolicy()
    approval: ApprovalPolicy = ApprovalPolicy()
    canary: CanaryPolicy = CanaryPolicy()
    bake: BakePolicy = BakePolicy()
