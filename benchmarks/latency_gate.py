"""Does the latency gate stop a slower candidate and pass an equal one, on a live machine?

``python -m benchmarks.latency_gate --runs 20`` lets a real shadow worker run both models on real
traffic and folds its pairs through the real evidence and judge, run after run: with a candidate
that real added layers make 1.25 times slower, and with the same weights under two versions; live
at a tenth of capacity, live at full load, in replay, and with another process burning a core.
"""

from __future__ import annotations

import argparse
import asyncio
import functools
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from aiokafka import AIOKafkaProducer

from contracts.canonical import digest_of
from contracts.control import RolloutState, ServingSet, encode_state
from contracts.judgement import GateResult, Judgement
from contracts.phases import Phase
from contracts.policy import Policy
from contracts.rollout import Rollout
from contracts.settings import KafkaSettings, client_options
from contracts.spec import ModelSpec
from contracts.topics import CONTROL_KEY
from deploy.demo.candidates import copy_of, with_added_layers
from deploy.demo.processes import Services, environment_of, until_ready
from deploy.demo.traffic import addresses
from deploy.ledger import committed_offsets
from deploy.local import LocalBroker, LocalSettings
from deploy.local.ports import free_port
from producer import AddressPublisher
from producer.topic_log import TopicLog
from rollout.evidence.reader import EvidenceReader, starting_positions

MODES: Final = ("tenth", "full", "replay", "burning")
GATES: Final = ("latency_p99", "latency_ratio")
PARTITIONS: Final = 2
PER_RECORD: Final = 4
LIMIT_S: Final = 300.0

BURN: Final = "import os; us = os.getppid()\nwhile os.getppid() == us: pass"
"""Burns a core, and stops when nobody is left to stop it."""

# Four layers against five: a quarter more. The starter models have three, so one that passes
# everything through is added to the reference as well.
REFERENCE_LAYERS: Final = 1
SLOWER_LAYERS: Final = 2


@dataclass(frozen=True, slots=True)
class Run:
    """One rollout's latency gates.

    Attributes:
        mode: how the traffic came.
        candidate: ``slower`` or ``same``.
        stopped: whether a latency gate has failed.
        by: the gates that failed.
        batches: device batches that were judged.
        ratio: the median ratio at the end.
        seconds: from the first input to the answer.
    """

    mode: str
    candidate: str
    stopped: bool
    by: tuple[str, ...]
    batches: int
    ratio: float | None
    seconds: float

    @property
    def right(self) -> bool:
        """Whether that is what should have come out."""
        return self.stopped == (self.candidate == "slower")


def main() -> None:
    """Run, print a table, and keep every run as JSON."""
    arguments = _arguments()
    runs: list[Run] = []
    with tempfile.TemporaryDirectory() as scratch:
        for mode in arguments.mode or MODES:
            for candidate in arguments.candidate or ("slower", "same"):
                for number in range(arguments.runs):
                    # A broker and processes of its own: nothing is warm from the run before.
                    folder = Path(scratch) / f"{mode}-{candidate}-{number}"
                    folder.mkdir()
                    run = _one(mode, candidate, folder, arguments.token_budget)
                    runs.append(run)
                    print(json.dumps(asdict(run)), file=sys.stderr, flush=True)
    print(table(runs))
    if arguments.out is not None:
        arguments.out.write_text(json.dumps([asdict(run) for run in runs], indent=1) + "\n")


def table(runs: Sequence[Run]) -> str:
    """How many came out right, per mode and candidate, as Markdown."""
    lines = ["| traffic | candidate | right | median ratio | seconds |", "|---|---|---|---|---|"]
    for mode in dict.fromkeys(run.mode for run in runs):
        for candidate in dict.fromkeys(run.candidate for run in runs if run.mode == mode):
            group = [run for run in runs if (run.mode, run.candidate) == (mode, candidate)]
            ratios = sorted(run.ratio for run in group if run.ratio is not None)
            middle = f"{ratios[len(ratios) // 2]:.3f}" if ratios else ""
            seconds = sorted(run.seconds for run in group)[len(group) // 2]
            right = f"{sum(run.right for run in group)} of {len(group)}"
            lines.append(f"| {mode} | {candidate} | {right} | {middle} | {seconds:.0f} |")
    return "\n".join(lines)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=20, help="of each kind")
    parser.add_argument("--mode", action="append", choices=MODES)
    parser.add_argument("--candidate", action="append", choices=("slower", "same"))
    parser.add_argument("--out", type=Path, help="keep every run here, as JSON")
    parser.add_argument(
        "--token-budget", type=int, default=256, help="small, so that batches come fast"
    )
    return parser.parse_args()


def _one(mode: str, candidate: str, folder: Path, token_budget: int) -> Run:
    reference, other = _models(candidate, folder)
    with ExitStack() as stack:
        broker = stack.enter_context(LocalBroker(LocalSettings(), work_dir=folder / "kafka"))
        kafka = KafkaSettings(kafka_bootstrap_servers=broker.bootstrap_servers)
        environment = environment_of(
            kafka.kafka_bootstrap_servers, folder / "store", reference.version
        )
        environment["MGEO_TOKEN_BUDGET"] = str(token_budget)
        services = stack.enter_context(Services(environment, folder))
        if mode == "burning":
            burner = subprocess.Popen([sys.executable, "-c", BURN])
            stack.callback(burner.kill)
        return asyncio.run(_judged(mode, candidate, kafka, services, reference, other))


def _models(candidate: str, folder: Path) -> tuple[ModelSpec, ModelSpec]:
    """Both models, added to a store as everybody does; their specs."""
    from consumer.settings import ParserSettings
    from consumer.store import open_store
    from consumer.store.add import add_directory
    from consumer.store.first_spec import first_spec
    from consumer.store.manifest import ModelSource
    from consumer.store.starters import RELEASES

    base = RELEASES / "mgeo-starter-v2-20261015"
    one = with_added_layers(base, folder / "one", REFERENCE_LAYERS)
    if candidate == "slower":
        two = with_added_layers(base, folder / "two", SLOWER_LAYERS)
    else:
        two = copy_of(one, folder / "two")
    specs = []
    for directory, version in ((one, "mgeo-bench-a-20260101"), (two, "mgeo-bench-b-20260102")):
        settings = ParserSettings(
            model_store=str(folder / "store"), version=version, device="cpu", precision="fp32"
        )
        add_directory(
            open_store(settings),
            directory,
            version=version,
            source=ModelSource(kind="directory"),
            created=datetime.now(UTC),
        )
        specs.append(first_spec(settings, now=datetime.now(UTC), notice=lambda _: None))
    return specs[0], specs[1]


async def _judged(
    mode: str,
    candidate: str,
    kafka: KafkaSettings,
    services: Services,
    reference: ModelSpec,
    other: ModelSpec,
) -> Run:
    from deploy.topics import TopicAdmin

    async with TopicAdmin(kafka) as admin:
        await admin.create(partitions=PARTITIONS, replication=1)
    open_log = functools.partial(TopicLog, kafka)
    texts = addresses()
    async with AddressPublisher(kafka) as publisher:
        if mode == "replay":
            await _publish(publisher, texts, 6000)
        now = datetime.now(UTC)
        policy = Policy()
        rollout = Rollout(
            rollout_id="r-bench",
            candidate=other,
            reference=reference,
            policy=policy,
            policy_digest=digest_of(policy),
            share=1.0,
            from_offsets=dict.fromkeys(range(PARTITIONS), 0),
            evidence_from=await starting_positions(open_log, kafka.names),
            started_revision=2,
            started_at=now.isoformat(),
            phase_entry=2,
            phase_since=now.isoformat(),
        )
        await _write(kafka, rollout, now)
        port = free_port()
        services.start("shadow worker", "worker", "--role", "shadow", "--port", str(port))
        await until_ready(services, port, what="shadow worker")
        async with (
            EvidenceReader(open_log, kafka.names, rollout) as reader,
            asyncio.TaskGroup() as group,
        ):
            feeding = group.create_task(_feed(mode, publisher, texts))
            run = await _until_answered(mode, candidate, kafka, services, reader, rollout)
            feeding.cancel()
            return run


async def _feed(mode: str, publisher: AddressPublisher, texts: object) -> None:
    """The traffic of a mode, until cancelled."""
    # A starter model with added layers takes some 400 addresses a second on one core; beside the
    # other model, half of that.
    per_second = {"tenth": 20.0, "burning": 20.0, "full": 1e9, "replay": 0.0}[mode]
    if not per_second:
        return
    while True:
        if mode == "full":
            await _publish(publisher, texts, 100)
            await asyncio.sleep(0.5)
        else:
            await _publish(publisher, texts, 1)
            await asyncio.sleep(PER_RECORD / per_second)


async def _publish(publisher: AddressPublisher, texts: object, records: int) -> None:
    batches = [[next(texts) for _ in range(PER_RECORD)] for _ in range(records)]  # type: ignore[call-overload]  # an iterator
    for start in range(0, len(batches), 200):
        await asyncio.gather(*(publisher.publish(one) for one in batches[start : start + 200]))


async def _write(kafka: KafkaSettings, rollout: Rollout, now: datetime) -> None:
    state = RolloutState(
        incarnation="bench",
        revision=2,
        serving=ServingSet(stable=rollout.reference, serving_epoch=1),
        phase=Phase.SHADOWING,
        updated_at=now.isoformat(),
        rollout=rollout,
    )
    async with AIOKafkaProducer(**client_options(kafka)) as producer:
        await producer.send_and_wait(kafka.names.control, encode_state(state), key=CONTROL_KEY)


async def _until_answered(
    mode: str,
    candidate: str,
    kafka: KafkaSettings,
    services: Services,
    reader: EvidenceReader,
    rollout: Rollout,
) -> Run:
    began = time.monotonic()
    group = kafka.names.shadow_group(rollout.rollout_id)
    number = 0
    while True:
        await asyncio.sleep(1.0)
        services.check()
        number += 1
        committed = await committed_offsets(kafka, group, kafka.names.events)
        cut = await reader.take_cut(
            number, datetime.now(UTC), int(1000 * (time.monotonic() - began)), committed
        )
        judgement = await reader.advance(cut)
        passed = time.monotonic() - began
        gates = [gate for name in GATES if (gate := judgement.gate(name)) is not None]
        failed = tuple(gate.name for gate in gates if gate.status == "failed")
        if failed or _all_passed(gates) or passed > LIMIT_S:
            return Run(mode, candidate, bool(failed), failed, *_figures(judgement), passed)


def _all_passed(gates: Sequence[GateResult]) -> bool:
    return len(gates) == len(GATES) and all(gate.status == "passed" for gate in gates)


def _figures(judgement: Judgement) -> tuple[int, float | None]:
    p99, ratio = judgement.gate("latency_p99"), judgement.gate("latency_ratio")
    return (p99.n if p99 else 0), (ratio.value if ratio else None)


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    main()
