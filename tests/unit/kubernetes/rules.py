"""What must hold of any overlay: each rule yields a sentence for everything that breaks it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from typing import Any

from consumer.settings import ParserSettings
from consumer.store.first_spec import precision_of
from contracts.settings import MgeoSettings
from contracts.topics import TopicNames
from deploy.reference.settings import settings_models
from deploy.topics import DEFAULT_PARTITIONS
from tests.unit.kubernetes.trees import Thing, component, of_kind, pods

LEAVING_S = 15
"""After the drain: leaving the group, closing clients."""

SCALED_BY_PHASE = "mgeo-shadow"

USERS = {
    "worker": "worker",
    "shadow": "shadow",
    "controller": "controller",
    "gateway": "gateway",
    "scaler": "shadow-scaler",
    "topics": "admin",
}
"""What pods do, and which role of ``contracts.acls`` that is."""

KEDAS_SECRET = "mgeo-kafka-scaler"  # noqa: S105  (its name)

WAYS_OUT = {
    "mgeo-store": (443, {"worker", "shadow", "controller", "topics"}),
    "mgeo-traces": (4318, {"worker", "shadow", "controller", "gateway"}),
}
"""The policies of the component ``egress``: a port, and who gets to it."""

Rule = Callable[[Sequence[Thing]], Iterator[str]]


def no_deployment_has_two_masters(things: Sequence[Thing]) -> Iterator[str]:
    """One autoscaler at most, and then no number in the manifest that an apply would bring back."""
    masters = {SCALED_BY_PHASE: ["mgeo-scaler"]}
    for thing in of_kind(things, "HorizontalPodAutoscaler", "ScaledObject"):
        masters.setdefault(thing["spec"]["scaleTargetRef"]["name"], []).append(thing["kind"])
    there = {one["metadata"]["name"]: one for one in of_kind(things, "Deployment")}
    for name, kinds in masters.items():
        if len(kinds) > 1:
            yield f"{name} is scaled by {' and '.join(kinds)}"
        if there and name not in there:
            yield f"{name} is scaled and is not there"
        elif there and "replicas" in there[name]["spec"]:
            yield f"{name} is scaled by {kinds[0]} and has a number of its own"


def pods_may_finish_what_they_have(things: Sequence[Thing]) -> Iterator[str]:
    """Kubernetes waits longer than a pod drains, whatever the overlay's settings say of it."""
    for thing in of_kind(things, "Deployment"):
        spec = thing["spec"]["template"]["spec"]
        role = component(thing)
        prefix = {"worker": "", "shadow": "", "gateway": "GATEWAY_"}.get(role)
        if prefix is None:
            continue
        told = environment(things, spec)
        default = setting(f"MGEO_{prefix}DRAIN_BUDGET_MS")
        drain_s = int(told.get(f"MGEO_{prefix}DRAIN_BUDGET_MS", default)) / 1000
        pause = spec["containers"][0].get("lifecycle", {}).get("preStop", {}).get("sleep", {})
        needed = drain_s + pause.get("seconds", 0) + LEAVING_S
        grace = spec.get("terminationGracePeriodSeconds", 30)
        if grace < needed:
            yield f"{thing['metadata']['name']} gets {grace} s to end and may need {needed:.0f}"


def shrinking_waits_for_the_drain(things: Sequence[Thing]) -> Iterator[str]:
    """An autoscaler takes no pod away while one that it took may still be draining."""
    grace = {
        name: spec["terminationGracePeriodSeconds"]
        for name, spec in pods(of_kind(things, "Deployment"))
    }
    for thing in of_kind(things, "HorizontalPodAutoscaler", "ScaledObject"):
        spec, name = thing["spec"], thing["spec"]["scaleTargetRef"]["name"]
        behaviour = (
            spec.get("behavior") or spec["advanced"]["horizontalPodAutoscalerConfig"]["behavior"]
        )
        waits = [behaviour["scaleDown"]["stabilizationWindowSeconds"]]
        if thing["kind"] == "ScaledObject":
            waits.append(spec["cooldownPeriod"])
        if min(waits) <= grace[name]:
            yield f"{name} drains for up to {grace[name]} s and shrinks after {min(waits)}"


def autoscalers_have_the_promised_bounds(things: Sequence[Thing]) -> Iterator[str]:
    """2 to 10 at 70 % of the processor; by the lag no more than there are partitions."""
    for thing in of_kind(things, "HorizontalPodAutoscaler"):
        spec = thing["spec"]
        target = spec["metrics"][0]["resource"]
        if (spec["minReplicas"], spec["maxReplicas"]) != (2, 10):
            yield f"{thing['metadata']['name']} is not bounded by 2 and 10"
        if (target["name"], target["target"]["averageUtilization"]) != ("cpu", 70):
            yield f"{thing['metadata']['name']} does not aim at 70 % of the processor"
    for thing in of_kind(things, "ScaledObject"):
        if thing["spec"]["maxReplicaCount"] > DEFAULT_PARTITIONS:
            yield f"more workers than {DEFAULT_PARTITIONS} partitions"
        for trigger in thing["spec"]["triggers"]:
            if trigger["metadata"].get("allowIdleConsumers") != "false":
                yield f"{trigger['name']} may have more workers than partitions"


def only_the_scaler_has_a_token(things: Sequence[Thing]) -> Iterator[str]:
    """Whoever takes over a pod gets no account of the cluster with it."""
    for thing in of_kind(things, "ServiceAccount"):
        if thing.get("automountServiceAccountToken") is not False:
            yield f"the account {thing['metadata']['name']} hands out tokens"
    for name, spec in pods(things):
        if spec.get("automountServiceAccountToken") is not (name == "mgeo-scaler"):
            yield f"{name} has the wrong say about a token"
        if spec.get("serviceAccountName", "default") == "default":
            yield f"{name} runs as the namespace's default account"


def pods_are_restricted(things: Sequence[Thing]) -> Iterator[str]:
    """The Pod Security Standard *restricted*, and a root file system that nobody writes."""
    for name, spec in pods(things):
        around = spec.get("securityContext", {})
        if around.get("runAsNonRoot") is not True or not around.get("runAsUser"):
            yield f"{name} may run as root"
        if around.get("seccompProfile", {}).get("type") != "RuntimeDefault":
            yield f"{name} may make any system call"
        if any(spec.get(key) for key in ("hostNetwork", "hostPID", "hostIPC")):
            yield f"{name} shares the host's spaces"
        allowed = {"configMap", "emptyDir", "persistentVolumeClaim", "secret", "projected"}
        for volume in spec.get("volumes", ()):
            if not set(volume) - {"name"} <= allowed:
                yield f"{name} mounts {volume['name']}, which restricted pods may not"
        for box in (*spec["containers"], *spec.get("initContainers", ())):
            inner = box.get("securityContext", {})
            if inner.get("allowPrivilegeEscalation") is not False or inner.get("privileged"):
                yield f"{name} may gain rights"
            if inner.get("capabilities") != {"drop": ["ALL"]}:
                yield f"{name} has capabilities"
            if inner.get("readOnlyRootFilesystem") is not True:
                yield f"{name} may write its own files"
            if any(port.get("hostPort") for port in box.get("ports", ())):
                yield f"{name} takes a port of the host"


def images_are_pinned(things: Sequence[Thing]) -> Iterator[str]:
    """A pod that starts tomorrow runs what runs today."""
    for name, spec in pods(things):
        for box in (*spec["containers"], *spec.get("initContainers", ())):
            tag = re.search(r"(?::([\w.-]+)|@sha256:[0-9a-f]{64})$", box["image"])
            if tag is None or tag[1] == "latest":
                yield f"{name} runs {box['image']}, whatever that is by then"


def every_setting_exists(things: Sequence[Thing]) -> Iterator[str]:
    """A variable with a slip in its name would be silence."""
    known = known_settings()
    for name, spec in pods(things):
        for variable in environment(things, spec):
            if variable.startswith("MGEO_") and variable not in known:
                yield f"{name} sets {variable}, which is no setting"


def every_setting_is_taken(things: Sequence[Thing]) -> Iterator[str]:
    """Values that the settings would refuse when the pod starts are told here."""
    for name, spec in pods(things):
        told = {variable: value for variable, value in environment(things, spec).items() if value}
        for model in models():
            prefix = model.model_config["env_prefix"]
            fields = {
                field: told[f"{prefix}{field}".upper()]
                for field in model.model_fields
                if f"{prefix}{field}".upper() in told
            }
            try:
                model.model_validate(fields)
            except ValueError as error:
                yield f"{name}: {error}"


def services_write_no_settings(things: Sequence[Thing]) -> Iterator[str]:
    """Kubernetes sets ``MGEO_GATEWAY_PORT=tcp://…`` for a Service ``mgeo-gateway``, if it may."""
    for name, spec in pods(things):
        if spec.get("enableServiceLinks") is not False:
            yield f"{name} gets variables of every Service"


def everything_named_is_there(things: Sequence[Thing]) -> Iterator[str]:
    """Maps, accounts and mounts that pods name exist; so do the pods that selectors look for."""
    maps = {one["metadata"]["name"] for one in of_kind(things, "ConfigMap")}
    accounts = {one["metadata"]["name"] for one in of_kind(things, "ServiceAccount")}
    for name, spec in pods(things):
        box = spec["containers"][0]
        wanted = {one["configMapRef"]["name"] for one in box.get("envFrom", ())}
        wanted |= {
            one["configMap"]["name"] for one in spec.get("volumes", ()) if "configMap" in one
        }
        for missing in sorted(wanted - maps):
            yield f"{name} wants the map {missing}"
        if accounts and spec["serviceAccountName"] not in accounts:
            yield f"{name} wants the account {spec['serviceAccountName']}"
        mounted = {one["name"] for one in box.get("volumeMounts", ())}
        if mounted != {one["name"] for one in spec.get("volumes", ())}:
            yield f"{name} mounts {sorted(mounted)} and has other volumes"
    labels = [pod_labels(one) for one in of_kind(things, "Deployment", "Job")]
    for thing in of_kind(things, "Service", "PodDisruptionBudget"):
        selector = thing["spec"]["selector"]
        chosen = selector.get("matchLabels", selector)
        if not any(chosen.items() <= one.items() for one in labels):
            yield f"{thing['kind']} {thing['metadata']['name']} chooses no pod"


def probes_ask_what_is_served(things: Sequence[Thing]) -> Iterator[str]:
    """Start, life and readiness, at the port that the command opens."""
    for thing in of_kind(things, "Deployment"):
        name = thing["metadata"]["name"]
        box = thing["spec"]["template"]["spec"]["containers"][0]
        ports = {one["name"]: one["containerPort"] for one in box["ports"]}
        command = box["command"]
        opened = int(command[command.index("--port") + 1])
        for probe, path in (
            ("startupProbe", "/livez"),
            ("livenessProbe", "/livez"),
            ("readinessProbe", "/readyz"),
        ):
            asked = box.get(probe, {}).get("httpGet", {})
            if asked.get("path") != path or ports.get(asked.get("port")) != opened:
                yield f"{name}: {probe} does not ask {path} at {opened}"


def pods_are_spread_and_kept(things: Sequence[Thing]) -> Iterator[str]:
    """Where several pods share a role they are spread over zones and nodes, and leave in turn."""
    budgets = [
        one["spec"]["selector"]["matchLabels"] for one in of_kind(things, "PodDisruptionBudget")
    ]
    for thing in of_kind(things, "Deployment"):
        name, labels = thing["metadata"]["name"], pod_labels(thing)
        if component(thing) == "scaler":  # one alone: nothing to spread, and it may go any time
            continue
        if sum(budget.items() <= labels.items() for budget in budgets) != 1:
            yield f"{name} has not exactly one disruption budget"
        spreads = thing["spec"]["template"]["spec"].get("topologySpreadConstraints", ())
        keys = {
            one["topologyKey"]
            for one in spreads
            if one["labelSelector"]["matchLabels"].items() <= labels.items()
        }
        if keys != {"topology.kubernetes.io/zone", "kubernetes.io/hostname"}:
            yield f"{name} is not spread over zones and nodes"


def nothing_is_open_by_default(things: Sequence[Thing]) -> Iterator[str]:
    """All pods are closed; each may reach names and Kafka; each served port has its callers."""
    policies = of_kind(things, "NetworkPolicy")
    closed = [one for one in policies if one["spec"]["podSelector"] == {}]
    if not any(
        set(one["spec"]["policyTypes"]) == {"Ingress", "Egress"}
        and not one["spec"].get("ingress")
        and not one["spec"].get("egress")
        for one in closed
    ):
        yield "nothing denies by default"
    for policy in policies:
        for rule in policy["spec"].get("egress", ()):
            if not rule.get("ports"):
                yield f"{policy['metadata']['name']} lets pods out to any port"
        for rule in policy["spec"].get("ingress", ()):
            if not rule.get("ports") or not rule.get("from"):
                yield f"{policy['metadata']['name']} lets anybody in"
    there = {one["metadata"]["name"] for one in policies}
    for thing in of_kind(things, "Deployment", "Job"):
        name, role = thing["metadata"]["name"], component(thing)
        mine = [one for one in policies if selects(one["spec"]["podSelector"], pod_labels(thing))]
        out = {
            port["port"]
            for one in mine
            for rule in one["spec"].get("egress", ())
            for port in rule["ports"]
        }
        wanted = {53, 9092} | ({443, 6443} if role == "scaler" else set())
        wanted |= {port for way, (port, who) in WAYS_OUT.items() if way in there and role in who}
        if out != wanted:
            yield f"{name} gets out to {sorted(out)}, and needs {sorted(wanted)}"
        ports = thing["spec"]["template"]["spec"]["containers"][0].get("ports", ())
        served = {one["name"] for one in ports} if role != "scaler" else set()
        let_in = {
            port["port"]
            for one in mine
            for rule in one["spec"].get("ingress", ())
            for port in rule["ports"]
        }
        if let_in != served:
            yield f"{name} is reached at {let_in}"


def every_pod_is_its_own_user_of_kafka(things: Sequence[Thing]) -> Iterator[str]:
    """Where Kafka asks who one is, each pod has the Secret of its role, and no other."""
    for thing in of_kind(things, "Deployment", "Job"):
        name, spec = thing["metadata"]["name"], thing["spec"]["template"]["spec"]
        told = environment(things, spec)
        secret = f"mgeo-kafka-{USERS[component(thing)]}"
        asked = told.get("MGEO_KAFKA_SECURITY_PROTOCOL", "").startswith("SASL")
        volumes = {one["name"]: one["secret"] for one in spec.get("volumes", ()) if "secret" in one}
        if [one["secretName"] for one in volumes.values()] != ([secret] if asked else []):
            yield f"{name} should have the Secret {secret if asked else 'of nobody'}"
        if any(one.get("defaultMode") != 0o440 for one in volumes.values()):
            yield f"{name} lets anybody in it read its Secret"
        if not asked:
            continue
        places = {
            one["mountPath"]
            for one in spec["containers"][0]["volumeMounts"]
            if one["name"] in volumes and one.get("readOnly")
        }
        for file, key in (
            ("SASL_USERNAME", "username"),
            ("SASL_PASSWORD", "password"),
            ("SSL_CA", "ca.crt"),
        ):
            if told.get(f"MGEO_KAFKA_{file}_FILE") not in {f"{place}/{key}" for place in places}:
                yield f"{name} does not look for its {key} where it is"


def keda_asks_what_the_workers_are_told(things: Sequence[Thing]) -> Iterator[str]:
    """The brokers, topics and group of the settings, and as the user that looks at the lag."""
    for scaled in of_kind(things, "ScaledObject"):
        wanted = scaled["spec"]["scaleTargetRef"]["name"]
        spec = next(spec for name, spec in pods(things) if name == wanted)
        told = environment(things, spec)
        names = TopicNames(told.get("MGEO_TOPIC_PREFIX", ""))
        asked = [one["metadata"] for one in scaled["spec"]["triggers"]]
        if {one["topic"] for one in asked} != set(names.inputs):
            yield f"KEDA looks at {[one['topic'] for one in asked]}"
        if {one["consumerGroup"] for one in asked} != {names.stable_group}:
            yield f"KEDA looks at the group {asked[0]['consumerGroup']}"
        if {one["bootstrapServers"] for one in asked} != {told["MGEO_KAFKA_BOOTSTRAP_SERVERS"]}:
            yield f"KEDA asks {asked[0]['bootstrapServers']}"
        sasl = told.get("MGEO_KAFKA_SECURITY_PROTOCOL", "").startswith("SASL")
        secrets = {
            one["metadata"]["name"]: {ref["name"] for ref in one["spec"]["secretTargetRef"]}
            for one in of_kind(things, "TriggerAuthentication")
        }
        for trigger in scaled["spec"]["triggers"]:
            named = trigger.get("authenticationRef", {}).get("name")
            if (secrets.get(named) == {KEDAS_SECRET}) is not sasl:
                yield f"{trigger['name']} is asked for as the wrong user"
            if (trigger["metadata"].get("tls"), trigger["metadata"].get("sasl")) != (
                ("enable", "scram_sha512") if sasl else (None, None)
            ):
                yield f"{trigger['name']} is asked for in another way than the workers'"


def the_job_is_told_what_the_pods_are_told(things: Sequence[Thing]) -> Iterator[str]:
    """One map of settings for the overlay and its topics: two would be two systems."""
    maps = {
        source["configMapRef"]["name"]
        for _, spec in pods(things)
        for source in spec["containers"][0]["envFrom"]
    }
    if len(maps) != 1:
        yield f"pods and job are told different things: {sorted(maps)}"


def the_first_record_has_the_workers_precision(things: Sequence[Thing]) -> Iterator[str]:
    """The record wins over every later setting, and its writers see no GPU."""
    there = {component(one): one for one in of_kind(things, "Deployment", "Job")}
    worker = there["worker"]["spec"]["template"]["spec"]
    on_gpu = "nvidia.com/gpu" in worker["containers"][0]["resources"]["limits"]
    asked = environment(things, worker).get("MGEO_PRECISION", "auto")
    wanted = asked if asked != "auto" else "fp16" if on_gpu else "fp32"
    for role in ("topics", "controller"):
        told = environment(things, there[role]["spec"]["template"]["spec"])
        parser = ParserSettings(
            device=told.get("MGEO_DEVICE", "auto"), precision=told.get("MGEO_PRECISION", "auto")
        )
        blind = parser.device == parser.precision == "auto"
        written = "fp32" if blind else precision_of(parser)
        if written != wanted:
            yield f"{role} would write {written}, and the workers run {wanted}"


def the_job_has_the_model_that_it_names(things: Sequence[Thing]) -> Iterator[str]:
    """Either it mounts the store that workers mount, or it runs their image, with their store."""
    there = {component(one): one for one in of_kind(things, "Deployment", "Job")}
    job, worker = (there[one]["spec"]["template"]["spec"] for one in ("topics", "worker"))
    volumes = [
        [one for one in spec["volumes"] if "persistentVolumeClaim" in one] for spec in (job, worker)
    ]
    if volumes[0] != volumes[1]:
        yield "job and workers have different stores"
    images = [spec["containers"][0]["image"] for spec in (job, worker)]
    if not volumes[1] and images[0] != images[1]:
        yield f"the job runs {images[0]}, and the model is in {images[1]}"
    if len({environment(things, spec).get("MGEO_MODEL_STORE") for spec in (job, worker)}) != 1:
        yield "job and workers look for models in different places"


RULES: tuple[Rule, ...] = (
    no_deployment_has_two_masters,
    pods_may_finish_what_they_have,
    shrinking_waits_for_the_drain,
    autoscalers_have_the_promised_bounds,
    only_the_scaler_has_a_token,
    pods_are_restricted,
    images_are_pinned,
    every_setting_exists,
    every_setting_is_taken,
    services_write_no_settings,
    everything_named_is_there,
    probes_ask_what_is_served,
    pods_are_spread_and_kept,
    every_pod_is_its_own_user_of_kafka,
    keda_asks_what_the_workers_are_told,
)
"""Those that hold of every overlay and of the topics' job."""

RULES_TOGETHER: tuple[Rule, ...] = (
    nothing_is_open_by_default,
    the_job_is_told_what_the_pods_are_told,
    the_first_record_has_the_workers_precision,
    the_job_has_the_model_that_it_names,
)
"""Those that hold of an overlay and its topics' job together."""


def environment(things: Sequence[Thing], spec: Thing) -> dict[str, str]:
    """The variables that a pod gets; those from elsewhere are empty."""
    maps = {one["metadata"]["name"]: one.get("data", {}) for one in of_kind(things, "ConfigMap")}
    told: dict[str, str] = {}
    for box in spec["containers"]:
        for source in box.get("envFrom", ()):
            told |= maps.get(source["configMapRef"]["name"], {})
        told |= {one["name"]: one.get("value", "") for one in box.get("env", ())}
    return told


models = cache(settings_models)


@cache
def known_settings() -> dict[str, tuple[type[MgeoSettings], str]]:
    """Every variable, with where it is declared."""
    return {
        f"{model.model_config['env_prefix']}{field}".upper(): (model, field)
        for model in models()
        for field in model.model_fields
    }


def setting(variable: str) -> Any:
    """The default of a setting."""
    model, field = known_settings()[variable]
    return model.model_fields[field].default


def pod_labels(thing: Thing) -> dict[str, str]:
    """Of the pods that something makes."""
    found: dict[str, str] = thing["spec"]["template"]["metadata"]["labels"]
    return found


def selects(selector: Thing, labels: dict[str, str]) -> bool:
    """Whether a label selector chooses these labels."""
    if not selector.get("matchLabels", {}).items() <= labels.items():
        return False
    return all(
        one["operator"] == "In" and labels.get(one["key"]) in one["values"]
        for one in selector.get("matchExpressions", ())
    )
