"""Looks at everything a working system needs and says how to mend what is missing."""

from deploy.doctor.finding import Finding, Status
from deploy.doctor.rounds import CHECKS, examine

__all__ = ["CHECKS", "Finding", "Status", "examine"]
