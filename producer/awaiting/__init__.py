"""Publishing a file and waiting for its rows to come back, all columns, in order."""

from producer.awaiting.collect import Collector
from producer.awaiting.join import write_joined
from producer.awaiting.spill import Spill

__all__ = ["Collector", "Spill", "write_joined"]
