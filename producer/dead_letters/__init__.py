"""Dead letters: seeing why records failed, and sending them back once they can succeed."""

from producer.dead_letters.letter import DeadLetter, Selection
from producer.dead_letters.replay import ReplayReport, read_letters, replay, replayed_offsets

__all__ = [
    "DeadLetter",
    "ReplayReport",
    "Selection",
    "read_letters",
    "replay",
    "replayed_offsets",
]
