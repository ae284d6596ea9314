"""The one thing that is asked of the Kubernetes API from inside: the scale of one Deployment."""

from __future__ import annotations

import os
import ssl
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import httpx

from contracts.errors import TransientError, UsageError

_ANSWER_WITHIN_S: Final = 10.0


class Scale:
    """Reads and sets the number of replicas of a Deployment.

    Args:
        deployment: its name.
        account: folder of the pod's token, authority and namespace.
        environment: where Kubernetes says how its API is reached; None takes the process's own.

    Raises:
        UsageError: ``not_in_cluster``.
    """

    def __init__(
        self, deployment: str, account: Path, environment: Mapping[str, str] | None = None
    ) -> None:
        environment = os.environ if environment is None else environment
        host = environment.get("KUBERNETES_SERVICE_HOST", "")
        try:
            namespace = (account / "namespace").read_text("utf-8").strip()
            context = ssl.create_default_context(cafile=str(account / "ca.crt"))
            # From Python 3.13 on certificates must name their authority's key; those of many
            # clusters do not.
            context.verify_flags &= ~ssl.VERIFY_X509_STRICT
        except (OSError, ssl.SSLError):
            host = ""
        if not host:
            raise UsageError(
                "this is no pod of Kubernetes with an account of its own",
                code="not_in_cluster",
                hint="it runs as the Deployment mgeo-scaler of deploy/kubernetes",
            )
        port = environment.get("KUBERNETES_SERVICE_PORT", "443")
        self._token = account / "token"
        self._path = f"/apis/apps/v1/namespaces/{namespace}/deployments/{deployment}/scale"
        self._client = httpx.AsyncClient(
            base_url=f"https://{f'[{host}]' if ':' in host else host}:{port}",
            verify=context,
            timeout=_ANSWER_WITHIN_S,
            trust_env=False,
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._client.aclose()

    async def replicas(self) -> int:
        """How many there are to be by now.

        Raises:
            TransientError: ``scale_failed``.
        """
        answer = await self._ask("GET", None)
        return int(answer.get("replicas", 0))

    async def set(self, replicas: int) -> None:
        """Say how many there are to be.

        Raises:
            TransientError: ``scale_failed``.
        """
        await self._ask("PATCH", replicas)

    async def _ask(self, method: str, replicas: int | None) -> dict[str, int]:
        try:
            answer = await self._client.request(
                method,
                self._path,
                json=None if replicas is None else {"spec": {"replicas": replicas}},
                headers={
                    # Read each time: Kubernetes replaces it every hour.
                    "Authorization": f"Bearer {self._token.read_text('utf-8').strip()}",
                    "Content-Type": "application/merge-patch+json",
                },
            )
            answer.raise_for_status()
            spec: dict[str, int] = answer.json()["spec"]
        except httpx.HTTPStatusError as error:
            raise _failed(f"it answered {error.response.status_code}") from error
        except (httpx.HTTPError, OSError, ValueError, KeyError) as error:
            raise _failed(type(error).__name__) from error
        return spec


def _failed(why: str) -> TransientError:
    return TransientError(
        f"the Kubernetes API did not read or set the number of shadow workers: {why}",
        code="scale_failed",
        hint="403: the Role mgeo-scaler is missing; otherwise a network policy may stand between",
    )
