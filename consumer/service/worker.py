"""The worker: joins the parts, follows the control topic, stays in the group, drains.

Composition only; every rule lives in the part it belongs to.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import time
from collections.abc import Callable, Coroutine, Iterator, Mapping
from concurrent.futures import Executor as CpuPool
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError
from prometheus_client import CollectorRegistry

from consumer.parser.seams import AddressModel
from consumer.service.gpu import watch_gpu
from consumer.service.health import Health, HealthServer
from consumer.service.preflight import FoundTopic, check_topics, find_topics
from consumer.service.rejoin import RejoinBudget
from consumer.service.replier import Replier
from consumer.settings import WorkerSettings
from consumer.stream.batcher import Batcher
from consumer.stream.cache import InterpretationCache
from consumer.stream.commit_schedule import CommitSchedule
from consumer.stream.control import follow_control
from consumer.stream.dispatcher import Dispatcher
from consumer.stream.executor import DeviceExecutor
from consumer.stream.in_flight import InFlight
from consumer.stream.lane import Lane, LaneHost
from consumer.stream.membership import Ending, Membership, MembershipLimits
from consumer.stream.pipeline import Pipeline
from consumer.stream.plan import Plan, Refusal
from consumer.stream.reading import Readers
from consumer.stream.records import Record
from consumer.stream.replies import NoReplies
from consumer.stream.residency import ModelLoader, Residency, ResidentSet
from consumer.stream.roles import Role
from consumer.stream.sink import AtLeastOnceSink, Sink, TransactionalSink
from consumer.stream.telemetry import Telemetry
from consumer.stream.traffic import BulkBatches, Traffic
from consumer.stream.waiting import first_of, let_go, or_event, sleep_or
from contracts.access import refused_by
from contracts.certificates import watch_certificates
from contracts.control import RolloutState
from contracts.errors import MgeoError
from contracts.logs import get_logger
from contracts.settings import KafkaSettings, client_options
from contracts.topics import RECORD_OVERHEAD_BYTES

_log = get_logger(__name__)

_REJOIN_WINDOW_S = 600.0
_CPU_THREADS = {Traffic.BULK: 2, Traffic.INTERACTIVE: 1}
# Traffic that has only paused must not find the device taken by a batch of full size.
_INTERACTIVE_LINGER_S = 2.0
_POLL_RECORDS = 100
_BATCH_BYTES = 512 * 1024

SinkFactory = Callable[[TopicPartition, AIOKafkaConsumer, str], Sink]
"""Input partition, the group's consumer, the group's name."""


class Worker:
    """One worker process.

    Args:
        settings: how it works.
        kafka: how Kafka is reached.
        role: what it reads, writes and runs.
        load: loads, verifies and warms a model.
        registry: where metrics are registered.
        sink_factory: makes a lane's sink; None makes the one of ``settings.guarantee``.
    """

    def __init__(
        self,
        settings: WorkerSettings,
        kafka: KafkaSettings,
        role: Role,
        *,
        load: ModelLoader,
        registry: CollectorRegistry | None = None,
        sink_factory: SinkFactory | None = None,
    ) -> None:
        self._settings = settings
        self._kafka = kafka
        self._role = role
        self._registry = registry or CollectorRegistry()
        self._telemetry = Telemetry(self._registry, token_budget=settings.token_budget)
        metrics = self._telemetry.metrics
        self._health = Health(loop_timeout_s=30.0)
        # Asked when it is scraped: an event loop that hangs could not take it back.
        metrics.gauge("mgeo_worker_ready").set_function(lambda: not self._health.not_ready_because)
        self._sink_factory = sink_factory or self._make_sink
        self._options = client_options(kafka)
        self._residency = Residency(
            load,
            self._on_resident,
            self._on_refusal,
            introduce=self._introduce,
            timeout_s=settings.model_load_timeout_ms / 1e3,
        )
        self._plan: Plan | None = None
        self._replanned = asyncio.Event()  # another group, or none
        self._in_flight = {
            Traffic.BULK: InFlight(
                max_addresses=settings.max_in_flight_addresses,
                max_bytes=settings.max_in_flight_bytes,
            ),
            Traffic.INTERACTIVE: InFlight(
                max_addresses=settings.max_interactive_addresses,
                max_bytes=settings.max_interactive_bytes,
            ),
        }
        self._telemetry.watch(list(self._in_flight.values()))
        # Names this process in the offset metadata: a lane that reads its own note again
        # knows that there was no crash in between.
        self._process = secrets.token_hex(4)
        self._repliers = [
            Replier(topic, self.producer_options(), metrics) for topic in role.replies
        ]
        self._membership: Membership | None = None
        self._executor: DeviceExecutor | None = None
        self._compared = ""  # the version that MGEO_VERSION was compared with last

    async def run(
        self, stop: asyncio.Event, *, on_port: Callable[[int], None] | None = None
    ) -> None:
        """Serve until ``stop`` is set, then drain.

        Args:
            stop: ends the worker; what is in hand is finished within the drain budget.
            on_port: told the health port.

        Raises:
            FatalError: the process must stop; starting it again is safe.
        """
        server = HealthServer(
            self._settings.host, self._settings.port, self._health, self._registry
        )
        if on_port is not None:
            on_port(server.port)
        pools = {
            traffic: ThreadPoolExecutor(threads, thread_name_prefix=f"mgeo-{traffic.value}")
            for traffic, threads in _CPU_THREADS.items()
        }
        executor = self._executor = DeviceExecutor(
            bulk_share=self._settings.bulk_share,
            hang_after_s=self._settings.device_hang_ms / 1e3,
            on_hang=_end_process,
            observer=self._telemetry,
        )
        try:
            await self._serve(stop, pools, executor)
        except BaseExceptionGroup as group:
            raise _cause(group) from group
        finally:
            self._health.waiting_for("nothing: it has stopped")
            executor.close()
            for pool in pools.values():
                pool.shutdown(wait=False, cancel_futures=True)
            server.close()

    async def _serve(
        self, stop: asyncio.Event, pools: Mapping[Traffic, CpuPool], executor: DeviceExecutor
    ) -> None:
        async with asyncio.TaskGroup() as group:
            background = [group.create_task(self._beat())]
            admin = await self._preflight(stop)
            if admin is None:
                background[0].cancel()
                return
            try:
                background.append(group.create_task(self._follow()))
                background.append(group.create_task(self._residency.run()))
                watching = watch_gpu(self._telemetry.metrics, self._settings.device)
                background.append(group.create_task(watching))
                background += [group.create_task(one.run()) for one in self._repliers]
                certificates = watch_certificates(self._kafka, self._telemetry.certificate)
                background.append(group.create_task(certificates))
                pipelines, dispatcher = self._engine(pools, executor)
                background += [group.create_task(one.run()) for one in pipelines]
                background.append(group.create_task(_for_ever(dispatcher.run())))
                await self._stay_in_group(stop, admin, dispatcher)
            finally:
                for task in background:
                    task.cancel()
                await let_go(admin.close(), 5.0)

    # --- before joining -----------------------------------------------------------------------

    async def _preflight(self, stop: asyncio.Event) -> AIOKafkaAdminClient | None:
        """An admin client, once the broker answers; None when stopped before.

        Raises:
            AccessRefusedError: it answers, and will not have us.
        """
        self._health.waiting_for("the broker")
        while not stop.is_set():
            admin = AIOKafkaAdminClient(**self._options)
            try:
                if await or_event(stop, admin.start()):
                    return admin
            except (KafkaError, OSError) as error:
                _log.warning("broker unreachable", error=type(error).__name__)
                await self._end_if_refused(error)
            await let_go(admin.close(), 5.0)
            await sleep_or(stop, 1.0)
        return None

    async def _topics_fit(self, stop: asyncio.Event, admin: AIOKafkaAdminClient) -> bool:
        """Wait until the broker answers, then check the topics; False when stopped before.

        Done before every joining: the input may have got more partitions than its results.

        Raises:
            FatalError: see ``check_topics``.
        """
        self._health.waiting_for("the broker")
        role = self._role
        names = [*role.inputs, *role.largest, *role.replies, self._kafka.names.control]
        found: dict[str, FoundTopic] = {}

        async def look() -> None:
            found.update(await find_topics(admin, names))

        while not stop.is_set():
            try:
                if await or_event(stop, look()):
                    check_topics(
                        found,
                        inputs=tuple(role.inputs),
                        least_bytes=role.largest,
                        replies=role.replies,
                        dead_letters=role.dead_letters,
                    )
                    return True
            except (KafkaError, OSError) as error:
                _log.warning("broker unreachable", error=type(error).__name__)
                await self._end_if_refused(error)
                await sleep_or(stop, 1.0)
        return False

    async def _end_if_refused(self, error: Exception) -> None:
        """Trying again does not help where Kafka is there and refuses.

        Raises:
            AccessRefusedError: it does.
        """
        refused = await refused_by(error, self._kafka)
        if refused is not None:
            raise refused from error

    async def _follow(self) -> None:
        await follow_control(
            self._kafka.names.control,
            self._options,
            self._telemetry.metrics,
            self._on_state,
        )

    def _on_state(self, state: RolloutState) -> None:
        before, plan = self._plan, self._role.plan(state)
        self._plan = plan
        self._residency.want(plan)
        if (before and before.group) != (plan and plan.group):
            _log.info("another group" if plan else "nothing to do", group=plan and plan.group)
            self._replanned.set()

    def _on_resident(self, serving: ResidentSet) -> None:
        metrics = self._telemetry.metrics
        metrics.gauge("mgeo_serving_epoch").set(serving.state.serving.serving_epoch)
        info = metrics.gauge("mgeo_serving_info")
        info.clear()
        for role, spec in serving.plan.models.items():
            info.labels(spec=spec.name, role=role).set(1)
        self._compare_version(serving.state)
        if self._membership is not None:
            self._membership.adopt(serving)

    def _on_refusal(self, refusal: Refusal | None) -> None:
        if refusal is not None:
            self._telemetry.refused(refusal.code)
        if self._membership is not None:
            self._membership.refuse(refusal)

    def _compare_version(self, state: RolloutState) -> None:
        wanted, serving = self._settings.version, state.serving.stable.version
        # A hub id names no version by itself; it cannot be compared here.
        differs = "/" not in wanted and wanted.partition("@")[0] != serving
        self._telemetry.metrics.gauge("mgeo_version_mismatch").set(differs)
        if differs and serving != self._compared:
            _log.warning(
                "MGEO_VERSION differs from the control record; the record wins",
                wanted=wanted,
                serving=serving,
            )
        self._compared = serving

    async def _introduce(self, model: AddressModel) -> None:
        if self._settings.warm_up and self._executor is not None:
            await self._executor.meet(model.encoder)

    # --- the engine -------------------------------------------------------------------------------

    def _engine(
        self, pools: Mapping[Traffic, CpuPool], executor: DeviceExecutor
    ) -> tuple[list[Pipeline], Dispatcher]:
        settings = self._settings
        cache = InterpretationCache(settings.cache_chars if self._role.answers_repeats else 0)
        bulk = BulkBatches(
            alone=settings.token_budget,
            beside=settings.interactive_token_budget,
            linger_s=_INTERACTIVE_LINGER_S,
        )
        budgets: dict[Traffic, Callable[[], int]] = {
            Traffic.BULK: lambda: bulk.tokens(time.monotonic()),
            Traffic.INTERACTIVE: lambda: settings.token_budget,
        }
        pipelines = {
            traffic: Pipeline(
                batcher=Batcher(token_budget=budgets[traffic], batch_size=settings.batch_size),
                executor=executor.entrance(traffic),
                cache=cache,
                composer=self._role.composer,
                limits=settings.limits,
                cpu_pool=pools[traffic],
                telemetry=self._telemetry,
            )
            for traffic in Traffic
        }

        def submit(record: Record) -> None:
            bulk.seen(record.traffic, time.monotonic())
            pipelines[record.traffic].submit(record)

        async def dead_letter(record: Record) -> None:
            await pipelines[record.traffic].publish_dead_letter(record)

        dispatcher = Dispatcher(
            submit=submit,
            dead_letter=dead_letter,
            idle=[one.idle for one in pipelines.values()],
            max_attempts=settings.max_attempts,
            crash_code=self._role.crash_code,
        )
        return list(pipelines.values()), dispatcher

    def _commit_schedule(self, traffic: Traffic, transaction_bytes: int) -> CommitSchedule:
        settings, patience_s = self._settings, self._role.patience_s
        max_records = settings.commit_max_records
        if patience_s:  # what waits to be committed must leave room for what is in work
            max_records = max(1, min(max_records, settings.max_in_flight_records // 2))
        return CommitSchedule(
            interval_s=max(settings.commit_interval_ms / 1e3, patience_s),
            max_records=max_records,
            max_bytes=transaction_bytes,
            eager=traffic is not Traffic.INTERACTIVE and not patience_s,
        )

    # --- in the group -----------------------------------------------------------------------------

    async def _stay_in_group(
        self, stop: asyncio.Event, admin: AIOKafkaAdminClient, dispatcher: Dispatcher
    ) -> None:
        if not await self._topics_fit(stop, admin):
            return
        budget = RejoinBudget(self._settings.max_rejoins, _REJOIN_WINDOW_S)
        while not stop.is_set():
            leave = self._replanned = asyncio.Event()
            plan = self._plan
            if plan is None or not await self._has_models(plan, stop):
                self._health.waiting_for(self._role.waits_for)
                await first_of(stop, leave)
                continue
            if not await self._topics_fit(stop, admin):
                return
            self._health.waiting_for("the consumer group")
            ending = await self._be_member(plan, stop, leave, admin, dispatcher)
            if ending == "lane_lost":
                await sleep_or(stop, budget.spend(time.monotonic()))
        _log.info("drained")

    async def _has_models(self, plan: Plan, stop: asyncio.Event) -> bool:
        """Wait until lanes could open, where the plan asks for that; False when it is too late."""
        if plan.joins_gated:
            return True
        self._health.waiting_for(self._role.waits_for)
        while self._residency.opening(plan.least_epoch) is None and not stop.is_set():
            await or_event(stop, self._residency.changed())
        return not stop.is_set()

    async def _be_member(
        self,
        plan: Plan,
        stop: asyncio.Event,
        leave: asyncio.Event,
        admin: AIOKafkaAdminClient,
        dispatcher: Dispatcher,
    ) -> Ending:
        membership = self._membership = self._join(plan, admin, dispatcher)
        passing_on = asyncio.create_task(_set_when(stop, leave))
        try:
            return await membership.run(leave)
        except (KafkaError, OSError) as error:
            _log.warning("membership ended", error=type(error).__name__)
            await self._end_if_refused(error)
            return "lane_lost"
        finally:
            self._membership = None
            passing_on.cancel()

    def _join(self, plan: Plan, admin: AIOKafkaAdminClient, dispatcher: Dispatcher) -> Membership:
        settings = self._settings
        transaction_bytes = settings.limits.max_result_bytes * 2
        # Revoked lanes finish their work, commit and close inside the rebalance.
        rebalance_ms = settings.revoke_budget_ms + settings.session_timeout_ms
        options = {
            "enable_auto_commit": False,
            "auto_offset_reset": "none",
            "isolation_level": "read_committed",
            "max_partition_fetch_bytes": settings.limits.max_record_bytes + RECORD_OVERHEAD_BYTES,
            **self._options,
        }
        consumer = AIOKafkaConsumer(
            group_id=plan.group,
            session_timeout_ms=settings.session_timeout_ms,
            heartbeat_interval_ms=settings.session_timeout_ms // 5,
            rebalance_timeout_ms=rebalance_ms,
            # Joining is one request that lasts as long as the rebalance.
            request_timeout_ms=max(settings.request_timeout_ms, rebalance_ms + 5_000),
            **options,
        )

        def make_lane(partition: TopicPartition, host: LaneHost) -> Lane:
            traffic = self._role.inputs[partition.topic]
            return Lane(
                partition,
                traffic=traffic,
                sink=self._sink_factory(partition, consumer, plan.group),
                schedule=self._commit_schedule(traffic, transaction_bytes),
                max_in_flight=settings.max_in_flight_records,
                max_bytes=transaction_bytes,
                max_addresses=settings.limits.max_addresses,
                route=self._role.route,
                in_flight=self._in_flight[traffic],
                replies=self._repliers[0] if self._repliers else NoReplies(),
                telemetry=self._telemetry,
                process=self._process,
                host=host,
            )

        return Membership(
            readers=Readers(self._role.inputs, consumer, lambda: AIOKafkaConsumer(**options)),
            plan=plan,
            admin=admin,
            make_lane=make_lane,
            start=dispatcher.start,
            crashing=lambda: self._executor is not None and self._executor.lost,
            residency=self._residency,
            limits=MembershipLimits(
                poll_records=_POLL_RECORDS,
                revoke_budget_s=settings.revoke_budget_ms / 1e3,
                drain_budget_s=settings.drain_budget_ms / 1e3,
                adoption_patience_s=settings.adoption_patience_ms / 1e3,
            ),
            telemetry=self._telemetry,
        )

    def _make_sink(self, partition: TopicPartition, consumer: AIOKafkaConsumer, group: str) -> Sink:
        options = self.producer_options()
        if self._settings.guarantee == "at_least_once":
            return AtLeastOnceSink(partition, consumer=consumer, producer_options=options)
        return TransactionalSink(
            partition,
            group=group,
            transactional_id=self._kafka.names.transactional_id(
                self._role.name, partition.topic, partition.partition
            ),
            producer_options={
                **options,
                "transaction_timeout_ms": self._settings.transaction_timeout_ms,
            },
        )

    def producer_options(self) -> dict[str, Any]:
        """Keyword arguments of every producer of a lane."""
        return producer_options(
            self._role, self._options, request_timeout_ms=self._settings.request_timeout_ms
        )

    async def _beat(self) -> None:
        while True:
            self._health.beat()
            missing = self._health.not_ready_because
            if self._membership is not None and missing:
                now_missing = self._membership.waits_for
                if not now_missing:
                    self._health.ready()
                    _log.info("ready")
                elif now_missing != missing:
                    self._health.waiting_for(now_missing)
            await asyncio.sleep(0.1)


def producer_options(
    role: Role, client: Mapping[str, Any], *, request_timeout_ms: int
) -> dict[str, Any]:
    """Keyword arguments of every producer of a role: what it sends, its topics take. Pure.

    Args:
        role: how large its records may be.
        client: how Kafka is reached.
        request_timeout_ms: how long one request may take.
    """
    return {
        **client,
        "acks": "all",
        "linger_ms": 0,
        # Records that are sent together are one batch, and it is the batch that a topic bounds.
        "max_batch_size": min(_BATCH_BYTES, *role.largest.values(), *role.replies.values()),
        "max_request_size": max(role.largest.values()) + RECORD_OVERHEAD_BYTES,
        "request_timeout_ms": request_timeout_ms,
    }


async def _set_when(cause: asyncio.Event, effect: asyncio.Event) -> None:
    await cause.wait()
    effect.set()


async def _for_ever(work: Coroutine[Any, Any, None]) -> None:
    """Run what must not end by itself: a task group takes a lone cancellation for an end."""
    task = asyncio.create_task(work)
    try:
        await asyncio.wait({task})
    finally:
        task.cancel()
    if task.cancelled():
        raise RuntimeError("a part of the engine was cancelled from within")
    task.result()


def _end_process(seconds: float) -> None:
    _log.critical("device call hangs; ending the process", seconds=round(seconds, 1))
    os._exit(75)  # EX_TEMPFAIL: nothing can interrupt the call, and nothing was half committed


def _cause(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """The first error of ours if there is one: the rest are its consequences."""
    first: BaseException | None = None
    for error in _leaves(group):
        if isinstance(error, MgeoError):
            return error
        first = first or error
    assert first is not None  # noqa: S101  (a group is never empty)
    return first


def _leaves(group: BaseExceptionGroup[BaseException]) -> Iterator[BaseException]:
    for error in group.exceptions:
        if isinstance(error, BaseExceptionGroup):
            yield from _leaves(error)
        else:
            yield error
