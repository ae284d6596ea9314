"""Monitoring, shown alive: real services, a real Prometheus and Alertmanager, real causes.

Nothing here is part of the product; it shows that the product's rules and panels mean something.
"""
