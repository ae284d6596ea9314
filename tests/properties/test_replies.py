"""Where a reply goes, written into headers and read back."""

import string

from hypothesis import given
from hypothesis import strategies as st

from contracts.headers import REPLY_BY, REPLY_TO
from contracts.replies import ReplyTo

WORDS = st.text(string.ascii_lowercase + string.digits, min_size=1, max_size=32)


@given(st.integers(0, 999_999_999), WORDS, WORDS, st.none() | st.integers(0, 10**15 - 1))
def test_who_waits_is_read_back_as_it_was_written(
    partition: int, gateway: str, request: str, by_ms: int | None
) -> None:
    wanted = ReplyTo(partition, gateway, request, by_ms)

    assert ReplyTo.of(wanted.headers()) == wanted


@given(st.binary(max_size=80), st.binary(max_size=30))
def test_headers_of_strangers_never_raise(to: bytes, by: bytes) -> None:
    found = ReplyTo.of([(REPLY_TO, to), (REPLY_BY, by)])

    if found is not None:
        assert ReplyTo.of(found.headers()) == found


def test_nobody_waits_at_the_deadline_or_after_it() -> None:
    wanted = ReplyTo(0, "g", "1", by_ms=1000)

    assert wanted.in_time(999)
    assert not wanted.in_time(1000)
    assert ReplyTo(0, "g", "1").in_time(10**15)
