"""Settings of the controller."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from pydantic import Field

from contracts.settings import MgeoSettings
from rollout.controller.view import Bounds


class ControllerSettings(MgeoSettings):
    """How the controller watches, and how long it holds before it gives up."""

    guardrails: Path | None = None
    """YAML file of the lowest thresholds that a rollout's policy may have; unset: none."""

    keyring: Path | None = None
    """YAML file of the public keys whose approvals count (``mgeo rollout keygen``); unset: a
    policy that requires an approval is refused."""

    observe_interval_ms: int = Field(default=1_000, ge=50)
    """How often adoption is looked at, and a decision is taken."""

    cut_interval_ms: int = Field(default=1_000, ge=50)
    """Least time between two cuts of the evidence; it grows as a rollout ages."""

    cut_interval_most_ms: int = Field(default=5_000, ge=50)
    """Most time between two cuts: harm is seen at most so much later."""

    refusal_hold_ms: int = Field(default=120_000, ge=0)
    """A worker has said that it cannot hold the candidate: so long another may take over its
    partition, then the rollout is aborted."""

    warming_limit_ms: int = Field(default=1_800_000, ge=1_000)
    """Without a warm shadow worker in every partition by then, the rollout is inconclusive. It
    covers pulling a large model over a slow line."""

    adoption_limit_ms: int = Field(default=1_800_000, ge=1_000)
    """A partition has not adopted the candidate for so long: the rollout is given up."""

    hold_times: float = Field(default=12.0, ge=1.0)
    """A canary step or bake without enough results or fresh evidence is given up after so many
    times its own duration."""

    controller_session_timeout_ms: int = Field(default=6_000, ge=6_000)
    """A controller silent for so long loses its office; the least that brokers allow by
    default."""

    controller_transaction_timeout_ms: int = Field(default=15_000, ge=5_000)
    """The broker aborts a write of the controller that is open for so long."""

    host: str = "127.0.0.1"
    """Address of the health and metrics port."""

    port: int = Field(default=9465, ge=0, le=65535)
    """Port of ``/livez``, ``/readyz`` and ``/metrics``; 0 takes any free one and prints it."""

    @property
    def bounds(self) -> Bounds:
        """How long a rollout is held."""
        return Bounds(
            refusal=timedelta(milliseconds=self.refusal_hold_ms),
            warming=timedelta(milliseconds=self.warming_limit_ms),
            adoption=timedelta(milliseconds=self.adoption_limit_ms),
            step_times=self.hold_times,
        )
