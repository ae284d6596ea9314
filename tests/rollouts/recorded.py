"""A whole rollout on a real broker's topics: evidence, cuts, audit, decision, approval.

Evidence is written as workers write it and cut by the real reader; the audit as a controller
writes it. ``Story`` is what stands in the audit, so that a test can write it down changed.
"""

from __future__ import annotations

import base64
import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from aiokafka import AIOKafkaProducer

from contracts.audit import AuditRecord, CutEntry, RequestEntry, TransitionEntry, encode_audit
from contracts.canonical import digest_of
from contracts.control import RolloutState, ServingSet, encode_state
from contracts.events import AddressResult
from contracts.phases import Phase
from contracts.policy import ApprovalPolicy, Policy
from contracts.requests import RolloutRequest, StartRequest, encode_request
from contracts.rollout import DecisionRef, Rollout
from contracts.settings import KafkaSettings, client_options
from contracts.topics import CONTROL_KEY
from producer.topic_log import TopicLog
from rollout.approvals import new_key, sign
from rollout.decision import decision_record
from rollout.evidence.reader import EvidenceReader, starting_positions
from tests.rollouts.pairs import CANDIDATE, ID, REFERENCE, pair_of, parsed, result_of, rollout_of
from tests.rollouts.shadow_writer import EvidenceWriter

CLUSTER = "test/1"
POLICY = Policy(approval=ApprovalPolicy(required=True))
PER_CUT = 6
CUTS = 3

Change = Callable[[int, AddressResult], AddressResult]
"""Given the number of an address: what the candidate really said of it."""


def log_of(stream: KafkaSettings) -> Any:
    return functools.partial(TopicLog, stream)


def text(number: int) -> str:
    return f"浙江省杭州市文三路{number}号"


def reference(number: int) -> AddressResult:
    road = {"prov": "浙江省", "city": "杭州市", "road": "文三路", "roadno": f"{number}号"}
    return parsed(text(number), road)


def candidate(number: int) -> AddressResult:
    """The same, but for every fifth: there the house number belongs to the road."""
    if number % 5:
        return reference(number)
    whole = {"prov": "浙江省", "city": "杭州市", "road": f"文三路{number}号"}
    return parsed(text(number), whole)


def unchanged(_: int, result: AddressResult) -> AddressResult:
    return result


@dataclass
class Story:
    """What the audit, requests and control topics hold.

    Attributes:
        rollout: as it was registered.
        audit: every record, in order.
        state: the newest state.
        request: that started it.
        keyring: with the key that approved it.
    """

    rollout: Rollout
    audit: list[AuditRecord] = field(default_factory=list)
    state: RolloutState | None = None
    request: RolloutRequest | None = None
    keyring: dict[str, bytes] = field(default_factory=dict)


async def write_evidence(
    stream: KafkaSettings, *, change: Change = unchanged, take_cut: Any = None
) -> None:
    """Input, pairs and results in portions; after each, ``take_cut(number, committed)``."""
    async with EvidenceWriter(stream) as writer:
        for number in range(CUTS):
            numbers = range(number * PER_CUT, (number + 1) * PER_CUT)
            await _portion(stream, writer, numbers, change)
            if take_cut is not None:
                await take_cut(number + 1, await writer.committed())


async def _portion(
    stream: KafkaSettings, writer: EvidenceWriter, numbers: Sequence[int], change: Change
) -> None:
    topic = stream.names.events
    ends: dict[int, int] = {}
    pairs, results = [], []
    for number in numbers:
        partition = number % 2
        offset = await writer.publish([text(number)], partition=partition)
        pairs.append(
            pair_of(
                offset,
                [change(number, candidate(number))],
                [reference(number)],
                partition=partition,
                batch=f"d-{number}",
                times=(8.0 + number % 3, 8.0),
                topic=topic,
            )
        )
        results.append(result_of(offset, [reference(number)], partition=partition, topic=topic))
        ends[partition] = offset + 1
    await writer.pairs(pairs, ends)
    await writer.parsed(*results)


async def tell(stream: KafkaSettings) -> Story:
    """Write evidence, judge it at three cuts, pass at the second, and say what the audit holds."""
    names, open_log = stream.names, log_of(stream)
    registered = rollout_of(
        policy=POLICY,
        policy_digest=digest_of(POLICY),
        evidence_from=await starting_positions(open_log, names),
        requested_by="model team",
    )
    entries: list[CutEntry] = []
    async with EvidenceReader(open_log, names, registered) as reader:

        async def take_cut(number: int, committed: dict[int, int]) -> None:
            now = datetime(2026, 1, 2, 12, number, tzinfo=UTC)
            cut = await reader.take_cut(number, now, 60_000 * number, committed)
            judgement = await reader.advance(cut)
            trial = reader.trial
            entries.append(
                CutEntry(cut=cut, judgement=judgement, outcomes=trial.outcomes, chain=trial.chain)
            )

        await write_evidence(stream, take_cut=take_cut)
    return _story(registered, entries)


def _story(registered: Rollout, entries: list[CutEntry]) -> Story:
    story = Story(registered)
    private, public = new_key()
    story.keyring["lead"] = base64.b64decode(public)
    serving = ServingSet(stable=REFERENCE, serving_epoch=7)
    clock = datetime(2026, 1, 2, 12, 0, tzinfo=UTC)
    revision = registered.started_revision
    previous: Phase | None = None

    def record(kind: str, **fields: Any) -> None:
        story.audit.append(
            AuditRecord.model_validate(
                {
                    "kind": kind,
                    "incarnation": CLUSTER,
                    "revision": revision,
                    "at": clock.isoformat(),
                    "rollout_id": ID,
                    **fields,
                }
            )
        )

    def enter(phase: Phase, rollout: Rollout) -> None:
        nonlocal previous, revision, clock
        entry = TransitionEntry(
            previous=previous, phase=phase, code="test", reason="", serving=serving
        )
        record("transition", transition=entry, rollout=rollout)
        previous, revision = phase, revision + 1
        clock += timedelta(seconds=1)

    story.request = RolloutRequest(
        request_id="q-1",
        kind="start",
        rollout_id=ID,
        requested_at=clock.isoformat(),
        expires_at=(clock + timedelta(minutes=1)).isoformat(),
        requested_by="model team",
        start=StartRequest(candidate=CANDIDATE, policy=POLICY),
    )
    asked = RequestEntry(
        request_id="q-1", kind="start", offset=0, accepted=True, requested_by="model team"
    )
    record("request", request=asked)
    enter(Phase.REGISTERED, registered)
    enter(Phase.WARMING, registered)
    enter(Phase.SHADOWING, registered)
    for entry in entries[:2]:
        record("cut", cut=entry)
    decision = decision_record(
        cluster=CLUSTER,
        rollout=registered,
        phase=Phase.PASSED,
        cuts=[one.cut for one in entries[:2]],
        judgement=entries[1].judgement,
        outcomes=entries[1].outcomes,
        chain=entries[1].chain,
    )
    record("decision", decision=decision.model_dump(mode="json"))
    digest = digest_of(decision)
    decided = registered.model_copy(update={"decision": DecisionRef(digest=digest, cut=2)})
    enter(Phase.PASSED, decided)
    enter(Phase.AWAITING_APPROVAL, decided)
    record("cut", cut=entries[2])
    approval = sign(
        private,
        key_id="lead",
        cluster=CLUSTER,
        rollout_id=ID,
        decision=digest,
        expires_at=(clock + timedelta(hours=1)).isoformat(),
    )
    approved = decided.model_copy(update={"approval": approval, "judgement": entries[2].judgement})
    enter(Phase.STAGING, approved)
    story.state = RolloutState(
        incarnation=CLUSTER,
        revision=revision - 1,
        serving=serving,
        phase=Phase.STAGING,
        rollout=approved,
        next_request_offset=1,
    )
    return story


async def write_story(stream: KafkaSettings, story: Story) -> None:
    """Write audit, request and state as they are."""
    names = stream.names
    producer = AIOKafkaProducer(**client_options(stream))
    await producer.start()
    try:
        if story.request is not None:
            await producer.send_and_wait(names.requests, encode_request(story.request))
        for record in story.audit:
            await producer.send_and_wait(
                names.audit, encode_audit(record), key=record.rollout_id.encode()
            )
        if story.state is not None:
            await producer.send_and_wait(names.control, encode_state(story.state), key=CONTROL_KEY)
    finally:
        await producer.stop()
