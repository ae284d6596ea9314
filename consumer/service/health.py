"""``/livez``, ``/readyz`` and ``/metrics`` on one port, served from a thread of its own.

A thread, so that it can still answer (and say no) when the event loop hangs.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterable
from socketserver import ThreadingMixIn
from typing import TYPE_CHECKING
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from prometheus_client import CollectorRegistry, make_wsgi_app

from contracts.errors import UsageError

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIEnvironment


class Health:
    """What the probes answer from; written by the worker, read by the server's threads.

    Args:
        loop_timeout_s: the event loop must beat at least this often to be alive.
    """

    def __init__(self, *, loop_timeout_s: float) -> None:
        self._loop_timeout_s = loop_timeout_s
        self._beat_at = time.monotonic()
        self._waiting_for = "start"

    def beat(self) -> None:
        """The event loop turns."""
        self._beat_at = time.monotonic()

    def waiting_for(self, what: str) -> None:
        """Not ready, because of this."""
        self._waiting_for = what

    def ready(self) -> None:
        """Ready to serve."""
        self._waiting_for = ""

    @property
    def silent_s(self) -> float:
        """Seconds since the event loop last turned."""
        return time.monotonic() - self._beat_at

    @property
    def alive(self) -> bool:
        """False when the event loop has not turned for too long."""
        return self.silent_s < self._loop_timeout_s

    @property
    def not_ready_because(self) -> str:
        """Empty when ready."""
        return self._waiting_for if self.alive else "the event loop hangs"


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True


class _Quiet(WSGIRequestHandler):
    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  (the base's name)
        del format, args


class HealthServer:
    """The HTTP server. ``port`` says which port it really got."""

    def __init__(self, host: str, port: int, health: Health, registry: CollectorRegistry) -> None:
        """Bind.

        Raises:
            UsageError: ``port_in_use``.
        """
        metrics = make_wsgi_app(registry)

        def app(environ: WSGIEnvironment, respond: StartResponse) -> Iterable[bytes]:
            path = environ.get("PATH_INFO", "")
            if path == "/metrics":
                answer: Iterable[bytes] = metrics(environ, respond)
                return answer
            if path == "/livez":
                return _answer(respond, ok=health.alive, why="the event loop hangs")
            if path == "/readyz":
                why = health.not_ready_because
                return _answer(respond, ok=not why, why=f"waiting for {why}")
            respond("404 Not Found", [("content-type", "text/plain")])
            return [b"/livez, /readyz, /metrics\n"]

        try:
            self._server = make_server(host, port, app, server_class=_Server, handler_class=_Quiet)
        except OSError as error:
            raise UsageError(
                f"cannot listen on {host}:{port}: {error.strerror}",
                code="port_in_use",
                hint="choose another with --port; 0 takes any free one",
            ) from error
        self.port = self._server.server_port
        self._thread = threading.Thread(
            target=self._server.serve_forever, name="mgeo-health", daemon=True
        )
        self._thread.start()

    def close(self) -> None:
        """Stop answering."""
        self._server.shutdown()
        self._server.server_close()


def _answer(respond: StartResponse, *, ok: bool, why: str) -> list[bytes]:
    respond("200 OK" if ok else "503 Service Unavailable", [("content-type", "application/json")])
    body = {"status": "ok"} if ok else {"status": "unavailable", "reason": why}
    return [json.dumps(body).encode() + b"\n"]
