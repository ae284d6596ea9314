"""Settings of publishing and of reading results."""

from __future__ import annotations

from pathlib import Path

import platformdirs
from pydantic import Field

from contracts.limits import KIB, Limits
from contracts.settings import MgeoSettings


class ProducerSettings(MgeoSettings):
    """How addresses are published and results are read back."""

    publish_batch_addresses: int = Field(default=100, ge=1)
    """Addresses in one record. More make less overhead; fewer make shorter waits, and a
    record that cannot be processed takes fewer addresses with it."""

    publish_linger_ms: int = Field(default=20, ge=0)
    """How long a record may wait for others to share a request with, in milliseconds."""

    publish_request_bytes: int = Field(default=256 * KIB, ge=1)
    """Bytes of records to one partition that are sent together. Must stay below the topic's
    ``max.message.bytes``, which bounds what is sent together and not the single record."""

    publish_in_flight_records: int = Field(default=1000, ge=1)
    """Records that were handed over and not confirmed yet; more have to wait."""

    publish_request_timeout_ms: int = Field(default=40_000, ge=1000)
    """How long one request may take before it is tried again, in milliseconds."""

    publish_confirm_timeout_ms: int = Field(default=120_000, ge=1)
    """How long Kafka may take in all to confirm a record before its fate counts as unknown,
    in milliseconds; it bounds how long an outage is waited for."""

    publish_journal_dir: Path = Field(
        default_factory=lambda: platformdirs.user_state_path("mgeo-stream") / "publish"
    )
    """Where ``publish`` remembers runs that may have to be resumed."""

    publish_checkpoint_ms: int = Field(default=1000, ge=0)
    """How often a run writes its journal, in milliseconds: the rest of the log since then is
    what ``--resume`` has to read back."""

    resume_settle_ms: int = Field(default=3000, ge=0)
    """How long after an interrupted run's last sign of life ``--resume`` starts to look at
    the log: a request that was on its way when the process died can still arrive."""

    results_commit_interval_ms: int = Field(default=5000, ge=0)
    """How often a reader in a group stores its position, in milliseconds."""

    limits: Limits = Limits()
    """Bounds on input records; those of the workers that will read them."""
