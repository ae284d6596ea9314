"""Evidence: from shadow pairs to outcomes, in one canonical order."""

from rollout.evidence.trial import Observer, Trial

__all__ = ["Observer", "Trial"]
