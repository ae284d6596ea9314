"""One fixed moment for tests that need a time."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

NOON: Final = datetime(2026, 1, 2, 12, 0, tzinfo=UTC)
