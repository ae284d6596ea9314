"""Publishing addresses to Kafka and reading the results back."""

from producer.encoding import RejectedAddress
from producer.publisher import AddressPublisher, PublishedBatch, PublishedRecord
from producer.results import ResultReader
from producer.settings import ProducerSettings

__all__ = [
    "AddressPublisher",
    "ProducerSettings",
    "PublishedBatch",
    "PublishedRecord",
    "RejectedAddress",
    "ResultReader",
]
