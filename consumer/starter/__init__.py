"""Starter models: small MGeo checkpoints, trained on addresses that this package makes up."""
