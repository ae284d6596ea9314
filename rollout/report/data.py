"""Everything that a report shows, as one frozen value that goes to JSON and back unchanged.

Whoever has evidence fills it (a log of the stream, a labelled file); whoever writes a format reads
nothing else. Every field that a running or failed rollout may lack has an empty default.
"""

from __future__ import annotations

from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from contracts.control import ServingSet
from contracts.decision import DecisionRecord
from contracts.events import AddressResult, Component, Origin
from contracts.judgement import GateKind, GateResult, Judgement
from contracts.phases import Phase
from contracts.policy import Policy
from contracts.requests import RequestKind
from contracts.rollout import Cut, GoldenOutcome, Rollout
from contracts.spec import ModelSpec

REPORT_VERSION: Final = 1


class _Frozen(BaseModel):
    model_config = ConfigDict(
        frozen=True,
        extra="ignore",
        use_attribute_docstrings=True,
        allow_inf_nan=False,
        json_schema_serialization_defaults_required=True,
    )


class HistoryPoint(_Frozen):
    """One gate at one cut, as far as plots need it."""

    cut: int
    n: int
    value: float | None = None
    bound: float | None = None
    log_e: float | None = None


class GateHistory(_Frozen):
    """One gate over the cuts; thinned to a bounded number of points, the last one always in."""

    name: str
    kind: GateKind
    threshold: float | None = None
    log_e_needed: float | None = None
    points: tuple[HistoryPoint, ...] = ()


class Disagreement(_Frozen):
    """One address that the two models read differently, with both readings."""

    origin: Origin | None = None
    """Its input record; None where it came from a file."""
    text: str
    f1: float | None = None
    """F1 of the candidate's spans against the reference's (against ``expected`` where given)."""
    slice: str = ""
    reference: AddressResult
    candidate: AddressResult
    expected: tuple[Component, ...] | None = None
    """The labelled spans, where there are labels."""


class ComponentFigures(_Frozen):
    """One component type over all distinct addresses that both models read, counted in spans."""

    type: str
    agreed: int = 0
    """Same type, start and end in both."""
    moved: int = 0
    """The candidate has this type at other bounds that overlap."""
    renamed: int = 0
    """The candidate has exactly these bounds under another type."""
    lost: int = 0
    """The reference's spans of this type for which the candidate has nothing like it."""
    invented: int = 0
    """The candidate's spans of this type for which the reference has nothing like it."""

    @property
    def reference(self) -> int:
        """Spans of this type in the reference."""
        return self.agreed + self.moved + self.renamed + self.lost

    @property
    def share_agreed(self) -> float | None:
        """Part of the reference's spans that the candidate has exactly."""
        return self.agreed / self.reference if self.reference else None


class Renaming(_Frozen):
    """How often the same characters changed their type."""

    reference: str
    candidate: str
    spans: int


class ComponentScore(_Frozen):
    """One component type against labels."""

    type: str
    labelled: int
    reference_f1: float | None = None
    candidate_f1: float | None = None


class SliceFigures(_Frozen):
    """One part of the traffic."""

    name: str
    """``prov=浙江省``; the rest is ``prov=`` without a value."""
    addresses: int
    """Distinct ones."""
    exact: int
    """Those that both read the same, of ``judged``."""
    judged: int
    """Those that the reference could read."""
    candidate_errors: int = 0
    reference_errors: int = 0


class LatencyFigures(_Frozen):
    """Times of the same device batches on both models, as quantiles."""

    batches: int
    """Device batches seen, each once."""
    sampled: int
    """Of these, how many the quantiles are of; fewer only where there were very many."""
    probabilities: tuple[float, ...]
    reference_ms: tuple[float, ...]
    """Milliseconds at each probability."""
    candidate_ms: tuple[float, ...]
    ratio: tuple[float, ...]
    """Candidate over reference, batch by batch, at each probability."""


class ServedFigures(_Frozen):
    """What one spec served under one serving epoch, from the topic of results."""

    model: ModelSpec
    track: str
    serving_epoch: int
    records: int
    addresses: int
    errors: int
    mean_confidence: float | None = None
    p99_service_ms: float | None = None
    first_at: str = ""
    """RFC 3339 in UTC: timestamps of the first and the last result record."""
    last_at: str = ""
    offsets: dict[int, tuple[int, int]] = Field(default_factory=dict)
    """Input partition to first and last input offset."""


class TransitionSeen(_Frozen):
    """One transition of the audit."""

    at: str
    revision: int
    previous: Phase | None = None
    phase: Phase
    step: int = 0
    code: str = ""
    reason: str = ""
    serving: ServingSet


class RequestSeen(_Frozen):
    """One request of the audit."""

    at: str
    kind: RequestKind | Literal["unreadable"]
    accepted: bool
    code: str = ""
    message: str = ""
    requested_by: str = ""


class AlertSeen(_Frozen):
    """Something that the controller raised."""

    at: str
    message: str


class ReportData(_Frozen):
    """One report's content."""

    report_version: int = REPORT_VERSION
    kind: Literal["rollout", "comparison"] = "rollout"
    """``comparison``: two models on labelled addresses, before any traffic."""
    generated_at: str
    """RFC 3339 in UTC. The only field that differs between two reports of the same log."""
    candidate: ModelSpec
    reference: ModelSpec
    policy: Policy
    policy_digest: str = ""
    incarnation: str = ""
    rollout: Rollout | None = None
    phase: Phase | None = None
    paused: bool = False
    serving: ServingSet | None = None
    judgement: Judgement | None = None
    """At the newest cut, or at the one of the decision."""
    cut: Cut | None = None
    cuts: int = 0
    histories: tuple[GateHistory, ...] = ()
    transitions: tuple[TransitionSeen, ...] = ()
    requests: tuple[RequestSeen, ...] = ()
    alerts: tuple[AlertSeen, ...] = ()
    decision: DecisionRecord | None = None
    decision_digest: str = ""
    outcomes: int = 0
    chain: str = ""
    disagreements: tuple[Disagreement, ...] = ()
    """The worst first."""
    compared: int = 0
    """Distinct addresses that both models read: what ``components`` counts over."""
    components: tuple[ComponentFigures, ...] = ()
    renamings: tuple[Renaming, ...] = ()
    """The most frequent first."""
    slices: tuple[SliceFigures, ...] = ()
    """The largest first."""
    latency: LatencyFigures | None = None
    golden: GoldenOutcome | None = None
    golden_components: tuple[ComponentScore, ...] = ()
    served: tuple[ServedFigures, ...] = ()
    notes: tuple[str, ...] = ()
    """What could not be read, one sentence each."""

    @property
    def name(self) -> str:
        """What this report is of: the rollout's id, or both versions."""
        if self.rollout is not None:
            return self.rollout.rollout_id
        return f"{self.candidate.version} against {self.reference.version}"

    @property
    def gates(self) -> tuple[GateResult, ...]:
        """The gates of the judgement; none while there is none."""
        return self.judgement.gates if self.judgement is not None else ()
