"""The oracle of the stream, as the tests call it: the product's own books, on a test's topics.

`test_stream_oracle.py` shows that it says no to every kind of damage.
"""

from __future__ import annotations

from deploy.ledger import Books as StreamSeen
from deploy.ledger import Lane, Output, Place, dead_letter_of, result_of, violations
from deploy.ledger import read_books as look

__all__ = [
    "Lane",
    "Output",
    "Place",
    "StreamSeen",
    "dead_letter_of",
    "look",
    "result_of",
    "violations",
]
