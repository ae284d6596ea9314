"""What is said about each error code."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Literal

Consequence = Literal[
    "address",
    "row",
    "dead_letter",
    "passed_over",
    "transient",
    "fatal",
    "usage",
    "illegal",
    "refused",
    "verdict",
    "problem",
]

CONSEQUENCES: Final[Mapping[Consequence, str]] = MappingProxyType(
    {
        "address": "That address alone becomes an error result; the rest of its batch is parsed.",
        "row": "While a file is published: that row goes to the rejects file with its line "
        "number, and is not sent.",
        "dead_letter": "The record goes to the dead-letter topic, with its offset committed in "
        "the same transaction (`PermanentError`).",
        "passed_over": "The control record is passed over: the last good state stays, and a "
        "metric tells.",
        "transient": "Trying again later can succeed; services do so by themselves "
        "(`TransientError`).",
        "fatal": "The process stops. Starting it again is safe (`FatalError`).",
        "usage": "The caller mends an argument, a setting, a file or the machine, and tries again "
        "(`UsageError`, or the error of the local stack that the message names).",
        "illegal": "The current state does not allow it (`IllegalTransition`).",
        "refused": "The controller refuses the request and goes on as before; the audit says so.",
        "verdict": "It stands as the reason beside a verdict, a gate or a phase of a rollout.",
        "problem": "The gateway answers with a problem document (RFC 9457) that has this code.",
    }
)
"""What each consequence means, for people."""


@dataclass(frozen=True, slots=True)
class CodeSpec:
    """One error code.

    Attributes:
        code: as it stands in results, headers, metrics and messages.
        consequences: what it leads to; several where the same fault is found in two places.
        meaning: what is wrong, in one sentence.
        remedy: what a person does about it, in one sentence.
    """

    code: str
    consequences: tuple[Consequence, ...]
    meaning: str
    remedy: str
