"""uvicorn within bounds: how long a head may take, how large it may be, how many connect.

What uvicorn leaves without a bound, or answers as plain text, is taken in hand here.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from collections.abc import Callable, Iterator
from typing import Any

import h11
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from contracts.errors import UsageError
from contracts.http import PROBLEM_TYPE
from producer.gateway.problem import ProblemError, problem_body
from producer.gateway.settings import GatewaySettings


class _Quiet(uvicorn.Server):
    """Signals are our caller's: uvicorn would raise SIGTERM again at its end."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def bounded_protocol(settings: GatewaySettings) -> type[H11Protocol]:
    """uvicorn's HTTP/1.1 with a bound on every wait and size."""
    head_timeout_s = settings.head_timeout_ms / 1000
    write_timeout_s = settings.write_timeout_ms / 1000

    class Bounded(H11Protocol):
        _head_timer: asyncio.TimerHandle | None = None
        _write_timer: asyncio.TimerHandle | None = None

        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as the base has it
            super().connection_made(transport)
            if len(self.connections) > settings.max_connections:
                self._refuse(
                    ProblemError(
                        "too many connections are open",
                        code="too_many_connections",
                        retry_after_s=1,
                    )
                )
                return
            self._watch_head()

        def data_received(self, data: bytes) -> None:
            if self.transport.is_closing():
                return
            super().data_received(data)
            self._watch_head()

        def connection_lost(self, exc: Exception | None) -> None:
            self._stop(self._head_timer, self._write_timer)
            super().connection_lost(exc)

        def on_response_complete(self) -> None:
            # An answer that did not wait for the body: nothing bounds what would still come of it.
            if self.conn.their_state is h11.SEND_BODY:
                self.transport.close()
            super().on_response_complete()

        def pause_writing(self) -> None:
            super().pause_writing()
            self._write_timer = self.loop.call_later(write_timeout_s, self.transport.abort)

        def resume_writing(self) -> None:
            super().resume_writing()
            self._stop(self._write_timer)

        def send_400_response(self, msg: str) -> None:
            del msg
            left, _ = self.conn.trailing_data
            if len(left) > settings.max_head_bytes:
                self._refuse(
                    ProblemError(
                        f"the head has more than {settings.max_head_bytes} bytes",
                        code="head_too_large",
                    )
                )
            else:
                self._refuse(ProblemError("this is no HTTP request", code="bad_http"))

        def _watch_head(self) -> None:
            """Time is up when a head has been on its way for too long, in however many bits."""
            if self.conn.their_state is not h11.IDLE:
                self._stop(self._head_timer)
                self._head_timer = None
            elif self._head_timer is None and not self.transport.is_closing():
                self._head_timer = self.loop.call_later(head_timeout_s, self._head_too_slow)

        def _head_too_slow(self) -> None:
            self._head_timer = None
            # In between two requests the shorter bound on idle connections holds.
            if self.conn.their_state is h11.IDLE and not self.transport.is_closing():
                self.transport.close()

        def _refuse(self, error: ProblemError) -> None:
            if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):
                body = problem_body(error)
                retry = error.retry_after_s
                headers = [
                    ("content-type", PROBLEM_TYPE),
                    ("content-length", str(len(body))),
                    ("connection", "close"),
                    *([] if retry is None else [("retry-after", str(retry))]),
                ]
                head = [f"HTTP/1.1 {error.status} ", *(f"\r\n{n}: {v}" for n, v in headers)]
                self.transport.write("".join([*head, "\r\n\r\n"]).encode() + body)
            self.transport.close()

        @staticmethod
        def _stop(*timers: asyncio.TimerHandle | None) -> None:
            for timer in timers:
                if timer is not None:
                    timer.cancel()

    return Bounded


async def serve(
    app: Any,
    settings: GatewaySettings,
    stop: asyncio.Event,
    on_port: Callable[[int], None],
    on_stop: Callable[[], None],
) -> None:
    """Serve until ``stop`` is set, then finish what is in hand within the budget.

    Args:
        app: an ASGI application.
        settings: bounds, host and port.
        stop: set from outside.
        on_port: told the port once requests are taken.
        on_stop: called when ``stop`` was set, before the last requests end.

    Raises:
        UsageError: ``port_in_use``.
    """
    listening = _listen(settings.host, settings.port)
    # uvicorn logs what anybody can cause, and exceptions with their messages.
    logging.getLogger("uvicorn").setLevel(logging.CRITICAL)
    server = _Quiet(
        uvicorn.Config(
            app,
            http=bounded_protocol(settings),
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            h11_max_incomplete_event_size=settings.max_head_bytes,
            timeout_keep_alive=max(1, settings.keep_alive_timeout_ms // 1000),
            timeout_graceful_shutdown=max(1, settings.drain_budget_ms // 1000),
            backlog=min(settings.max_connections, 2048),
        )
    )
    serving = asyncio.create_task(server.serve(sockets=[listening]))
    stopping = asyncio.create_task(stop.wait())
    try:
        # uvicorn has no event for it.
        while not server.started and not serving.done():  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        if server.started:
            on_port(listening.getsockname()[1])
        await asyncio.wait({serving, stopping}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        stopping.cancel()
        on_stop()
        server.should_exit = True
        await serving


def _listen(host: str, port: int) -> socket.socket:
    try:
        family, kind, proto, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listening = socket.socket(family, kind, proto)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listening.bind(address)
            listening.listen(2048)
        except OSError:
            listening.close()
            raise
    except OSError as error:
        raise UsageError(
            f"cannot listen on {host}:{port}: {error.strerror}",
            code="port_in_use",
            hint="choose another with --port; 0 takes any free one",
        ) from error
    listening.setblocking(False)
    return listening
