"""Codes of shadow workers and of candidates that cannot be held."""

from __future__ import annotations

from typing import Final

from contracts.codes.spec import CodeSpec

CODES: Final[tuple[CodeSpec, ...]] = ()
