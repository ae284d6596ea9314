"""Settings of the parser and of the workers."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from contracts.limits import Limits
from contracts.settings import MgeoSettings
from contracts.spec import Precision

STARTER_VERSION = "mgeo-starter-v2-20261015"


class ParserSettings(MgeoSettings):
    """How a model is run. Each of the first four changes what is observed."""

    device: str = "auto"
    """``auto`` (the first CUDA device, else the CPU), ``cpu``, ``cuda`` or ``cuda:N``."""

    token_budget: int = Field(default=2048, ge=16)
    """Padded tokens of one device batch; the smallest that saturates the device is best."""

    batch_size: int = Field(default=256, ge=1)
    """Most token sequences in one device batch, whatever the token budget allows."""

    sequence_length: int = Field(default=128, ge=8, le=512)
    """Most tokens of one window, special tokens included; longer text is windowed."""

    precision: Precision | Literal["auto"] = "auto"
    """``auto`` is fp16 on CUDA and fp32 on the CPU."""

    cpu_threads: int = Field(default=0, ge=0)
    """Threads that torch may use on the CPU; 0 leaves its own choice, all cores."""

    model_store: str | None = None
    """Directory or fsspec URL of the model store; default: the user's data directory."""

    model_cache: Path | None = None
    """Local directory into which models of a remote store are copied and verified."""

    version: str = STARTER_VERSION
    """The model to start with: a version in the store, or a hub id. (Environment:
    ``MGEO_VERSION``.) Once the control topic holds a record, the record wins."""

    limits: Limits = Limits()
    """Bounds on input records."""


class WorkerSettings(ParserSettings):
    """How a worker pulls, commits and protects itself."""

    guarantee: Literal["exactly_once", "at_least_once"] = "exactly_once"
    """``exactly_once``: results and offset in one transaction. ``at_least_once``: cheaper on
    the broker; a crash can repeat results."""

    commit_interval_ms: int = Field(default=100, ge=0)
    """Least time between two commits of one partition under load; an otherwise empty lane
    commits at once. Larger costs latency and saves the broker work."""

    commit_max_records: int = Field(default=500, ge=1)
    """Most records in one transaction."""

    max_in_flight_addresses: int = Field(default=8192, ge=1)
    """Addresses taken in and not committed; above, partitions are paused."""

    max_in_flight_bytes: int = Field(default=64 * 1024 * 1024, ge=1024)
    """Bytes of input taken in and not committed; above, partitions are paused."""

    max_interactive_addresses: int = Field(default=1024, ge=1)
    """Addresses of ``address.interactive`` taken in and not committed, beside those above: a
    backlog of bulk takes no room from whoever waits."""

    max_interactive_bytes: int = Field(default=16 * 1024 * 1024, ge=1024)
    """Bytes of ``address.interactive`` taken in and not committed, likewise."""

    interactive_token_budget: int = Field(default=512, ge=16)
    """Padded tokens of a device batch of bulk while there is interactive traffic: nothing
    interrupts a batch, so whoever waits may wait for all of it. Smaller costs bulk some
    throughput at such times; ``token_budget`` is the most."""

    bulk_share: float = Field(default=0.2, ge=0.0, le=0.9)
    """What bulk gets of the device at least, in padded tokens, however much interactive traffic
    there is. 0 lets it starve."""

    max_in_flight_records: int = Field(default=128, ge=1)
    """Records of one partition in work at a time. After a crash so many run one by one."""

    max_attempts: int = Field(default=4, ge=2)
    """A record that was in work at so many crashes less one is dead-lettered."""

    drain_budget_ms: int = Field(default=20_000, ge=0)
    """After SIGTERM: how long work in hand may take before it is left to the next owner."""

    revoke_budget_ms: int = Field(default=5_000, ge=0)
    """The same when the group takes partitions away."""

    adoption_patience_ms: int = Field(default=500, ge=0)
    """When the serving set changes, work in hand may take so long under the old one; what is
    not committed then is read again under the new, so that a slow device holds up no rollout."""

    session_timeout_ms: int = Field(default=15_000, ge=6_000)
    """A worker silent for so long loses its partitions."""

    transaction_timeout_ms: int = Field(default=60_000, ge=10_000)
    """The broker aborts a transaction that is open for so long."""

    request_timeout_ms: int = Field(default=30_000, ge=1_000)
    """How long one request to the broker may take; below ``transaction_timeout_ms``."""

    device_hang_ms: int = Field(default=120_000, ge=1_000)
    """A device call longer than this ends the process: nothing can interrupt it."""

    model_load_timeout_ms: int = Field(default=300_000, ge=1_000)
    """A model that is not loaded and warm after so long is told of as refused
    (``model_load_timeout``); it is taken all the same when it comes."""

    cache_chars: int = Field(default=2_000_000, ge=0)
    """Room for remembered texts, at most about 60 bytes of memory each: a text takes its code
    points and 12 more (20 more where two models answer); 0 parses every repeat again."""

    warm_up: bool = True
    """Run every batch shape once before the worker says ready."""

    max_rejoins: int = Field(default=20, ge=1)
    """So many forced rejoins within ten minutes stop the process."""

    host: str = "127.0.0.1"
    """Address of the health and metrics port."""

    port: int = Field(default=9464, ge=0, le=65535)
    """Port of ``/livez``, ``/readyz`` and ``/metrics``; 0 takes any free one and prints it."""
