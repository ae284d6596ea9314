"""What `mgeo` leaves with. Scripts rely on these numbers."""

from __future__ import annotations

from contracts.errors import BackendUnreachableError, MgeoError, UsageError

OK = 0
FAILED = 1
USAGE = 2
INCONCLUSIVE = 3
NO_DATA = 4
AWAITING_APPROVAL = 5
UNREACHABLE = 6
BUSY = 7
"""Another rollout is running, or this one moved on while it was asked for something."""
UNEXPECTED = 70
TIMED_OUT = 124
"""As `timeout` of the shell reports it."""
INTERRUPTED = 130
"""128 + SIGINT, as shells report it."""
READER_GONE = 141
"""128 + SIGPIPE: the program that read our output has left."""

MEANINGS: dict[int, str] = {
    OK: "promoted, or the phase of `--until` is reached",
    FAILED: "a gate failed, or the rollout was aborted or rolled back",
    USAGE: "wrong arguments, policy, golden set, candidate or clock; nothing was started",
    INCONCLUSIVE: "no verdict: too few pairs, a noisy instrument, or time ran out undecided",
    NO_DATA: "no verdict for want of data: no traffic, no shadow workers, or stale evidence",
    AWAITING_APPROVAL: "all gates passed; a person has to sign",
    UNREACHABLE: "Kafka or the controller does not answer",
    BUSY: "another rollout is running, or one moved on before the request was judged",
    UNEXPECTED: "an unexpected error in mgeo itself; please report it",
    TIMED_OUT: "`--timeout` ran out, or the process was told to stop; the rollout goes on",
}
"""What the codes of `mgeo rollout start --wait` and `wait` say, for people."""

_BY_CODE: dict[str, int] = {
    "rollout_running": BUSY,
    "no_controller": UNREACHABLE,
    "stopped_asking": TIMED_OUT,
    # Something else moved first; whoever asked was not wrong, and may ask again.
    "request_outdated": BUSY,
    # The controller has met an error of its own, or is of another release.
    "request_not_judged": UNEXPECTED,
    "request_unreadable": UNEXPECTED,
    # Refusals that their asker has to mend.
    "already_stable": USAGE,
    "golden_not_run": USAGE,
    "looser_than_guardrails": USAGE,
    "no_keyring": USAGE,
    "other_weights": USAGE,
    "replay_expired": USAGE,
    "request_expired": USAGE,
    "retention_too_short": USAGE,
    "rollout_id_taken": USAGE,
}
"""Errors whose code says more than their class."""


def of(error: MgeoError) -> int:
    """The exit code that belongs to one of our errors."""
    if error.code in _BY_CODE:
        return _BY_CODE[error.code]
    if isinstance(error, UsageError):
        return USAGE
    if isinstance(error, BackendUnreachableError):
        return UNREACHABLE
    return FAILED
