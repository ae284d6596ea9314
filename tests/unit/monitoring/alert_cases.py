"""For every alert: a case in which it fires, and the neighbouring one in which it must not.

Series are written as promtool reads them, one sample a minute: ``1+2x3`` is 1 3 5 7.
"""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Case:
    """One case.

    Attributes:
        story: what happens.
        at: when it is looked at, in minutes.
        fires: how many series of the alert fire then.
        series: series to values.
    """

    story: str
    at: int
    fires: int
    series: dict[str, str] = field(default_factory=dict)


def series(job: str, instance: str, name: str, **labels: str) -> str:
    """The name of a series of one process."""
    pairs = {"job": f"mgeo-{job}", "instance": instance, **labels}
    inside = ",".join(f'{key}="{value}"' for key, value in pairs.items())
    return f"{name}{{{inside}}}"


def worker(name: str, instance: str = "w1", **labels: str) -> str:
    """A series of a worker."""
    return series("worker", instance, name, **labels)


def controller(name: str, instance: str = "c1", **labels: str) -> str:
    """A series of a controller."""
    return series("controller", instance, f"mgeo_controller_{name}", **labels)


def gateway(name: str, instance: str = "g1", **labels: str) -> str:
    """A series of a gateway."""
    return series("gateway", instance, f"mgeo_gateway_{name}", **labels)


def lag(instance: str = "w1", partition: str = "0") -> str:
    """Lag of one partition as one worker says it."""
    return worker("mgeo_lag_records", instance, topic="address.events", partition=partition)


def buckets(name: str, bound: str, job: str = "worker", **labels: str) -> dict[str, str]:
    """A histogram in which all of 100 events a minute lie just below ``bound``."""
    bounds = ("0.1", "0.5", "4", "16", "+Inf")
    below = bounds.index(bound)
    return {
        series(job, "x1", f"{name}_bucket", le=one, **labels): "0+100x60"
        if index >= below
        else "0x60"
        for index, one in enumerate(bounds)
    }


def leading(phase: str, length: int = 120) -> dict[str, str]:
    """One controller that leads a rollout in this phase, and one that led an earlier one."""
    return {
        controller("leader"): f"1x{length}",
        controller("phase", phase=phase): f"1x{length}",
        controller("leader", "c2"): f"0x{length}",
        controller("phase", "c2", phase="ROLLING_BACK"): f"1x{length}",
        controller("phase", "c2", phase="AWAITING_APPROVAL"): f"1x{length}",
    }


def led(one: str, other: str) -> dict[str, str]:
    """Whether each of two controllers says that it leads."""
    return {controller("leader"): one, controller("leader", "c2"): other}


def moved(phase: str, cause: str, values: str) -> dict[str, str]:
    """A controller's moves."""
    return {controller("moves_total", phase=phase, cause=cause): values}


def requests(**per_minute: int) -> dict[str, str]:
    """Requests to a gateway by status (``s200=95``)."""
    return {
        gateway("requests_total", route="/parse", status=status[1:]): f"0+{count}x60"
        for status, count in per_minute.items()
    }


def addresses(ok: str, error: str) -> dict[str, str]:
    """Addresses of one worker by status."""
    return {
        worker("mgeo_addresses_total", spec="a@fp32", status=status): values
        for status, values in (("ok", ok), ("error", error))
    }


def records(parsed: str, dead: str = "0x60") -> dict[str, str]:
    """Records of one worker by outcome."""
    return {
        worker("mgeo_records_total", outcome=outcome): values
        for outcome, values in (("parsed", parsed), ("dead_letter", dead))
    }


def epochs(of_worker: int, of_leader: int, *, ready: int = 1) -> dict[str, str]:
    """A worker, the leader, and a former leader that still shows what it wrote last."""
    return {
        worker("mgeo_serving_epoch"): f"{of_worker}x60",
        worker("mgeo_worker_ready"): f"{ready}x60",
        controller("leader"): "1x60",
        controller("serving_epoch"): f"{of_leader}x60",
        controller("leader", "c2"): "0x60",
        controller("serving_epoch", "c2"): "3x60",
    }


DAY = 86_400
START = worker("process_start_time_seconds")
CORRUPT = worker("mgeo_control_errors_total", code="control_corrupt")
ENDS = worker("mgeo_certificate_expiry_timestamp_seconds", certificate="broker")
READY = worker("mgeo_worker_ready")
REFOLDS = controller("refolds_differing_total")

CASES: dict[str, tuple[Case, ...]] = {
    "MgeoAlertingAlive": (Case("always", 1, 1, {"up": "1x5"}),),
    "MgeoTargetDown": (
        Case("gone for six minutes", 10, 1, {worker("up"): "1x3 0x20"}),
        Case("gone for three", 7, 0, {worker("up"): "1x3 0x20"}),
        Case("somebody else's", 10, 0, {'up{job="other",instance="o1"}': "0x20"}),
    ),
    "MgeoRestarting": (
        Case("four restarts", 29, 1, {START: "0x3 300x3 600x3 900x3 1200x20"}),
        Case("one restart", 29, 0, {START: "0x3 300x30"}),
        Case("four, but two hours ago", 140, 0, {START: "0x3 300x3 600x3 900x3 1200x160"}),
    ),
    "MgeoControlRecordCorrupt": (
        Case("one is met", 30, 1, {CORRUPT: "0x25 1x20", START: "0x60"}),
        Case("met while starting", 3, 1, {CORRUPT: "1x20", START: "0x60"}),
        Case("none", 30, 0, {CORRUPT: "0x60", START: "0x60"}),
        Case("met long ago", 55, 0, {CORRUPT: "1x60", START: "0x60"}),
    ),
    "MgeoCertificateEndsSoon": (
        Case("ten days left", 70, 1, {ENDS: f"{10 * DAY}x80"}),
        Case("a month left", 70, 0, {ENDS: f"{31 * DAY}x80"}),
    ),
    "MgeoCertificateEndsNow": (
        Case("two days left", 5, 1, {ENDS: f"{2 * DAY}x10"}),
        Case("ended an hour ago", 60, 1, {ENDS: "1x80"}),
        Case("ten days left", 5, 0, {ENDS: f"{10 * DAY}x10"}),
    ),
    "MgeoNoReadyWorker": (
        Case("none is ready", 5, 1, {READY: "0x20", worker("mgeo_worker_ready", "w2"): "0x20"}),
        Case("all are gone", 5, 1, {"up": "1x20"}),
        Case("its series end", 15, 1, {READY: "1x5 stale"}),
        Case("one of two is", 5, 0, {READY: "0x20", worker("mgeo_worker_ready", "w2"): "1x20"}),
        Case("for two minutes", 7, 0, {READY: "1x4 0x20"}),
    ),
    "MgeoWorkerNotReady": (
        Case("one of two", 20, 1, {READY: "0x60", worker("mgeo_worker_ready", "w2"): "1x60"}),
        Case("it loads a model", 20, 0, {READY: "0x10 1x60"}),
    ),
    "MgeoPartitionsShut": (
        Case("two stay shut", 15, 1, {worker("mgeo_lanes", state="opening"): "2x20"}),
        Case("they open", 15, 0, {worker("mgeo_lanes", state="opening"): "2x3 0x20"}),
    ),
    "MgeoStalled": (
        Case(
            "in hand and never committed",
            20,
            1,
            {worker("mgeo_inflight_addresses"): "5x60", **records("100x60")},
        ),
        Case("waiting and never committed", 20, 1, {lag(): "2000x60", **records("100x60")}),
        Case(
            "lanes that are lost and taken again, and nothing committed",
            20,
            1,
            {
                worker("mgeo_inflight_addresses"): "5 0 5 5 0 5 5 0 5 5 0 5 5 0 5 5 0 5 5 0 5",
                **records("100x60"),
            },
        ),
        Case(
            "the last is committed, and nothing more comes",
            20,
            0,
            {worker("mgeo_inflight_addresses"): "5x12 0x60", **records("0+10x12 120x60")},
        ),
        Case("committed", 20, 0, {lag(): "2000x60", **records("0+10x60")}),
        Case(
            "nothing to do",
            20,
            0,
            {lag(): "0x60", worker("mgeo_inflight_addresses"): "0x60", **records("100x60")},
        ),
    ),
    "MgeoLagGrowing": (
        Case("grows", 30, 1, {lag(): "2000+100x60"}),
        Case("shrinks", 30, 0, {lag(): "9000-100x60"}),
        Case("grows but is small", 30, 0, {lag(): "0+10x60"}),
        Case("two workers say the same", 30, 0, {lag(): "500+5x60", lag("w2"): "500+5x60"}),
        Case("two partitions", 30, 1, {lag(): "500+5x60", lag("w2", "1"): "500+5x60"}),
    ),
    "MgeoDeviceIdleWithLag": (
        Case(
            "idle",
            30,
            1,
            {worker("mgeo_device_busy_seconds_total"): "0+6x60", lag(): "5000x60"},
        ),
        Case(
            "no batch at all",
            30,
            1,
            {worker("mgeo_device_busy_seconds_total"): "9x60", lag(): "5000x60"},
        ),
        Case(
            "busy",
            30,
            0,
            {worker("mgeo_device_busy_seconds_total"): "0+54x60", lag(): "5000x60"},
        ),
        Case(
            "a worker without partitions",
            30,
            0,
            {
                worker("mgeo_device_busy_seconds_total"): "0+54x60",
                lag(): "5000x60",
                worker("mgeo_device_busy_seconds_total", "w2"): "0x60",
            },
        ),
    ),
    "MgeoErrorShareHigh": (
        Case("five of a hundred", 30, 1, addresses("0+95x60", "0+5x60")),
        Case("none", 30, 0, addresses("0+95x60", "0x60")),
        Case("half of a few", 30, 0, addresses("0+1x60", "0+1x60")),
    ),
    "MgeoDeadLetters": (
        Case("three of some thousand", 30, 1, records("0+100x60", "0x25 3x60")),
        Case("a quarter of an hour later", 45, 0, records("0+100x60", "0x25 3x60")),
        Case("none", 30, 0, records("0+100x60")),
    ),
    "MgeoServiceSlow": (
        Case("four seconds", 30, 1, buckets("mgeo_service_seconds", "4")),
        Case("half a second", 30, 0, buckets("mgeo_service_seconds", "0.5")),
        Case("of the shadow", 30, 0, buckets("mgeo_service_seconds", "4", "shadow")),
        Case(
            "nothing is parsed",
            30,
            0,
            dict.fromkeys(buckets("mgeo_service_seconds", "4"), "100x60"),
        ),
    ),
    "MgeoCommitsSlow": (
        Case("sixteen seconds", 30, 1, buckets("mgeo_commit_seconds", "16")),
        Case("half a second", 30, 0, buckets("mgeo_commit_seconds", "0.5")),
    ),
    "MgeoCommitsLost": (
        Case(
            "one of ten",
            30,
            1,
            {
                worker("mgeo_transactions_total", outcome="lost"): "0+10x60",
                worker("mgeo_transactions_total", outcome="committed"): "0+90x60",
            },
        ),
        Case(
            "once",
            30,
            0,
            {
                worker("mgeo_transactions_total", outcome="lost"): "0x20 9x60",
                worker("mgeo_transactions_total", outcome="committed"): "0+90x60",
            },
        ),
    ),
    "MgeoFencingStorm": (
        Case("every minute", 35, 1, {worker("mgeo_fencings_total"): "0+1x60"}),
        Case("one takeover", 25, 0, {worker("mgeo_fencings_total"): "0x20 12x60"}),
        Case("and later", 35, 0, {worker("mgeo_fencings_total"): "0x20 12x60"}),
    ),
    "MgeoRebalanceStorm": (
        Case("every minute", 50, 1, {worker("mgeo_rebalances_total"): "0+1x60"}),
        Case("a deployment", 35, 0, {worker("mgeo_rebalances_total"): "1x25 9x60"}),
    ),
    "MgeoDeviceOutOfMemory": (
        Case("every minute", 40, 1, {worker("mgeo_device_oom_total"): "0+1x60"}),
        Case("five times", 40, 0, {worker("mgeo_device_oom_total"): "0x20 5x60"}),
    ),
    "MgeoControlStateStale": (
        Case("one behind", 15, 1, epochs(7, 8)),
        Case("the topic was made anew", 15, 1, epochs(7, 1)),
        Case("the present one", 15, 0, epochs(7, 7)),
        Case("it is not ready, so it serves nothing", 15, 0, epochs(0, 7, ready=0)),
        Case("for some minutes", 8, 0, epochs(7, 8)),
    ),
    "MgeoVersionMismatch": (
        Case("for an hour", 70, 1, {worker("mgeo_version_mismatch"): "1x80"}),
        Case("for half an hour", 30, 0, {worker("mgeo_version_mismatch"): "1x80"}),
        Case("none", 70, 0, {worker("mgeo_version_mismatch"): "0x80"}),
    ),
    "MgeoRepliesFail": (
        Case(
            "one of twenty",
            30,
            1,
            {
                worker("mgeo_replies_total", outcome="sent"): "0+95x60",
                worker("mgeo_replies_total", outcome="failed"): "0+5x60",
            },
        ),
        Case(
            "late ones are the caller's",
            30,
            0,
            {
                worker("mgeo_replies_total", outcome="sent"): "0+95x60",
                worker("mgeo_replies_total", outcome="late"): "0+5x60",
            },
        ),
    ),
    "MgeoNoLeader": (
        Case(
            "none of two", 5, 1, {controller("leader"): "0x20", controller("leader", "c2"): "0x20"}
        ),
        Case("none at all", 5, 1, {"up": "1x20"}),
        Case(
            "the only one hangs",
            20,
            1,
            {
                controller("leader"): "1x60",
                controller("loop_silent_seconds"): "0x10 30+60x60",
            },
        ),
        Case(
            "one of two", 5, 0, {controller("leader"): "0x20", controller("leader", "c2"): "1x20"}
        ),
        Case(
            "a handover",
            10,
            0,
            {controller("leader"): "1x5 0x20", controller("leader", "c2"): "0x6 1x20"},
        ),
    ),
    "MgeoNoLeaderWhileServing": (
        Case(
            "in a canary step",
            20,
            1,
            {controller("leader"): "1x10 0x60", controller("phase", phase="CANARY"): "1x60"},
        ),
        Case(
            "its series end",
            20,
            1,
            {controller("leader"): "1x10 stale", controller("phase", phase="CANARY"): "1x10 stale"},
        ),
        Case(
            "between rollouts",
            20,
            0,
            {controller("leader"): "1x10 0x60", controller("phase", phase="PROMOTED"): "1x60"},
        ),
    ),
    "MgeoTwoLeaders": (
        Case("two", 10, 1, led("1x20", "1x20")),
        Case("one", 10, 0, led("1x20", "0x20")),
    ),
    "MgeoBakeAlarm": (
        Case("alarmed", 20, 1, moved("ROLLING_BACK", "alarmed", "0x15 1x120")),
        Case("an hour later", 90, 0, moved("ROLLING_BACK", "alarmed", "0x15 1x120")),
        Case("a person rolled back", 20, 0, moved("ROLLING_BACK", "rollback", "0x15 1x120")),
        Case("the controller restarts", 20, 0, moved("ROLLING_BACK", "alarmed", "1x10 0x120")),
    ),
    "MgeoRolloutFailed": (
        Case("a gate", 20, 1, moved("ABORTED", "failed", "0x15 1x120")),
        Case("undecided", 20, 1, moved("INCONCLUSIVE", "undecided", "0x15 1x120")),
        Case("promoted", 20, 0, moved("PROMOTED", "baked", "0x15 1x120")),
    ),
    "MgeoRollbackStuck": (
        Case("for ten minutes", 10, 1, leading("ROLLING_BACK")),
        Case("for three", 3, 0, leading("ROLLING_BACK")),
        Case("says one that no longer leads", 10, 0, leading("PROMOTED")),
    ),
    "MgeoRolloutHeld": (
        Case(
            "by two partitions",
            20,
            1,
            {controller("unadopted_partitions"): "2x60", **leading("STAGING")},
        ),
        Case(
            "says one that no longer leads",
            20,
            0,
            {controller("unadopted_partitions", "c2"): "2x60", **leading("STAGING")},
        ),
        Case(
            "until they adopt",
            20,
            0,
            {controller("unadopted_partitions"): "2x10 0x60", **leading("STAGING")},
        ),
    ),
    "MgeoRolloutRefused": (
        Case("by one", 5, 1, {controller("refusing_partitions"): "1x60", **leading("STAGING")}),
        Case("by none", 5, 0, {controller("refusing_partitions"): "0x60", **leading("STAGING")}),
    ),
    "MgeoEvidenceStale": (
        Case("no cut", 5, 1, {controller("cut_age_seconds"): "1000x60", **leading("SHADOWING")}),
        Case(
            "cuts, and nothing new in them",
            5,
            1,
            {
                controller("cut_age_seconds"): "20x60",
                controller("evidence_age_seconds"): "1000x60",
                **leading("SHADOWING"),
            },
        ),
        Case(
            "fresh",
            5,
            0,
            {
                controller("cut_age_seconds"): "20x60",
                controller("evidence_age_seconds"): "22x60",
                **leading("SHADOWING"),
            },
        ),
        Case(
            "over",
            5,
            0,
            {controller("evidence_age_seconds"): "9000x60", **leading("PROMOTED")},
        ),
    ),
    "MgeoNoShadowWorker": (
        Case("there is none", 15, 1, leading("SHADOWING")),
        Case(
            "it is not ready",
            15,
            1,
            {series("shadow", "s1", "mgeo_worker_ready"): "0x60", **leading("CANARY")},
        ),
        Case(
            "it is",
            15,
            0,
            {series("shadow", "s1", "mgeo_worker_ready"): "1x60", **leading("SHADOWING")},
        ),
        Case("no rollout runs", 15, 0, leading("PROMOTED")),
    ),
    "MgeoEvidenceUnreadable": (
        Case("again and again", 20, 1, {controller("evidence_errors_total"): "0+1x60"}),
        Case("once", 20, 0, {controller("evidence_errors_total"): "0x15 1x60"}),
    ),
    "MgeoRefoldDiffers": (
        Case("one does", 40, 1, {REFOLDS: "0x30 1x200"}),
        Case(
            "seen while starting",
            3,
            1,
            {REFOLDS: "1x200", series("controller", "c1", "process_start_time_seconds"): "0x200"},
        ),
        Case("none", 40, 0, {REFOLDS: "0x200"}),
        Case(
            "long ago",
            130,
            0,
            {REFOLDS: "1x200", series("controller", "c1", "process_start_time_seconds"): "0x200"},
        ),
    ),
    "MgeoAuditAlert": (
        Case("one", 20, 1, {controller("audit_alerts_total"): "0x15 1x60"}),
        Case("none", 20, 0, {controller("audit_alerts_total"): "0x60"}),
    ),
    "MgeoApprovalWaiting": (
        Case("for five hours", 300, 1, leading("AWAITING_APPROVAL", 320)),
        Case("for one", 60, 0, leading("AWAITING_APPROVAL", 320)),
        Case("it was given", 300, 0, leading("CANARY", 320)),
    ),
    "MgeoRolloutPaused": (
        Case("for five hours", 300, 1, {controller("paused"): "1x320", **leading("CANARY", 320)}),
        Case("for one", 60, 0, {controller("paused"): "1x320", **leading("CANARY", 320)}),
        Case("it goes on", 300, 0, {controller("paused"): "0x320", **leading("CANARY", 320)}),
    ),
    "MgeoGatewayNotReady": (
        Case("none of one", 5, 1, {gateway("ready"): "0x20"}),
        Case("one of two", 5, 0, {gateway("ready"): "0x20", gateway("ready", "g2"): "1x20"}),
        Case("nobody runs one", 5, 0, {"up": "1x20"}),
        Case("all are gone", 15, 1, {gateway("ready"): "1x5 stale"}),
        Case(
            "one of two is gone",
            15,
            0,
            {gateway("ready"): "1x5 stale", gateway("ready", "g2"): "1x20"},
        ),
        Case(
            "blue is not, green is",
            5,
            1,
            {
                gateway("ready", version="blue"): "0x20",
                gateway("ready", "g2", version="green"): "1x20",
            },
        ),
    ),
    "MgeoGatewayErrors": (
        Case("one of twenty", 30, 1, requests(s200=95, s503=5)),
        Case("the caller's", 30, 0, requests(s200=50, s422=50)),
        Case("one of two", 30, 0, requests(s200=1, s503=0)),
    ),
    "MgeoGatewayShedding": (
        Case("one of ten", 30, 1, requests(s200=90, s429=10)),
        Case("one of a hundred", 30, 0, requests(s200=99, s429=1)),
    ),
    "MgeoGatewaySlow": (
        Case(
            "four seconds",
            30,
            1,
            buckets("mgeo_gateway_request_seconds", "4", "gateway", route="/parse"),
        ),
        Case(
            "a tenth",
            30,
            0,
            buckets("mgeo_gateway_request_seconds", "0.1", "gateway", route="/parse"),
        ),
    ),
    "MgeoRepliesUnreadable": (
        Case("every minute", 30, 1, {gateway("replies_total", outcome="unreadable"): "0+1x60"}),
        Case("a few", 30, 0, {gateway("replies_total", outcome="unreadable"): "0x20 3x60"}),
        Case(
            "of another gateway on the same partition",
            30,
            0,
            {gateway("replies_total", outcome="foreign"): "0+500x60"},
        ),
    ),
}
