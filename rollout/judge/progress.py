"""Does the shadow keep up with its input? Pure arithmetic on recent looks."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Final

from rollout.judge.look import Look

_LOOKS: Final = 600
"""Looks that are remembered at most: ten minutes of one a second."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How input and shadow moved over a recent stretch of time.

    Attributes:
        moving: the shadow passed any record in it.
        gain_per_ms: records by which the lag shrank, per millisecond; negative where it grew.
    """

    moving: bool
    gain_per_ms: float

    def closes_within(self, ms: int, lag: int) -> bool:
        """Whether the lag would be closed in that time, if all goes on as it did."""
        return self.gain_per_ms * ms >= lag


class ProgressMeter:
    """Remembers looks for a while."""

    def __init__(self, window_ms: int) -> None:
        """Look back so many milliseconds of shadowing."""
        self._window_ms = window_ms
        self._past: deque[tuple[int, int, int]] = deque(maxlen=_LOOKS)

    def look(self, look: Look) -> Progress:
        """Progress from the oldest remembered look to this one."""
        now = (look.elapsed_ms, look.input_records - look.lag_records, look.lag_records)
        while self._past and self._past[0][0] < look.elapsed_ms - self._window_ms:
            self._past.popleft()
        then = self._past[0] if self._past else (0, 0, 0)
        self._past.append(now)
        time = max(1, now[0] - then[0])
        return Progress(moving=now[1] > then[1], gain_per_ms=(then[2] - now[2]) / time)
