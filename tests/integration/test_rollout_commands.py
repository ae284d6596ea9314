"""The commands about rollouts on a real broker: what they ask, what they say, how they leave."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from pathlib import Path

import pytest

from consumer.settings import ParserSettings
from contracts.audit import RequestEntry
from contracts.errors import BackendUnreachableError
from contracts.phases import Phase
from contracts.requests import RolloutRequest
from contracts.settings import KafkaSettings
from contracts.spec import ModelSpec
from deploy.candidates import candidate_spec
from deploy.local import LocalBroker
from deploy.rollouts import opener, rollout_client
from rollout.client import RolloutClient
from tests.brokers.admin import TopicFactory
from tests.models import instant
from tests.streams.command import Mgeo, MgeoOn, environment
from tests.streams.eventually import eventually
from tests.streams.stand_in_controller import StandInController, rollout
from tests.streams.topic import everything

pytestmark = pytest.mark.broker

V1, V2 = "mgeo-starter-v1-20260915", "mgeo-starter-v2-20261015"


def starter(version: str) -> ModelSpec:
    return candidate_spec(
        version, stable=instant.spec().model_copy(update={"precision": "fp32"}),
        settings=ParserSettings(),
    )  # fmt: skip


@pytest.fixture
def stream(kafka: KafkaSettings, topics: TopicFactory) -> KafkaSettings:
    names = topics.create_standard(2)
    return kafka.model_copy(update={"topic_prefix": names.prefix})


@pytest.fixture
def mgeo(stream: KafkaSettings, mgeo_on: MgeoOn) -> Mgeo:
    return mgeo_on(stream)


@pytest.fixture
async def controller(stream: KafkaSettings) -> AsyncIterator[StandInController]:
    async with StandInController(stream, starter(V1)) as one:
        yield one


@pytest.fixture
def policy(tmp_path: Path) -> str:
    path = tmp_path / "rollout.yaml"
    path.write_text("shadow: {min_pairs: 100, min_duration: 1s, max_duration: 10s}\n")
    return str(path)


def registering(controller: StandInController, *then: Phase) -> None:
    """Answer a start by registering it, and go on through phases."""

    async def on_request(request: RolloutRequest, entry: RequestEntry) -> None:
        assert request.start is not None
        about = rollout(
            request.rollout_id,
            candidate=request.start.candidate,
            reference=controller.state.serving.stable,
            policy=request.start.policy,
            requested_by=request.requested_by,
        )
        await controller.move(Phase.REGISTERED, about=about, request=entry)
        for phase in then:
            await controller.move(phase)

    controller.listen(on_request)


async def test_a_start_is_asked_with_everything_and_answered_with_the_id(
    mgeo: Mgeo, controller: StandInController, policy: str
) -> None:
    registering(controller)
    code, out, err = await mgeo(
        "rollout", "start", "--candidate", V2, "--policy", policy,
        "--set", "gates.exact_match.min=0.9", "--output", "json",
    )  # fmt: skip
    assert (code, err.startswith("started r-")) == (0, True), err
    (request,) = controller.asked
    assert json.loads(out) == {
        "rollout_id": request.rollout_id,
        "attached": False,
        "phase": "REGISTERED",
    }
    assert request.start is not None
    assert request.start.candidate == starter(V2)
    assert request.start.policy.gates.exact_match.min == 0.9
    assert request.start.policy.shadow.min_pairs == 100
    assert request.expected_entry is None
    assert request.requested_by


@pytest.mark.parametrize("renew", [False, True])
async def test_after_an_upgrade_a_start_warns_or_renews_what_serves(
    mgeo: Mgeo, stream: KafkaSettings, policy: str, renew: bool
) -> None:
    before = starter(V1).model_copy(update={"fingerprint": "a" * 16})
    start = ("rollout", "start", "--candidate", V2, "--policy", policy)
    async with StandInController(stream, before) as controller:
        registering(controller)
        code, _, err = await mgeo(*start, *(["--renew"] if renew else []))
    assert code == 0, err
    (request,) = controller.asked
    assert request.start is not None
    assert request.start.renewed == (starter(V1) if renew else None)
    assert ("Warning" in err, "--renew" in err) == (not renew, not renew)
    assert (starter(V1).fingerprint in err) is renew


async def test_a_repeated_start_attaches_and_another_one_leaves_with_7(
    mgeo: Mgeo, controller: StandInController, policy: str
) -> None:
    registering(controller, Phase.WARMING)
    start = ("rollout", "start", "--candidate", V2, "--policy", policy)
    assert (await mgeo(*start))[0] == 0
    code, out, _ = await mgeo(*start, "--output", "json")
    assert (code, json.loads(out)["attached"]) == (0, True)
    code, _, err = await mgeo(*start, "--set", "aa.max=0.02")
    assert code == 7
    assert "another rollout is running" in err
    assert len(controller.asked) == 1


@pytest.mark.parametrize(
    ("phases", "options", "code"),
    [
        ([Phase.WARMING, Phase.SHADOWING, Phase.PASSED], ["--until", "PASSED"], 0),
        ([Phase.SHADOWING, Phase.PASSED, Phase.AWAITING_APPROVAL], ["--wait"], 5),
        ([Phase.SHADOWING, Phase.ABORTED], ["--wait"], 1),
        ([Phase.SHADOWING, Phase.INCONCLUSIVE], ["--wait"], 3),
        ([Phase.SHADOWING], ["--timeout", "1s"], 124),
    ],
)
async def test_waiting_leaves_with_the_code_of_where_the_rollout_came_to(
    mgeo: Mgeo,
    controller: StandInController,
    policy: str,
    phases: list[Phase],
    options: list[str],
    code: int,
) -> None:
    registering(controller, *phases)
    found, out, err = await mgeo(
        "rollout", "start", "--candidate", V2, "--policy", policy, "--output", "json", *options
    )
    assert found == code, err
    document = json.loads(out)
    assert document["exit_code"] == code
    assert document["phase"] == phases[-1]
    if code == 124:
        assert f"mgeo rollout wait {document['rollout_id']} --timeout 1s" in err


def waiting_process(policy: str, variables: dict[str, str]) -> subprocess.Popen[str]:
    arguments = ("start", "--candidate", V2, "--policy", policy, "--until", "passed")
    return subprocess.Popen(
        [sys.executable, "-m", "deploy.cli", "rollout", *arguments],
        env=variables,
        stderr=subprocess.PIPE,
        text=True,
    )


def ended(process: subprocess.Popen[str]) -> tuple[int, str]:
    """Exit code and all that it said."""
    _, said = process.communicate(timeout=60)
    return process.returncode, said


async def test_a_stopped_waiter_leaves_the_rollout_running_and_attaches_again(
    stream: KafkaSettings, mgeo: Mgeo, controller: StandInController, policy: str, tmp_path: Path
) -> None:
    registering(controller, Phase.SHADOWING)
    for number in (signal.SIGTERM, signal.SIGINT):
        process = waiting_process(policy, environment(stream, tmp_path))
        assert process.stderr is not None
        lines = []
        while not lines or "SHADOWING" not in lines[-1]:
            line = await asyncio.to_thread(process.stderr.readline)
            assert line, lines
            lines.append(line)
        process.send_signal(number)
        rest = await asyncio.to_thread(process.stderr.read)
        assert await asyncio.to_thread(process.wait) == 124
        assert f"stopped by {number.name}" in rest
        assert "mgeo rollout wait r-" in rest
    state = await rollout_client(stream).state()
    assert state is not None
    assert state.phase == Phase.SHADOWING
    assert len(controller.asked) == 1

    waiting = asyncio.create_task(mgeo("rollout", "wait", "--until", "PASSED"))
    await controller.move(Phase.PASSED)
    assert (await waiting)[0] == 0


async def test_a_start_that_is_stopped_while_kafka_is_silent_leaves_with_124(
    stream: KafkaSettings, policy: str, tmp_path: Path
) -> None:
    """As a pipeline's job that is cancelled is: nothing was asked, and a repeat may ask."""
    asked = asyncio.Event()

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.set()
        await reader.read()
        writer.close()

    async with await asyncio.start_server(silent, "127.0.0.1") as server:
        port = server.sockets[0].getsockname()[1]
        nowhere = stream.model_copy(update={"kafka_bootstrap_servers": f"127.0.0.1:{port}"})
        process = waiting_process(policy, environment(nowhere, tmp_path))
        await asyncio.wait_for(asked.wait(), 60)
        process.send_signal(signal.SIGTERM)
        code, said = await asyncio.to_thread(ended, process)
    assert code == 124, said
    assert "stopped by SIGTERM before there was an answer" in said
    assert "run the same command again" in said


@pytest.mark.usefixtures("controller")  # it writes the first state and hears nothing
async def test_a_start_that_is_stopped_before_its_answer_leaves_with_124_and_one_request(
    stream: KafkaSettings, policy: str, tmp_path: Path
) -> None:
    process = waiting_process(policy, environment(stream, tmp_path))

    async def sent() -> bool:
        return bool(await everything(stream, stream.names.requests))

    await eventually(sent, "the request is on its topic", timeout_s=60)
    process.send_signal(signal.SIGTERM)
    code, said = await asyncio.to_thread(ended, process)
    assert code == 124, said
    assert "what was asked may still be done" in said
    assert len(await everything(stream, stream.names.requests)) == 1


@pytest.mark.usefixtures("controller")  # it writes the first state and hears nothing
async def test_without_a_controller_the_asker_is_told_so(
    mgeo: Mgeo, policy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("deploy.rollouts.ANSWER_WITHIN", timedelta(seconds=0))
    code, _, err = await mgeo("rollout", "start", "--candidate", V2, "--policy", policy)
    assert code == 6
    assert "no controller is running" in err
    assert "mgeo rollout controller" in err
    assert "will not happen later" in err


async def test_a_refused_request_is_told_with_the_controllers_words(
    mgeo: Mgeo, controller: StandInController, policy: str
) -> None:
    async def refuse(_: RolloutRequest, entry: RequestEntry) -> None:
        refused = {
            "accepted": False,
            "code": "looser_than_guardrails",
            "message": "gates.exact_match.min is 0.5, the guardrails allow no less than 0.9",
        }
        await controller.answer(entry.model_copy(update=refused))

    controller.listen(refuse)
    code, _, err = await mgeo("rollout", "start", "--candidate", V2, "--policy", policy)
    assert code == 2
    assert "gates.exact_match.min is 0.5" in err


async def test_what_is_wrong_here_is_said_before_anything_is_asked(
    mgeo: Mgeo, controller: StandInController, policy: str, tmp_path: Path
) -> None:
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text("gates:\n  exact_match: {min: 2}\n")
    start = ("rollout", "start", "--candidate")
    for arguments, words in (
        ((V2, "--policy", str(wrong)), "wrong.yaml:2:"),
        ((V2, "--policy", policy, "--set", "gates.exact=1"), "gates.exact"),
        ((V2, "--policy", policy, "--until", "DONE"), "phases are"),
        ((V2, "--policy", policy, "--replay-from", "yesterday"), "offset:1000"),
        (("mgeo-starter-v9-20290101", "--policy", policy), "mgeo-starter-v9-20290101"),
        ((V1, "--policy", policy), "serves already"),
    ):
        code, _, err = await mgeo(*start, *arguments)
        assert code == 2, err
        assert words in err
    assert controller.asked == []


async def test_verbs_are_about_the_rollout_that_runs(
    mgeo: Mgeo, controller: StandInController
) -> None:
    code, _, err = await mgeo("rollout", "abort")
    assert code == 2
    assert "no rollout has ever run here" in err

    async def obey(request: RolloutRequest, entry: RequestEntry) -> None:
        if request.kind == "abort":
            await controller.move(Phase.ABORTED, request=entry, reason=request.reason)
        else:
            paused = request.kind == "pause"
            phase = Phase(str(controller.state.phase))
            await controller.move(phase, request=entry, paused=paused)

    controller.listen(obey)
    await controller.move(Phase.SHADOWING, about=rollout())
    entry = controller.state.rollout.phase_entry if controller.state.rollout else 0
    assert (await mgeo("rollout", "pause"))[0] == 0
    code, out, _ = await mgeo("rollout", "status", "--output", "json")
    assert (code, json.loads(out)["paused"]) == (0, True)
    assert (await mgeo("rollout", "resume"))[0] == 0
    code, out, _ = await mgeo("rollout", "abort", "--reason", "wrong model", "--output", "json")
    assert (code, json.loads(out)["phase"]) == (0, "ABORTED")
    assert [one.kind for one in controller.asked] == ["pause", "resume", "abort"]
    paused, resumed, aborted = controller.asked
    assert paused.expected_entry is None
    assert resumed.expected_entry == entry + 1
    assert (aborted.reason, aborted.expected_entry) == ("wrong model", None)
    code, _, err = await mgeo("rollout", "pause")
    assert code == 2
    assert "has ended in ABORTED" in err


async def test_status_and_list_speak_of_old_rollouts_from_the_audit(
    mgeo: Mgeo, controller: StandInController
) -> None:
    code, out, _ = await mgeo("rollout", "status", "--output", "json")
    assert (code, json.loads(out)["rollout_id"]) == (0, None)
    await controller.move(Phase.REGISTERED, about=rollout("r-1"))
    await controller.move(Phase.ABORTED, code="gate_failed", reason="span_f1 fell")
    await controller.move(Phase.SHADOWING, about=rollout("r-2"))
    code, out, _ = await mgeo("rollout", "status", "r-1", "--output", "json")
    old = json.loads(out)
    assert (code, old["phase"], old["reason"]) == (0, "ABORTED", "span_f1 fell")
    assert (await mgeo("rollout", "wait", "r-1"))[0] == 1
    code, out, _ = await mgeo("rollout", "list", "--output", "json")
    assert [(row["rollout_id"], row["phase"]) for row in json.loads(out)] == [
        ("r-1", "ABORTED"),
        ("r-2", "SHADOWING"),
    ]
    code, out, _ = await mgeo("rollout", "status")
    assert "r-2  SHADOWING" in out
    assert (await mgeo("rollout", "status", "r-3"))[0] == 2


async def test_a_broker_that_is_away_is_6(
    mgeo: Mgeo, policy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MGEO_KAFKA_BOOTSTRAP_SERVERS", "127.0.0.1:1")
    for command in (
        ("start", "--candidate", V2, "--policy", policy, "--wait"),
        ("wait",),
        ("status",),
        ("abort",),
    ):
        code, out, err = await mgeo("rollout", *command)
        assert (code, out) == (6, ""), err
        assert "127.0.0.1:1" in err


async def test_an_error_of_ours_while_waiting_is_70_and_says_how_to_attach(
    mgeo: Mgeo, controller: StandInController, monkeypatch: pytest.MonkeyPatch
) -> None:
    await controller.move(Phase.SHADOWING, about=rollout())

    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("deploy.cli.rollout_waiting.exit_of", broken)
    code, _, err = await mgeo("rollout", "wait", "--until", "PASSED")
    assert code == 70
    assert "mgeo rollout wait r-20260101-aaaaaa --until PASSED" in err


async def test_a_broker_that_goes_away_while_one_waits_is_noticed_after_the_patience(
    own_broker: Callable[..., LocalBroker], own_topics: Callable[[LocalBroker], TopicFactory]
) -> None:
    broker = own_broker()
    prefix = own_topics(broker).create_standard(1).prefix
    stream = KafkaSettings(kafka_bootstrap_servers=broker.bootstrap_servers, topic_prefix=prefix)
    client = RolloutClient(stream, opener(stream), patience_s=3.0)
    controller = StandInController(stream)
    await controller.__aenter__()
    await controller.move(Phase.SHADOWING, about=rollout())
    states = client.follow()
    try:
        assert (await anext(states)).phase == Phase.SHADOWING
        broker.pause()
        with pytest.raises(BackendUnreachableError, match="does not answer"):
            async with asyncio.timeout(90):
                await anext(states)
    finally:
        broker.resume()
        await states.aclose()
        await controller.__aexit__(None, None, None)


async def test_watching_in_a_pipe_prints_a_line_for_each_change_and_ends_with_the_rollout(
    mgeo: Mgeo, controller: StandInController
) -> None:
    await controller.move(Phase.REGISTERED, about=rollout())
    code, out, _ = await mgeo("rollout", "watch", "--once")
    assert (code, "REGISTERED" in out) == (0, True)
    watching = asyncio.create_task(mgeo("rollout", "watch"))
    await asyncio.sleep(3)
    await controller.move(Phase.SHADOWING)
    await asyncio.sleep(3)
    await controller.move(Phase.ABORTED, reason="span_f1 fell")
    code, out, err = await watching
    assert code == 0, err
    phases = [line.split(" · ")[1] for line in out.splitlines()]
    assert phases[-1] == "ABORTED"
    assert "SHADOWING" in phases
    assert out.rstrip().endswith("span_f1 fell")


async def test_the_audit_is_a_timeline_for_people_and_lines_for_programs(
    mgeo: Mgeo, controller: StandInController
) -> None:
    await controller.move(Phase.REGISTERED, about=rollout("r-1"))
    await controller.move(Phase.ABORTED, reason="wrong model")
    code, out, _ = await mgeo("rollout", "audit")
    assert code == 0
    assert "REGISTERED → ABORTED: wrong model" in out.splitlines()[-1]
    code, out, _ = await mgeo("rollout", "audit", "r-1", "--output", "json")
    assert [json.loads(line)["kind"] for line in out.splitlines()] == ["transition"] * 2
    assert (await mgeo("rollout", "audit", "r-2"))[0] == 2


async def test_a_start_that_another_job_was_faster_with_attaches_to_that_one(
    mgeo: Mgeo, controller: StandInController, policy: str
) -> None:
    async def already(request: RolloutRequest, entry: RequestEntry) -> None:
        assert request.start is not None
        about = rollout(
            "r-faster",
            candidate=request.start.candidate,
            reference=controller.state.serving.stable,
            policy=request.start.policy,
        )
        await controller.move(
            Phase.REGISTERED, about=about, request=entry.model_copy(update={"code": "already_so"})
        )

    controller.listen(already)
    code, out, err = await mgeo(
        "rollout", "start", "--candidate", V2, "--policy", policy, "--output", "json"
    )
    assert code == 0, err
    assert (json.loads(out)["rollout_id"], json.loads(out)["attached"]) == ("r-faster", True)
