"""Evidence: from shadow pairs to outcomes, in one canonical order."""

from rollout.evidence.parties import Observer
from rollout.evidence.trial import Trial

__all__ = ["Observer", "Trial"]
