"""The Kubernetes tree: every overlay, and every one that can be made of it, keeps the rules."""

from __future__ import annotations

import copy
import functools
import json
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import typer
import yaml
from kubernetes_validate import utils
from typer.core import TyperGroup

from contracts.acls import roles
from contracts.topics import TopicNames
from deploy.cli.program import build as program
from deploy.monitoring.jobs import CONTROLLER, GATEWAY, SHADOW, WORKER
from deploy.scaling.settings import ScalingSettings
from deploy.switching.colours import ADDRESS, COLOUR_LABEL, COLOURS
from deploy.switching.moving import GATEWAYS, PORT
from tests.unit.kubernetes import rules
from tests.unit.kubernetes.trees import (
    OVERLAYS,
    TREE,
    VARIANTS,
    Thing,
    Variant,
    build,
    component,
    made,
    of_kind,
    pods,
    rendered,
    together,
    write_overlay,
)

OLDEST, NEWEST = "1.31", "1.37"
"""The Kubernetes releases that the tree is for: both ends of what can be checked."""

BROKERS = "bootstrapServers"

EXTENSIONS = {"ScaledObject", "TriggerAuthentication", "PodMonitor"}
"""Kinds that KEDA and the Prometheus Operator bring; a real API server checks them
(``make kubernetes``)."""

WHOLE = [name for name in (*OVERLAYS, *VARIANTS) if not name.endswith("topics")]
ALL = [*WHOLE, *(f"{name}/topics" for name in WHOLE)]


@pytest.fixture(autouse=True)
def _schemas_are_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(utils, "schema_contents", _schema)


_schema = functools.cache(utils.schema_contents)


@pytest.mark.parametrize("version", [OLDEST, NEWEST])
def test_every_object_is_what_kubernetes_calls_one(version: str) -> None:
    different = {json.dumps(one, sort_keys=True): one for name in ALL for one in rendered(name)}
    for thing in different.values():
        if thing["kind"] not in EXTENSIONS:
            kubernetes_validate.validate(dict(thing), version, strict=True)


@pytest.mark.parametrize("rule", rules.RULES, ids=lambda rule: rule.__name__)
@pytest.mark.parametrize("name", ALL)
def test_every_overlay_keeps_the_rule(name: str, rule: rules.Rule) -> None:
    assert list(rule(rendered(name))) == []


@pytest.mark.parametrize("rule", rules.RULES_TOGETHER, ids=lambda rule: rule.__name__)
@pytest.mark.parametrize("name", WHOLE)
def test_every_overlay_keeps_the_rule_with_its_topics(name: str, rule: rules.Rule) -> None:
    assert list(rule(together(name))) == []


@pytest.mark.parametrize("name", WHOLE)
def test_a_way_out_beside_kafka_is_opened_by_whoever_asks_for_it(name: str) -> None:
    asked = name in VARIANTS and "egress" in VARIANTS[name].components
    there = {one["metadata"]["name"] for one in of_kind(rendered(name), "NetworkPolicy")}

    assert there & set(rules.WAYS_OUT) == (set(rules.WAYS_OUT) if asked else set())


def find(things: list[Any], kind: str, name: str) -> Any:
    return next(one for one in things if (one["kind"], one["metadata"]["name"]) == (kind, name))


def box(things: list[Any], name: str) -> Any:
    return find(things, "Deployment", name)["spec"]["template"]["spec"]["containers"][0]


def inside(things: list[Any], name: str) -> Any:
    return find(things, "Deployment", name)["spec"]["template"]["spec"]


def second_master(things: list[Any]) -> None:
    extra = copy.deepcopy(find(things, "HorizontalPodAutoscaler", "mgeo-worker"))
    extra["metadata"]["name"] = "mgeo-worker-again"
    things.append(extra)


def without(*path: str | int) -> Callable[[Any], None]:
    def remove(holder: Any) -> None:
        for step in path[:-1]:
            holder = holder[step]
        del holder[path[-1]]

    return remove


BREAKAGES: dict[str, tuple[rules.Rule, Callable[[list[Any]], object]]] = {
    "two autoscalers": (rules.no_deployment_has_two_masters, second_master),
    "an autoscaler of the shadow": (
        rules.no_deployment_has_two_masters,
        lambda all_: find(all_, "HorizontalPodAutoscaler", "mgeo-worker")["spec"][
            "scaleTargetRef"
        ].update(name="mgeo-shadow"),
    ),
    "a number beside an autoscaler": (
        rules.no_deployment_has_two_masters,
        lambda all_: find(all_, "Deployment", "mgeo-worker")["spec"].update(replicas=3),
    ),
    "a drain that was made longer": (
        rules.pods_may_finish_what_they_have,
        lambda all_: box(all_, "mgeo-worker")["env"].append(
            {"name": "MGEO_DRAIN_BUDGET_MS", "value": "60000"}
        ),
    ),
    "a gateway that is cut off": (
        rules.pods_may_finish_what_they_have,
        lambda all_: inside(all_, "mgeo-gateway-blue").update(terminationGracePeriodSeconds=10),
    ),
    "shrinking at once": (
        rules.shrinking_waits_for_the_drain,
        lambda all_: find(all_, "HorizontalPodAutoscaler", "mgeo-worker")["spec"]["behavior"][
            "scaleDown"
        ].update(stabilizationWindowSeconds=0),
    ),
    "no upper bound": (
        rules.autoscalers_have_the_promised_bounds,
        lambda all_: find(all_, "HorizontalPodAutoscaler", "mgeo-worker")["spec"].update(
            maxReplicas=100
        ),
    ),
    "a token": (
        rules.only_the_scaler_has_a_token,
        lambda all_: inside(all_, "mgeo-controller").update(automountServiceAccountToken=True),
    ),
    "root": (
        rules.pods_are_restricted,
        lambda all_: inside(all_, "mgeo-worker")["securityContext"].update(runAsNonRoot=False),
    ),
    "a capability": (
        rules.pods_are_restricted,
        lambda all_: box(all_, "mgeo-worker")["securityContext"].update(
            capabilities={"drop": ["ALL"], "add": ["NET_ADMIN"]}
        ),
    ),
    "a folder of the host": (
        rules.pods_are_restricted,
        lambda all_: inside(all_, "mgeo-worker")["volumes"].append(
            {"name": "host", "hostPath": {"path": "/"}}
        ),
    ),
    "the newest image": (
        rules.images_are_pinned,
        lambda all_: box(all_, "mgeo-worker").update(image="mgeo-stream/worker:latest"),
    ),
    "an image without a tag": (
        rules.images_are_pinned,
        lambda all_: box(all_, "mgeo-worker").update(image="localhost:5000/worker"),
    ),
    "a slip in a name": (
        rules.every_setting_exists,
        lambda all_: box(all_, "mgeo-worker")["env"].append(
            {"name": "MGEO_TOKENBUDGET", "value": "1"}
        ),
    ),
    "a value out of bounds": (
        rules.every_setting_is_taken,
        lambda all_: box(all_, "mgeo-worker")["env"].append(
            {"name": "MGEO_TOKEN_BUDGET", "value": "1"}
        ),
    ),
    "variables of Services": (
        rules.services_write_no_settings,
        lambda all_: inside(all_, "mgeo-gateway-blue").pop("enableServiceLinks"),
    ),
    "a map that is not there": (
        rules.everything_named_is_there,
        lambda all_: box(all_, "mgeo-worker")["envFrom"].append(
            {"configMapRef": {"name": "mgeo-other"}}
        ),
    ),
    "a Service of nobody": (
        rules.everything_named_is_there,
        lambda all_: find(all_, "Service", "mgeo-gateway-blue")["spec"]["selector"].update(
            version="red"
        ),
    ),
    "a probe of another port": (
        rules.probes_ask_what_is_served,
        lambda all_: box(all_, "mgeo-shadow")["ports"][0].update(containerPort=9464),
    ),
    "no probe of life": (
        rules.probes_ask_what_is_served,
        lambda all_: box(all_, "mgeo-shadow").pop("livenessProbe"),
    ),
    "no disruption budget": (
        rules.pods_are_spread_and_kept,
        lambda all_: all_.remove(find(all_, "PodDisruptionBudget", "mgeo-worker")),
    ),
    "all on one node": (
        rules.pods_are_spread_and_kept,
        lambda all_: inside(all_, "mgeo-worker")["topologySpreadConstraints"].pop(),
    ),
    "no denial": (
        rules.nothing_is_open_by_default,
        lambda all_: all_.remove(find(all_, "NetworkPolicy", "mgeo-deny")),
    ),
    "a way to the API": (
        rules.nothing_is_open_by_default,
        lambda all_: find(all_, "NetworkPolicy", "mgeo-scaler")["spec"].update(podSelector={}),
    ),
}


def job(things: list[Any]) -> Any:
    return find(things, "Job", "mgeo-topics")["spec"]["template"]["spec"]


def tell(things: list[Any], **settings: str) -> None:
    """Change what the pods of an overlay are told, and its job."""
    name = box(things, "mgeo-worker")["envFrom"][0]["configMapRef"]["name"]
    for thing in things:
        if (thing["kind"], thing["metadata"]["name"]) == ("ConfigMap", name):
            thing["data"].update(settings)


BREAKAGES_TOGETHER: dict[str, tuple[str, rules.Rule, Callable[[list[Any]], object]]] = {
    "another map for the job": (
        "cpu",
        rules.the_job_is_told_what_the_pods_are_told,
        lambda all_: job(all_)["containers"][0]["envFrom"][0]["configMapRef"].update(
            name="mgeo-settings-of-another-day"
        ),
    ),
    "a GPU that the first record does not know of": (
        "gpu",
        rules.the_first_record_has_the_workers_precision,
        lambda all_: tell(all_, MGEO_DEVICE="auto"),
    ),
    "a precision that the controller is not told": (
        "gpu",
        rules.the_first_record_has_the_workers_precision,
        lambda all_: box(all_, "mgeo-worker")["env"].append(
            {"name": "MGEO_PRECISION", "value": "bf16"}
        ),
    ),
    "half precision without a GPU": (
        "cpu",
        rules.the_first_record_has_the_workers_precision,
        lambda all_: tell(all_, MGEO_DEVICE="cuda"),
    ),
    "a job without the model": (
        "small",
        rules.the_job_has_the_model_that_it_names,
        lambda all_: job(all_)["containers"][0].update(image="mgeo-stream/controller:0.1.0"),
    ),
    "a job with the model of processors": (
        "model in the image",
        rules.the_job_has_the_model_that_it_names,
        lambda all_: job(all_)["containers"][0].update(image="mgeo-stream/worker:0.1.0"),
    ),
    "a job without the store": (
        "cpu",
        rules.the_job_has_the_model_that_it_names,
        lambda all_: job(all_)["volumes"].pop(0),
    ),
    "a job that looks elsewhere": (
        "cpu",
        rules.the_job_has_the_model_that_it_names,
        lambda all_: job(all_)["containers"][0]["env"].pop(1),
    ),
    "a job that gets to the store as nobody else": (
        "object store and traces",
        rules.nothing_is_open_by_default,
        lambda all_: find(all_, "NetworkPolicy", "mgeo-store")["spec"]["podSelector"][
            "matchExpressions"
        ][0]["values"].remove("topics"),
    ),
    "a scaler that is traced": (
        "object store and traces",
        rules.nothing_is_open_by_default,
        lambda all_: find(all_, "NetworkPolicy", "mgeo-traces")["spec"]["podSelector"][
            "matchExpressions"
        ][0]["values"].append("scaler"),
    ),
    "another role's user": (
        "a user for each role",
        rules.every_pod_is_its_own_user_of_kafka,
        lambda all_: inside(all_, "mgeo-shadow")["volumes"][-1]["secret"].update(
            secretName="mgeo-kafka-worker"
        ),
    ),
    "a job without a user": (
        "a user for each role",
        rules.every_pod_is_its_own_user_of_kafka,
        lambda all_: job(all_)["volumes"].pop(),
    ),
    "a Secret that anybody reads": (
        "a user for each role",
        rules.every_pod_is_its_own_user_of_kafka,
        lambda all_: inside(all_, "mgeo-worker")["volumes"][-1]["secret"].pop("defaultMode"),
    ),
    "a Secret where nobody looks": (
        "a user for each role",
        rules.every_pod_is_its_own_user_of_kafka,
        lambda all_: box(all_, "mgeo-worker")["volumeMounts"][-1].update(mountPath="/etc/kafka"),
    ),
    "a Secret where nobody asks": (
        "cpu",
        rules.every_pod_is_its_own_user_of_kafka,
        lambda all_: inside(all_, "mgeo-worker")["volumes"].append(
            {"name": "kafka", "secret": {"secretName": "mgeo-kafka-worker", "defaultMode": 0o440}}
        ),
    ),
    "other brokers for KEDA": (
        "gpu",
        rules.keda_asks_what_the_workers_are_told,
        lambda all_: tell(all_, MGEO_KAFKA_BOOTSTRAP_SERVERS="elsewhere.example.org:9092"),
    ),
    "another prefix for KEDA": (
        "gpu",
        rules.keda_asks_what_the_workers_are_told,
        lambda all_: tell(all_, MGEO_TOPIC_PREFIX="crm."),
    ),
    "the other group for KEDA": (
        "gpu",
        rules.keda_asks_what_the_workers_are_told,
        lambda all_: find(all_, "ScaledObject", "mgeo-worker")["spec"]["triggers"][0][
            "metadata"
        ].update(consumerGroup="mgeo.shadow"),
    ),
    "KEDA as nobody": (
        "everything at once",
        rules.keda_asks_what_the_workers_are_told,
        lambda all_: find(all_, "ScaledObject", "mgeo-worker")["spec"]["triggers"][1].pop(
            "authenticationRef"
        ),
    ),
    "KEDA as a worker": (
        "everything at once",
        rules.keda_asks_what_the_workers_are_told,
        lambda all_: find(all_, "TriggerAuthentication", "mgeo-kafka")["spec"]["secretTargetRef"][
            0
        ].update(name="mgeo-kafka-worker"),
    ),
    "KEDA without TLS": (
        "everything at once",
        rules.keda_asks_what_the_workers_are_told,
        lambda all_: find(all_, "ScaledObject", "mgeo-worker")["spec"]["triggers"][0][
            "metadata"
        ].pop("tls"),
    ),
}


@pytest.mark.parametrize("breakage", [*BREAKAGES, *BREAKAGES_TOGETHER])
def test_what_breaks_a_rule_is_seen_by_it(breakage: str) -> None:
    if breakage in BREAKAGES:
        rule, spoil = BREAKAGES[breakage]
        things: list[Any] = copy.deepcopy(list(rendered("by the processor")))
    else:
        name, rule, spoil = BREAKAGES_TOGETHER[breakage]
        things = copy.deepcopy(list(together(name)))
    assert not list(rule(things))

    spoil(things)

    assert list(rule(things))


def test_every_rule_has_been_seen_broken() -> None:
    seen = {rule for rule, _ in BREAKAGES.values()}
    seen |= {rule for _, rule, _ in BREAKAGES_TOGETHER.values()}

    assert seen == {*rules.RULES, *rules.RULES_TOGETHER}


def test_a_misspelt_field_is_refused() -> None:
    thing: Any = copy.deepcopy(find(list(rendered("cpu")), "Deployment", "mgeo-worker"))
    thing["spec"]["template"]["spec"]["terminationGracePeriod"] = 60

    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(thing, NEWEST, strict=True)


@pytest.mark.parametrize("two", [("none", "hpa"), ("none", "keda"), ("hpa", "keda")], ids="+".join)
def test_two_kinds_of_autoscaling_cannot_be_chosen_together(two: tuple[str, str]) -> None:
    with pytest.raises(RuntimeError, match="mgeo-autoscaling"):
        made(Variant(("blue",), [f"autoscaling/{one}" for one in two]))


@pytest.mark.parametrize(
    ("name", "masters"),
    [
        ("fixed numbers", {}),
        (
            "by the processor",
            {
                "mgeo-worker": "HorizontalPodAutoscaler",
                "mgeo-gateway-blue": "HorizontalPodAutoscaler",
                "mgeo-gateway-green": "HorizontalPodAutoscaler",
            },
        ),
        (
            "by the lag",
            {
                "mgeo-worker": "ScaledObject",
                "mgeo-gateway-blue": "HorizontalPodAutoscaler",
                "mgeo-gateway-green": "HorizontalPodAutoscaler",
            },
        ),
    ],
)
def test_the_switch_says_who_scales(name: str, masters: dict[str, str]) -> None:
    things = rendered(name)
    found = {
        one["spec"]["scaleTargetRef"]["name"]: one["kind"]
        for one in of_kind(things, "HorizontalPodAutoscaler", "ScaledObject")
    }
    numbers = {
        one["metadata"]["name"]
        for one in of_kind(things, "Deployment")
        if component(one) in ("worker", "gateway") and one["spec"].get("replicas", 0) >= 2
    }

    assert found == masters
    assert numbers == (set() if masters else {"mgeo-worker", *(f"{ADDRESS}-{c}" for c in COLOURS)})


def test_keda_follows_another_address_and_a_prefix() -> None:
    (scaled,) = of_kind(rendered("another Kafka"), "ScaledObject")

    assert [
        (one["metadata"]["topic"], one["metadata"]["consumerGroup"], one["metadata"][BROKERS])
        for one in scaled["spec"]["triggers"]
    ] == [
        (f"crm.test.{topic}", "crm.test.mgeo.stable", "a.example.org:9094,b.example.org:9094")
        for topic in ("address.events", "address.interactive")
    ]


@pytest.mark.parametrize("setting", ["MGEO_KAFKA_BOOTSTRAP_SERVERS", "MGEO_TOPIC_PREFIX"])
def test_keda_is_refused_without_the_settings_that_it_follows(setting: str, tmp_path: Path) -> None:
    write_overlay(tmp_path, VARIANTS["by the lag"])
    settings = tmp_path / "settings/kustomization.yaml"
    lines = settings.read_text("utf-8").splitlines(keepends=True)
    settings.write_text("".join(line for line in lines if setting not in line), "utf-8")

    with pytest.raises(RuntimeError, match=setting):
        build(tmp_path)


def test_pods_are_users_that_rights_are_granted_to() -> None:
    known = {role.name for role in roles(TopicNames(""))}

    assert set(rules.USERS.values()) | {rules.KEDAS_SECRET.removeprefix("mgeo-kafka-")} <= known


@pytest.mark.parametrize("name", ["small/topics", "model in the image/topics"])
def test_a_job_with_pytorch_in_its_image_has_memory_and_time_for_it(name: str) -> None:
    (thing,) = of_kind(rendered(name), "Job")
    box = thing["spec"]["template"]["spec"]["containers"][0]

    assert box["resources"]["limits"]["memory"] == "2Gi"
    assert thing["spec"]["activeDeadlineSeconds"] == 1800


def test_metrics_are_where_the_monitoring_looks_for_them() -> None:
    ports = {
        component(one): one["spec"]["template"]["spec"]["containers"][0]["ports"][0][
            "containerPort"
        ]
        for one in of_kind(rendered("by the processor"), "Deployment")
    }
    jobs = {
        one["spec"]["podMetricsEndpoints"][0]["relabelings"][0]["replacement"]: one["spec"][
            "selector"
        ]["matchLabels"]["app.kubernetes.io/component"]
        for one in of_kind(rendered("by the processor"), "PodMonitor")
    }

    assert ports == {
        "worker": WORKER.port,
        "shadow": SHADOW.port,
        "controller": CONTROLLER.port,
        "gateway": GATEWAY.port,
        "scaler": ScalingSettings.model_fields["port"].default,
    }
    assert jobs == {
        job.name: role
        for job, role in (
            (WORKER, "worker"),
            (SHADOW, "shadow"),
            (CONTROLLER, "controller"),
            (GATEWAY, "gateway"),
        )
    }


@pytest.mark.parametrize("name", ALL)
def test_every_pod_runs_a_command_of_the_program(name: str) -> None:
    for _, spec in pods(rendered(name)):
        words = spec["containers"][0]["command"]
        lines = words[2].split("&&") if words[0] == "sh" else [shlex.join(words)]
        for line in lines:
            called, *arguments = shlex.split(line)
            assert called == "mgeo"
            parse(arguments)


PROGRAM = functools.cache(lambda: typer.main.get_command(program()))


def parse(arguments: list[str]) -> None:
    command, name, parent = PROGRAM(), "mgeo", None
    while isinstance(command, TyperGroup):
        parent = command.make_context(name, [], parent=parent, resilient_parsing=True)
        name, *arguments = arguments
        command = command.commands[name]
    command.make_context(name, arguments, parent=parent)


def test_the_address_is_made_apart_and_leads_to_a_colour() -> None:
    (service,) = build(TREE / "address")
    blue = find(list(rendered("by the processor")), "Deployment", f"{ADDRESS}-blue")
    labels = rules.pod_labels(blue)

    assert service["metadata"]["name"] == ADDRESS
    assert service["spec"]["selector"].items() <= labels.items()
    assert service["spec"]["selector"][COLOUR_LABEL] == "blue"
    for name in WHOLE:
        services = of_kind(rendered(name), "Service")
        assert ADDRESS not in {one["metadata"]["name"] for one in services}


@pytest.mark.parametrize("colour", COLOURS)
def test_each_colour_has_an_address_of_its_own_for_the_smoke_test(colour: str) -> None:
    things = list(rendered("by the processor"))
    service = find(things, "Service", f"{ADDRESS}-{colour}")
    labels = rules.pod_labels(find(things, "Deployment", f"{ADDRESS}-{colour}"))

    assert service["spec"]["ports"][0]["port"] == PORT
    assert service["spec"]["selector"][COLOUR_LABEL] == colour
    assert dict(part.split("=") for part in GATEWAYS.split(",")).items() <= labels.items()


def test_colours_run_images_of_their_own() -> None:
    things = build(TREE / "gateway/blue") + build(TREE / "gateway/green")
    images = {spec["containers"][0]["image"].rpartition(":")[0] for _, spec in pods(things)}

    assert images == {"mgeo-stream/gateway-blue", "mgeo-stream/gateway-green"}


def test_a_worker_on_a_gpu_asks_for_one_and_waits_for_no_spare() -> None:
    for thing in of_kind(rendered("gpu"), "Deployment"):
        spec = thing["spec"]["template"]["spec"]
        limits = spec["containers"][0]["resources"]["limits"]
        on_gpu = component(thing) in ("worker", "shadow")
        assert (limits.get("nvidia.com/gpu") == 1) is on_gpu
        assert ("worker-cuda" in spec["containers"][0]["image"]) is on_gpu
        if on_gpu:
            assert thing["spec"]["strategy"]["rollingUpdate"] == {
                "maxSurge": 0,
                "maxUnavailable": 1,
            }


def test_the_token_opens_one_door() -> None:
    role = find(list(rendered("cpu")), "Role", "mgeo-scaler")

    assert role["rules"] == [
        {
            "apiGroups": ["apps"],
            "resources": ["deployments/scale"],
            "resourceNames": [ScalingSettings.model_fields["shadow_deployment"].default],
            "verbs": ["get", "patch"],
        }
    ]


def test_no_password_stands_in_the_tree() -> None:
    for path in TREE.rglob("*.yaml"):
        for thing in yaml.safe_load_all(path.read_text("utf-8")):
            assert not (isinstance(thing, dict) and thing.get("kind") == "Secret"), path
    for name in ALL:
        things: tuple[Thing, ...] = rendered(name)
        for _, spec in pods(things):
            told = rules.environment(things, spec)
            assert not {one for one in told if one.endswith(("PASSWORD", "TOKEN"))}
