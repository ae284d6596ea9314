"""Where a service without callers of its own shows its health: the same two options for each."""

from __future__ import annotations

from typing import Annotated

import typer

HostOption = Annotated[str | None, typer.Option(help="Address of /livez, /readyz and /metrics.")]
PortOption = Annotated[
    int | None, typer.Option(min=0, max=65535, help="Its port; 0 takes any free one.")
]
