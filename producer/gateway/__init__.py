"""The HTTP front door: requests in, answers of the same workers out, over Kafka."""
