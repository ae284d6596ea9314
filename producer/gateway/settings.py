"""Settings of the gateway."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator
from pydantic_settings import SettingsConfigDict

from contracts.limits import KIB, MIB
from contracts.settings import MgeoSettings


class GatewaySettings(MgeoSettings):
    """How the gateway listens, groups, waits and protects itself."""

    model_config = SettingsConfigDict(env_prefix="MGEO_GATEWAY_")

    host: str = "127.0.0.1"
    """Address to listen on. There is no authentication here: put what does it in front before
    you open it to others."""

    port: int = Field(default=8000, ge=0, le=65535)
    """Port of everything, ``/metrics`` too; 0 takes any free one and prints it."""

    topic: Literal["interactive", "events"] = "interactive"
    """Where addresses go for which somebody waits. ``interactive`` overtakes bulk traffic.
    ``events`` is for a system without any: shadow workers read it, so candidates are judged
    on what HTTP callers send."""

    source: str = Field(default="http", max_length=200)
    """The ``source`` of what is published for ``/parse`` and ``/parse/batch``."""

    window_ms: float = Field(default=2.0, ge=0, le=1000)
    """How long a single request waits for others to share a record with; 0: not at all."""

    window_addresses: int = Field(default=64, ge=1, le=1000)
    """A record of single requests is closed at so many addresses."""

    window_bytes: int = Field(default=64 * KIB, ge=KIB, le=MIB)
    """A record of single requests is closed at so many bytes of addresses, as JSON; sooner where
    a record may not hold so many."""

    timeout_ms: int = Field(default=5_000, ge=1)
    """How long an answer may take where the caller says nothing."""

    max_timeout_ms: int = Field(default=60_000, ge=1)
    """The most patience that a caller may ask for."""

    max_pending_addresses: int = Field(default=4_000, ge=1)
    """Addresses that were taken in and are not answered; above: 429. It bounds memory."""

    max_wait_ms: int = Field(default=1_000, ge=1)
    """Once answers queue up: a request that would have to wait longer than this, or than half
    of the time until its deadline, gets 429 at once. While no more waits than fits into one
    record (``window_addresses``), only the deadline counts."""

    max_backlog_records: int = Field(default=20_000, ge=1)
    """Records of the input topic, of all gateways, that workers have not committed; above:
    429."""

    max_body_bytes: int = Field(default=1 * MIB, ge=KIB, le=64 * MIB)
    """Bytes of one request body; above: 413."""

    max_bodies_bytes: int = Field(default=64 * MIB, ge=MIB)
    """Bytes of all bodies that are being read at a time; above: 503. It bounds memory."""

    max_head_bytes: int = Field(default=16 * KIB, ge=KIB)
    """Bytes of one request's line and headers; above: 431."""

    max_connections: int = Field(default=1_000, ge=1)
    """Open connections; above: 503."""

    head_timeout_ms: int = Field(default=10_000, ge=1)
    """A connection that has not sent a whole head of a request by then is closed."""

    body_timeout_ms: int = Field(default=10_000, ge=1)
    """A body that is not whole by then: 408."""

    write_timeout_ms: int = Field(default=20_000, ge=1)
    """A client that takes nothing of its answer for so long is cut off."""

    keep_alive_timeout_ms: int = Field(default=15_000, ge=1_000)
    """An idle connection is closed after so long."""

    drain_budget_ms: int = Field(default=10_000, ge=0)
    """After SIGTERM: how long requests in hand may take."""

    watch_interval_ms: int = Field(default=1_000, ge=50)
    """How often it is looked who serves and how long the backlog is."""

    @model_validator(mode="after")
    def _patience_is_bounded(self) -> Self:
        if self.timeout_ms > self.max_timeout_ms:
            raise ValueError("timeout_ms must not exceed max_timeout_ms")
        return self
