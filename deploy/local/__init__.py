"""A real Kafka broker on this machine from pip alone."""

from deploy.local.broker import LocalBroker
from deploy.local.settings import LocalSettings

__all__ = ["LocalBroker", "LocalSettings"]
