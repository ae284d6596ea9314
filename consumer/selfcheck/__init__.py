"""Does a stored model do on this machine what it should: the same numbers as modelscope's own
implementation, and the known addresses right."""

from consumer.selfcheck.check import SelfCheck, selfcheck
from consumer.selfcheck.conformance import TOLERANCE, Conformance
from consumer.selfcheck.known import KNOWN_ADDRESSES, KnownReport

__all__ = [
    "KNOWN_ADDRESSES",
    "TOLERANCE",
    "Conformance",
    "KnownReport",
    "SelfCheck",
    "selfcheck",
]
