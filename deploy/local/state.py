"""Which broker `mgeo up` started: a small file beside its data, and whether it still holds true."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

Kind = Literal["process", "docker"]


@dataclass(frozen=True, slots=True)
class BrokerState:
    """A broker that was started here.

    ``pid`` and ``create_time`` (seconds since the epoch) together name a process, as pids are
    reused; for a container both are 0 and ``container`` names it.
    """

    kind: Kind
    bootstrap_servers: str
    data_dir: str
    kafka_version: str
    pid: int = 0
    create_time: float = 0.0
    container: str = ""
    archive: str = ""
    """Where the class archive belongs that this broker writes when it stops; may be empty."""
    environment: str = ""
    """File of what its super user sets to reach it; empty where it is not secured."""


def state_file(broker_dir: Path) -> Path:
    return broker_dir / "state.json"


def read_state(broker_dir: Path) -> BrokerState | None:
    """Read the state file; None when there is none, or when it is not one of this version."""
    try:
        document = json.loads(state_file(broker_dir).read_text(encoding="utf-8"))
        return BrokerState(**document)
    except (FileNotFoundError, ValueError, TypeError):
        return None


def write_state(broker_dir: Path, state: BrokerState) -> None:
    """Write the state file so that a reader sees the old one or the new one, never a part."""
    target = state_file(broker_dir)
    target.parent.mkdir(parents=True, exist_ok=True)
    scratch = target.with_suffix(".tmp")
    scratch.write_text(json.dumps(asdict(state), indent=1) + "\n", encoding="utf-8")
    scratch.replace(target)


def clear_state(broker_dir: Path) -> None:
    state_file(broker_dir).unlink(missing_ok=True)
