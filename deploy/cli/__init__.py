"""The `mgeo` program. Importing this must stay cheap: commands import what they need."""

from __future__ import annotations

import sys
from collections.abc import Sequence

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and leave with its exit code."""
    from deploy.cli.boundary import run

    sys.exit(run(sys.argv[1:] if arguments is None else arguments))
