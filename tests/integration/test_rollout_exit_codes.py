"""What pipelines get to see: every ending of a real rollout, through the commands.

A real controller with its real judge, real stable and shadow workers on a real broker; only the
models are instant. Policies are short, and as loose as so little evidence allows.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest
import structlog

from consumer.parser.seams import AddressModel, Interpretation
from consumer.settings import ParserSettings
from consumer.stream.shadow import shadow_role
from contracts.events import Component
from contracts.settings import KafkaSettings
from contracts.spec import ModelSpec
from deploy.candidates import candidate_spec
from deploy.rollout_service import controller_parts
from producer import AddressPublisher
from tests.brokers.admin import TopicFactory
from tests.models import instant
from tests.streams import controller as c
from tests.streams.command import Mgeo, MgeoOn
from tests.streams.worker import running_worker

pytestmark = [pytest.mark.broker, pytest.mark.timeout(400)]

PARTITIONS = 2
V1, V2 = "mgeo-starter-v1-20260915", "mgeo-starter-v2-20261015"

POLICY = """
shadow: {min_pairs: 20, min_duration: 1ms, max_duration: 2m, stale_after: 1m}
aa: {max: 0.5}
gates:
  exact_match: {min: 0.5}
  span_f1: {min: 0.5}
  error_rate: {max_increase: 0.5}
  latency_p99: {min_batches: 100, max_ratio: 1000}
  latency_ratio: {min_batches: 20, max_ratio: 1000}
canary: {steps: [{share: 0.5, duration: 100ms, min_results: 5}]}
bake: {duration: 100ms, min_results: 5, max_error_rate: 0.9}
"""


class OtherTypeModel(instant.InstantModel):
    """Agrees with nobody: what is a poi to the others is a road to it."""

    @staticmethod
    def _interpretation(text: str) -> Interpretation:
        whole = Component(type="road", text=text, start=0, end=len(text), confidence=1.0)
        return Interpretation((whole,), {"road": text}, (), None, (), 1.0)


def damaged(spec: ModelSpec) -> AddressModel:
    return OtherTypeModel(spec) if spec.version == V2 else instant.InstantModel(spec)


@pytest.fixture
def stream(kafka: KafkaSettings, topics: TopicFactory) -> KafkaSettings:
    names = topics.create_standard(PARTITIONS)
    return kafka.model_copy(update={"topic_prefix": names.prefix})


@pytest.fixture
def mgeo(stream: KafkaSettings, mgeo_on: MgeoOn) -> Mgeo:
    return mgeo_on(stream)


@pytest.fixture(autouse=True)
def quiet_services() -> Iterator[None]:
    """Services of this loop write logs where the program's output is read: only errors here."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    yield
    structlog.reset_defaults()


@pytest.fixture
def policy(tmp_path: Path) -> str:
    path = tmp_path / "rollout.yaml"
    path.write_text(POLICY)
    return str(path)


@asynccontextmanager
async def system(
    stream: KafkaSettings,
    *,
    shadow: bool = True,
    load: Callable[[ModelSpec], AddressModel] = instant.InstantModel,
    keyring: Path | None = None,
    **changes: object,
) -> AsyncIterator[None]:
    """A controller that leads, a stable worker, and a shadow worker."""
    settings = c.quick_settings(keyring=keyring, **changes)
    plain = instant.spec().model_copy(update={"precision": "fp32"})
    await c.first(stream, candidate_spec(V1, stable=plain, settings=ParserSettings()))
    async with AsyncExitStack() as stack:
        running = await stack.enter_async_context(
            c.running_controller(
                stream, controller_parts(settings, stream), keyring=keyring, **changes
            )
        )
        stable = await stack.enter_async_context(running_worker(stream, load=load))
        await stable.ready()
        if shadow:
            await stack.enter_async_context(running_worker(stream, role=shadow_role, load=load))
        await running.leading()
        yield


@asynccontextmanager
async def addresses(stream: KafkaSettings) -> AsyncIterator[None]:
    """Traffic that goes on: one address at a time, no two alike."""

    async def publish() -> None:
        async with AddressPublisher(stream) as publisher:
            number = 0
            while True:
                await publisher.publish([f"和平路{number}号"], key=f"k{number}")
                number += 1
                await asyncio.sleep(0.01)

    task = asyncio.create_task(publish())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])


async def start(mgeo: Mgeo, policy: str, *more: str) -> tuple[int, dict[str, object], str]:
    code, out, err = await mgeo(
        "rollout", "start", "--candidate", V2, "--policy", policy, "--output", "json",
        "--timeout", "5m", *more,
    )  # fmt: skip
    assert out, err
    return code, json.loads(out), err


async def test_without_traffic_it_is_4(stream: KafkaSettings, mgeo: Mgeo, policy: str) -> None:
    async with system(stream):
        code, document, err = await start(mgeo, policy, "--set", "shadow.max_duration=3s")
    assert (code, document["phase"], document["code"]) == (4, "INCONCLUSIVE", "no_traffic"), err


async def test_without_shadow_workers_it_is_4(
    stream: KafkaSettings, mgeo: Mgeo, policy: str
) -> None:
    async with system(stream, shadow=False, warming_limit_ms=2_000), addresses(stream):
        code, document, err = await start(mgeo, policy)
    assert (code, document["code"]) == (4, "no_shadow_workers"), err


async def test_with_too_little_evidence_it_is_3(
    stream: KafkaSettings, mgeo: Mgeo, policy: str
) -> None:
    async with system(stream):
        starting = asyncio.create_task(
            start(mgeo, policy, "--set", "shadow.max_duration=8s", "--until", "PASSED")
        )
        await c.until_phase(stream, "SHADOWING")
        async with AddressPublisher(stream) as publisher:
            for number in range(5):
                await publisher.publish([f"和平路{number}号"], key=f"k{number}")
        code, document, err = await starting
    assert (code, document["phase"]) == (3, "INCONCLUSIVE"), err
    assert document["verdict"] == "inconclusive"


async def test_a_gate_that_fails_is_1_and_the_report_says_which(
    stream: KafkaSettings, mgeo: Mgeo, policy: str, tmp_path: Path
) -> None:
    report = tmp_path / "report"
    async with system(stream, load=damaged), addresses(stream):
        code, document, err = await start(mgeo, policy, "--report", str(report))
    assert (code, document["phase"], document["code"]) == (1, "ABORTED", "gate_failed"), err
    failed = [gate["name"] for gate in document["gates"] if gate["status"] == "failed"]  # type: ignore[attr-defined]
    assert "harm_exact_match" in failed
    assert "harm_exact_match" in (report / "report.md").read_text("utf-8")


async def test_three_roles_take_a_candidate_from_start_to_promotion_and_back(
    stream: KafkaSettings, mgeo: Mgeo, policy: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    code, keyring, _ = await mgeo("rollout", "keygen", "alice", "--out", "alice.pem")
    assert code == 0
    (tmp_path / "keyring.yaml").write_text(keyring)
    assert (await mgeo("rollout", "keygen", "mallory", "--out", "mallory.pem"))[0] == 0
    async with system(stream, keyring=tmp_path / "keyring.yaml"), addresses(stream):
        # The model team's pipeline: passed, and nobody has signed yet.
        required = ("--set", "approval.required=true")
        code, document, err = await start(mgeo, policy, *required, "--until", "PASSED")
        assert code == 0, err
        rollout_id = str(document["rollout_id"])
        await c.until_phase(stream, "AWAITING_APPROVAL")
        code, document, err = await start(mgeo, policy, *required)
        assert (code, document["rollout_id"]) == (5, rollout_id), err
        assert (await mgeo("rollout", "wait"))[0] == 5

        # The approver: a foreign key is refused, the right one is not.
        approve = ("rollout", "approve", rollout_id, "--yes", "--key")
        code, _, err = await mgeo(*approve, "mallory.pem")
        assert code == 1
        assert "approval_unknown_key" in err or "knows no key" in err
        code, _, err = await mgeo(*approve, "alice.pem", "--decision", "sha256:" + "0" * 64)
        assert (code, "another decision" in err) == (2, True)
        code, out, err = await mgeo(*approve, "alice.pem")
        assert code == 0, err
        assert "accepted with key alice" in out
        code, out, err = await mgeo("rollout", "wait", rollout_id, "--timeout", "2m")
        assert code == 0, err
        assert "PROMOTED" in out

        # Everything of it can be recomputed, and told.
        code, out, err = await mgeo("rollout", "verify", rollout_id)
        assert code == 0, (out, err)
        code, out, _ = await mgeo("rollout", "report", rollout_id, "--out", "report")
        assert code == 0
        assert (tmp_path / "report" / "report.html").exists()
        code, out, err = await mgeo("rollout", "verify", "report")
        assert code == 0, (out, err)
        code, out, _ = await mgeo("model", "history", "--output", "json")
        by_version = {one["version"]: one for one in json.loads(out)}
        assert code == 0
        tracks = {served["track"] for served in by_version[V2]["served"]}
        assert tracks == {"canary", "stable"}
        assert by_version[V2]["rollouts"][0]["rollout_id"] == rollout_id

        # The operator: back within seconds.
        assert (await mgeo("rollout", "rollback", "--reason", "complaints"))[0] == 0
        code, out, err = await mgeo("rollout", "wait", "--until", "ROLLED_BACK", "--timeout", "1m")
        assert code == 0, err
    state = await c.state_of(stream)
    assert state.serving.stable.version == V1
    code, out, _ = await mgeo("rollout", "audit")
    for words in ("start by", "approve by", "REFUSED", "→ PROMOTED", "complaints"):
        assert words in out
