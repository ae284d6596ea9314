"""When a lane commits. Pure: the driver passes ``now`` and acts on the answer.

A transaction has a fixed price, so under load results are collected for a while; when
nothing else is in flight there is nothing to wait for, unless nobody waits for the commit.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class CommitNow:
    """Commit what is ready."""


@dataclass(frozen=True, slots=True)
class CommitLater:
    """Ask again at ``at`` (monotonic seconds), or when something changes before."""

    at: float


@dataclass(frozen=True, slots=True)
class NothingToCommit:
    """Ask again when something is ready."""


Decision = CommitNow | CommitLater | NothingToCommit


@dataclass(frozen=True, slots=True)
class CommitSchedule:
    """The rule.

    Attributes:
        interval_s: least time between two commits of one lane under load, in seconds.
        max_records: commit at once when so many are ready.
        max_bytes: commit at once when so much is ready.
        eager: commit before the interval is over when nothing else is in flight. Where replies
            go ahead of the commit nobody waits for it, and a transaction for every record
            would take the machine's time from those who do wait.
    """

    interval_s: float
    max_records: int
    max_bytes: int
    eager: bool = True

    def decide(
        self,
        now: float,
        *,
        last_commit_at: float,
        ready_records: int,
        ready_bytes: int,
        in_flight_records: int,
        closing: bool,
        crowded: bool = False,
        nothing_to_publish: bool = False,
    ) -> Decision:
        """Decide.

        Args:
            now: monotonic seconds.
            last_commit_at: when the last commit ended; -inf before the first.
            ready_records: finished records at the frontier.
            ready_bytes: their size.
            in_flight_records: admitted records that are not committed, the ready ones
                included.
            closing: the lane is being closed: nothing is worth waiting for.
            crowded: what is ready here and elsewhere keeps other records from being worked on.
            nothing_to_publish: only records that were passed over are ready: nobody waits
                for that.
        """
        if ready_records == 0:
            return NothingToCommit()
        due = last_commit_at + self.interval_s
        if (
            closing
            or crowded
            or now >= due
            or (self.eager and ready_records >= in_flight_records and not nothing_to_publish)
            or ready_records >= self.max_records
            or ready_bytes >= self.max_bytes
        ):
            return CommitNow()
        return CommitLater(due)
