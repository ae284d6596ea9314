"""Retained traffic, judged again in a replay: the same proof as when it was live."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from consumer.parser.seams import AddressModel, Interpretation
from contracts.control import RolloutState
from contracts.events import Component
from contracts.judgement import GateResult
from contracts.policy import Policy
from contracts.requests import ReplayFrom
from contracts.settings import KafkaSettings
from contracts.spec import ModelSpec
from producer import AddressPublisher
from tests.brokers.admin import TopicFactory
from tests.models import instant
from tests.streams import controller as c
from tests.streams.eventually import eventually
from tests.streams.whole_system import SMALL, whole_system

pytestmark = [pytest.mark.broker, pytest.mark.timeout(400)]

PARTITIONS = 2
RECORDS, DISTINCT = 300, 240

# It goes on collecting until it is ended by hand.
OPEN_ENDED = Policy.model_validate(
    {
        **SMALL.model_dump(),
        "shadow": {**SMALL.shadow.model_dump(), "min_pairs": 100_000},
        "gates": {
            **SMALL.gates.model_dump(),
            "exact_match": {"min": 0.6},
            "span_f1": {"min": 0.4},
        },
    }
)


class SometimesOther(instant.InstantModel):
    """Calls every fourth text a road and cuts every seventh in two."""

    @staticmethod
    def _interpretation(text: str) -> Interpretation:
        number = int("".join(filter(str.isdigit, text)))
        kinds = ["road"] if number % 4 == 0 else ["poi"]
        ends = [0, 2, len(text)] if number % 7 == 0 else [0, len(text)]
        parts = tuple(
            Component(type=kind, text=text[start:end], start=start, end=end, confidence=1.0)
            for kind, start, end in zip([*kinds, "assist"], ends[:-1], ends[1:], strict=False)
        )
        return Interpretation(parts, {one.type: one.text for one in parts}, (), None, (), 1.0)


def load(spec: ModelSpec) -> AddressModel:
    return SometimesOther(spec) if spec == c.CANDIDATE else instant.InstantModel(spec)


@pytest.fixture
def stream(kafka: KafkaSettings, topics: TopicFactory) -> KafkaSettings:
    names = topics.create_standard(PARTITIONS)
    return kafka.model_copy(update={"topic_prefix": names.prefix})


async def test_a_replay_gives_the_same_proof_on_the_same_records_as_live(
    stream: KafkaSettings,
) -> None:
    began = round(datetime.now(UTC).timestamp() * 1000)
    async with whole_system(stream, stable_workers=1, load=load):
        await c.start(stream, "r-live", policy=OPEN_ENDED)
        await c.until_phase(stream, "SHADOWING")
        async with AddressPublisher(stream) as publisher:
            for number in range(RECORDS):  # some come twice, also in the other partition
                await publisher.publish([f"和平路{number % DISTINCT}号"], key=f"k{number}")
        live = await judged(stream, "r-live")

        for number, replay in enumerate(
            (
                ReplayFrom(asked="offset:0", offset=0),
                ReplayFrom(asked="a moment", since_ms=began),
            ),
            start=2,
        ):
            name = f"r-again-{number}"
            await c.start(stream, name, policy=OPEN_ENDED, replay_from=replay)
            again = await judged(stream, name)
            assert again.rollout is not None
            assert again.rollout.attempt == number
            assert proofs(again) == proofs(live)
            assert needed(again) > needed(live), "a later try has less of alpha"

    exact, f1 = proofs(live)
    assert exact[:2] == ("exact_match", DISTINCT)
    assert 0.6 < (exact[2] or 0.0) < 0.8
    assert 0.6 < (f1[2] or 0.0) < 1.0


async def judged(stream: KafkaSettings, rollout_id: str) -> RolloutState:
    """The state at the first cut that has every record, after which the rollout is ended."""
    found: list[RolloutState] = []

    async def complete() -> bool:
        state = await c.state_of(stream)
        rollout = state.rollout
        assert rollout is None or rollout.rollout_id != rollout_id or state.phase in (
            "REGISTERED", "WARMING", "SHADOWING"
        ), (state.phase, rollout.code, rollout.reason)  # fmt: skip
        if rollout is not None and rollout.rollout_id == rollout_id and rollout.judgement:
            found[:] = [state]
            return rollout.judgement.accounting.paired == RECORDS
        return False

    await eventually(complete, "every record judged", timeout_s=90)
    await c.ask(stream, "abort", request_id=f"abort {rollout_id}")
    await c.until_phase(stream, "ABORTED")
    return found[0]


def gates(state: RolloutState) -> list[GateResult]:
    assert state.rollout is not None
    assert state.rollout.judgement is not None
    found = [state.rollout.judgement.gate(name) for name in ("exact_match", "span_f1")]
    return [gate for gate in found if gate is not None]


def proofs(state: RolloutState) -> list[tuple[str, int, float | None, float | None]]:
    """What was proven, and by how much: all but what it needs."""
    return [(gate.name, gate.n, gate.value, gate.log_e) for gate in gates(state)]


def needed(state: RolloutState) -> float:
    return min(gate.log_e_needed or 0.0 for gate in gates(state))
