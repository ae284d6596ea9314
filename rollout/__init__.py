"""The public face: asking for rollouts, policies, reports. Each name is loaded when first used.

Everything else in this package may change.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rollout.client import RolloutClient
    from rollout.policy import load_policy
    from rollout.report import write_report

__all__ = ["RolloutClient", "load_policy", "write_report"]

_HOMES = {
    "RolloutClient": "rollout.client",
    "load_policy": "rollout.policy",
    "write_report": "rollout.report",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'rollout' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
