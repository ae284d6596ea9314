"""Asking a gateway from Python, with or without asyncio."""

from producer.client.answers import BatchParsed, Parsed, Served
from producer.client.clients import AsyncMGeoClient, MGeoClient
from producer.client.errors import (
    GatewayBusyError,
    GatewayFailedError,
    GatewayRefusedError,
    VersionUnavailableError,
)

__all__ = [
    "AsyncMGeoClient",
    "BatchParsed",
    "GatewayBusyError",
    "GatewayFailedError",
    "GatewayRefusedError",
    "MGeoClient",
    "Parsed",
    "Served",
    "VersionUnavailableError",
]
