"""Evidence: from shadow pairs to outcomes, in one canonical order."""
