"""The Kafka broker that the tests run against, and topics on it. Starts nothing by import."""
