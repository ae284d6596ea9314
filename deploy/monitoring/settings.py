"""What an operator promises to users, and how much is too much: the numbers in the alerts."""

from __future__ import annotations

from pydantic import Field

from contracts.settings import MgeoSettings


class ObjectiveSettings(MgeoSettings):
    """Objectives and thresholds that ``python -m deploy.monitoring`` writes into the alerts."""

    objective_service_p99_ms: int = Field(default=1_000, ge=1)
    """From a record's first device batch to its finished result, 99 of 100. A record holds as
    many addresses as its publisher put in."""

    objective_request_p99_ms: int = Field(default=1_000, ge=1)
    """From the head of a request to the gateway's answer, 99 of 100."""

    objective_commit_p99_ms: int = Field(default=2_000, ge=1)
    """One transaction, 99 of 100: beyond it the broker is the bottleneck."""

    objective_error_share: float = Field(default=0.01, gt=0, lt=1)
    """Share of addresses that may come back as errors, and of requests with a 5xx status."""

    objective_dead_letter_share: float = Field(default=0.001, gt=0, lt=1)
    """Share of records that may go to the dead-letter topic."""

    alert_lag_records: int = Field(default=1_000, ge=1)
    """Records that may wait without anybody being told; fewer are never called a growing lag."""

    alert_idle_device_ratio: float = Field(default=0.3, gt=0, lt=1)
    """A device that computes for less of the time, while its records wait, is called idle."""

    alert_cut_age_s: int = Field(default=900, ge=1)
    """A running rollout whose newest evidence, or newest judged cut, is older is said to have
    stale evidence."""

    alert_certificate_soon_h: int = Field(default=21 * 24, ge=1)
    """A certificate that ends within so many hours should be renewed. Where certificates live
    shorter than that, less: about a third of their life."""

    alert_certificate_now_h: int = Field(default=3 * 24, ge=1)
    """A certificate that ends within so many hours pages somebody."""

    runbook_base_url: str = "https://docs.example.org/mgeo-stream/runbooks"
    """Where the pages of ``docs/runbooks`` can be read; every alert links to its own."""
