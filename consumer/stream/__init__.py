"""The engine: lanes, batcher, device executor, commit. Exactly once from Kafka to Kafka."""
