"""The names that users import. Each is loaded when it is first used; there is no logic here."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from consumer.address_parser import AddressParser
    from producer import AddressPublisher, ResultReader
    from producer.client import AsyncMGeoClient, MGeoClient

__all__ = ["AddressParser", "AddressPublisher", "AsyncMGeoClient", "MGeoClient", "ResultReader"]

_HOMES = {
    "AddressParser": "consumer.address_parser",
    "AddressPublisher": "producer",
    "AsyncMGeoClient": "producer.client",
    "MGeoClient": "producer.client",
    "ResultReader": "producer",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'mgeo_stream' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
