"""A whole control plane without Kafka: states, audit and requests in memory, time by hand."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from contracts.audit import AuditRecord, CutEntry
from contracts.canonical import digest_of
from contracts.control import RolloutState, decode_state, encode_state, first_state
from contracts.judgement import Accounting, GateResult, Judgement
from contracts.offset_metadata import OffsetMetadata
from contracts.policy import Policy
from contracts.requests import RolloutRequest, StartRequest
from contracts.rollout import Approval, Cut, Rollout
from contracts.spec import ModelSpec
from rollout.approvals import Keyring
from rollout.controller.decide import decide
from rollout.controller.memory import AuditMemory
from rollout.controller.plan import Plan
from rollout.controller.registering import StartFacts
from rollout.controller.requests import Asked, judge_request, needs_facts
from rollout.controller.timing import gathering_ms, stamp
from rollout.controller.view import Bounds, Evidence, Observation

BEGIN = datetime(2026, 1, 2, 12, 0, tzinfo=UTC)
PARTITIONS = (0, 1, 2)


def spec(number: int) -> ModelSpec:
    return ModelSpec(
        version=f"mgeo-made-v{number}-20260101",
        digest="sha256:" + f"{number:064x}",
        precision="fp32",
        fingerprint="2" * 16,
    )


STABLE, CANDIDATE, OTHER = spec(1), spec(2), spec(3)

POLICY = Policy.model_validate(
    {
        "shadow": {"min_duration": "1m", "max_duration": "1h", "stale_after": "5m"},
        "canary": {
            "steps": [
                {"share": 0.1, "duration": "10m", "min_results": 100},
                {"share": 0.5, "duration": "10m", "min_results": 100},
            ]
        },
        "bake": {"duration": "30m", "min_results": 1000},
        "approval": {"valid_for": "2h"},
    }
)


def with_approval(policy: Policy = POLICY) -> Policy:
    approval = policy.approval.model_copy(update={"required": True})
    return policy.model_copy(update={"approval": approval})


@dataclass
class Plane:
    """What a controller has, and everything that it has written.

    ``at`` is the epoch and revision that stand-in workers have noted; partitions missing there
    have noted nothing.
    """

    now: datetime = BEGIN
    state: RolloutState = field(
        default_factory=lambda: first_state(STABLE, incarnation="i-1", updated_at=stamp(BEGIN))
    )
    memory: AuditMemory = field(default_factory=AuditMemory)
    bounds: Bounds = field(default_factory=Bounds)
    keyring: Keyring = field(default_factory=dict)
    stable: dict[int, OffsetMetadata] = field(default_factory=dict)
    interactive_partitions: tuple[int, ...] = PARTITIONS
    interactive: dict[int, OffsetMetadata] = field(default_factory=dict)
    shadow: dict[int, OffsetMetadata] = field(default_factory=dict)
    evidence: Evidence | None = None
    states: list[RolloutState] = field(default_factory=list)
    audit: list[AuditRecord] = field(default_factory=list)
    offset: int = 0

    def __post_init__(self) -> None:
        self.states.append(self.state)

    @property
    def rollout(self) -> Rollout:
        assert self.state.rollout is not None
        return self.state.rollout

    @property
    def observation(self) -> Observation:
        return Observation(
            PARTITIONS,
            self.stable,
            self.shadow,
            self.evidence,
            self.interactive_partitions,
            self.interactive,
        )

    @property
    def phase(self) -> str | None:
        return self.state.phase

    def wait(self, **duration: float) -> None:
        self.now += timedelta(**duration)

    def write(self, plan: Plan) -> None:
        assert decode_state(encode_state(plan.state)) == plan.state
        entered = [one.transition.phase for one in plan.audit if one.transition is not None]
        assert [phase for phase, _ in plan.moves] == entered
        before, after = self.state.rollout, plan.state.rollout
        if before is None or after is None or before.rollout_id != after.rollout_id:
            self.evidence = None  # of another rollout: the controller drops it likewise
        self.state = plan.state
        self.states.append(plan.state)
        self.audit.extend(plan.audit)
        self.memory.take(plan.audit)

    def decide(self, most: int = 20) -> None:
        """Everything that is to be done now."""
        for _ in range(most):
            plan = decide(
                self.state,
                self.memory.history,
                self.observation,
                self.now,
                self.bounds,
            )
            if plan is None:
                return
            self.write(plan)
        raise AssertionError("it never comes to rest")

    # --- what workers do --------------------------------------------------------------------------

    def adopt(self, *partitions: int) -> None:
        """Stable workers take the serving set; all of them when none is named."""
        epoch = self.state.serving.serving_epoch
        for partition in partitions or PARTITIONS:
            self.stable[partition] = OffsetMetadata(epoch)
            self.interactive[partition] = OffsetMetadata(epoch)

    def warm(self, *partitions: int) -> None:
        """Shadow workers are warm."""
        for partition in partitions or PARTITIONS:
            self.shadow[partition] = OffsetMetadata(self.rollout.started_revision)

    def refuse(self, notes: str, partition: int, code: str = "out_of_memory") -> None:
        epoch = (
            self.rollout.started_revision if notes == "shadow" else self.state.serving.serving_epoch
        )
        held: dict[int, OffsetMetadata] = getattr(self, notes)
        held[partition] = OffsetMetadata(epoch - 1, refused_epoch=epoch, refusal=code)

    def cut(
        self,
        verdict: str = "continue",
        code: str = "still_collecting",
        *,
        served: tuple[int, int] = (0, 0),
        newest: datetime | None = None,
        harmed: tuple[str, ...] = (),
        gates: tuple[GateResult, ...] = (),
        alarm: bool = False,
    ) -> None:
        """The evidence is judged once more; ``newest`` is the input time of the newest pair."""
        number = len(self.memory.judged) + 1
        cut = Cut(
            number=number,
            at=stamp(self.now),
            elapsed_ms=gathering_ms(self.rollout, self.now),
            shadow=dict.fromkeys(PARTITIONS, number),
            parsed=dict.fromkeys(PARTITIONS, number),
            shadow_committed=dict.fromkeys(PARTITIONS, number),
            events=dict.fromkeys(PARTITIONS, number),
        )
        judgement = Judgement(
            verdict=verdict,  # type: ignore[arg-type]  # by name
            code=code,
            reason=f"because of {code}",
            harmed=harmed,
            gates=gates,
            accounting=Accounting(
                newest_input_ms=round((newest or self.now).timestamp() * 1000), paired=number
            ),
        )
        self.evidence = Evidence(
            CutEntry(
                cut=cut,
                judgement=judgement,
                outcomes=number,
                chain=digest_of({"cut": number}),
            ),
            served=served,
            served_epoch=self.state.serving.serving_epoch,
            alarm=GateResult(name="bake", kind="guard", status="failed", reason="it rang")
            if alarm
            else None,
        )

    # --- what people do ---------------------------------------------------------------------------

    def request(self, kind: str, rollout_id: str = "", **more: Any) -> RolloutRequest:
        rollout = self.state.rollout
        return RolloutRequest(
            request_id=f"q-{self.offset}",
            kind=kind,  # type: ignore[arg-type]  # by name
            rollout_id=rollout_id or ("r-none" if rollout is None else rollout.rollout_id),
            requested_at=stamp(self.now),
            expires_at=more.pop("expires_at", stamp(self.now + timedelta(seconds=30))),
            expected_entry=more.pop(
                "expected_entry", None if rollout is None else rollout.phase_entry
            ),
            requested_by="a test",
            **more,
        )

    def ask(self, request: RolloutRequest | None, **facts: Any) -> tuple[bool, str]:
        """Judge a request and write what is said: whether it was accepted, and the code."""
        known = None
        if request is not None and needs_facts(self.state, request, self.now):
            assert request.start is not None
            known = StartFacts(
                from_offsets=dict.fromkeys(PARTITIONS, 0),
                ends=dict.fromkeys(PARTITIONS, 0),
                tries=self.memory.tried(self.state.serving.stable, request.start.candidate),
                known_ids=frozenset(self.memory.ids),
                **facts,
            )
        plan = judge_request(
            self.state,
            Asked(self.offset, request),
            self.memory.history,
            self.now,
            keyring=self.keyring,
            facts=known,
        )
        self.offset += 1
        self.write(plan)
        (entry,) = [one.request for one in plan.audit if one.request is not None]
        return entry.accepted, entry.code

    def verb(self, kind: str, **more: Any) -> tuple[bool, str]:
        return self.ask(self.request(kind, **more))

    def start(
        self,
        rollout_id: str = "r-1",
        policy: Policy = POLICY,
        candidate: ModelSpec = CANDIDATE,
        *,
        facts: Mapping[str, Any] | None = None,
        expected_entry: int | str | None = "seen",
        **more: Any,
    ) -> tuple[bool, str]:
        extra = {} if expected_entry == "seen" else {"expected_entry": expected_entry}
        begin = StartRequest(candidate=candidate, policy=policy, **more)
        return self.ask(self.request("start", rollout_id, start=begin, **extra), **(facts or {}))

    def approve(self, approval: Approval, **more: Any) -> tuple[bool, str]:
        return self.ask(self.request("approve", approval=approval, **more))

    # --- getting somewhere ------------------------------------------------------------------------

    def reach(self, phase: str, policy: Policy = POLICY) -> None:
        """Take the straight way to a phase."""
        if self.phase is None or self.state.rollout is None:
            assert self.start(policy=policy) == (True, "")
        for _ in range(40):
            if self.phase == phase:
                return
            self._one_step()
        raise AssertionError(f"{phase} was not reached: {self.phase}")

    def _one_step(self) -> None:
        match self.phase:
            case "WARMING":
                self.warm()
            case "SHADOWING":
                self.wait(minutes=2)
                self.cut("pass", "all_gates_passed")
            case "STAGING" | "CUTTING_OVER" | "ROLLING_BACK":
                self.adopt()
            case "CANARY" | "BAKING":
                self.adopt()
                self.wait(minutes=31)
                self.cut("pass", "all_gates_passed", served=(2000, 0))
            case _:
                pass
        plan = decide(
            self.state,
            self.memory.history,
            self.observation,
            self.now,
            self.bounds,
        )
        if plan is not None:
            self.write(plan)
