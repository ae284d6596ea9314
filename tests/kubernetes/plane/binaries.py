"""Builds the control plane's programs from their sources: ``python -m tests.kubernetes.plane``.

They come through the ordinary Go client and are kept; nothing is patched. kwok plays nodes.
"""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

import platformdirs

from tests import go_programs

KUBERNETES = "v1.34.4"
ETCD = "v3.5.21"  # Debian's 3.4 stalls the API server's watches
KWOK = "v0.7.0"
KEDA = "v2.18.1"

DIRECTORY_VARIABLE = "MGEO_TEST_KUBERNETES_BIN"
"""Where the programs lie or are to lie; default: the user's cache."""

GODEBUG = "godebug default=go1.24"

PROGRAMS = (
    "etcd",
    "kube-apiserver",
    "kube-controller-manager",
    "kube-scheduler",
    "kubectl",
    "kwok",
)


EXTENSIONS = {
    "keda.yaml": (
        "github.com/kedacore/keda/v2",
        KEDA,
        "config/crd/bases",
        ("keda.sh_scaledobjects.yaml", "keda.sh_triggerauthentications.yaml"),
    ),
    "kwok.yaml": (
        "sigs.k8s.io/kwok",
        KWOK,
        "kustomize/crd/bases",
        ("kwok.x-k8s.io_portforwards.yaml",),
    ),
}
"""Kinds that the API server is to know: file, and where its parts lie in a module."""


def directory() -> Path:
    """Where the programs are kept."""
    named = os.environ.get(DIRECTORY_VARIABLE)
    return Path(named) if named else platformdirs.user_cache_path("mgeo-stream") / "kubernetes"


def missing() -> tuple[str, ...]:
    """Programs that are not there."""
    wanted = (*PROGRAMS, *EXTENSIONS)
    return tuple(name for name in wanted if not (directory() / name).is_file())


def build() -> None:
    """Build what is missing: a quarter of an hour and 5 GB of caches on two busy cores."""
    work = directory() / "src"
    wanted = missing()
    if not wanted:
        return
    if not go_programs.available():
        sys.exit("Go is needed to build the control plane (https://go.dev/doc/install)")
    work.mkdir(parents=True, exist_ok=True)
    for name, (module, version, folder, files) in EXTENSIONS.items():
        source = Path(go_programs.download(module, version)["Dir"]) / folder
        texts = [(source / file).read_text("utf-8") for file in files]
        (directory() / name).write_text("\n---\n".join(texts), "utf-8")
    if "etcd" in wanted:
        # Its own go.mod points at folders that are in no module archive.
        server = "go.etcd.io/etcd/server/v3"
        go_programs.write_module(work / "etcd", server, ETCD, rules=GODEBUG)
        go_programs.build(work / "etcd", {server: directory() / "etcd"})
    if "kwok" in wanted:
        kwok = "sigs.k8s.io/kwok"
        go_programs.write_module(work / "kwok", kwok, KWOK, rules=GODEBUG)
        go_programs.build(work / "kwok", {f"{kwok}/cmd/kwok": directory() / "kwok"})
    kubernetes = [name for name in PROGRAMS if name.startswith("kube") and name in wanted]
    if kubernetes:
        _kubernetes_module(work / "kubernetes")
        go_programs.build(
            work / "kubernetes",
            {f"k8s.io/kubernetes/cmd/{name}": directory() / name for name in kubernetes},
            flags=_stamp(),
        )


def _kubernetes_module(folder: Path) -> None:
    """A module that takes each staging folder as the module of the same release.

    Module ``k8s.io/X`` of Kubernetes 1.N.P is published as ``v0.N.P``.
    """
    source = Path(go_programs.download("k8s.io/kubernetes", KUBERNETES)["GoMod"]).read_text("utf-8")
    staged = re.findall(r"^\t(k8s\.io/\S+) => \./staging/", source, re.MULTILINE)
    release = KUBERNETES.replace("v1.", "v0.", 1)
    replaced = [f"replace {name} => {name} {release}" for name in staged]
    needed = re.findall(r"^require \(.*?^\)", source, re.DOTALL | re.MULTILINE)
    rules = "\n".join([GODEBUG, *needed, *replaced])
    go_programs.write_module(folder, "k8s.io/kubernetes", KUBERNETES, rules=rules)


def _stamp() -> str:
    """Linker flags: what the programs say of their own version, which clients compare."""
    major, minor, _ = KUBERNETES.removeprefix("v").split(".")
    values = {"gitVersion": KUBERNETES, "gitMajor": major, "gitMinor": minor}
    stamps = (f"-X k8s.io/component-base/version.{key}={value}" for key, value in values.items())
    return " ".join(["-s", "-w", *stamps])
