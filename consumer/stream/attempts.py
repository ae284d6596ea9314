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


@dataclass(frozen=True, slots=True)
class Note:
    """What is written beside a committed offset about the record there.

    Attributes:
        starts: how often it was started.
        own: the last of them is by the process that writes the note.
    """

    starts: int = 0
    own: bool = False

    @property
    def crashed_starts(self) -> int:
        """How many of the starts ended in a crash, when the writer itself reads the note.

        It has lost its lane since, not its life: its own start is forgiven. Without this, a
        broker that keeps failing commits would make an innocent record look like a killer.
        """
        return max(0, self.starts - 1) if self.own else self.starts


def note_for_next(earlier: int) -> Note:
    """The note beside a frontier that moves to a record with so many earlier starts.

    A suspect waits for its own note before it runs; any other may already be running.
    """
    return Note(earlier) if earlier > 0 else Note(1, own=True)


class Suspects:
    """Which of a lane's records may have been in flight at the crash before it was opened.

    They are the records below the log's end at that time, at most as many as one lane ever
    has in flight. The first record from the committed offset on is the one that the note
    beside that offset counts; the others were started once at most. The first need not lie
    *at* the offset: transaction markers and compaction leave holes.
    """

    def __init__(self, *, earlier_starts: int, position: int, log_end: int, max_in_flight: int):
        """Read from the lane's offset metadata at ``position``; 0 starts means no suspects."""
        self._first: int | None = None
        self._starts_of_first = earlier_starts
        self._end = log_end if earlier_starts > 0 else position
        self._counted_to = position
        self._left = max_in_flight

    def earlier_starts(self, offset: int) -> int:
        """How often the record that is admitted now has been started before.

        Records are admitted in order; one that is read again after a rollback is answered
        as the first time.
        """
        if offset >= self._counted_to and offset < self._end:
            if self._left == 0:
                self._end = offset
            else:
                self._left -= 1
                self._counted_to = offset + 1
        starts = self.starts_at(offset)
        if self._first is None:
            self._first = offset
        return starts

    def starts_at(self, offset: int) -> int:
        """The same for the record at or after ``offset``, admitted or not: counts nothing."""
        if offset >= self._end or (offset >= self._counted_to and self._left == 0):
            return 0
        is_first = self._first is None or offset <= self._first
        return self._starts_of_first if is_first else 1


def note_to_leave(*, earlier: int, noted: Note, crashed: bool) -> Note:
    """What an owner that closes in good order writes beside the offset it leaves.

    Its own start of the record is taken back, for it was no crash; those of earlier owners,
    which were, stay. A suspect that has run alone for long and not ended may be the one that
    hangs the device, so its start counts: else it could go from worker to worker for ever. So it
    does where the device broke: that is a crash, though the process lived to say so.

    Args:
        earlier: starts of the record at the frontier before this owner.
        noted: what is written beside the offset now.
        crashed: the device is broken, or this owner started the record alone, long ago, and it
            has not ended.
    """
    return noted if crashed else Note(earlier)
