"""``MGeoClient`` and ``AsyncMGeoClient``: connections, clock and chance around the exchange."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Iterable, Mapping
from types import TracebackType
from typing import Any, Self, TypeVar

import httpx

from contracts.errors import MgeoError
from contracts.http import EventsAnswer
from producer.client import exchange
from producer.client.answers import BatchParsed, Parsed
from producer.client.errors import GatewayBusyError
from producer.client.exchange import AddressLike, Question
from producer.client.retrying import Failure, Retries, wait_before_retry

DEFAULT_URL = "http://127.0.0.1:8000"
_GRACE_S = 1.0
"""How much longer than the gateway's own deadline its answer may be on its way."""

_NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)

Result = TypeVar("Result")
Read = Callable[[int, Mapping[str, str], bytes], Result]


class _Asking:
    """One question over all its attempts: what both clients do between two of them."""

    def __init__(self, question: Question, timeout_s: float, retries: Retries) -> None:
        self.question = question
        self._deadline = time.monotonic() + timeout_s
        self._retries = retries
        self._attempt = 0

    def request(self) -> dict[str, Any]:
        """Arguments of the next attempt, for httpx."""
        self._attempt += 1
        left_s = max(self._deadline - time.monotonic(), 0.001)
        return {
            "method": "POST",
            "url": self.question.path,
            "json": self.question.body,
            "headers": self.question.headers_for(left_s),
            "timeout": httpx.Timeout(left_s + _GRACE_S, connect=left_s, pool=left_s),
        }

    def read(self, response: httpx.Response, read: Read[Result]) -> Result:
        headers = {name.lower(): value for name, value in response.headers.items()}
        return read(response.status_code, headers, response.content)

    def pause_after(self, error: Exception) -> float:
        """Seconds to wait before the next attempt; raises where there is none."""
        if isinstance(error, MgeoError):
            raised, failure = error, exchange.failure_of(error)
        else:
            failure = _unreachable(error)
            raised = failure.error
        if failure is not None:
            wait = wait_before_retry(
                failure,
                attempt=self._attempt,
                retries=self._retries,
                idempotent=self.question.idempotent,
                left_s=self._deadline - time.monotonic(),
                chance=random.random(),  # noqa: S311 - spreads load, guards nothing
            )
            if wait is not None:
                return wait
        raise raised from None


def _unreachable(error: Exception) -> Failure:
    begun = not isinstance(error, _NOT_SENT)
    if isinstance(error, httpx.TimeoutException) and begun:
        return Failure(
            GatewayBusyError("no answer came by the deadline", code="deadline_exceeded"), begun=True
        )
    # Not the error's message: it may name more than its reader should see.
    return Failure(
        GatewayBusyError(
            f"no gateway answers ({type(error).__name__})",
            code="gateway_unreachable",
            hint="start one with `mgeo gateway`, or set base_url",
        ),
        begun=begun,
    )


class MGeoClient:
    """Asks a gateway. A context manager; safe to use from many threads.

    Args:
        base_url: of the gateway, or of what stands in front of it.
        timeout_s: how long one call may take in all, retries included.
        retries: how it asks again where that can help.
        headers: sent with every request, such as an ``Authorization`` for what stands in front.
        options: further keyword arguments of ``httpx.Client``: certificates, proxies, limits.

    Example:
        >>> with MGeoClient() as client:
        ...     client.parse("上海市浦东新区张江高科技园区").district
        '浦东新区'
    """

    def __init__(
        self,
        base_url: str = DEFAULT_URL,
        *,
        timeout_s: float = 5.0,
        retries: Retries | None = None,
        headers: Mapping[str, str] | None = None,
        **options: Any,
    ) -> None:
        self._timeout_s = timeout_s
        self._retries = retries or Retries()
        self._http = httpx.Client(base_url=base_url, headers=dict(headers or {}), **options)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close its connections."""
        self._http.close()

    def parse(
        self, address: str, *, version: str | None = None, timeout_s: float | None = None
    ) -> Parsed:
        """Parse one address.

        Args:
            address: the text.
            version: ``stable``, ``canary`` or ``VERSION[@precision]``; None lets the rollout
                decide.
            timeout_s: in place of the client's own.

        Raises:
            GatewayBusyError: overloaded, no worker, no answer in time, or no gateway.
            GatewayRefusedError: this address can never be parsed.
            VersionUnavailableError: the model that was asked for does not answer.
            GatewayFailedError: the gateway or the model failed.
        """
        return self._ask(exchange.parse_question(address, version), exchange.parsed_of, timeout_s)

    def parse_batch(
        self,
        addresses: Iterable[AddressLike],
        *,
        version: str | None = None,
        timeout_s: float | None = None,
    ) -> BatchParsed:
        """Parse some addresses, all by one model; one result for each, in their order.

        Args:
            addresses: texts, (id, text) pairs or ``Address``; a bare text is named by its
                place, counted from 1.
            version: as of ``parse``, like the rest and what is raised. What is wrong with one
                address is its result's ``error``.
            timeout_s: as of ``parse``.
        """
        question = exchange.batch_question(addresses, version)
        return self._ask(question, exchange.batch_of, timeout_s)

    def publish(
        self,
        addresses: Iterable[AddressLike],
        *,
        source: str = "",
        key: str | None = None,
        batch_id: str | None = None,
        timeout_s: float | None = None,
    ) -> EventsAnswer:
        """Publish some addresses and wait until Kafka has them; results come on the topic.

        It is not repeated where the first time may have worked: that is a ``GatewayBusyError``
        with code ``deadline_exceeded`` or ``gateway_unreachable``. The batch id is the same in
        every attempt.

        Args:
            addresses: as of ``parse_batch``.
            source: who publishes.
            key: batches of one key are parsed in the order of these calls.
            batch_id: comes back with the results; default: a new random one.
            timeout_s: as of ``parse``.
        """
        question = exchange.events_question(addresses, source=source, key=key, batch_id=batch_id)
        return self._ask(question, exchange.events_of, timeout_s)

    def _ask(self, question: Question, read: Read[Result], timeout_s: float | None) -> Result:
        asking = _Asking(question, timeout_s or self._timeout_s, self._retries)
        while True:
            try:
                return asking.read(self._http.request(**asking.request()), read)
            except (MgeoError, httpx.TransportError) as error:
                pause_s = asking.pause_after(error)
            time.sleep(pause_s)


class AsyncMGeoClient:
    """``MGeoClient`` for asyncio: the same arguments, results and errors."""

    def __init__(
        self,
        base_url: str = DEFAULT_URL,
        *,
        timeout_s: float = 5.0,
        retries: Retries | None = None,
        headers: Mapping[str, str] | None = None,
        **options: Any,
    ) -> None:
        self._timeout_s = timeout_s
        self._retries = retries or Retries()
        self._http = httpx.AsyncClient(base_url=base_url, headers=dict(headers or {}), **options)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close its connections."""
        await self._http.aclose()

    async def parse(
        self, address: str, *, version: str | None = None, timeout_s: float | None = None
    ) -> Parsed:
        """As ``MGeoClient.parse``."""
        question = exchange.parse_question(address, version)
        return await self._ask(question, exchange.parsed_of, timeout_s)

    async def parse_batch(
        self,
        addresses: Iterable[AddressLike],
        *,
        version: str | None = None,
        timeout_s: float | None = None,
    ) -> BatchParsed:
        """As ``MGeoClient.parse_batch``."""
        question = exchange.batch_question(addresses, version)
        return await self._ask(question, exchange.batch_of, timeout_s)

    async def publish(
        self,
        addresses: Iterable[AddressLike],
        *,
        source: str = "",
        key: str | None = None,
        batch_id: str | None = None,
        timeout_s: float | None = None,
    ) -> EventsAnswer:
        """As ``MGeoClient.publish``."""
        question = exchange.events_question(addresses, source=source, key=key, batch_id=batch_id)
        return await self._ask(question, exchange.events_of, timeout_s)

    async def _ask(self, question: Question, read: Read[Result], timeout_s: float | None) -> Result:
        asking = _Asking(question, timeout_s or self._timeout_s, self._retries)
        while True:
            try:
                return asking.read(await self._http.request(**asking.request()), read)
            except (MgeoError, httpx.TransportError) as error:
                pause_s = asking.pause_after(error)
            await asyncio.sleep(pause_s)
