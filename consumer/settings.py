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
