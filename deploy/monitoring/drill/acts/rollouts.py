"""Acts about rollouts and who runs them: controllers, shadow workers, evidence, approvals."""

from __future__ import annotations

import asyncio
import itertools
import os
import re
from pathlib import Path
from typing import Final

from deploy.demo.story import FIRST, SECOND, SHORTENED, policy_file
from deploy.demo.traffic import Traffic
from deploy.monitoring.drill.acts.act import Act
from deploy.monitoring.drill.causes import (
    FullPipe,
    again_and_again,
    batch_of,
    delete_records,
    delete_topic,
    fresh,
    send,
)
from deploy.monitoring.drill.stage import Stage

_SAME: Final = "mgeo-starter-v8-20261201"
"""The stable model under another version: it passes, soon."""

_DAMAGED: Final = "mgeo-starter-v10-20261201"
"""Two labels are exchanged: what has a street number comes out wrong."""

_NUMBER: Final = re.compile(r"\d")

_SLOWED: Final = "mgeo-starter-v9-20261201"
_ADDED: Final = 12

BRIEF: Final = (
    *SHORTENED,
    "approval.required=false",
    "shadow.min_duration=10m",
    "shadow.max_duration=20m",
)
"""Longer in the shadow than any act, and short enough for the retention of the evidence."""

_LENIENT: Final = (
    "shadow.min_pairs=100",
    "shadow.min_duration=1s",
    "aa.max=0.3",
    "gates.exact_match.min=0.3",
    "gates.span_f1.min=0.3",
    "gates.error_rate.max_increase=0.5",
    "gates.latency_p99.max_ratio=1000",
    "gates.latency_p99.min_batches=100",
    "gates.latency_ratio.max_ratio=1000",
    "gates.latency_ratio.min_batches=20",
    "canary.steps[0].duration=20s",
    "canary.steps[0].min_results=10",
    "canary.steps[1].duration=1s",
    "canary.steps[1].min_results=10",
    "bake.duration=10m",
)
"""What passes within half a minute: these acts are not about judging."""


def _calm(stage: Stage) -> Traffic:
    """Many small records: each is a device batch of the shadow."""
    return Traffic(stage.kafka, records_per_s=40, addresses_per_record=2)


async def start_rollout(stage: Stage, candidate: str, *changes: str) -> None:
    """Start one, with the policy of the CI templates and these changes."""
    # The last word about a threshold counts.
    said = dict(change.split("=", 1) for change in (*BRIEF, *changes))
    words = [word for name, value in said.items() for word in ("--set", f"{name}={value}")]
    await stage.people.mgeo(
        "model team", "rollout", "start", "--candidate", candidate,
        "--policy", str(policy_file()), *words,
    )  # fmt: skip


async def _abort(stage: Stage) -> None:
    await stage.people.mgeo("operator", "rollout", "abort", "--reason", "the act is over")


async def _add(stage: Stage, directory: Path, version: str) -> None:
    await stage.people.mgeo("model team", "model", "add", str(directory), "--version", version)


async def _same_again(stage: Stage) -> None:
    from consumer.store.starters import RELEASES
    from deploy.demo.candidates import copy_of

    directory = await asyncio.to_thread(copy_of, RELEASES / FIRST, stage.folder / "same")
    await _add(stage, directory, _SAME)


async def _slowed(stage: Stage) -> None:
    from consumer.store.starters import RELEASES
    from deploy.demo.candidates import with_added_layers

    directory = await asyncio.to_thread(
        with_added_layers, RELEASES / FIRST, stage.folder / "slowed", _ADDED
    )
    await _add(stage, directory, _SLOWED)


# --- the acts -------------------------------------------------------------------------------------


async def _no_shadow(stage: Stage) -> None:
    stage.cause("a rollout is started, and nobody has started a shadow worker")
    await start_rollout(stage, SECOND)
    await stage.told("MgeoNoShadowWorker", "MgeoRolloutHeld")
    stage.mend("a shadow worker is started")
    stage.start("shadow")
    await stage.over("MgeoNoShadowWorker", "MgeoRolloutHeld")


async def _slow_candidate(stage: Stage) -> None:
    async with _calm(stage):
        stage.cause("a candidate with twelve more layers is shadowed: the latency gate fails")
        await start_rollout(stage, _SLOWED)
        await stage.told("MgeoRolloutFailed")
        stage.mend("the rollout has ended by itself, the stable model serves")
        await stage.over("MgeoRolloutFailed")


async def _evidence(stage: Stage) -> None:
    async with _calm(stage) as traffic:
        await start_rollout(stage, SECOND)
        await stage.until_phase("SHADOWING")
        await asyncio.sleep(10)
        await stage.look("shadowing")
        stage.cause("the traffic stops while a candidate is shadowed")
        traffic.held = True
        await stage.told("MgeoEvidenceStale")
        stage.mend("traffic comes again")
        traffic.held = False
        await stage.over("MgeoEvidenceStale")
        await stage.kill("controller")
        stage.cause("evidence is deleted after it was judged, and another controller takes over")
        await delete_records(stage.kafka, stage.kafka.names.shadow)
        stage.start("controller")
        await stage.told("MgeoRefoldDiffers")
        stage.mend("the rollout has ended as inconclusive")
        await stage.over("MgeoRefoldDiffers")


async def _no_evidence(stage: Stage) -> None:
    async with _calm(stage):
        await start_rollout(stage, SECOND)
        await stage.until_phase("SHADOWING")
        stage.cause("the topic of the evidence is deleted while a candidate is shadowed")
        await delete_topic(stage.kafka, stage.kafka.names.shadow)
        await stage.told("MgeoEvidenceUnreadable")
        stage.mend("the topic is made again, and the rollout aborted")
        await stage.people.mgeo("operator", "topics", "create")
        await _abort(stage)
        await stage.over("MgeoEvidenceUnreadable")


async def _refused(stage: Stage) -> None:
    async with _calm(stage):
        await start_rollout(stage, _SAME, *_LENIENT)
        await stage.until_phase("STAGING")
        stage.cause("the worker's model store lacks the candidate")
        await stage.told("MgeoRolloutRefused", "MgeoControlStateStale")
        stage.mend("the candidate is added to that store")
        await stage.people_of("worker").mgeo(
            "operator", "model", "add", str(stage.folder / "same"), "--version", _SAME
        )
        await stage.over("MgeoRolloutRefused", "MgeoControlStateStale")


async def _keys(stage: Stage) -> None:
    await _same_again(stage)
    entry = await stage.people.mgeo(
        "approver", "rollout", "keygen", "approver", "--out", str(stage.folder / "approver.pem")
    )
    (stage.folder / "keyring.yaml").write_text(entry, encoding="utf-8")


async def _approval(stage: Stage) -> None:
    async with _calm(stage):
        await start_rollout(stage, _SAME, *_LENIENT, "approval.required=true")
        await stage.until_phase("AWAITING_APPROVAL")
        stage.cause("a decision waits, and nobody approves")
        await stage.told("MgeoApprovalWaiting")
        stage.mend("it is approved")
        await stage.people.mgeo(
            "approver", "rollout", "approve", "--key", str(stage.folder / "approver.pem"), "--yes"
        )
        await stage.over("MgeoApprovalWaiting")
        stage.cause("the rollout is paused, and forgotten")
        await stage.people.mgeo("operator", "rollout", "pause")
        await stage.told("MgeoRolloutPaused")
        stage.mend("it is resumed")
        await stage.people.mgeo("operator", "rollout", "resume")
        await stage.over("MgeoRolloutPaused")


async def _damaged(stage: Stage) -> None:
    from consumer.store.starters import RELEASES
    from deploy.demo.candidates import with_tags_exchanged

    directory = await asyncio.to_thread(
        with_tags_exchanged, RELEASES / FIRST, stage.folder / "damaged", "roadno", "houseno"
    )
    await _add(stage, directory, _DAMAGED)


async def _serving(stage: Stage) -> None:
    numbered = [text for text in fresh(12_000) if any(one.isdigit() for one in text)]
    # Without its number an address does not show what is wrong with the candidate.
    plain = [text for text in (_NUMBER.split(one)[0] for one in numbered) if len(text) > 6]
    texts = itertools.cycle(plain)

    async def publish() -> None:
        batches = [batch_of(itertools.islice(texts, 2)) for _ in range(20)]
        await send(stage.kafka, stage.kafka.names.events, batches)

    async with again_and_again(publish, pause_s=0.4):
        await start_rollout(stage, _DAMAGED, *_LENIENT)
        await stage.until_phase("CANARY")
        stage.cause("the only controller is killed while a candidate serves")
        await stage.kill("controller")
        await stage.told("MgeoNoLeaderWhileServing")
        stage.mend("it is started again, and goes on")
        stage.start("controller")
        await stage.over("MgeoNoLeaderWhileServing")
        await stage.until_phase("BAKING")
        await asyncio.sleep(5)  # the bake is watched from its second cut on
        stage.cause("addresses come that the candidate gets wrong, and the worker hangs")
        stage.freeze("worker")
        texts = itertools.cycle(numbered)
        await stage.told("MgeoBakeAlarm", "MgeoRollbackStuck")
        stage.mend("the worker goes on")
        stage.thaw("worker")
        await stage.over("MgeoRollbackStuck", "MgeoBakeAlarm")


async def _two_leaders(stage: Stage) -> None:
    pipe = FullPipe()
    stage.start("controller", stderr=pipe.write_end)
    await stage.ready("controller")
    query = 'sum(mgeo_controller_leader{job="mgeo-controller"}) == 1'
    await stage.until(lambda: bool(stage.watching.query(query)), "it leads")
    await stage.until(lambda: "MgeoNoLeader" not in stage.watching.firing(), "it is seen to lead")
    stage.cause("nobody reads what the leader logs: it stands still, and another is elected")

    async def ask() -> None:
        # Each is judged, as unreadable, and a line about it is logged.
        await send(stage.kafka, stage.kafka.names.requests, [b"{}"] * 10)

    async with again_and_again(ask, pause_s=1.0):
        # Alone it still says that it leads, and that is not believed.
        await stage.until(lambda: "MgeoNoLeader" in stage.watching.firing(), "nobody leads")
    stage.start("controller-b")
    await stage.told("MgeoTwoLeaders")
    stage.mend("the log is read again: it finds that its term is over")
    pipe.drain()
    await stage.over("MgeoTwoLeaders")
    os.close(pipe.write_end)


_ALL: Final = ("worker", "shadow", "controller")

ACTS: Final = (
    Act(
        "no-shadow",
        "a rollout without a shadow worker",
        _no_shadow,
        ("MgeoNoShadowWorker", "MgeoRolloutHeld"),
        services=("worker", "controller"),
        panels=("mgeo-rollouts: Partitions it waits for",),
    ),
    Act(
        "slow-candidate",
        "a candidate that is slower",
        _slow_candidate,
        ("MgeoRolloutFailed",),
        services=_ALL,
        prepare=_slowed,
        panels=(
            "mgeo-rollouts: Moves in the last hour",
            "mgeo-rollouts: Device time per batch, same batches",
        ),
        times=60,
    ),
    Act(
        "evidence",
        "evidence that stays away, and evidence that is lost",
        _evidence,
        ("MgeoEvidenceStale", "MgeoRefoldDiffers"),
        services=_ALL,
        panels=("mgeo-rollouts: Age of the evidence",),
        times=60,
    ),
    Act(
        "no-evidence",
        "the topic of the evidence is deleted",
        _no_evidence,
        ("MgeoEvidenceUnreadable",),
        services=_ALL,
    ),
    Act(
        "refused",
        "a worker that cannot hold the candidate",
        _refused,
        ("MgeoRolloutRefused", "MgeoControlStateStale"),
        services=_ALL,
        settings={
            "worker": {"MGEO_MODEL_STORE": "{folder}/own"},
            "controller": {"MGEO_REFUSAL_HOLD_MS": "900000"},
        },
        prepare=_same_again,
        panels=("mgeo-rollouts: Refusals by code", "mgeo-rollouts: Serving epochs"),
    ),
    Act(
        "approval",
        "a decision that waits, a rollout that is paused",
        _approval,
        ("MgeoApprovalWaiting", "MgeoRolloutPaused"),
        services=_ALL,
        settings={"controller": {"MGEO_KEYRING": "{folder}/keyring.yaml"}},
        prepare=_keys,
        panels=("mgeo-rollouts: Leading, paused",),
        times=480,
    ),
    Act(
        "serving",
        "a candidate that serves: without a controller, then on addresses that it gets wrong",
        _serving,
        ("MgeoNoLeaderWhileServing", "MgeoBakeAlarm", "MgeoRollbackStuck"),
        services=_ALL,
        prepare=_damaged,
        panels=("mgeo-rollouts: Addresses served by", "mgeo-rollouts: Errors, serving"),
        times=60,
    ),
    Act(
        "two-leaders",
        "a leader that stands still, and one that was elected meanwhile",
        _two_leaders,
        ("MgeoTwoLeaders",),
        services=(),
        panels=("mgeo-operators: Leading controllers",),
    ),
)
"""In the order in which they are played."""
