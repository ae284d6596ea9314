"""The worker process: everything around the engine."""
