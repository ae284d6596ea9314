"""What a broker's own log says about why it ended: known causes, each as one sentence. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

PORT_TAKEN = "port_taken"
DISK_FULL = "disk_full"
LOCKED = "locked"
MEMORY = "memory"
CLUSTER_ID = "cluster_id"
UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Cause:
    """A reason for the broker's end, and what to do about it."""

    code: str
    message: str
    hint: str


FULL_DISK = Cause(
    DISK_FULL,
    "The disk is full, so the broker ended.",
    "Free some space and run `mgeo up` again: committed records are kept.",
)

# First match wins: a full disk also shuts the log folders down, a taken port also ends the server.
_KNOWN: tuple[tuple[str, Cause], ...] = (
    (r"No space left on device|Disk quota exceeded", FULL_DISK),
    (
        r"Address already in use|Socket server failed to bind",
        Cause(
            PORT_TAKEN,
            "Another program took the broker's port while it was starting.",
            "Run the command again, or choose a port with --port.",
        ),
    ),
    (
        r"Failed to acquire lock on file",
        Cause(
            LOCKED,
            "Another broker is running on the same data folder.",
            "Stop it with `mgeo down`, or choose another folder with MGEO_STATE_DIR.",
        ),
    ),
    (
        r"OutOfMemoryError|Could not reserve enough space|insufficient memory|maximum heap size",
        Cause(
            MEMORY,
            "The broker ran out of memory.",
            "Raise MGEO_BROKER_HEAP_MIB, or free memory on this machine.",
        ),
    ),
    (
        r"InconsistentClusterIdException|Invalid cluster\.id",
        Cause(
            CLUSTER_ID,
            "The data folder's parts come from different clusters.",
            "Give the data up with: mgeo down --wipe",
        ),
    ),
)


def explain(log: str) -> Cause:
    """Name the cause that a broker's output and log show."""
    for pattern, cause in _KNOWN:
        if re.search(pattern, log):
            return cause
    return Cause(
        UNKNOWN,
        "The broker ended while it was starting.",
        "Its last words are below; `mgeo doctor` checks Java, disk and jars.",
    )
