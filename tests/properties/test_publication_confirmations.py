"""At whatever moment a publication is killed, its journal and the log together know all.

A small model of the log: each session sends its batches in order, each partition takes a
prefix of what was sent to it, confirmations come back for a part of that, in any order.
"""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from producer.publishing.confirmed import Confirmations, Known

BATCHES = 24


def read_back(log: list[list[int]], known: Known) -> set[int]:
    tail = {batch for part, records in enumerate(log) for batch in records[known.floors[part] :]}
    return tail | set(range(known.prefix)) | set(known.beyond)


@given(
    partitions=st.integers(1, 3),
    kills=st.integers(0, 5),
    data=st.data(),
)
def test_what_is_resumed_is_exactly_what_the_log_lacks(
    partitions: int, kills: int, data: st.DataObject
) -> None:
    log: list[list[int]] = [[] for _ in range(partitions)]
    known = Known(0, (), dict.fromkeys(range(partitions), 0))
    for session in range(kills + 1):
        arrived = read_back(log, known)
        assert arrived == {batch for records in log for batch in records}
        ends = {part: len(records) for part, records in enumerate(log)}
        confirmations = Confirmations(arrived, ends)
        known = confirmations.known()  # the first checkpoint of the session
        to_send = [batch for batch in range(BATCHES) if not confirmations.is_there(batch)]
        assert set(to_send) == set(range(BATCHES)) - arrived
        if session < kills:
            to_send = to_send[: data.draw(st.integers(0, len(to_send)), label="sent")]
        confirmed: list[tuple[int, int, int]] = []
        for part in range(partitions):
            # A key may send a batch anywhere; the choice differs between sessions here, which
            # is harsher than the real thing.
            mine = [batch for batch in to_send if (batch + session) % partitions == part]
            taken = len(mine)
            if session < kills:
                taken = data.draw(st.integers(0, len(mine)), label="arrived")
            for batch in mine[:taken]:
                confirmed.append((batch, part, len(log[part])))
                log[part].append(batch)
        for batch, part, offset in data.draw(st.permutations(confirmed), label="confirmations"):
            if session < kills and data.draw(st.booleans(), label="lost"):
                continue
            confirmations.confirm(batch, part, offset)
            if data.draw(st.booleans(), label="checkpoint"):
                known = confirmations.known()
                held = {batch for batch in range(BATCHES) if known.holds(batch)}
                assert held <= {batch for records in log for batch in records}
    everything = [batch for records in log for batch in records]
    assert sorted(everything) == list(range(BATCHES))
