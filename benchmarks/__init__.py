"""Measurements that are not tests: each module is one command, ``python -m benchmarks.NAME``."""
