"""Which client reads what: the group's own reads one input, each other input has its own.

aiokafka has one fetch under way to each broker, and asks for nothing more while something that
it has read waits to be taken. In one client a backlog would hold up a record that somebody
waits for, and a quiet input would hold up the backlog, for as long as a fetch may last.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from aiokafka import AIOKafkaConsumer, TopicPartition


class Readers:
    """The clients of one membership.

    Args:
        topics: the inputs, at least one.
        group: knows the assignment, and reads the first of them.
        make_reader: makes a client that belongs to no group, for each of the others.
    """

    def __init__(
        self,
        topics: Iterable[str],
        group: AIOKafkaConsumer,
        make_reader: Callable[[], AIOKafkaConsumer],
    ) -> None:
        self.topics = tuple(topics)
        self.group = group
        self._others = {topic: make_reader() for topic in self.topics[1:]}

    @property
    def all(self) -> tuple[AIOKafkaConsumer, ...]:
        """Every client, the group's first."""
        return (self.group, *self._others.values())

    def of(self, partition: TopicPartition) -> AIOKafkaConsumer:
        """The client that reads this partition."""
        return self._others.get(partition.topic, self.group)

    def assigned(self, partitions: Iterable[TopicPartition]) -> None:
        """The group has assigned these. Nothing of them is read until it is resumed."""
        partitions = list(partitions)
        if partitions:
            self.group.pause(*partitions)  # for good, where another client reads
        for topic, client in self._others.items():
            mine = [one for one in partitions if one.topic == topic]
            if mine:
                client.assign(mine)
            # Assigned nothing a client would wait without end; so it keeps what it had, asleep.
            if client.assignment():
                client.pause(*client.assignment())

    def seek(self, partition: TopicPartition, position: int) -> None:
        """Read from here on."""
        client = self.of(partition)
        client.seek(partition, position)
        if client is not self.group:
            # A client looks for a position where it has none, of what is paused too.
            self.group.seek(partition, position)
