"""An error of the whole group is an error, and never an empty answer."""

from __future__ import annotations

from typing import Any

import pytest
from aiokafka.errors import (
    GroupAuthorizationFailedError,
    GroupLoadInProgressError,
    KafkaError,
    NotCoordinatorForGroupError,
)
from aiokafka.protocol.commit import OffsetFetchResponse_v3
from aiokafka.structs import OffsetAndMetadata, TopicPartition

from contracts.group_offsets import stored_offsets

PARTITION = TopicPartition("address.events", 3)
STORED = OffsetFetchResponse_v3(0, [("address.events", [(3, 1_000_000, "v1;e=7", 0)])], 0)
NEVER = OffsetFetchResponse_v3(0, [("address.events", [(3, -1, "", 0)])], 0)
LOADING = OffsetFetchResponse_v3(0, [], GroupLoadInProgressError.errno)
MOVED = OffsetFetchResponse_v3(0, [], NotCoordinatorForGroupError.errno)
REFUSED = OffsetFetchResponse_v3(0, [], GroupAuthorizationFailedError.errno)


class Answers:
    """An admin client whose broker gives these answers, the last one for ever."""

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)
        self.asked = 0

    async def find_coordinator(self, group: str) -> int:
        return 1

    async def _send_request(self, request: Any, node: int) -> Any:
        self.asked += 1
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


async def ask(*answers: Any, within_s: float = 0.0) -> dict[TopicPartition, OffsetAndMetadata]:
    admin: Any = Answers(*answers)
    return await stored_offsets(admin, "mgeo.stable", [PARTITION], within_s=within_s)


async def test_what_is_stored_comes_with_its_metadata_and_what_is_not_is_left_out() -> None:
    assert await ask(STORED) == {PARTITION: OffsetAndMetadata(1_000_000, "v1;e=7")}
    assert await ask(NEVER) == {}


@pytest.mark.parametrize("answer", [LOADING, MOVED, REFUSED])
async def test_an_error_of_the_group_is_raised(answer: Any) -> None:
    with pytest.raises(KafkaError) as caught:
        await ask(answer)
    assert caught.value.errno == answer.error_code


async def test_a_coordinator_that_moves_is_waited_for_and_a_refusal_is_not() -> None:
    assert await ask(LOADING, MOVED, STORED, within_s=10) != {}
    with pytest.raises(GroupAuthorizationFailedError):
        await ask(REFUSED, STORED, within_s=10)


async def test_an_error_of_a_partition_is_raised_as_it_is() -> None:
    answer = OffsetFetchResponse_v3(0, [("address.events", [(3, -1, "", 16)])], 0)
    with pytest.raises(NotCoordinatorForGroupError):
        await ask(answer)
