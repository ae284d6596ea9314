"""What a client gives back: the contracts' models, and which model answered."""

from __future__ import annotations

from contracts.frozen import Frozen
from contracts.http import BatchAnswer, ParsedAddress


class Served(Frozen):
    """Who answered, as the response's headers say it."""

    model: str = ""
    """``VERSION@precision``; empty where no model was needed."""
    track: str = ""
    """``stable`` or ``canary``."""
    serving_epoch: int | None = None
    origin: str = ""
    """``topic/partition/offset`` of the input record: finds the durable result."""
    request_id: str = ""


class Parsed(ParsedAddress):
    """One address: ``levels``, ``components`` and the rest, and who answered."""

    served: Served = Served()


class BatchParsed(BatchAnswer):
    """One result for each address, in order, and who answered."""

    served: Served = Served()
