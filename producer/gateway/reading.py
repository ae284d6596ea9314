"""Reading what comes over HTTP within bounds: the body, and the headers that mean something.

Bytes, time and memory are bounded before anything is looked at; nothing is ever unpacked.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any, Final

from contracts.http import TIMEOUT_HEADER
from producer.gateway.problem import ProblemError, field_fault
from producer.gateway.settings import GatewaySettings

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]

_JSON: Final = re.compile(r'application/json\s*(;\s*charset\s*=\s*"?utf-8"?\s*)?', re.IGNORECASE)
_WAIT: Final = re.compile(r"(?:^|,)\s*wait\s*=\s*\"?([0-9]{1,6})\"?\s*(?:,|;|$)", re.IGNORECASE)
_MILLISECONDS: Final = re.compile(r"[0-9]{1,9}")
_REQUEST_ID: Final = re.compile(r"[A-Za-z0-9._-]{1,64}")


class ClientGoneError(Exception):
    """The client has left in the middle of its request: nobody reads an answer."""


class BodyReader:
    """Reads bodies; knows how many bytes of all of them it holds."""

    def __init__(self, settings: GatewaySettings) -> None:
        self._most = settings.max_body_bytes
        self._most_in_all = settings.max_bodies_bytes
        self._timeout_s = settings.body_timeout_ms / 1000
        self._held = 0

    async def read(self, headers: dict[str, str], receive: Receive) -> bytes:
        """One whole body.

        Args:
            headers: of the request, by lower-case name.
            receive: the ASGI channel.

        Raises:
            ProblemError: 408, 413, 415 or 503; the connection is to be closed then.
            ClientGoneError: the client left.
        """
        self._check(headers)
        chunks: list[bytes] = []
        size = 0
        try:
            async with asyncio.timeout(self._timeout_s):
                while True:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        raise ClientGoneError
                    chunk = message.get("body", b"")
                    size += len(chunk)
                    self._held += len(chunk)
                    chunks.append(chunk)
                    if size > self._most:
                        raise self._too_large()
                    if self._held > self._most_in_all:
                        raise ProblemError(
                            "too many bodies are on their way",
                            code="too_many_connections",
                            retry_after_s=1,
                            close=True,
                        )
                    if not message.get("more_body", False):
                        return b"".join(chunks)
        except TimeoutError:
            raise ProblemError(
                f"the body was not whole within {self._timeout_s:g} s",
                code="body_timeout",
                close=True,
            ) from None
        finally:
            self._held -= size

    def _check(self, headers: dict[str, str]) -> None:
        if headers.get("content-encoding", "identity").strip().lower() != "identity":
            raise ProblemError(
                "a compressed body is not read", code="unsupported_encoding", close=True
            )
        if not _JSON.fullmatch(headers.get("content-type", "").strip()):
            raise ProblemError(
                "the content type must be application/json",
                code="unsupported_media_type",
                close=True,
            )
        length = headers.get("content-length", "")
        if length.isdecimal() and int(length) > self._most:
            raise self._too_large()

    def _too_large(self) -> ProblemError:
        return ProblemError(
            f"the body has more than {self._most} bytes", code="body_too_large", close=True
        )


class CloseOnUnread:
    """ASGI middleware: a request whose body nobody reads ends its connection with the answer.

    The body may be without end, and what bounds bodies is only where they are read.
    """

    def __init__(self, app: App) -> None:
        self._app = app

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """As ASGI has it."""
        if scope["type"] != "http" or not announces_body(scope["headers"]):
            await self._app(scope, receive, send)
            return
        unread = True

        async def reading() -> Message:
            nonlocal unread
            message = await receive()
            if message["type"] == "http.request" and not message.get("more_body", False):
                unread = False
            return message

        async def answering(message: Message) -> None:
            if unread and message["type"] == "http.response.start":
                headers = [one for one in message["headers"] if one[0].lower() != b"connection"]
                message = {**message, "headers": [*headers, (b"connection", b"close")]}
            await send(message)

        await self._app(scope, reading, answering)


def announces_body(headers: Iterable[tuple[bytes, bytes]]) -> bool:
    """Whether a body follows a request's head. Pure."""
    return any(
        name == b"transfer-encoding" or (name == b"content-length" and value.strip(b" 0") != b"")
        for name, value in headers
    )


def check_head(headers: Iterable[tuple[bytes, bytes]], most_bytes: int) -> None:
    """Refuse a head that is too large.

    h11 bounds only what is incomplete: a head that comes in one piece passes it by.

    Raises:
        ProblemError: ``head_too_large``.
    """
    size = sum(len(name) + len(value) + 4 for name, value in headers)
    if size > most_bytes:
        raise ProblemError(
            f"the header fields have {size} bytes, the limit is {most_bytes}",
            code="head_too_large",
            close=True,
        )


def patience_s(headers: dict[str, str], settings: GatewaySettings) -> float:
    """How long the caller waits: ``X-MGeo-Timeout-Ms``, else ``Prefer: wait=SECONDS``.

    Raises:
        ProblemError: ``bad_request_header``.
    """
    asked = headers.get(TIMEOUT_HEADER.lower())
    if asked is not None:
        if not _MILLISECONDS.fullmatch(asked) or int(asked) == 0:
            raise field_fault(
                TIMEOUT_HEADER,
                "bad_request_header",
                "must be a whole number of milliseconds above 0",
                code="bad_request_header",
            )
        return min(int(asked), settings.max_timeout_ms) / 1000
    preferred = _WAIT.search(headers.get("prefer", ""))
    if preferred is not None:  # RFC 7240: a preference that is not understood is ignored
        return min(max(int(preferred[1]) * 1000, 1), settings.max_timeout_ms) / 1000
    return settings.timeout_ms / 1000


def request_id(headers: dict[str, str]) -> str | None:
    """The caller's own id of the request, where it is one that may be repeated anywhere."""
    asked = headers.get("x-request-id", "")
    return asked if _REQUEST_ID.fullmatch(asked) else None
