"""Controllers in the test's own loop, with stand-ins for everything that is not a controller.

Workers are stood in for by what a controller sees of them: the notes beside their groups'
offsets. Evidence is stood in for by a script of verdicts; its cuts are of the real topics.
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Self

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaError
from aiokafka.structs import OffsetAndMetadata
from prometheus_client import CollectorRegistry

from contracts.audit import AuditRecord, decode_audit
from contracts.canonical import digest_of
from contracts.control import RolloutState, decode_state, first_state, supersedes
from contracts.errors import TransientError
from contracts.judgement import Accounting, GateResult, Judgement
from contracts.offset_metadata import OffsetMetadata
from contracts.phases import SHADOWED
from contracts.policy import Policy
from contracts.requests import RolloutRequest, StartRequest, encode_request
from contracts.rollout import Cut, Offsets, Rollout
from contracts.settings import KafkaSettings, client_options
from contracts.spec import ModelSpec
from producer.topic_log import TopicLog
from rollout.asking import start_request, verb_request
from rollout.controller.service import Controller, Parts
from rollout.controller.timing import stamp
from rollout.controller.writer import Writer
from rollout.partitions import InputPartition
from rollout.settings import ControllerSettings
from tests.models import instant
from tests.streams.eventually import eventually
from tests.streams.topic import everything
from tests.streams.worker import write_state

STABLE = instant.spec("mgeo-instant-v1-20260101")
CANDIDATE = instant.spec("mgeo-instant-v2-20260201")

QUICK = Policy.model_validate(
    {
        "shadow": {"min_duration": "1ms", "max_duration": "1h"},
        "canary": {
            "steps": [
                {"share": 0.1, "duration": "100ms", "min_results": 1},
                {"share": 0.5, "duration": "100ms", "min_results": 1},
            ]
        },
        "bake": {"duration": "100ms", "min_results": 1},
    }
)


def now_ms() -> int:
    return round(datetime.now(UTC).timestamp() * 1000)


def judgement(verdict: str = "pass", code: str = "all_gates_passed", **more: Any) -> Judgement:
    return Judgement(
        verdict=verdict,  # type: ignore[arg-type]  # by name
        code=code,
        reason=code,
        accounting=Accounting(newest_input_ms=now_ms(), paired=1, sampled=1),
        **more,
    )


@dataclass
class Script:
    """What the scripted evidence says. A test changes it while a controller runs."""

    judge: Callable[[Cut], Judgement] = lambda _: judgement()
    served: tuple[int, int] = (1000, 0)
    alarm: GateResult | None = None
    bakes_watched: int = 0
    advanced: list[int] = field(default_factory=list)


class ScriptedEvidence:
    """Real cuts, scripted verdicts; the chain is over the cuts that it was advanced to."""

    behind = False

    def __init__(self, script: Script, kafka: KafkaSettings, rollout: Rollout) -> None:
        self._script = script
        self._kafka = kafka
        self._rollout = rollout
        self._logs: list[TopicLog] = []
        self.outcomes = 0
        self.chain = digest_of({})
        self.trial = self

    async def __aenter__(self) -> Self:
        names = self._kafka.names
        for topic in (names.shadow, names.parsed, names.events):
            log = TopicLog(self._kafka, topic)
            await log.__aenter__()
            self._logs.append(log)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for log in self._logs:
            await log.__aexit__(None, None, None)

    async def take_cut(
        self, number: int, now: datetime, elapsed_ms: int, shadow_committed: Offsets
    ) -> Cut:
        shadow, parsed, events = [await log.ends() for log in self._logs]
        return Cut(
            number=number,
            at=stamp(now),
            elapsed_ms=elapsed_ms,
            shadow=shadow,
            parsed=parsed,
            shadow_committed=shadow_committed,
            events=events,
        )

    async def advance(self, cut: Cut) -> Judgement:
        self._script.advanced.append(cut.number)
        self.outcomes += 1
        self.chain = digest_of({"chain": self.chain, "cut": cut.model_dump(mode="json")})
        return self._script.judge(cut)

    @property
    def alarm(self) -> GateResult | None:
        return self._script.alarm

    def served(self, spec_key: str, serving_epoch: int) -> tuple[int, int]:
        return self._script.served

    def watch_bake(self) -> None:
        self._script.bakes_watched += 1


async def positions(_: object) -> dict[Any, Offsets]:
    return {}


def parts_for(
    kafka: KafkaSettings,
    script: Script,
    *,
    make_writer: Callable[[], Writer] | None = None,
    **more: Any,
) -> Parts:
    return Parts(
        open_log=functools.partial(TopicLog, kafka),
        open_evidence=functools.partial(ScriptedEvidence, script, kafka),
        positions=positions,
        make_writer=make_writer,
        **more,
    )


class Probe:
    """Remembers what the controller says of itself."""

    def __init__(self) -> None:
        self.waits_for = "start"
        self.silent_s = 0.0

    def beat(self) -> None:
        pass

    def waiting_for(self, what: str) -> None:
        self.waits_for = what

    def ready(self) -> None:
        self.waits_for = ""


class RunningController:
    """A controller and the ways to look at it."""

    def __init__(self, registry: CollectorRegistry, probe: Probe, stop: asyncio.Event) -> None:
        self.registry = registry
        self.probe = probe
        self.stop = stop
        self.task: asyncio.Task[None] | None = None

    def metric(self, name: str, labels: Mapping[str, str] | None = None) -> float:
        return self.registry.get_sample_value(name, dict(labels or {})) or 0.0

    @property
    def leads(self) -> bool:
        return self.metric("mgeo_controller_leader") == 1

    async def leading(self) -> None:
        async def leads() -> bool:
            return self.leads

        await eventually(leads, "it leads")


@asynccontextmanager
async def running_controller(
    kafka: KafkaSettings, parts: Parts, **changes: object
) -> AsyncIterator[RunningController]:
    """Run a controller; on leaving it is stopped and must have ended well."""
    registry, probe, stop = CollectorRegistry(), Probe(), asyncio.Event()
    running = RunningController(registry, probe, stop)
    controller = Controller(quick_settings(**changes), kafka, parts, registry=registry, probe=probe)
    running.task = asyncio.create_task(controller.run(stop))
    try:
        yield running
    finally:
        stop.set()
        await asyncio.wait({running.task}, timeout=30)
    running.task.result()


def quick_settings(**changes: object) -> ControllerSettings:
    return ControllerSettings(
        **{  # type: ignore[arg-type]  # by name
            "observe_interval_ms": 100,
            "cut_interval_ms": 100,
            "cut_interval_most_ms": 200,
            "hold_times": 600.0,
            "port": 0,
            **changes,
        }
    )


async def first(kafka: KafkaSettings, stable: ModelSpec = STABLE) -> None:
    """Write the first control record."""
    await write_state(
        kafka, first_state(stable, incarnation="test", updated_at="2026-01-01T00:00:00Z")
    )


async def state_of(kafka: KafkaSettings) -> RolloutState:
    """The newest good control record."""
    newest: RolloutState | None = None
    for record in await everything(kafka, kafka.names.control):
        try:
            state = decode_state(record.value)
        except Exception:  # noqa: BLE001, S112  (tests put broken ones there)
            continue
        newest = state if supersedes(state, newest) else newest
    assert newest is not None
    return newest


async def audit_of(kafka: KafkaSettings) -> list[AuditRecord]:
    return [decode_audit(record.value) for record in await everything(kafka, kafka.names.audit)]


async def until_phase(kafka: KafkaSettings, *phases: str, timeout_s: float = 40.0) -> RolloutState:
    async def there() -> bool:
        return (await state_of(kafka)).phase in phases

    try:
        await eventually(there, f"phase {phases}", timeout_s=timeout_s)
    except AssertionError as late:
        rollout = (await state_of(kafka)).rollout
        said = None if rollout is None else rollout.judgement
        gates = () if said is None else said.gates
        found = [f"{one.name} {one.status}: {one.reason}" for one in gates]
        raise AssertionError("\n".join([str(late), repr(said and said.reason), *found])) from late
    return await state_of(kafka)


async def send(kafka: KafkaSettings, request: RolloutRequest | bytes) -> None:
    value = request if isinstance(request, bytes) else encode_request(request)
    async with AIOKafkaProducer(**client_options(kafka)) as producer:
        await producer.send_and_wait(kafka.names.requests, value)


def start_of(
    state: RolloutState,
    rollout_id: str = "r-1",
    *,
    policy: Policy = QUICK,
    candidate: ModelSpec = CANDIDATE,
    **more: Any,
) -> RolloutRequest:
    return start_request(
        StartRequest(candidate=candidate, policy=policy, **more),
        rollout_id=rollout_id,
        request_id=f"start {rollout_id}",
        state=state,
        requested_by="a test",
        now=datetime.now(UTC),
    )


async def start(kafka: KafkaSettings, rollout_id: str = "r-1", **more: Any) -> None:
    await send(kafka, start_of(await state_of(kafka), rollout_id, **more))


async def ask(kafka: KafkaSettings, verb: str, *, request_id: str = "") -> None:
    state = await state_of(kafka)
    assert state.rollout is not None
    await send(
        kafka,
        verb_request(
            verb,  # type: ignore[arg-type]  # by name
            state.rollout,
            request_id=request_id or verb,
            requested_by="a test",
            reason="",
            now=datetime.now(UTC),
        ),
    )


async def outcome(kafka: KafkaSettings, request_id: str) -> AuditRecord:
    """The outcome of a request, once it is judged."""
    found: list[AuditRecord] = []

    async def judged() -> bool:
        found[:] = [
            record
            for record in await audit_of(kafka)
            if record.request is not None and record.request.request_id == request_id
        ]
        return bool(found)

    await eventually(judged, f"the outcome of {request_id}")
    return found[0]


async def note(
    kafka: KafkaSettings,
    group: str,
    notes: Mapping[int, OffsetMetadata],
    offsets: Mapping[int, int] | None = None,
) -> None:
    """Commit offsets with notes beside them, as lanes do: stable ones on both inputs."""
    topics = kafka.names.inputs if group == kafka.names.stable_group else (kafka.names.events,)
    for topic in topics:
        at = offsets if topic == kafka.names.events else None
        await note_on(kafka, topic, group, notes, at)


async def note_on(
    kafka: KafkaSettings,
    topic: str,
    group: str,
    notes: Mapping[int, OffsetMetadata],
    offsets: Mapping[int, int] | None = None,
) -> None:
    """The same on one input."""
    consumer = AIOKafkaConsumer(group_id=group, enable_auto_commit=False, **client_options(kafka))
    await consumer.start()
    try:
        pairs = {p: TopicPartition(topic, p) for p in notes}
        consumer.assign(list(pairs.values()))
        await consumer.commit(
            {
                pairs[p]: OffsetAndMetadata((offsets or {}).get(p, 0), one.encode())
                for p, one in notes.items()
            }
        )
    finally:
        await consumer.stop()


@asynccontextmanager
async def adopting(kafka: KafkaSettings, partitions: int) -> AsyncIterator[set[InputPartition]]:
    """Workers that adopt whatever the control topic says, but on the partitions of this set."""
    holding_out: set[InputPartition] = set()

    async def follow() -> None:
        done: set[tuple[str, str, int, int]] = set()
        async with TopicLog(kafka, kafka.names.control) as log:
            log.seek(await log.beginnings())
            newest: RolloutState | None = None
            while True:
                for record in await log.poll():
                    try:
                        newest = decode_state(record.value)
                    except Exception:  # noqa: BLE001, S112  (tests put broken ones there)
                        continue
                if newest is None:
                    continue
                epoch = newest.serving.serving_epoch
                wanted = [(topic, kafka.names.stable_group, epoch) for topic in kafka.names.inputs]
                rollout = newest.rollout
                if rollout is not None and newest.phase in SHADOWED:
                    group = kafka.names.shadow_group(rollout.rollout_id)
                    wanted.append((kafka.names.events, group, rollout.started_revision))
                for topic, group, epoch in wanted:
                    mine = [
                        p
                        for p in range(partitions)
                        if InputPartition(topic == kafka.names.interactive, p) not in holding_out
                        and (topic, group, epoch, p) not in done
                    ]
                    if mine:
                        notes = {p: OffsetMetadata(epoch) for p in mine}
                        await note_on(kafka, topic, group, notes)
                        done |= {(topic, group, epoch, p) for p in mine}

    async def keep_on() -> None:
        while True:
            try:
                await follow()
            except (KafkaError, TransientError):
                await asyncio.sleep(0.5)

    task = asyncio.create_task(keep_on())
    try:
        yield holding_out
    finally:
        if task.done():
            task.result()
        task.cancel()
        await asyncio.wait([task])


@asynccontextmanager
async def traffic(kafka: KafkaSettings) -> AsyncIterator[None]:
    """Input that goes on: without it nothing moves, and nothing is judged anew."""

    async def publish() -> None:
        async with AIOKafkaProducer(**client_options(kafka)) as producer:
            while True:
                await producer.send_and_wait(kafka.names.events, b"{}")
                await asyncio.sleep(0.1)

    task = asyncio.create_task(publish())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])
