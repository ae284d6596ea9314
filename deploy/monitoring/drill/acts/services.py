"""Acts about processes of any role: gone, restarting, misled, or losing their certificates."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import Final

from contracts.topics import CONTROL_KEY
from deploy.monitoring.drill.acts.act import Act
from deploy.monitoring.drill.acts.models import SLOW, slow_model
from deploy.monitoring.drill.stage import Stage

_SILENT_S: Final = 25.0
"""What comes every few seconds and has not come for so long has stopped."""

_CHECK: Final = {"MGEO_KAFKA_SSL_CHECK_INTERVAL_S": "2"}


async def _heartbeat(stage: Stage) -> None:
    """The one alert that must never end: what its silence says is that nobody watches."""
    name = "MgeoAlertingAlive"

    def last() -> float:
        return max(one.at for one in stage.watching.told if one.name == name)

    stage.cause("Prometheus and Alertmanager run")
    await stage.told(name)
    stage.mend("Prometheus is stopped: the message stays away")
    began = stage.watching.now_s
    await asyncio.to_thread(stage.watching.stop_prometheus)
    await stage.until(lambda: stage.watching.now_s - last() > _SILENT_S, "it is told no more")
    stage.gone_silent(name, max(0.0, last() - began))
    again = stage.watching.now_s
    await asyncio.to_thread(stage.watching.start_prometheus)
    await stage.until(lambda: last() > again, "it is told again")


async def _stopped(stage: Stage) -> None:
    stage.cause("the worker and the controller are killed")
    await stage.kill("worker")
    await stage.kill("controller")
    await stage.told("MgeoNoLeader", "MgeoNoReadyWorker", "MgeoTargetDown")
    stage.mend("both are started again")
    stage.start("worker")
    stage.start("controller")
    await stage.over("MgeoTargetDown", "MgeoNoLeader", "MgeoNoReadyWorker")


async def _crash_loop(stage: Stage) -> None:
    from deploy.monitoring.drill.causes import batch_of, fresh, send

    stage.cause("a device call outlasts MGEO_DEVICE_HANG_MS: the worker ends itself, five times")
    await send(stage.kafka, stage.kafka.names.events, [batch_of(fresh(200))])
    for _ in range(5):
        await stage.until(lambda: stage.ended("worker"), "the watchdog ends the worker")
        stage.start("worker")
    await stage.told("MgeoRestarting")
    await stage.kill("worker")
    stage.mend("the limit is raised to what the model needs")
    stage.start("worker", MGEO_DEVICE_HANG_MS="120000")
    await stage.over("MgeoRestarting")


async def _corrupt(stage: Stage) -> None:
    from deploy.monitoring.drill.causes import send

    stage.cause("somebody writes what is no state to the control topic")
    await send(stage.kafka, stage.kafka.names.control, [b'{"stable": "v2"}'], key=CONTROL_KEY)
    await stage.told("MgeoControlRecordCorrupt", "MgeoAuditAlert")
    stage.mend("the leader has written the state over it")
    await stage.over("MgeoControlRecordCorrupt", "MgeoAuditAlert")


def _certificate_file(stage: Stage) -> Path:
    file = stage.kafka.kafka_ssl_certificate_file
    assert file is not None  # noqa: S101  (the act is a secure one)
    return file


def _sign(stage: Stage, life: timedelta) -> None:
    """A new client certificate, put in the old one's place as a renewal puts it."""
    from deploy.local.security import SUPER_USER

    security, key = stage.broker.security, stage.kafka.kafka_ssl_key_file
    assert security is not None  # noqa: S101  (the act is a secure one)
    assert key is not None  # noqa: S101  (likewise)
    signed = security.authority.sign(SUPER_USER, life=life)
    # The key first: a certificate beside another's key is not usable, and is not used.
    for path, content in ((key, signed.key), (_certificate_file(stage), signed.certificate)):
        scratch = path.with_suffix(".new")
        scratch.write_bytes(content)
        scratch.replace(path)


async def _ten_days(stage: Stage) -> None:
    _sign(stage, timedelta(days=10))


async def _certificate(stage: Stage) -> None:
    stage.cause("the client's certificate is good for ten days more")
    await stage.told("MgeoCertificateEndsSoon")
    stage.mend("it is renewed: the file is replaced, nothing is restarted")
    _sign(stage, timedelta(days=365))
    await stage.over("MgeoCertificateEndsSoon")
    stage.cause("the client's certificate is good for two days more")
    _sign(stage, timedelta(days=2))
    await stage.told("MgeoCertificateEndsNow")
    stage.mend("it is renewed: the file is replaced, nothing is restarted")
    _sign(stage, timedelta(days=365))
    await stage.over("MgeoCertificateEndsNow")


ACTS: Final = (
    Act(
        "heartbeat",
        "Prometheus is stopped, and the message that always comes stays away",
        _heartbeat,
        ("MgeoAlertingAlive",),
        services=(),
        broker=False,
    ),
    Act(
        "stopped",
        "a worker and the only controller are killed",
        _stopped,
        ("MgeoNoReadyWorker", "MgeoNoLeader", "MgeoTargetDown"),
        services=("worker", "controller"),
        panels=("mgeo-operators: Ready workers", "mgeo-operators: Targets that answer"),
    ),
    Act(
        "crash-loop",
        "a worker ends itself with every batch, and is started again",
        _crash_loop,
        ("MgeoRestarting",),
        settings={
            "worker": {
                "MGEO_VERSION": SLOW,
                "MGEO_DEVICE_HANG_MS": "1000",
                "MGEO_MAX_ATTEMPTS": "50",
                # The group waits so long for one that was ended.
                "MGEO_SESSION_TIMEOUT_MS": "6000",
                "MGEO_WARM_UP": "false",
            }
        },
        prepare=slow_model,
        panels=("mgeo-operators: Uptime",),
    ),
    Act(
        "control",
        "a record on the control topic that is no state",
        _corrupt,
        ("MgeoControlRecordCorrupt", "MgeoAuditAlert"),
        services=("worker", "controller", "gateway"),
        panels=(
            "mgeo-operators: Control records that could not be used",
            "mgeo-rollouts: Evidence that could not be read, cuts that differ",
        ),
        times=60,
    ),
    Act(
        "certificate",
        "a client certificate comes near its end, and is renewed under a running service",
        _certificate,
        ("MgeoCertificateEndsSoon", "MgeoCertificateEndsNow"),
        services=("controller",),
        settings={"controller": _CHECK},
        prepare=_ten_days,
        panels=("mgeo-operators: Certificates end in",),
        times=60,
        secure=True,
    ),
)
"""In the order in which they are played."""
