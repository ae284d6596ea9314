"""Made-up rollouts and their evidence, for tests."""
