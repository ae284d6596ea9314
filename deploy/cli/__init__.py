"""The `mgeo` program. Importing this must stay cheap: commands import what they need."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence

__all__ = ["main"]

_ENDED_BY_SIGTERM = 128 + signal.SIGTERM


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and leave with its exit code."""
    if os.getpid() == 1:
        # In a container we are process 1, which the kernel gives no signal that it has not asked
        # for: without this, whoever stops a command waits for his patience to end.
        signal.signal(signal.SIGTERM, lambda *_: os._exit(_ENDED_BY_SIGTERM))
    from deploy.cli.boundary import run

    sys.exit(run(sys.argv[1:] if arguments is None else arguments))
