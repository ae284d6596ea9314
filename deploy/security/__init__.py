"""Rights in Kafka: granted, compared, written as a script; dependencies audited and listed."""
