"""What a record's earlier, failed starts mean for its next one. Pure.

A record can kill the process (a crash in native code, memory), and then nobody is left to
send it away. So a lane writes down, beside its committed offset, how often the record there
has been started. Records that may have been in flight at a crash are suspects: each runs
alone, so that the next crash names the culprit and nobody else, and at the last attempt it
is not run but dead-lettered.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Start:
    """How to start a record.

    Attributes:
        attempt: the number of this start, from 1; to be written down before it.
        alone: nothing else may be in flight in this process while it runs.
        dead_letter: do not run it at all.
    """

    attempt: int
    alone: bool
    dead_letter: bool


def next_start(earlier_starts: int, max_attempts: int) -> Start:
    """The rule for a record that has been started ``earlier_starts`` times."""
    attempt = earlier_starts + 1
    return Start(attempt, alone=attempt > 1, dead_letter=attempt >= max_attempts)


class Suspects:
    """Which of a lane's records may have been in flight at the crash before it was opened.

    They are the records below the log's end at that time, at most as many as one lane ever
    has in flight.
    """

    def __init__(self, *, earlier_starts: int, position: int, log_end: int, max_in_flight: int):
        """Read from the lane's offset metadata at ``position``; 0 starts means no suspects."""
        self._position = position
        self._starts_at_position = earlier_starts
        self._log_end = log_end if earlier_starts > 0 else position
        self._left = max_in_flight

    def earlier_starts(self, offset: int) -> int:
        """How often the next admitted record has been started before. Call once per record."""
        if offset >= self._log_end or self._left <= 0:
            return 0
        self._left -= 1
        return self._starts_at_position if offset == self._position else 1
