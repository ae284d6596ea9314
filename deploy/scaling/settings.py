"""Settings of what scales the shadow workers."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from contracts.settings import MgeoSettings


class ScalingSettings(MgeoSettings):
    """How `mgeo deploy scale-shadow` works inside a cluster."""

    shadow_deployment: str = "mgeo-shadow"
    """The Deployment of the shadow workers; nothing else is ever scaled."""

    shadow_replicas: int = Field(default=1, ge=1)
    """Shadow workers while a rollout runs: enough to keep up with its sample, and no more than
    the input has partitions."""

    scale_interval_ms: int = Field(default=5_000, ge=100)
    """How often the number is compared with the phase, so that what somebody else changed is
    put right."""

    service_account: Path = Path("/run/secrets/kubernetes.io/serviceaccount")
    """Folder with ``token``, ``ca.crt`` and ``namespace``, as Kubernetes mounts it."""

    host: str = "127.0.0.1"
    """Address of the health port."""

    port: int = Field(default=9467, ge=0, le=65535)
    """Port of ``/livez`` and ``/readyz``; 0 takes any free one and prints it."""
