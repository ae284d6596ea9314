"""Codes of the controller: requests, phases, the audit."""

from __future__ import annotations

from typing import Final

from contracts.codes.spec import CodeSpec

CODES: Final[tuple[CodeSpec, ...]] = (
    CodeSpec(
        "request_unreadable",
        ("passed_over",),
        "A record on the requests topic is no request of a version that is known here.",
        "Send requests with mgeo rollout, of the controller’s release or an earlier one.",
    ),
    CodeSpec(
        "audit_unreadable",
        ("passed_over",),
        "A record on the audit topic is no audit record of a version that is known here.",
        "Upgrade the program that reads it; look at what else writes to that topic.",
    ),
)
