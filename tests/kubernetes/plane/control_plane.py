"""Starts etcd, API server, controller manager, scheduler and kwok; ends them all."""

from __future__ import annotations

import json
import os
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx
import yaml

from deploy.demo.processes import die_with_the_parent
from tests.kubernetes.plane import certificates
from tests.kubernetes.plane.binaries import directory

TOKEN = "a-token-of-the-tests"  # noqa: S105  (of an API server that lives for one test run)
READY_WITHIN_S = 120.0

NODES = tuple(
    {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "name": f"node-{zone}",
            "labels": {
                "kubernetes.io/hostname": f"node-{zone}",
                "topology.kubernetes.io/zone": f"zone-{zone}",
            },
            "annotations": {"kwok.x-k8s.io/node": "fake"},
        },
        "status": {
            name: {"cpu": "64", "memory": "256Gi", "pods": "110", "nvidia.com/gpu": "8"}
            for name in ("allocatable", "capacity")
        },
    }
    for zone in "abc"
)
"""Machines that are not there: kwok says that they are well and run what they are given."""


class Cluster:
    """A control plane in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self.kubeconfig = folder / "kubeconfig"
        self._processes: list[subprocess.Popen[bytes]] = []

    def start(self) -> None:
        """Start everything; returns when nodes can take pods.

        Raises:
            RuntimeError: a part ended, or did not get ready; with its last words.
        """
        certificates.write(self.folder)
        (self.folder / "tokens.csv").write_text(f"{TOKEN},tests,1,system:masters\n", "utf-8")
        self.kubeconfig.write_text(yaml.safe_dump(self._kubeconfig()), "utf-8")
        etcd, peer = free_port(), free_port()
        self._run(
            "etcd",
            f"--data-dir={self.folder / 'etcd'}",
            f"--listen-client-urls=http://127.0.0.1:{etcd}",
            f"--advertise-client-urls=http://127.0.0.1:{etcd}",
            f"--listen-peer-urls=http://127.0.0.1:{peer}",
            f"--initial-advertise-peer-urls=http://127.0.0.1:{peer}",
            f"--initial-cluster=default=http://127.0.0.1:{peer}",
            "--unsafe-no-fsync=true",
        )
        self._run(
            "kube-apiserver",
            f"--etcd-servers=http://127.0.0.1:{etcd}",
            "--bind-address=127.0.0.1",
            f"--secure-port={self.port}",
            "--endpoint-reconciler-type=none",
            "--service-cluster-ip-range=10.96.0.0/16",
            "--authorization-mode=RBAC",
            f"--token-auth-file={self.folder / 'tokens.csv'}",
            f"--client-ca-file={self._file('ca.crt')}",
            f"--tls-cert-file={self._file('server.crt')}",
            f"--tls-private-key-file={self._file('server.key')}",
            f"--kubelet-client-certificate={self._file('client.crt')}",
            f"--kubelet-client-key={self._file('client.key')}",
            "--kubelet-preferred-address-types=InternalIP",
            "--service-account-issuer=https://kubernetes.default.svc",
            f"--service-account-key-file={self._file('sa.pub')}",
            f"--service-account-signing-key-file={self._file('sa.key')}",
        )
        self._until(self._answers, "the API server")
        config = f"--kubeconfig={self.kubeconfig}"
        self._run(
            "kube-controller-manager",
            config,
            "--bind-address=127.0.0.1",
            f"--secure-port={free_port()}",
            f"--cert-dir={self.folder / 'controller-manager'}",
            "--leader-elect=false",
            f"--root-ca-file={self._file('ca.crt')}",
            f"--service-account-private-key-file={self._file('sa.key')}",
            # On a machine with much else to do kwok speaks late, and its nodes would be given up.
            "--node-monitor-grace-period=10m",
            # What a test waits for in seconds takes a cluster minutes, by the same code.
            "--horizontal-pod-autoscaler-sync-period=1s",
            "--horizontal-pod-autoscaler-cpu-initialization-period=1s",
            "--horizontal-pod-autoscaler-initial-readiness-delay=1s",
        )
        self._run(
            "kube-scheduler",
            config,
            "--bind-address=127.0.0.1",
            f"--secure-port={free_port()}",
            f"--cert-dir={self.folder / 'scheduler'}",
            "--leader-elect=false",
        )
        self.apply(directory() / "kwok.yaml")
        self.kubectl("wait", "--for=condition=established", "crd", "--all", "--timeout=60s")
        node = free_port()
        self._run(
            "kwok",
            config,
            "--manage-all-nodes=true",
            # Without leases it says once that a node is well, and the cluster stops believing it.
            "--node-lease-duration-seconds=40",
            "--node-ip=127.0.0.1",
            f"--node-port={node}",
            f"--server-address=127.0.0.1:{node}",
            f"--tls-cert-file={self._file('server.crt')}",
            f"--tls-private-key-file={self._file('server.key')}",
            "--enable-crds=PortForward",
        )
        self.create(*NODES)
        self.kubectl("wait", "--for=condition=ready", "nodes", "--all", "--timeout=60s")

    def stop(self) -> None:
        """End everything, in the order of who needs whom."""
        for process in reversed(self._processes):
            process.kill()
            process.wait()
        self._processes.clear()

    # --- what tests do with it --------------------------------------------------------------------

    @property
    def environment(self) -> dict[str, str]:
        """For programs that are to talk to it: its kubectl, and how it is reached."""
        path = f"{directory()}{os.pathsep}{os.environ['PATH']}"
        return {**os.environ, "PATH": path, "KUBECONFIG": str(self.kubeconfig)}

    def try_kubectl(self, *arguments: str, given: str = "") -> subprocess.CompletedProcess[str]:
        """Run kubectl, whatever comes of it."""
        return subprocess.run(
            [str(directory() / "kubectl"), *arguments],
            input=given,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )

    def kubectl(self, *arguments: str, given: str = "") -> str:
        """Run kubectl; what it printed.

        Raises:
            RuntimeError: it failed; with what it said.
        """
        done = self.try_kubectl(*arguments, given=given)
        if done.returncode:
            raise RuntimeError(f"kubectl {' '.join(arguments)}: {done.stderr}")
        return done.stdout

    def apply(self, file: Path) -> None:
        """Apply a file of objects."""
        self.kubectl("apply", "--server-side", "-f", str(file))

    def create(self, *things: Mapping[str, Any]) -> None:
        """Create objects."""
        document = {"apiVersion": "v1", "kind": "List", "items": list(things)}
        self.kubectl("create", "-f", "-", given=json.dumps(document))

    def get(self, *arguments: str) -> dict[str, Any]:
        """An object of the namespace mgeo, or a list of them."""
        text = self.kubectl("-n", "mgeo", "get", *arguments, "-o", "json")
        found: dict[str, Any] = json.loads(text)
        return found

    # --- inside -----------------------------------------------------------------------------------

    def _file(self, name: str) -> Path:
        return self.folder / name

    def _run(self, program: str, *arguments: str) -> None:
        with (self.folder / f"{program}.log").open("wb") as log:
            self._processes.append(
                subprocess.Popen(
                    [str(directory() / program), *arguments],
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                    preexec_fn=die_with_the_parent if sys.platform == "linux" else None,
                )
            )

    def _answers(self) -> bool:
        try:
            answer = httpx.get(
                f"https://127.0.0.1:{self.port}/readyz",
                headers={"Authorization": f"Bearer {TOKEN}"},
                verify=self._trust(),
                timeout=2,
                trust_env=False,
            )
        except httpx.HTTPError:
            return False
        return answer.status_code == 200

    def _trust(self) -> ssl.SSLContext:
        context = ssl.create_default_context(cafile=str(self._file("ca.crt")))
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT  # our certificates are as plain as can be
        return context

    def _until(self, good: Any, what: str) -> None:
        deadline = time.monotonic() + READY_WITHIN_S
        while not good():
            ended = [one for one in self._processes if one.poll() is not None]
            if ended or time.monotonic() > deadline:
                raise RuntimeError(f"{what} is not ready\n{self.last_words()}")
            time.sleep(0.2)

    def last_words(self) -> str:
        """The end of every log."""
        return "\n".join(
            f"--- {log.name}\n" + "\n".join(log.read_text(errors="replace").splitlines()[-8:])
            for log in sorted(self.folder.glob("*.log"))
        )

    def _kubeconfig(self) -> dict[str, Any]:
        return {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "tests",
            "contexts": [{"name": "tests", "context": {"cluster": "tests", "user": "tests"}}],
            "users": [{"name": "tests", "user": {"token": TOKEN}}],
            "clusters": [
                {
                    "name": "tests",
                    "cluster": {
                        "server": f"https://127.0.0.1:{self.port}",
                        "certificate-authority": str(self._file("ca.crt")),
                    },
                }
            ],
        }


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
