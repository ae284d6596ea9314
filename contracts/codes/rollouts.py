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
    CodeSpec(
        "no_controller",
        ("transient",),
        "No controller answered a request in time.",
        "Start one with mgeo rollout controller; if one runs, its log says what holds it up.",
    ),
    CodeSpec(
        "request_refused",
        ("refused",),
        "The controller refused a request and gave no code of its own.",
        "Look at mgeo rollout audit.",
    ),
    CodeSpec(
        "rollout_running",
        ("refused",),
        "Only one rollout runs at a time, and one of another candidate or policy does.",
        "Wait for it with mgeo rollout wait, or end it with mgeo rollout abort.",
    ),
    CodeSpec(
        "no_rollout",
        ("usage",),
        "No rollout has ever run here.",
        "Start one with mgeo rollout start.",
    ),
    CodeSpec(
        "unknown_rollout",
        ("usage",),
        "The audit knows no rollout of this id.",
        "mgeo rollout list shows all of them.",
    ),
    CodeSpec(
        "no_rollout_running",
        ("usage",),
        "There is no rollout that the request could be about.",
        "mgeo rollout status says how the last one ended.",
    ),
    CodeSpec(
        "rollout_ended",
        ("usage",),
        "The rollout is not the one that runs or ran last.",
        "Leave the id out, or look at mgeo rollout status.",
    ),
    CodeSpec(
        "no_first_state",
        ("usage",),
        "The control topic is empty: no model serves yet.",
        "Run mgeo topics create.",
    ),
    CodeSpec(
        "already_stable",
        ("usage",),
        "The candidate is what serves already.",
        "To try the machinery, add the same weights under another version.",
    ),
    CodeSpec(
        "bad_replay",
        ("usage",),
        "The place to replay from is no duration, no moment of the past and no offset.",
        "Write 24h, 2026-01-31T08:00:00+08:00, or offset:1000.",
    ),
)
