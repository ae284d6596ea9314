"""Builds the control plane's programs from their sources: ``python -m tests.kubernetes.plane``.

They come through the ordinary Go client and are kept; nothing is patched. kwok plays nodes.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import platformdirs

KUBERNETES = "v1.34.4"
ETCD = "v3.5.21"  # Debian's 3.4 stalls the API server's watches
KWOK = "v0.7.0"
KEDA = "v2.18.1"

DIRECTORY_VARIABLE = "MGEO_TEST_KUBERNETES_BIN"
"""Where the programs lie or are to lie; default: the user's cache."""

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
    if shutil.which("go") is None:
        sys.exit("Go is needed to build the control plane (https://go.dev/doc/install)")
    work.mkdir(parents=True, exist_ok=True)
    for name, (module, version, folder, files) in EXTENSIONS.items():
        source = Path(_download(module, version)["Dir"]) / folder
        texts = [(source / file).read_text("utf-8") for file in files]
        (directory() / name).write_text("\n---\n".join(texts), "utf-8")
    if "etcd" in wanted:
        # Its own go.mod points at folders that are in no module archive.
        _main_module(work / "etcd", "go.etcd.io/etcd/server/v3", ETCD, {})
        _build(work / "etcd", {"go.etcd.io/etcd/server/v3": "etcd"})
    if "kwok" in wanted:
        _main_module(work / "kwok", "sigs.k8s.io/kwok", KWOK, {})
        _build(work / "kwok", {"sigs.k8s.io/kwok/cmd/kwok": "kwok"})
    kubernetes = [name for name in PROGRAMS if name.startswith("kube") and name in wanted]
    if kubernetes:
        _kubernetes_module(work / "kubernetes")
        _build(
            work / "kubernetes",
            {f"k8s.io/kubernetes/cmd/{name}": name for name in kubernetes},
            flags=_stamp(),
        )


def _kubernetes_module(folder: Path) -> None:
    """A module that takes each staging folder as the module of the same release.

    Module ``k8s.io/X`` of Kubernetes 1.N.P is published as ``v0.N.P``.
    """
    source = Path(_download("k8s.io/kubernetes", KUBERNETES)["GoMod"]).read_text("utf-8")
    staged = re.findall(r"^\t(k8s\.io/\S+) => \./staging/", source, re.MULTILINE)
    release = KUBERNETES.replace("v1.", "v0.", 1)
    _main_module(
        folder,
        "k8s.io/kubernetes",
        KUBERNETES,
        dict.fromkeys(staged, release),
        requires="\n".join(re.findall(r"^require \(.*?^\)", source, re.DOTALL | re.MULTILINE)),
    )


def _main_module(
    folder: Path, module: str, version: str, replaced: dict[str, str], requires: str = ""
) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    lines = [
        "module controlplane",
        "go 1.24.0",
        "godebug default=go1.24",
        requires,
        f"require {module} {version}",
        *(f"replace {name} => {name} {release}" for name, release in replaced.items()),
    ]
    (folder / "go.mod").write_text("\n".join(lines) + "\n", "utf-8")
    (folder / "go.sum").touch()


def _download(module: str, version: str) -> dict[str, str]:
    done = subprocess.run(
        ["go", "mod", "download", "-json", f"{module}@{version}"],
        check=True,
        capture_output=True,
        text=True,
    )
    answer: dict[str, str] = json.loads(done.stdout)
    return answer


def _build(folder: Path, programs: dict[str, str], flags: str = "-s -w") -> None:
    for package, name in programs.items():
        print(f"building {name} …", flush=True)
        target = str(directory() / name)
        subprocess.run(
            ["go", "build", "-mod=mod", "-trimpath", "-ldflags", flags, "-o", target, package],
            cwd=folder,
            env=os.environ | {"CGO_ENABLED": "0", "GOFLAGS": "-buildvcs=false"},
            check=True,
        )


def _stamp() -> str:
    """Linker flags: what the programs say of their own version, which clients compare."""
    major, minor, _ = KUBERNETES.removeprefix("v").split(".")
    values = {"gitVersion": KUBERNETES, "gitMajor": major, "gitMinor": minor}
    stamps = (f"-X k8s.io/component-base/version.{key}={value}" for key, value in values.items())
    return " ".join(["-s", "-w", *stamps])
