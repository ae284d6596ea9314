"""When a client asks again, and what it makes of each answer."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.errors import FatalError, MgeoError, PermanentError, TransientError, UsageError
from contracts.problems import PROBLEMS, RETRIABLE
from producer.client.errors import GatewayBusyError
from producer.client.exchange import events_question, failure_of, parse_question, parsed_of
from producer.client.retrying import Failure, Retries, wait_before_retry
from producer.gateway.problem import ProblemError, problem_body

RETRIES = Retries(attempts=4, first_s=0.1, most_s=5.0)


def answered(code: str, headers: dict[str, str] | None = None) -> MgeoError:
    body = problem_body(ProblemError("told", code=code))
    with pytest.raises(MgeoError) as caught:
        parsed_of(PROBLEMS[code].status, headers or {}, body)
    return caught.value


@pytest.mark.parametrize("code", PROBLEMS)
def test_every_problem_is_an_error_by_its_consequence_with_its_code(code: str) -> None:
    error = answered(code)

    status = PROBLEMS[code].status
    kinds = {429: TransientError, 503: TransientError, 504: TransientError, 409: UsageError}
    default = PermanentError if status < 500 else FatalError
    assert error.code == code
    assert isinstance(error, kinds.get(status, default))
    if code in RETRIABLE:
        assert failure_of(error) is not None


@given(
    attempt=st.integers(1, 6),
    chance=st.floats(0, 1, exclude_max=True),
    said=st.none() | st.floats(0, 40),
    left=st.floats(0, 60),
    idempotent=st.booleans(),
    begun=st.booleans(),
    code=st.sampled_from(sorted(PROBLEMS)),
)
def test_a_retry_comes_within_the_deadline_not_before_it_is_wanted_and_does_nothing_twice(
    attempt: int,
    chance: float,
    said: float | None,
    left: float,
    idempotent: bool,
    begun: bool,
    code: str,
) -> None:
    error = GatewayBusyError("m", code=code, retry_after_s=said)

    wait = wait_before_retry(
        Failure(error, begun),
        attempt=attempt,
        retries=RETRIES,
        idempotent=idempotent,
        left_s=left,
        chance=chance,
    )

    if wait is None:
        return
    assert attempt < RETRIES.attempts
    assert (said or 0.0) <= wait < left
    assert wait <= (said or 0.0) + RETRIES.most_s
    assert idempotent or not begun or code in RETRIABLE


def test_something_else_than_a_gateway_is_told_apart() -> None:
    with pytest.raises(FatalError):
        parsed_of(200, {}, b"<html>")
    with pytest.raises(TransientError) as caught:
        parsed_of(503, {"retry-after": "7"}, b"<html>busy</html>")
    assert caught.value.retry_after_s == 7.0  # type: ignore[attr-defined]  # of the client's own kind


def test_a_question_carries_what_is_left_of_the_deadline() -> None:
    question = parse_question("京", "canary")

    assert question.headers_for(1.5) == {"X-MGeo-Version": "canary", "X-MGeo-Timeout-Ms": "1500"}


def test_what_is_published_has_one_batch_id_in_every_attempt() -> None:
    question = events_question(["京", ("b", "沪")], source="s", key=None, batch_id=None)

    assert question.body["batch_id"]
    assert not question.idempotent
    assert question.body["addresses"] == ["京", {"id": "b", "text": "沪"}]
