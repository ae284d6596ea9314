"""Where live latency runs play: a broker, a model store, and one shadow worker that stays.

The worker is a process of its own and follows the control topic as always: a new rollout makes it
load and warm both models, an ended one makes it let go of them. Holds no rule of a gate.
"""

from __future__ import annotations

import asyncio
import functools
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import psutil
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient

from contracts.canonical import digest_of
from contracts.control import RolloutState, ServingSet, encode_state
from contracts.phases import Phase
from contracts.policy import Policy
from contracts.rollout import Offsets, Replay, Rollout
from contracts.settings import KafkaSettings, client_options
from contracts.spec import ModelSpec
from contracts.topics import CONTROL_KEY
from deploy.demo.candidates import copy_of, with_added_layers
from deploy.demo.processes import Services, environment_of, is_ready, until_ready
from deploy.local import LocalBroker, LocalSettings
from deploy.local.ports import free_port
from producer.topic_log import TopicLog
from rollout.evidence.reader import starting_positions

PARTITIONS: Final = 2
RELEASE: Final = "mgeo-starter-v2-20261015"

# Four layers against five: a quarter more. The starter models have three, so one that passes
# everything through is added to the reference as well.
REFERENCE_LAYERS: Final = 1
SLOWER_LAYERS: Final = 2

_IDLE_WITHIN_S: Final = 60.0


@dataclass(slots=True)
class Stage:
    """The system while it runs.

    Attributes:
        kafka: how to reach it.
        services: the worker.
        port: of the worker's health.
        process: the worker's.
        reference: the model that serves.
        candidates: by name, ``slower`` and ``same``.
        producer: writes control records.
        admin: asks for committed offsets.
        revision: of the newest control record.
    """

    kafka: KafkaSettings
    services: Services
    port: int
    process: psutil.Process
    reference: ModelSpec
    candidates: dict[str, ModelSpec]
    producer: AIOKafkaProducer
    admin: AIOKafkaAdminClient
    revision: int = 1
    open_log: functools.partial[TopicLog] = field(init=False)

    def __post_init__(self) -> None:
        """Open topics as everybody does."""
        self.open_log = functools.partial(TopicLog, self.kafka)

    async def register(self, name: str, candidate: str, *, replay_from: Offsets | None) -> Rollout:
        """Begin a rollout and wait until the worker is ready to run it.

        Args:
            name: of the rollout.
            candidate: ``slower`` or ``same``.
            replay_from: where a replay begins; None for traffic from now on.
        """
        now = datetime.now(UTC).isoformat()
        policy = Policy()
        ends = await self.ends()
        self.revision += 1
        rollout = Rollout(
            rollout_id=f"{name}-{self.revision}",
            candidate=self.candidates[candidate],
            reference=self.reference,
            policy=policy,
            policy_digest=digest_of(policy),
            share=1.0,
            from_offsets=ends if replay_from is None else replay_from,
            replay=None if replay_from is None else Replay(asked="24h", until=ends),
            evidence_from=await starting_positions(self.open_log, self.kafka.names),
            started_revision=self.revision,
            started_at=now,
            phase_entry=self.revision,
            phase_since=now,
        )
        await self._write(rollout, Phase.SHADOWING)
        await until_ready(self.services, self.port, what="shadow worker")
        return rollout

    async def end(self, rollout: Rollout) -> None:
        """End a rollout and wait until the worker has let go of it."""
        self.revision += 1
        await self._write(rollout, Phase.ABORTED)
        deadline = time.monotonic() + _IDLE_WITHIN_S
        while await asyncio.to_thread(is_ready, self.port):
            self.services.check()
            if time.monotonic() > deadline:
                raise TimeoutError("the shadow worker does not let go of an ended rollout")
            await asyncio.sleep(0.05)

    async def ends(self) -> Offsets:
        """The input's ends."""
        async with self.open_log(self.kafka.names.events) as log:
            return await log.ends()

    async def committed(self, rollout: Rollout) -> Offsets:
        """What the shadow has passed of the input."""
        names = self.kafka.names
        found = await self.admin.list_consumer_group_offsets(names.shadow_group(rollout.rollout_id))
        return {
            pair.partition: offset.offset
            for pair, offset in found.items()
            if pair.topic == names.events and offset.offset >= 0
        }

    def processor_s(self) -> float:
        """Processor time that the worker has used, seconds."""
        used = self.process.cpu_times()
        return float(used.user + used.system)

    async def _write(self, rollout: Rollout, phase: Phase) -> None:
        state = RolloutState(
            incarnation="bench",
            revision=self.revision,
            serving=ServingSet(stable=self.reference, serving_epoch=1),
            phase=phase,
            updated_at=datetime.now(UTC).isoformat(),
            rollout=rollout,
        )
        await self.producer.send_and_wait(
            self.kafka.names.control, encode_state(state), key=CONTROL_KEY
        )


@contextmanager
def machinery(folder: Path, token_budget: int) -> Iterator[tuple[KafkaSettings, Services, Path]]:
    """A broker, and what starts services beside it."""
    with ExitStack() as stack:
        broker = stack.enter_context(LocalBroker(LocalSettings(), work_dir=folder / "kafka"))
        kafka = KafkaSettings(kafka_bootstrap_servers=broker.bootstrap_servers)
        store = folder / "store"
        environment = environment_of(kafka.kafka_bootstrap_servers, store, RELEASE)
        environment["MGEO_TOKEN_BUDGET"] = str(token_budget)
        environment["MGEO_PRECISION"] = "fp32"
        # What a run leaves behind is of no use to anybody: the next one begins at the log's end.
        environment["MGEO_DRAIN_BUDGET_MS"] = "500"
        yield kafka, stack.enter_context(Services(environment, folder)), store


def worker(services: Services) -> tuple[int, psutil.Process]:
    """Start the shadow worker; its health port and its process."""
    port = free_port()
    started = services.start("shadow worker", "worker", "--role", "shadow", "--port", str(port))
    return port, psutil.Process(started.pid)


def models(folder: Path, store: Path) -> tuple[ModelSpec, dict[str, ModelSpec]]:
    """The reference and both candidates, added to a store as everybody does; their specs."""
    from consumer.settings import ParserSettings
    from consumer.store import open_store
    from consumer.store.add import add_directory
    from consumer.store.first_spec import first_spec
    from consumer.store.manifest import ModelSource
    from consumer.store.starters import RELEASES

    base = RELEASES / RELEASE
    reference = with_added_layers(base, folder / "reference", REFERENCE_LAYERS)
    made = {
        "mgeo-bench-a-20260101": reference,
        "mgeo-bench-b-20260102": copy_of(reference, folder / "same"),
        "mgeo-bench-c-20260103": with_added_layers(base, folder / "slower", SLOWER_LAYERS),
    }
    specs = []
    for version, directory in made.items():
        settings = ParserSettings(
            model_store=str(store), version=version, device="cpu", precision="fp32"
        )
        add_directory(
            open_store(settings),
            directory,
            version=version,
            source=ModelSource(kind="directory"),
            created=datetime.now(UTC),
        )
        specs.append(first_spec(settings, now=datetime.now(UTC), notice=lambda _: None))
    return specs[0], {"same": specs[1], "slower": specs[2]}


async def topics(kafka: KafkaSettings) -> None:
    """Make the system's topics."""
    from deploy.topics import TopicAdmin

    async with TopicAdmin(kafka) as admin:
        await admin.create(partitions=PARTITIONS, replication=1)


def clients(kafka: KafkaSettings) -> tuple[AIOKafkaProducer, AIOKafkaAdminClient]:
    """A producer for control records, and an admin client; neither is started."""
    return AIOKafkaProducer(**client_options(kafka)), AIOKafkaAdminClient(**client_options(kafka))
